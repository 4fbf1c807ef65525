package migrations

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// While a migration waits for the lock of a table, whoever comes later waits behind it, even
// to read. So it waits for a moment only, lets the others go on, and tries again.
const (
	// It is less than the second after which PostgreSQL looks for deadlocks: whoever serves
	// meanwhile isn't the one that is ended.
	lockPatience = 900 * time.Millisecond
	lockPause    = 600 * time.Millisecond
	lockTries    = 80 // about two minutes
)

// patient gives another pool on the same database, whose statements wait for a lock no longer
// than that.
func patient(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Pool, error) {
	config := pool.Config()
	config.MinConns, config.MinIdleConns = 0, 0
	config.ConnConfig.RuntimeParams["lock_timeout"] = strconv.FormatInt(lockPatience.Milliseconds(), 10)
	own, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connecting to migrate: %w", err)
	}
	return own, nil
}

// untilLocked does it again as long as tables are in use. What was done before stays done,
// since each migration is a transaction of its own.
func untilLocked(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if err == nil || !inUse(err) {
			return err
		}
		if try == lockTries {
			return fmt.Errorf("tables are in use by a long transaction, see pg_stat_activity; nothing was changed by this step: %w", err)
		}
		pause := time.NewTimer(lockPause)
		select {
		case <-ctx.Done():
			pause.Stop()
			return errors.Join(ctx.Err(), err)
		case <-pause.C:
		}
	}
}

// inUse tells whether a lock wasn't to be had, or only by a deadlock.
func inUse(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (refused.Code == "55P03" || refused.Code == "40P01")
}
