package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// Errors of assigning and unassigning.
var (
	ErrNotAssigned   = errors.New("the team has no subscription")
	ErrTeamTaken     = errors.New("the team has a subscription already")
	ErrNotUnassigned = errors.New("the subscription is not on its owner's personal account")
	ErrPlanNoTeams   = errors.New("the subscription's plan doesn't allow teams")
)

// AssignedOwner tells who owns the subscription that is assigned to a team: whoever owns
// its customer (B14), which need not be the team's owner any more.
func AssignedOwner(ctx context.Context, db DB, teamID string) (Owner, error) {
	rows, err := db.Query(ctx, `
		SELECT c.id, c.user_id, c.book_id, c.owed, c.linked_by, c.linked_at, c.deleted_at
		FROM subscriptions s JOIN customers c ON c.id = s.customer_id
		WHERE s.team_id = $1 AND s.status NOT IN ('canceled', 'incomplete_expired')`, teamID)
	if err != nil {
		return Owner{}, fmt.Errorf("reading whose subscription it is: %w", err)
	}
	o, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Owner])
	if errors.Is(err, pgx.ErrNoRows) {
		return Owner{}, ErrNotAssigned
	}
	if err != nil {
		return Owner{}, fmt.Errorf("reading whose subscription it is: %w", err)
	}
	return o, nil
}

// Unassign takes a team's subscription back to its owner's personal account (T13). With
// it go what is unspent of the lots granted for it and of their rollovers, of packs that
// the owner's customers paid, and of what the owner put in, wherever in the team it lies.
// What others put in stays. Nothing is granted again. It reports the subscription's id.
func Unassign(ctx context.Context, tx pgx.Tx, c *Catalog, team Slot, owner string, personal int64, by string, at time.Time) (string, error) {
	m, err := openMoving(ctx, tx, c, team.BookID, personal, by, at)
	if err != nil {
		return "", err
	}
	sub := m.from.living()
	if sub == nil {
		return "", ErrNotAssigned
	}
	h, err := readHome(ctx, tx, owner, personal)
	if err != nil {
		return "", err
	}
	if !h.pays[sub.Facts.CustomerID] {
		return "", ErrMoved
	}
	m.pays = h.pays
	goes := func(l *ledger.Lot) bool { return l.Series == sub.Facts.ID || h.owns(l) }
	return sub.Facts.ID, m.move(ctx, tx, sub, Slot{BookID: personal}, "unassigned", goes)
}
