package billing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// EventsKeepMin is the fewest months that the inbox keeps. Stripe lists an event for 30
// days, and sends it again on request for as long: what is forgotten sooner would come in
// anew.
const EventsKeepMin = 2

// RetiredEvents reports what RetireEvents did.
type RetiredEvents struct {
	Dropped []string // months dropped whole
	Deleted int64    // events of other months, deleted one by one
	// Open are months that stay for now, because an event of theirs isn't settled for good.
	Open []string
	// Busy are months that stay for now, because somebody worked in the inbox all the while.
	Busy []string
}

// retiredSuffix marks a month that has left the inbox and is about to be dropped.
const retiredSuffix = "_retired"

// retireTogether is how many ids are forgotten in one transaction.
const retireTogether = 5_000

// RetireEvents drops the inbox's months that had ended keep months before the month of at;
// what stays is the month of at and keep whole months before it. An event that is
// received, unmatched, unmapped or failed keeps its month. Nothing of the ledger or of a
// subscription depends on an event that is done: both were written when it was.
//
// A month leaves the inbox in one short transaction. Its ids are forgotten after that, many
// short transactions long, and its table goes last: a call that is interrupted is finished
// by the next one. Until its id is forgotten an event is known and not there.
func RetireEvents(ctx context.Context, db inboxOwner, at time.Time, keep int) (RetiredEvents, error) {
	var report RetiredEvents
	if keep < EventsKeepMin {
		return report, fmt.Errorf("retiring events: %d months are fewer than %d", keep, EventsKeepMin)
	}
	at = at.UTC()
	before := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, -keep, 0)
	months, err := retirableMonths(ctx, db, before)
	if err != nil {
		return report, err
	}
	for _, name := range months {
		if err := report.retire(ctx, db, name); err != nil {
			return report, fmt.Errorf("retiring the events of %s: %w", name, err)
		}
	}
	if report.Deleted, err = retireStrays(ctx, db, before); err != nil {
		return report, fmt.Errorf("retiring events without a month: %w", err)
	}
	return report, nil
}

// inboxOwner is a pool, a connection or a transaction that can begin one.
type inboxOwner interface {
	inboxDB
	inboxBeginner
}

// retirableMonths gives the months that ended before an instant, those first that an
// earlier call left half done.
func retirableMonths(ctx context.Context, db inboxDB, before time.Time) ([]string, error) {
	rows, err := db.Query(ctx, `
		SELECT relname
		FROM pg_class
		WHERE relkind = 'r' AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'events'::regclass)
		  AND (relname ~ '^events_\d{4}_\d{2}_retired$'
		       OR relname ~ '^events_\d{4}_\d{2}$' AND relname < $1 AND relispartition)
		ORDER BY relname ~ '_retired$' DESC, relname`, before.Format("events_2006_01"))
	if err != nil {
		return nil, fmt.Errorf("looking for months to retire: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("looking for months to retire: %w", err)
	}
	return names, nil
}

func (r *RetiredEvents) retire(ctx context.Context, db inboxOwner, name string) error {
	if month, half := strings.CutSuffix(name, retiredSuffix); half {
		r.Dropped = append(r.Dropped, month)
		return forgetMonth(ctx, db, name)
	}
	detached, err := detachMonth(ctx, db, name)
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == lockNotAvailable {
		r.Busy = append(r.Busy, name)
		return nil
	}
	switch {
	case err != nil:
		return err
	case !detached:
		r.Open = append(r.Open, name)
		return nil
	}
	r.Dropped = append(r.Dropped, name)
	return forgetMonth(ctx, db, name+retiredSuffix)
}

// lockNotAvailable is what PostgreSQL answers when a lock isn't had in time.
const lockNotAvailable = "55P03"

// openStates are those of events that somebody has still to do something about.
const openStates = `('received', 'unmatched', 'unmapped', 'failed')`

// detachMonth takes a month out of the inbox unless an event of it is open. It looks twice:
// without a lock, so that a month that has to stay isn't locked every night, and with the
// whole inbox locked, since a late delivery or a replay may come in between. The inbox is
// locked before its month, in the order of whoever reads it.
func detachMonth(ctx context.Context, db inboxOwner, name string) (detached bool, err error) {
	open := `SELECT EXISTS (SELECT 1 FROM ` + name + ` WHERE state IN ` + openStates + `)`
	var stays bool
	if err := db.QueryRow(ctx, open).Scan(&stays); err != nil || stays {
		return false, err
	}
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		// Deliveries wait behind us for as long as we wait.
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '1s'`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(partitionLock)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `LOCK TABLE ONLY events IN ACCESS EXCLUSIVE MODE`); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, open).Scan(&stays); err != nil || stays {
			return err
		}
		_, err := tx.Exec(ctx, `
			ALTER TABLE events DETACH PARTITION `+name+`;
			ALTER TABLE `+name+` RENAME TO `+name+retiredSuffix)
		return err
	})
	return err == nil && !stays, err
}

// forgetMonth forgets the ids of a month that has left the inbox, and drops it.
func forgetMonth(ctx context.Context, db inboxOwner, table string) error {
	for after := ""; ; {
		var count int64
		err := db.QueryRow(ctx, `
			WITH page AS (
				SELECT id, created_at FROM `+table+` WHERE id > $1 ORDER BY id LIMIT $2
			), forgotten AS (
				DELETE FROM event_ids i USING page p WHERE i.id = p.id AND i.created_at = p.created_at
			)
			SELECT count(*), COALESCE(max(id), '') FROM page`, after, retireTogether).Scan(&count, &after)
		if err != nil {
			return err
		}
		if count < retireTogether {
			break
		}
	}
	_, err := db.Exec(ctx, `DROP TABLE IF EXISTS `+table)
	return err
}

// retireStrays deletes what is old and settled among the events that have no month of
// their own: those that came too late for it, or too early.
func retireStrays(ctx context.Context, db inboxDB, before time.Time) (deleted int64, err error) {
	for {
		tag, err := db.Exec(ctx, `
			WITH page AS (
				SELECT id, created_at FROM events_default
				WHERE created_at < $1 AND state NOT IN `+openStates+`
				LIMIT $2
				FOR UPDATE SKIP LOCKED
			), forgotten AS (
				DELETE FROM event_ids i USING page p WHERE i.id = p.id AND i.created_at = p.created_at
			)
			DELETE FROM events_default e USING page p WHERE e.id = p.id AND e.created_at = p.created_at`, before, retireTogether)
		if err != nil {
			return deleted, err
		}
		deleted += tag.RowsAffected()
		if tag.RowsAffected() < retireTogether {
			return deleted, nil
		}
	}
}
