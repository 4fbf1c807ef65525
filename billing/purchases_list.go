package billing

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// PurchaseFilter chooses purchases. Empty fields leave that choice open.
type PurchaseFilter struct {
	TeamID string
	UserID string // for that user's personal account
	State  string
	Before string // the id of the last one of the page before
	Limit  int
}

// ListPurchases lists purchases, the newest first.
func ListPurchases(ctx context.Context, db DB, f PurchaseFilter) ([]Purchase, error) {
	rows, err := db.Query(ctx, `
		SELECT `+purchaseColumns+` FROM purchases
		WHERE ($1 = '' OR team_id = $1) AND ($2 = '' OR user_id = $2 AND team_id = '') AND ($3 = '' OR state = $3) AND ($4 = '' OR id < $4)
		ORDER BY id DESC LIMIT $5`, f.TeamID, f.UserID, f.State, f.Before, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("listing purchases: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Purchase])
	if err != nil {
		return nil, fmt.Errorf("listing purchases: %w", err)
	}
	return list, nil
}
