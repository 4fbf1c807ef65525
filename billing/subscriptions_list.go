package billing

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// SubscriptionRow is a subscription as it is kept: what Stripe last said of it, and
// where it has its place.
type SubscriptionRow struct {
	ID         string     `db:"id" json:"id"`
	State      string     `db:"state" json:"state"` // placed, unmatched or unmapped
	Reason     string     `db:"reason" json:"reason,omitempty"`
	Status     Status     `db:"status" json:"status"`
	TeamID     string     `db:"team_id" json:"team_id,omitempty"` // empty on a personal account
	UserID     string     `db:"user_id" json:"user_id,omitempty"` // its owner; empty while unmatched
	CustomerID string     `db:"customer_id" json:"customer_id"`
	Items      []Item     `db:"items" json:"items"`
	DueAt      *time.Time `db:"due_at" json:"due_at"` // when the clock alone changes something
	FetchedAt  time.Time  `db:"fetched_at" json:"fetched_at"`
}

// SubscriptionFilter chooses subscriptions. Empty fields leave that choice open.
type SubscriptionFilter struct {
	ID     string
	State  string
	TeamID string
	UserID string // of whom the customer is
	After  string // the last id of the page before
	Limit  int
}

// ListSubscriptions lists subscriptions by id (B2 and B14: unmapped and unmatched ones
// are the operator's to look after).
func ListSubscriptions(ctx context.Context, db DB, f SubscriptionFilter) ([]SubscriptionRow, error) {
	rows, err := db.Query(ctx, `
		SELECT s.id, s.state, s.reason, s.status, s.team_id, COALESCE(c.user_id, '') AS user_id, s.customer_id,
		       COALESCE(s.facts->'items', '[]') AS items, s.due_at, s.fetched_at
		FROM subscriptions s LEFT JOIN customers c ON c.id = s.customer_id
		WHERE (@id = '' OR s.id = @id) AND (@state = '' OR s.state = @state) AND (@team = '' OR s.team_id = @team)
		  AND (@owner = '' OR c.user_id = @owner) AND s.id > @after
		ORDER BY s.id LIMIT @limit`,
		planned, pgx.NamedArgs{"id": f.ID, "state": f.State, "team": f.TeamID, "owner": f.UserID, "after": f.After, "limit": f.Limit})
	if err != nil {
		return nil, fmt.Errorf("listing subscriptions: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[SubscriptionRow])
	if err != nil {
		return nil, fmt.Errorf("listing subscriptions: %w", err)
	}
	return list, nil
}
