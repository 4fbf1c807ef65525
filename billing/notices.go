package billing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// Notice is something that somebody should hear of (N1). The decision that makes it so
// writes it in its own transaction; others deliver it.
type Notice struct {
	ID     int64      `db:"id"`
	BookID int64      `db:"book_id"`
	Kind   NoticeKind `db:"kind"`
	UserID string     `db:"user_id"` // whom it concerns; "": those who manage the team, or the account's user
	At     time.Time  `db:"at"`
	Data   NoticeData `db:"data"`
}

// NoticeData are a notice's particulars.
type NoticeData map[string]any

// NoticeKind says what a notice tells.
type NoticeKind string

// What is told. The kinds are stored, so they never change.
const (
	NoticePoolLow      NoticeKind = "pool.low"      // fewer credits left than a share of the period's
	NoticePoolEmpty    NoticeKind = "pool.empty"    // none left
	NoticeLimitReached NoticeKind = "limit.reached" // a member has drawn all that a limit lets one draw

	NoticeTopUpSucceeded NoticeKind = "top_up.succeeded"
	NoticeTopUpFailed    NoticeKind = "top_up.failed"
	NoticeTopUpAction    NoticeKind = "top_up.action_required"
	NoticeTopUpCapped    NoticeKind = "top_up.capped"
	NoticeTopUpSuspended NoticeKind = "top_up.suspended"

	NoticeSeatsChanged NoticeKind = "subscription.seats_changed"
	NoticePastDue      NoticeKind = "subscription.past_due"

	NoticeRolledOver NoticeKind = "credits.rolled_over"
	NoticeForfeited  NoticeKind = "credits.forfeited" // at a turn: what didn't roll
	NoticeExpiring   NoticeKind = "credits.expiring"  // in 7 days, in 1 day
	NoticeMoved      NoticeKind = "credits.moved"     // to the recipient
	NoticeDebt       NoticeKind = "debt"

	NoticeFellBack    NoticeKind = "member.fell_back" // a member pays personally now, without having chosen so
	NoticeJoined      NoticeKind = "member.joined"    // by accepting an invitation
	NoticeRemoved     NoticeKind = "member.removed"   // or left
	NoticeChanged     NoticeKind = "member.changed"   // role, access or limit
	NoticeInvited     NoticeKind = "invitation.created"
	NoticeDeclined    NoticeKind = "invitation.declined"
	NoticeSeatLost    NoticeKind = "invitation.seat_lost" // it reserves no seat any more
	NoticeOwner       NoticeKind = "team.owner_changed"
	NoticeSuspended   NoticeKind = "team.suspended"
	NoticeResumed     NoticeKind = "team.resumed"
	NoticeUserStopped NoticeKind = "user.suspended"
	NoticeUserResumed NoticeKind = "user.resumed"
	NoticeClosed      NoticeKind = "team.closed"
	NoticeSubAssigned NoticeKind = "subscription.assigned"
	NoticeSubRemoved  NoticeKind = "subscription.unassigned"
)

// Tell notes something that somebody should hear of. Saving the state stores it.
func (s *State) Tell(kind NoticeKind, userID string, data NoticeData) {
	s.notices = append(s.notices, Notice{BookID: s.Book.ID, Kind: kind, UserID: userID, At: s.at, Data: data})
}

// Tell stores notices of decisions that have no state to save.
func Tell(ctx context.Context, tx pgx.Tx, notices ...Notice) error {
	var batch pgx.Batch
	if err := queueNotices(&batch, notices); err != nil || batch.Len() == 0 {
		return err
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("writing notices: %w", err)
	}
	return nil
}

// queueNotices stores them in their order.
func queueNotices(batch *pgx.Batch, notices []Notice) error {
	if len(notices) == 0 {
		return nil
	}
	data := make([]string, len(notices))
	for i, n := range notices {
		if n.Data == nil {
			n.Data = NoticeData{}
		}
		text, err := json.Marshal(n.Data)
		if err != nil {
			return fmt.Errorf("writing notice %s: %w", n.Kind, err)
		}
		data[i] = string(text)
	}
	batch.Queue(`
		INSERT INTO notices (book_id, kind, user_id, at, data)
		SELECT book_id, kind, user_id, at, data::jsonb
		FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::text[]) WITH ORDINALITY
		     AS u (book_id, kind, user_id, at, data, n) ORDER BY n`,
		eachOf(notices, func(n Notice) int64 { return n.BookID }), eachOf(notices, func(n Notice) string { return string(n.Kind) }),
		eachOf(notices, func(n Notice) string { return n.UserID }), eachOf(notices, func(n Notice) time.Time { return n.At }), data)
	return nil
}

