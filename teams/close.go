package teams

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// CloseIn asks for a team to be closed. Expires says how many credits will end by it, so
// that whoever closes knows what is lost.
type CloseIn struct {
	TeamID  string
	By      Actor
	Expires int64
}

// Closing says what becomes of a team that closes (T16).
type Closing struct {
	Team          Team
	Credits       *billing.Closing
	Contributions []Contribution
	Holds         int64 // open ones, those that members pay personally included
	HeldCredits   int64
	Invitations   int // pending ones
}

// Contribution is what one person has put into a team.
type Contribution struct {
	UserID string
	PutIn  int64 // ever
	Left   int64 // of it, as lots tell: what was drawn first is gone
}

// PreviewClose says what Close would do, and does nothing. The transaction should be
// REPEATABLE READ.
func PreviewClose(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID string, by Actor, at instant) (*Closing, error) {
	r, err := viewRoom(ctx, tx, c, teamID, by, at)
	if err != nil {
		return nil, err
	}
	if err := r.mayClose(ctx, tx, by); err != nil {
		return nil, err
	}
	owner, err := GetUser(ctx, tx, r.team.OwnerID)
	if err != nil {
		return nil, err
	}
	return r.closing(ctx, tx, owner, at)
}

// Close ends a team for good: its subscription and what its owners bought or put in go
// home as on unassignment (T13), and what is left expires, as much as was confirmed and no
// more. Members and history stay, to be read. Only the owner may, and only if the team's
// subscription is the owner's own (T1); and the backend. Open holds forbid it.
func Close(ctx context.Context, tx pgx.Tx, c *billing.Catalog, in CloseIn, at instant) (*Closing, error) {
	r, owner, err := closeRoom(ctx, tx, c, in, at)
	if err != nil {
		return nil, err
	}
	if err := r.mayClose(ctx, tx, in.By); err != nil {
		return nil, err
	}
	closing, err := r.closing(ctx, tx, owner, at)
	if err != nil {
		return nil, err
	}
	if err := closing.allow(in.Expires); err != nil {
		return nil, err
	}
	slot := billing.Slot{TeamID: r.team.ID, BookID: r.team.BookID}
	ended, err := closing.Credits.Close(ctx, tx, c, slot, in.By.Name(), at)
	if err != nil {
		return nil, err
	}
	if ended != in.Expires {
		return nil, fmt.Errorf("closing team %q: %d credits ended, %d were to", r.team.ID, ended, in.Expires)
	}
	if err := r.redirectPurchases(ctx, tx); err != nil {
		return nil, err
	}
	if err := r.shut(ctx, tx, at); err != nil {
		return nil, err
	}
	told := billing.NoticeData{"by": in.By.Name(), "expired": ended}
	if err := billing.Tell(ctx, tx, r.team.notice(billing.NoticeClosed, "", at, told)); err != nil {
		return nil, err
	}
	closing.Team, err = GetTeam(ctx, tx, r.team.ID)
	return closing, err
}

// allow refuses what the team's state forbids: first what can't be confirmed away.
func (c *Closing) allow(expires int64) error {
	switch {
	case c.Holds > 0:
		return refuse(Conflict, "holds_open", "%d open holds keep %d credits", c.Holds, c.HeldCredits)
	case c.Credits.Buying:
		return refuse(Conflict, "top_up_in_flight", "an automatic top-up is being paid")
	case c.Credits.Ends != expires:
		r := refuse(Conflict, "expiry_unconfirmed", "%d credits will expire, not %d", c.Credits.Ends, expires)
		r.Expires = &c.Credits.Ends
		return r
	}
	return nil
}

