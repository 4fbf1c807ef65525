package worker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

var snapshot = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

// read reads a book at Stripe's instant, without any worker's help.
func (w *world) read(book int64) (pool billing.Pool) {
	w.t.Helper()
	return w.readAt(book, w.stripe.Now())
}

func (w *world) readAt(book int64, at time.Time) (pool billing.Pool) {
	w.t.Helper()
	ok(w.t, pgx.BeginTxFunc(w.t.Context(), w.pool, snapshot, func(tx pgx.Tx) error {
		pool = readPool(w.t, tx, w.catalog, book, at)
		return nil
	}))
	return pool
}

// readPool reads a book and holds B12's identities against it.
func readPool(t testing.TB, tx pgx.Tx, c *billing.Catalog, book int64, at time.Time) billing.Pool {
	t.Helper()
	p, err := billing.ReadPool(t.Context(), tx, c, book, at)
	ok(t, err)
	same(t, "B12: total by what became of it", p.Used+p.Held+p.Allocated+p.Frozen+p.Available, p.Total)
	same(t, "B12: total by source", p.Monthly+p.Purchased+p.Rollover+p.Bonus+p.Contributed, p.Total)
	var left int64
	for _, l := range p.Lots {
		left += l.Remaining
	}
	same(t, "B12: what lies in the lots", left, p.Held+p.Allocated+p.Frozen+p.Available+p.Upcoming)
	return p
}

// figures are a pool's figures in one line, for comparing.
func figures(p billing.Pool) string {
	return fmt.Sprintf("%d seats, total %d = monthly %d + purchased %d + rollover %d + bonus %d; used %d, held %d, available %d",
		p.Seats, p.Total, p.Monthly, p.Purchased, p.Rollover, p.Bonus, p.Used, p.Held, p.Available)
}

// audit holds that the whole ledger is right.
func (w *world) audit() {
	w.t.Helper()
	ok(w.t, pgx.BeginTxFunc(w.t.Context(), w.pool, snapshot, func(tx pgx.Tx) error {
		auditIn(w.t, tx)
		return nil
	}))
}

func auditIn(t testing.TB, tx pgx.Tx) {
	t.Helper()
	_, err := ledger.Audit(t.Context(), tx, func(d ledger.Difference) error {
		t.Error("audit: " + d.String())
		return nil
	})
	ok(t, err)
}

// portrait is what a book holds, in words that don't depend on the order in which it
// came about: its lots with their dates and what is left where, and its accounts.
func portrait(t testing.TB, db billing.DB, book int64) string {
	t.Helper()
	rows, err := db.Query(t.Context(), `
		SELECT format('lot %s %s, granted %s, left %s, held %s, from %s to %s, first %s, turn %s of %s, survived %s',
		              l.source, regexp_replace(l.origin, '^rollover:.*', 'rollover'), l.granted, COALESCE(b.balance, 0), COALESCE(b.held, 0),
		              l.effective_at AT TIME ZONE 'UTC', l.expires_at AT TIME ZONE 'UTC', l.first_granted_at AT TIME ZONE 'UTC', l.step, l.series, l.turns_survived)
		FROM lots l
		LEFT JOIN LATERAL (SELECT sum(balance) AS balance, sum(held) AS held FROM lot_balances
		                   WHERE book_id = l.book_id AND lot_id = l.id AND account_id >= 7) b ON true
		WHERE l.book_id = $1
		UNION ALL
		SELECT format('account %s %s: %s, held %s', id, holder_id, balance, held) FROM accounts WHERE book_id = $1
		UNION ALL
		SELECT format('subscription %s %s %s, owed %s, paid %s', s.status, s.state, s.team_id, s.owed, jsonb_array_length(s.paid))
		FROM subscriptions s WHERE s.book_id = $1
		UNION ALL
		SELECT format('period %s, %s to %s, seats %s, target %s, owed %s, granted %s, taken %s, rolled %s, granted at %s, cut at %s, turned at %s',
		              p.number, p.start_at AT TIME ZONE 'UTC', p.end_at AT TIME ZONE 'UTC', p.seats, p.target, p.owed, p.granted, p.taken_back,
		              p.rolled, p.granted_at AT TIME ZONE 'UTC', p.cut_at AT TIME ZONE 'UTC', p.turned_at AT TIME ZONE 'UTC')
		FROM periods p JOIN subscriptions s ON s.id = p.subscription_id WHERE s.book_id = $1
		UNION ALL
		SELECT format('purchase %s %s, %s', id, state, paid_at AT TIME ZONE 'UTC') FROM purchases WHERE book_id = $1
		ORDER BY 1`, book)
	ok(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	ok(t, err)
	return strings.Join(lines, "\n")
}

// drain works what the inbox holds, event by event, in the order in which it came in and
// without the queue.
func drain(t testing.TB, w *Worker) {
	t.Helper()
	for range 100 {
		events, err := billing.ListEvents(t.Context(), w.db, billing.EventFilter{States: []billing.EventState{billing.EventReceived}, Limit: 1000})
		ok(t, err)
		if len(events) == 0 {
			return
		}
		for i := len(events) - 1; i >= 0; i-- {
			work(t, w, events[i].ID)
		}
	}
	t.Fatal("the inbox never empties")
}

// work works one event without the queue.
func work(t testing.TB, w *Worker, id string) billing.Outcome {
	t.Helper()
	event, err := billing.GetEvent(t.Context(), w.db, id)
	ok(t, err)
	if event.SettledAt != nil {
		return billing.Outcome{State: event.State, Reason: event.Reason}
	}
	out, err := w.workEvent(t.Context(), event)
	ok(t, err)
	return out
}