// NoticeFilter chooses notices.
type NoticeFilter struct {
	BookID int64  // 0: of all
	UserID string // only those that concern this user; "": all
	After  int64  // the id of the last one of the page before
	Limit  int
}

// Notices lists notices, the oldest first.
func Notices(ctx context.Context, db DB, f NoticeFilter) ([]Notice, error) {
	// Planned for the choice at hand: one plan for all choices could use no index.
	rows, err := db.Query(ctx, `
		SELECT id, book_id, kind, user_id, at, data FROM notices
		WHERE ($1 = 0 OR book_id = $1) AND ($2 = '' OR user_id = $2 AND user_id <> '') AND id > $3 ORDER BY id LIMIT $4`,
		pgx.QueryExecModeCacheDescribe, f.BookID, f.UserID, f.After, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("listing notices: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Notice])
	if err != nil {
		return nil, fmt.Errorf("listing notices: %w", err)
	}
	return list, nil
}

// lastNoticeMax is how many of a book's notices LastNotice looks through.
const lastNoticeMax = 10_000

// LastNotice gives the latest notice of a kind that concerns a user in a book; nil if there
// is none, or none among the book's last ones.
func LastNotice(ctx context.Context, db DB, book int64, kind NoticeKind, userID string) (*Notice, error) {
	rows, err := db.Query(ctx, `
		SELECT id, book_id, kind, user_id, at, data
		FROM (SELECT * FROM notices WHERE book_id = $1 ORDER BY id DESC LIMIT $4) latest
		WHERE kind = $2 AND user_id = $3 ORDER BY id DESC LIMIT 1`, book, kind, userID, lastNoticeMax)
	if err != nil {
		return nil, fmt.Errorf("reading the last %s: %w", kind, err)
	}
	n, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[Notice])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // that there is none is no error
	}
	if err != nil {
		return nil, fmt.Errorf("reading the last %s: %w", kind, err)
	}
	return n, nil
}

// lowPercents are the shares of the period's credits at which a pool is low: each is told
// once as it is crossed.
var lowPercents = []int64{5, 20}

// restingCredits are what lay free in the main account when the book was written last,
// whatever has died since.
func restingCredits(b *ledger.Book) (sum int64) {
	for _, p := range b.Portions() {
		if p.Account.ID == ledger.Main && !p.Lot.Frozen {
			sum += p.Balance - p.Held
		}
	}
	return sum
}

// tellLow tells that credits have run low, or out, since the book was loaded: only the
// lowest mark that was crossed.
func (s *State) tellLow() {
	account, ok := s.Book.Account(ledger.Main)
	if !ok {
		return
	}
	left := account.Available(s.at)
	if left >= s.resting {
		return
	}
	if left == 0 {
		s.Tell(NoticePoolEmpty, "", nil)
		return
	}
	_, _, sub := s.CurrentPeriod(s.at)
	if sub == nil {
		return
	}
	p := sub.current(s.at)
	for _, percent := range lowPercents {
		if mark := lowMark(p.Target, percent); left <= mark && mark < s.resting {
			s.Tell(NoticePoolLow, "", NoticeData{"percent": percent, "threshold": mark, "available": left})
			return
		}
	}
}

// lowMark is a share of so many credits, without overflow.
func lowMark(credits, percent int64) int64 {
	return credits/100*percent + credits%100*percent/100
}

// tellSubscription tells what is new of a subscription that was known before.
func (s *State) tellSubscription(before, now *Subscription) {
	if before == nil {
		return
	}
	from, to := s.boughtBy(before), s.boughtBy(now)
	if from != to {
		s.Tell(NoticeSeatsChanged, "", NoticeData{"subscription_id": now.ID, "from": from, "to": to})
	}
	if before.Status != now.Status && now.Status == StatusPastDue {
		s.Tell(NoticePastDue, "", NoticeData{"subscription_id": now.ID})
	}
}

// boughtBy are the seats that a subscription stands for (B2).
func (s *State) boughtBy(sub *Subscription) int64 {
	if !sub.Status.countsSeats() {
		return 0
	}
	return figure(s.Catalog, sub.Items, nil).seats(sub.Items)
}
