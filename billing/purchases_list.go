package billing

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// PurchaseFilter chooses purchases. Empty fields leave that choice open.
type PurchaseFilter struct {
	TeamID    string
	UserID    string // for that user's personal account
	State     string
	Kind      string
	CreatedBy string
	From, To  *time.Time // by when they were begun: From ≤ created_at < To
	Before    string     // the id of the last one of the page before
	Limit     int
}

// ListPurchases lists purchases, the newest first.
func ListPurchases(ctx context.Context, db DB, f PurchaseFilter) ([]Purchase, error) {
	// Planned for the choice at hand: one plan for all choices could use no index.
	rows, err := db.Query(ctx, `
		SELECT `+purchaseColumns+` FROM purchases
		WHERE (@team = '' OR team_id = @team AND team_id <> '') AND (@user = '' OR user_id = @user AND team_id = '')
		  AND (@state = '' OR state = @state) AND (@kind = '' OR kind = @kind) AND (@createdBy = '' OR created_by = @createdBy)
		  AND (@from::timestamptz IS NULL OR created_at >= @from) AND (@to::timestamptz IS NULL OR created_at < @to)
		  AND (@before = '' OR id < @before)
		ORDER BY id DESC LIMIT @limit`, pgx.QueryExecModeCacheDescribe, pgx.NamedArgs{
		"team": f.TeamID, "user": f.UserID, "state": f.State, "kind": f.Kind, "createdBy": f.CreatedBy, "from": f.From, "to": f.To,
		"before": f.Before, "limit": f.Limit,
	})
	if err != nil {
		return nil, fmt.Errorf("listing purchases: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Purchase])
	if err != nil {
		return nil, fmt.Errorf("listing purchases: %w", err)
	}
	return list, nil
}
