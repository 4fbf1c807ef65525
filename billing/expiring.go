package billing

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// expiryDays say how long before credits end it is told, the longest first (N1).
var expiryDays = []int{7, 1}

// TellExpiring tells of credits that will end by themselves, as their ends come within so
// many days: for each of these at most once, and not of what has ended or is nearer to its
// end than the next of them. It goes on where it was left, looks at so many books at most,
// and reports how many notices it wrote and whether there is more to look at. How far it
// got is written in the same transaction, so that it may be stopped anywhere.
func TellExpiring(ctx context.Context, tx pgx.Tx, at time.Time, booksMax int) (told int, more bool, err error) {
	for i, days := range expiryDays {
		from, to := ledger.AllEndsAt(at), ledger.AllEndsAt(at.AddDate(0, 0, days))
		if i+1 < len(expiryDays) {
			from = ledger.AllEndsAt(at.AddDate(0, 0, expiryDays[i+1]))
		}
		n, all, err := tellEnds(ctx, tx, days, from, to, at, booksMax)
		if err != nil {
			return 0, false, err
		}
		told, more = told+n, more || !all
	}
	return told, more, nil
}

// tellEnds tells of one number of days, and reports whether it has told of all of it.
func tellEnds(ctx context.Context, tx pgx.Tx, days int, from, to ledger.EndMark, at time.Time, booksMax int) (told int, all bool, err error) {
	reached, err := lockExpiryCursor(ctx, tx, days, from)
	if err != nil {
		return 0, false, err
	}
	if from.Before(reached) {
		from = reached
	}
	if !from.Before(to) {
		return 0, true, nil
	}
	ends, reached, err := ledger.EndsBetween(ctx, tx, from, to, booksMax)
	if err != nil {
		return 0, false, err
	}
	notices := make([]Notice, len(ends))
	for i, e := range ends {
		notices[i] = Notice{
			BookID: e.Book, Kind: NoticeExpiring, UserID: e.Holder, At: at,
			Data: NoticeData{"credits": e.Credits, "expires_at": e.At.UTC(), "days": days},
		}
	}
	if err := Tell(ctx, tx, notices...); err != nil {
		return 0, false, err
	}
	_, err = tx.Exec(ctx, `UPDATE expiry_cursors SET ends_at = $2, book_id = $3 WHERE days = $1`, days, reached.At, reached.Book)
	if err != nil {
		return 0, false, fmt.Errorf("noting how far ends are told: %w", err)
	}
	return len(ends), !reached.Before(to), nil
}

// lockExpiryCursor gives how far ends are told, and lets nobody else go on from there
// before this transaction ends.
func lockExpiryCursor(ctx context.Context, tx pgx.Tx, days int, first ledger.EndMark) (m ledger.EndMark, err error) {
	err = tx.QueryRow(ctx, `
		INSERT INTO expiry_cursors AS c (days, ends_at, book_id) VALUES ($1, $2, $3)
		ON CONFLICT (days) DO UPDATE SET days = c.days
		RETURNING ends_at, book_id`, days, first.At, first.Book).Scan(&m.At, &m.Book)
	if err != nil {
		return m, fmt.Errorf("reading how far ends are told: %w", err)
	}
	return m, nil
}
