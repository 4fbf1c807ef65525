package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// EventPartitions reports what EnsureEventPartitions did.
type EventPartitions struct {
	Created []string // partitions made by this call
	// Blocked are partitions that can't be made because the default partition
	// already holds events of that month. Those events are as safe and as quick to
	// find there; their month just can't be dropped whole.
	Blocked []string
}

// partitionLock is arbitrary but must never change: an older binary may be waiting on it.
const partitionLock = 7_264_190_312

// partitionMonthsMax bounds how far ahead partitions are made.
const partitionMonthsMax = 120

// EnsureEventPartitions makes the inbox's partitions for as many months as asked,
// beginning with the month of from. Any number of processes may call it at once,
// and as often as they like. Each month is a transaction of its own, so that an
// error leaves the months before it made.
func EnsureEventPartitions(ctx context.Context, db inboxBeginner, from time.Time, months int) (EventPartitions, error) {
	var report EventPartitions
	if months > partitionMonthsMax {
		return report, fmt.Errorf("making event partitions: %d months are more than %d", months, partitionMonthsMax)
	}
	from = from.UTC()
	first := time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC)
	for n := range months {
		start := first.AddDate(0, n, 0)
		name := start.Format("events_2006_01")
		created, err := ensureEventPartition(ctx, db, name, start)
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == checkViolation {
			report.Blocked = append(report.Blocked, name)
			continue
		}
		if err != nil {
			return report, fmt.Errorf("making event partition %s: %w", name, err)
		}
		if created {
			report.Created = append(report.Created, name)
		}
	}
	return report, nil
}

// checkViolation is what PostgreSQL answers when rows of the default partition
// belong into the new one.
const checkViolation = "23514"

// inboxBeginner is a pool, a connection or a transaction that can begin one.
type inboxBeginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// ensureEventPartition makes one month's partition unless it is there. It is made
// apart and then attached, because attaching lets deliveries go on meanwhile,
// whereas CREATE TABLE … PARTITION OF would lock the whole inbox. The default
// partition is locked while it is searched for rows of that month: waiting for
// that lock is bounded, or a long reader of it would hold up the inbox through us.
func ensureEventPartition(ctx context.Context, db inboxBeginner, name string, start time.Time) (created bool, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		// Nobody is held up by who waits for another that makes months, as several do that
		// start together: that wait isn't bounded.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(partitionLock)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '2s'`); err != nil {
			return err
		}
		var there bool
		if err := tx.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, name).Scan(&there); err != nil || there {
			return err
		}
		created = true
		_, err := tx.Exec(ctx, partitionSQL(name, start))
		return err
	})
	return created && err == nil, err
}

// partitionSQL spells the statements, since DDL takes no parameters. Every part
// of it is formatted from an instant.
func partitionSQL(name string, start time.Time) string {
	const bound = "2006-01-02 15:04:05+00"
	return fmt.Sprintf(`
		CREATE TABLE %[1]s (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
		ALTER TABLE events ATTACH PARTITION %[1]s FOR VALUES FROM ('%[2]s') TO ('%[3]s');`,
		name, start.Format(bound), start.AddDate(0, 1, 0).Format(bound))
}
