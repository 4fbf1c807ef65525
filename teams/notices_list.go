package teams

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// Notice is something that somebody should hear of, with whose account it is about.
type Notice struct {
	billing.Notice
	TeamID string // "": of the personal account of UserID
}

// Notices lists what was told of a team's pool or a personal account after a given notice,
// the oldest first. Whoever manages the team sees all, a plain member what concerns that
// member.
func Notices(ctx context.Context, db billing.DB, teamID, userID string, by Actor, after int64, limit int) ([]Notice, error) {
	place, err := findPlace(ctx, db, teamID, userID, by)
	if err != nil {
		return nil, err
	}
	f := billing.NoticeFilter{BookID: place.book, After: after, Limit: limit}
	if place.room != nil && !place.room.role.Manages() {
		f.UserID = by.User
	}
	list, err := billing.Notices(ctx, db, f)
	if err != nil {
		return nil, err
	}
	return named(list, map[int64]Account{place.book: {TeamID: teamID, UserID: place.userOf(teamID)}}), nil
}

// AllNotices lists what was told of anything after a given notice, for the operator.
func AllNotices(ctx context.Context, db billing.DB, after int64, limit int) ([]Notice, error) {
	list, err := billing.Notices(ctx, db, billing.NoticeFilter{After: after, Limit: limit})
	if err != nil {
		return nil, err
	}
	books := make([]int64, len(list))
	for i, n := range list {
		books[i] = n.BookID
	}
	accounts, err := accountsOf(ctx, db, books)
	return named(list, accounts), err
}

func named(list []billing.Notice, accounts map[int64]Account) []Notice {
	out := make([]Notice, len(list))
	for i, n := range list {
		of := accounts[n.BookID]
		if n.UserID == "" {
			n.UserID = of.UserID
		}
		out[i] = Notice{Notice: n, TeamID: of.TeamID}
	}
	return out
}

// Account names the team or the user whose book it is.
type Account struct{ TeamID, UserID string }

func accountsOf(ctx context.Context, db billing.DB, books []int64) (map[int64]Account, error) {
	rows, err := db.Query(ctx, `
		SELECT book_id, id, '' FROM teams WHERE book_id = ANY($1)
		UNION ALL
		SELECT book_id, '', id FROM users WHERE book_id = ANY($1)`, books)
	if err != nil {
		return nil, fmt.Errorf("reading whose books they are: %w", err)
	}
	accounts := map[int64]Account{}
	var book int64
	var a Account
	if _, err := pgx.ForEachRow(rows, []any{&book, &a.TeamID, &a.UserID}, func() error { accounts[book] = a; return nil }); err != nil {
		return nil, fmt.Errorf("reading whose books they are: %w", err)
	}
	return accounts, nil
}
