package billing_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/internal/pgtest"
)

// partitionOf is the table that an event lies in.
func partitionOf(t *testing.T, pool *pgxpool.Pool, id string) string {
	t.Helper()
	var name string
	if err := pool.QueryRow(t.Context(), `SELECT tableoid::regclass::text FROM events WHERE id = $1`, id).Scan(&name); err != nil {
		t.Fatal(err)
	}
	return name
}

func recordAndCommit(t *testing.T, pool *pgxpool.Pool, e billing.Event) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		_, err := billing.RecordEvent(t.Context(), tx, e)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func createdAt(at time.Time) func(*billing.Event) {
	return func(e *billing.Event) { e.CreatedAt = at }
}

func TestEnsureEventPartitions(t *testing.T) {
	t.Parallel()

	t.Run("MakesEachMonthOnceAndEventsFindTheirs", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Pool(t)
		// Already March in UTC, still February where the caller lives.
		from := time.Date(2024, 2, 29, 20, 0, 0, 0, time.FixedZone("far west", -8*60*60))
		report, err := billing.EnsureEventPartitions(t.Context(), pool, from, 11)
		if err != nil || len(report.Created) != 11 || len(report.Blocked) != 0 ||
			report.Created[0] != "events_2024_03" || report.Created[10] != "events_2025_01" {
			t.Fatalf("made %+v, %v", report, err)
		}
		if again, err := billing.EnsureEventPartitions(t.Context(), pool, from, 12); err != nil || fmt.Sprint(again) != "{[events_2025_02] []}" {
			t.Errorf("made %+v again, %v", again, err)
		}
		for id, c := range map[string]struct {
			at   time.Time
			want string
		}{
			"evt_first":  {time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC), "events_2024_03"},
			"evt_last":   {time.Date(2024, 3, 31, 23, 59, 59, 0, time.UTC), "events_2024_03"},
			"evt_year":   {time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), "events_2025_01"},
			"evt_before": {time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC), "events_default"},
			"evt_2100":   {time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), "events_default"},
		} {
			recordAndCommit(t, pool, anEvent(id, createdAt(c.at)))
			if got := partitionOf(t, pool, id); got != c.want {
				t.Errorf("%s lies in %s, want %s", id, got, c.want)
			}
		}
	})

	t.Run("APartitionHasTheInboxsRulesAndIndexes", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Pool(t)
		if _, err := billing.EnsureEventPartitions(t.Context(), pool, noon, 1); err != nil {
			t.Fatal(err)
		}
		recordAndCommit(t, pool, anEvent("evt_1"))
		if _, err := pool.Exec(t.Context(), `UPDATE events SET state = 'done' WHERE id = 'evt_1'`); err == nil {
			t.Error("an event is done without a time at which it was")
		}
		var ours, defaults int
		err := pool.QueryRow(t.Context(), `
			SELECT count(*) FILTER (WHERE tablename = 'events_2024_02'), count(*) FILTER (WHERE tablename = 'events_default')
			FROM pg_indexes`).Scan(&ours, &defaults)
		if err != nil || ours != defaults || ours == 0 {
			t.Errorf("%d indexes, the default partition has %d, %v", ours, defaults, err)
		}
	})

	t.Run("AMonthThatLiesInTheDefaultPartitionIsLeftThereAndReported", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Pool(t)
		recordAndCommit(t, pool, anEvent("evt_1", createdAt(time.Date(2024, 4, 10, 0, 0, 0, 0, time.UTC))))
		report, err := billing.EnsureEventPartitions(t.Context(), pool, noon, 4)
		if want := "{[events_2024_02 events_2024_03 events_2024_05] [events_2024_04]}"; err != nil || fmt.Sprint(report) != want {
			t.Errorf("made %v, %v, want %s", report, err, want)
		}
		if got := partitionOf(t, pool, "evt_1"); got != "events_default" {
			t.Errorf("the event was moved to %s", got)
		}
		recordAndCommit(t, pool, anEvent("evt_2", createdAt(time.Date(2024, 4, 11, 0, 0, 0, 0, time.UTC))))
		if e, err := billing.GetEvent(t.Context(), pool, "evt_2"); err != nil || e.ID != "evt_2" {
			t.Errorf("the month takes no more events: %v", err)
		}
	})

	t.Run("ProcessesAtOnceMakeEachMonthOnce", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Pool(t)
		var wg sync.WaitGroup
		var mu sync.Mutex
		made := map[string]int{}
		for n := range 8 {
			wg.Go(func() {
				report, err := billing.EnsureEventPartitions(t.Context(), pool, noon, 6)
				if err != nil || len(report.Blocked) != 0 {
					t.Error(report, err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, name := range report.Created {
					made[name]++
				}
			})
			wg.Go(func() { recordAndCommit(t, pool, anEvent(fmt.Sprintf("evt_%d", n), createdAt(noon.AddDate(2, n, 0)))) })
		}
		wg.Wait()
		if want := "map[events_2024_02:1 events_2024_03:1 events_2024_04:1 events_2024_05:1 events_2024_06:1 events_2024_07:1]"; fmt.Sprint(made) != want {
			t.Errorf("made %v, want %s", made, want)
		}
		if counts, err := billing.CountEvents(t.Context(), pool); err != nil || counts[billing.EventReceived] != 8 {
			t.Errorf("%v events, %v", counts, err)
		}
	})

	t.Run("WhoWaitsForAnotherProcessWaitsAsLongAsThatTakes", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Pool(t)
		slow, err := pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := billing.EnsureEventPartitions(t.Context(), slow, noon, 1); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := billing.EnsureEventPartitions(t.Context(), pool, noon, 1)
			done <- err
		}()
		// Longer than it would wait for a lock of the inbox.
		deadline := time.After(time.Minute)
		for waited := false; !waited; {
			err := pool.QueryRow(t.Context(), `
				SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'
				               AND clock_timestamp() - query_start > interval '3 seconds')`).Scan(&waited)
			if err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-done:
				t.Fatalf("it didn't wait: %v", err)
			case <-deadline:
				t.Fatal("it never waits")
			case <-time.After(20 * time.Millisecond):
			}
		}
		if err := slow.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})

	t.Run("TheSameIdInTwoMonthsIsStillOneEvent", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Pool(t)
		if _, err := billing.EnsureEventPartitions(t.Context(), pool, noon, 3); err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			recordAndCommit(t, pool, anEvent("evt_1", createdAt(noon.AddDate(0, n, 0))))
		}
		if counts, err := billing.CountEvents(t.Context(), pool); err != nil || counts[billing.EventReceived] != 1 {
			t.Errorf("E1: %v events, %v", counts, err)
		}
	})

	t.Run("RefusesToRunAheadForEver", func(t *testing.T) {
		t.Parallel()
		if _, err := billing.EnsureEventPartitions(t.Context(), pgtest.Pool(t), noon, 121); err == nil {
			t.Error("made 121 months")
		}
	})
}