// closeRoom locks the team's book and all that credits go home to, in id order, and opens
// the room.
func closeRoom(ctx context.Context, tx pgx.Tx, c *billing.Catalog, in CloseIn, at instant) (*room, User, error) {
	team, err := GetTeam(ctx, tx, in.TeamID)
	if errors.Is(err, ErrTeamUnknown) {
		return nil, User{}, errTeamUnknown(in.TeamID)
	}
	if err != nil {
		return nil, User{}, err
	}
	books, err := closingBooks(ctx, tx, team)
	if err != nil {
		return nil, User{}, err
	}
	if err := ledger.Lock(ctx, tx, books...); err != nil {
		return nil, User{}, err
	}
	r, err := openRoom(ctx, tx, c, in.TeamID, in.By, at)
	if err != nil {
		return nil, User{}, err
	}
	now, err := closingBooks(ctx, tx, r.team)
	if err != nil {
		return nil, User{}, err
	}
	for _, book := range now {
		if !slices.Contains(books, book) {
			return nil, User{}, billing.ErrMoved
		}
	}
	owner, err := GetUser(ctx, tx, r.team.OwnerID)
	return r, owner, err
}

func closingBooks(ctx context.Context, tx pgx.Tx, team Team) ([]int64, error) {
	owner, err := GetUser(ctx, tx, team.OwnerID)
	if err != nil {
		return nil, err
	}
	books, err := billing.ClosingBooks(ctx, tx, team.BookID)
	return append(books, team.BookID, owner.BookID), err
}

// mayClose lets the owner pass, and the backend. A subscription of somebody else's is not
// the owner's to take away.
func (r *room) mayClose(ctx context.Context, db billing.DB, by Actor) error {
	if err := r.may(r.role == Owner, "close the team"); err != nil {
		return err
	}
	assigned, err := billing.AssignedOwner(ctx, db, r.team.ID)
	switch {
	case errors.Is(err, billing.ErrNotAssigned):
		return nil
	case err == nil && !by.Backend() && by.User != assigned.UserID:
		return refuse(Forbidden, "role_forbids", "the team's subscription is another user's, who has to take it away first")
	}
	return err
}

// closing finds out what would become of the team.
func (r *room) closing(ctx context.Context, tx pgx.Tx, owner User, at instant) (*Closing, error) {
	c := &Closing{Team: r.team}
	var err error
	if c.Credits, err = billing.FindClosing(ctx, tx, r.state, owner.ID, owner.BookID); err != nil {
		return nil, err
	}
	if c.Holds, c.HeldCredits, err = ledger.CountHolds(ctx, tx, r.team.BookID, at.Add(-HoldMax), at); err != nil {
		return nil, err
	}
	pending, err := pendingInvitations(ctx, tx, r.team.ID, at)
	if err != nil {
		return nil, err
	}
	c.Invitations = len(pending)
	put, err := ledger.Contributed(ctx, tx, r.team.BookID)
	if err != nil {
		return nil, err
	}
	left := map[string]int64{}
	for _, p := range r.state.Book.Portions() {
		left[p.Lot.Contributor] += p.Balance
	}
	c.Contributions = make([]Contribution, 0, len(put))
	for _, user := range slices.Sorted(maps.Keys(put)) {
		c.Contributions = append(c.Contributions, Contribution{UserID: user, PutIn: put[user], Left: left[user]})
	}
	return c, nil
}

// redirectPurchases sends what is still paid for the team to the personal accounts of
// those who pay, so that nothing paid is lost (P4).
func (r *room) redirectPurchases(ctx context.Context, tx pgx.Tx) error {
	buyers, err := billing.UnpaidBuyers(ctx, tx, r.team.BookID)
	if err != nil {
		return err
	}
	for _, id := range buyers {
		user, err := GetUser(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := billing.RedirectPurchases(ctx, tx, r.team.BookID, id, user.BookID); err != nil {
			return err
		}
	}
	return nil
}

// shut takes seats and invitations back and closes the door.
func (r *room) shut(ctx context.Context, tx pgx.Tx, at instant) error {
	_, err := tx.Exec(ctx, `UPDATE invitations SET state = 'revoked', settled_at = $2 WHERE team_id = $1 AND state = 'pending'`, r.team.ID, at)
	if err != nil {
		return fmt.Errorf("revoking invitations: %w", err)
	}
	if err := r.team.giveSeatsUp(ctx, tx, at); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE teams SET closed_at = $2 WHERE id = $1`, r.team.ID, at); err != nil {
		return fmt.Errorf("closing team %q: %w", r.team.ID, err)
	}
	return nil
}
