package webhooks_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/webhooks"
)

func TestReceiverWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()

	// wantUnavailable is what all of these have in common.
	wantUnavailable := func(t *testing.T, a answer) {
		t.Helper()
		a.want(t, http.StatusServiceUnavailable, "unavailable")
		if a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		for _, detail := range []string{"pgx", "pool", "SQLSTATE", "connect", "timeout", "queue", "event_ids", "127.0.0.1"} {
			if strings.Contains(a.Raw, detail) {
				t.Errorf("the answer tells of %q: %s", detail, a.Raw)
			}
		}
	}

	t.Run("E1_ClosedPoolIs503", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(c *webhooks.Config) {
			pool, err := pgxpool.NewWithConfig(context.Background(), c.Pool.Config())
			if err != nil {
				t.Fatal(err)
			}
			pool.Close()
			c.Pool = pool
		})
		wantUnavailable(t, b.deliver(t, event("evt_1")))
		b.wantCounts(t, 0, 0)
	})

	t.Run("E1_UnreachableServerIs503", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(c *webhooks.Config) {
			pool, err := pgxpool.New(context.Background(), "postgres://nobody@127.0.0.1:1/nothing")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			c.Pool = pool
		})
		wantUnavailable(t, b.deliver(t, event("evt_1")))
		b.wantCounts(t, 0, 0)
	})

	t.Run("E1_DatabaseThatDoesntAnswerInTimeIs503AndTheNextDeliveryIsRecorded", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(c *webhooks.Config) { c.Timeout = 50 * time.Millisecond })
		tx, err := b.pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `LOCK TABLE event_ids`); err != nil {
			t.Fatal(err)
		}
		wantUnavailable(t, b.deliver(t, event("evt_1")))
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.wantCounts(t, 0, 0)
		b.handler = webhooks.New(withoutTimeout(b.config))
		b.deliver(t, event("evt_1")).want(t, http.StatusOK, "recorded")
		b.wantCounts(t, 1, 1)
	})

	t.Run("E1_AConnectionThatBreaksIs503AndTheNextDeliveryIsRecorded", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		tx, err := b.pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `LOCK TABLE event_ids`); err != nil {
			t.Fatal(err)
		}
		answered := make(chan answer, 1)
		go func() { answered <- b.deliver(t, event("evt_1")) }()
		b.breakWhoeverWaits(t)
		wantUnavailable(t, <-answered)
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.wantCounts(t, 0, 0)
		b.deliver(t, event("evt_1")).want(t, http.StatusOK, "recorded")
		b.wantCounts(t, 1, 1)
	})

	t.Run("E1_WithoutTheJobThereIsNoEventEither", func(t *testing.T) {
		t.Parallel()
		fails := true
		b := setup(t, func(c *webhooks.Config) {
			stage := c.Stage
			c.Stage = func(ctx context.Context, tx pgx.Tx, args []billing.EventArgs) error {
				if err := stage(ctx, tx, args); err != nil || !fails {
					return err
				}
				return errors.New("the queue broke after the insert")
			}
		})
		wantUnavailable(t, b.deliver(t, event("evt_1")))
		b.wantCounts(t, 0, 0)
		fails = false
		b.deliver(t, event("evt_1")).want(t, http.StatusOK, "recorded")
		b.wantCounts(t, 1, 1)
	})
}

// breakWhoeverWaits ends the connection that waits for a lock, as soon as one does.
func (b *bundle) breakWhoeverWaits(t *testing.T) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		var broken bool
		err := b.pool.QueryRow(t.Context(), `
			SELECT coalesce(bool_or(pg_terminate_backend(pid)), false)
			FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&broken)
		if err != nil {
			t.Fatal(err)
		}
		if broken {
			return
		}
		select {
		case <-deadline:
			t.Fatal("nobody came to wait for the lock")
		case <-time.After(time.Millisecond):
		}
	}
}

func withoutTimeout(c webhooks.Config) webhooks.Config {
	c.Timeout = 0
	return c
}
