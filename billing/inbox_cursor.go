package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// SweepCursor says how far a sweep over Stripe's event list has come.
type SweepCursor struct {
	EventID   string    // the newest event seen
	CreatedAt time.Time // when Stripe created it
	SweptAt   time.Time // when the sweep that saw it ran
}

// EventCursor reads the cursor of that name; found is false before the first sweep.
func EventCursor(ctx context.Context, db inboxDB, name string) (c SweepCursor, found bool, err error) {
	err = db.QueryRow(ctx, `
		SELECT event_id, created_at, swept_at
		FROM event_cursors
		WHERE name = $1`, name).Scan(&c.EventID, &c.CreatedAt, &c.SweptAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return SweepCursor{}, false, nil
	}
	if err != nil {
		return SweepCursor{}, false, fmt.Errorf("reading the event cursor %s: %w", name, err)
	}
	c.CreatedAt, c.SweptAt = c.CreatedAt.UTC(), c.SweptAt.UTC()
	return c, true, nil
}

// SaveEventCursor moves the cursor of that name. It never goes back: when two
// sweeps overlap, the one that came further counts.
func SaveEventCursor(ctx context.Context, db inboxDB, name string, c SweepCursor) error {
	_, err := db.Exec(ctx, `
		INSERT INTO event_cursors (name, event_id, created_at, swept_at)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE
		SET event_id = EXCLUDED.event_id, created_at = EXCLUDED.created_at, swept_at = EXCLUDED.swept_at
		WHERE event_cursors.created_at <= EXCLUDED.created_at`,
		name, c.EventID, c.CreatedAt, c.SweptAt)
	if err != nil {
		return fmt.Errorf("saving the event cursor %s: %w", name, err)
	}
	return nil
}
