package worker

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
)

// counter counts what is sent to the database and waited for.
type counter struct {
	mu   sync.Mutex
	sent []string
}

func (c *counter) note(sql string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, strings.Join(strings.Fields(sql), " "))
}

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	c.note(d.SQL)
	return ctx
}
func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (c *counter) TraceBatchStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	c.note("batch: " + d.Batch.QueuedQueries[len(d.Batch.QueuedQueries)-1].SQL)
	return ctx
}
func (c *counter) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (c *counter) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// counting is a pool whose round trips are counted.
func (d *desk) counting() (*counter, *pgxpool.Pool) {
	d.t.Helper()
	n := &counter{}
	cfg, err := pgxpool.ParseConfig(d.url)
	ok(d.t, err)
	cfg.ConnConfig.Tracer = n
	pool, err := pgxpool.NewWithConfig(d.t.Context(), cfg)
	ok(d.t, err)
	d.t.Cleanup(pool.Close)
	return n, pool
}

// TestRoundTrips bounds how often an event goes to the database and back.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	d, _ := acme(t, 5)
	counting, pool := d.counting()
	w := d.worker(func(c *Config) { c.Pool = pool })
	work(t, w, d.event("customer.subscription.created", "sub_1", "cus_1"))
	for _, c := range []struct {
		name   string
		change func()
		most   int
	}{
		{"SeatsChanged", func() { d.fake.seats("sub_1", 8) }, 16},
		{"NothingNew", func() {}, 11},
	} {
		c.change()
		id := d.event("customer.subscription.updated", "sub_1", "cus_1")
		counting.sent = nil
		same(t, "state", work(t, w, id).State, billing.EventDone)
		if len(counting.sent) > c.most {
			t.Errorf("%s: %d round trips, and at most %d are needed:\n%s", c.name, len(counting.sent), c.most, strings.Join(counting.sent, "\n"))
		}
		t.Logf("%s: %d round trips", c.name, len(counting.sent))
	}
	event := d.event("customer.subscription.updated", "sub_1", "cus_1")
	work(t, w, d.event("customer.subscription.updated", "sub_1", "cus_1"))
	counting.sent = nil
	work(t, w, event)
	if len(counting.sent) > 5 {
		t.Errorf("an event that a later fetch knows of: %d round trips:\n%s", len(counting.sent), strings.Join(counting.sent, "\n"))
	}
}
