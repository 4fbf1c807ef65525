package billing_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/internal/pgtest"
)

// oldInbox has a settled event in each of eight months, from October 2023 to May 2024,
// and one of September, which has no month of its own.
func oldInbox(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.Pool(t)
	october := time.Date(2023, 10, 1, 0, 0, 0, 0, time.UTC)
	if _, err := billing.EnsureEventPartitions(t.Context(), pool, october, 8); err != nil {
		t.Fatal(err)
	}
	for n := -1; n < 8; n++ {
		at := october.AddDate(0, n, 14)
		recordAndCommit(t, pool, anEvent(at.Format("evt_2006_01"), createdAt(at)))
		settleNow(t, pool, at.Format("evt_2006_01"), at, billing.EventDone)
	}
	return pool
}

func settleNow(t *testing.T, pool *pgxpool.Pool, id string, created time.Time, state billing.EventState) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		return billing.SettleEvent(t.Context(), tx, id, created, state, "", noon)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// may is the month in which the old inbox is looked at.
var may = time.Date(2024, 5, 20, 0, 0, 0, 0, time.UTC)

func retire(t *testing.T, pool *pgxpool.Pool, keep int) billing.RetiredEvents {
	t.Helper()
	report, err := billing.RetireEvents(t.Context(), pool, may, keep)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// known gives the ids that the inbox knows, and of them those that it holds.
func known(t *testing.T, pool *pgxpool.Pool) (ids, held []string) {
	t.Helper()
	for sql, into := range map[string]*[]string{`SELECT id FROM event_ids ORDER BY id`: &ids, `SELECT id FROM events ORDER BY id`: &held} {
		rows, err := pool.Query(t.Context(), sql)
		if err == nil {
			*into, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return ids, held
}

func TestRetireEvents(t *testing.T) {
	t.Parallel()

	t.Run("DropsMonthsThatAreOldEnoughWithTheirIdsAndNoOthers", func(t *testing.T) {
		t.Parallel()
		pool := oldInbox(t)
		if got, want := fmt.Sprint(retire(t, pool, 4)), "{[events_2023_10 events_2023_11 events_2023_12] 1 [] []}"; got != want {
			t.Errorf("retired %s, want %s", got, want)
		}
		ids, held := known(t, pool)
		want := []string{"evt_2024_01", "evt_2024_02", "evt_2024_03", "evt_2024_04", "evt_2024_05"}
		if !slices.Equal(ids, want) || !slices.Equal(held, want) {
			t.Errorf("known are %v and held %v, want %v", ids, held, want)
		}
		if again := fmt.Sprint(retire(t, pool, 4)); again != "{[] 0 [] []}" {
			t.Errorf("retired once more: %s", again)
		}
		// What comes in after all is kept, and retired in its turn once it is settled.
		late := time.Date(2023, 11, 2, 0, 0, 0, 0, time.UTC)
		recordAndCommit(t, pool, anEvent("evt_2023_11", createdAt(late)))
		if got := fmt.Sprint(retire(t, pool, 4)); got != "{[] 0 [] []}" {
			t.Errorf("retired with a late event open: %s", got)
		}
		settleNow(t, pool, "evt_2023_11", late, billing.EventIgnored)
		if got := fmt.Sprint(retire(t, pool, 4)); got != "{[] 1 [] []}" {
			t.Errorf("retired with the late event settled: %s", got)
		}
	})

	t.Run("AMonthStaysWhileAnEventOfItIsNotDone", func(t *testing.T) {
		t.Parallel()
		for _, state := range []billing.EventState{billing.EventReceived, billing.EventUnmatched, billing.EventUnmapped, billing.EventFailed} {
			t.Run(string(state), func(t *testing.T) {
				t.Parallel()
				pool := oldInbox(t)
				at := time.Date(2023, 11, 30, 23, 59, 59, 0, time.UTC)
				recordAndCommit(t, pool, anEvent("evt_open", createdAt(at)))
				if state != billing.EventReceived {
					settleNow(t, pool, "evt_open", at, state)
				}
				if got, want := fmt.Sprint(retire(t, pool, 4)), "{[events_2023_10 events_2023_12] 1 [events_2023_11] []}"; got != want {
					t.Errorf("retired %s, want %s", got, want)
				}
				if _, err := billing.GetEvent(t.Context(), pool, "evt_2023_11"); err != nil {
					t.Errorf("another event of that month: %v", err)
				}
				settleNow(t, pool, "evt_open", at, billing.EventDone)
				if got, want := fmt.Sprint(retire(t, pool, 4)), "{[events_2023_11] 0 [] []}"; got != want {
					t.Errorf("retired once it is done: %s, want %s", got, want)
				}
			})
		}
	})

	t.Run("ADeliveryUnderWayKeepsTheInboxForNow", func(t *testing.T) {
		t.Parallel()
		pool := oldInbox(t)
		tx, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		record(t, tx, anEvent("evt_slow", createdAt(time.Date(2023, 10, 31, 0, 0, 0, 0, time.UTC))))
		if got, want := fmt.Sprint(retire(t, pool, 6)), "{[] 1 [] [events_2023_10]}"; got != want {
			t.Errorf("retired %s, want %s", got, want)
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(retire(t, pool, 6)), "{[] 0 [events_2023_10] []}"; got != want {
			t.Errorf("retired after the delivery: %s, want %s", got, want)
		}
	})

	t.Run("WhatWasInterruptedIsFinishedByTheNext", func(t *testing.T) {
		t.Parallel()
		pool := oldInbox(t)
		// As after a process that died when the month had left the inbox.
		_, err := pool.Exec(t.Context(), `
			ALTER TABLE events DETACH PARTITION events_2023_10;
			ALTER TABLE events_2023_10 RENAME TO events_2023_10_retired`)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := billing.GetEvent(t.Context(), pool, "evt_2023_10"); !errors.Is(err, billing.ErrEventUnknown) {
			t.Errorf("reading an event of it: %v", err)
		}
		recordAndCommit(t, pool, anEvent("evt_2023_10", createdAt(may)))
		if got, want := fmt.Sprint(retire(t, pool, 6)), "{[events_2023_10] 1 [] []}"; got != want {
			t.Errorf("retired %s, want %s", got, want)
		}
		if ids, held := known(t, pool); !slices.Equal(ids, held) || slices.Contains(ids, "evt_2023_10") {
			t.Errorf("known are %v, held are %v", ids, held)
		}
	})

	t.Run("ManyEventsAreForgottenInSteps", func(t *testing.T) {
		t.Parallel()
		pool := oldInbox(t)
		_, err := pool.Exec(t.Context(), `
			WITH made AS (
				INSERT INTO event_ids (id, created_at)
				SELECT 'evt_' || n, timestamptz '2023-10-03' FROM generate_series(1, 11000) n RETURNING id, created_at
			)
			INSERT INTO events (id, created_at, received_at, type, origin, body, state, settled_at)
			SELECT id, created_at, created_at, 't', 'webhook', '', 'done', created_at FROM made`)
		if err != nil {
			t.Fatal(err)
		}
		retire(t, pool, 6)
		if ids, held := known(t, pool); len(ids) != 7 || len(held) != 7 {
			t.Errorf("%d are known, %d held", len(ids), len(held))
		}
	})

	t.Run("RefusesToForgetWhatStripeStillLists", func(t *testing.T) {
		t.Parallel()
		if _, err := billing.RetireEvents(t.Context(), pgtest.Pool(t), may, billing.EventsKeepMin-1); err == nil {
			t.Error("kept one month")
		}
	})
}
