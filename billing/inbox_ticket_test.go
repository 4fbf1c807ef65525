package billing_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/pgtest"
)

func ticket(t *testing.T, tx pgx.Tx) int64 {
	t.Helper()
	n, err := billing.TakeTicket(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTickets(t *testing.T) {
	t.Parallel()

	t.Run("B3_AnEventAndTheFetchesAroundItAreInOrder", func(t *testing.T) {
		t.Parallel()
		tx := pgtest.Tx(t)
		before := ticket(t, tx)
		record(t, tx, anEvent("evt_1"))
		after := ticket(t, tx)
		if e := get(t, tx, "evt_1"); e.Ticket <= before || e.Ticket >= after {
			t.Errorf("event's ticket %d isn't between %d and %d", e.Ticket, before, after)
		}
	})

	t.Run("B3_AFetchThatWasOvertakenIsNotApplied", func(t *testing.T) {
		t.Parallel()
		tx := pgtest.Tx(t)
		first, second, third := ticket(t, tx), ticket(t, tx), ticket(t, tx)
		for _, c := range []struct {
			object  string
			ticket  int64
			applied bool
			latest  int64
		}{
			{"sub_1", second, true, second},
			{"sub_1", first, false, second},
			{"sub_1", second, false, second},
			{"sub_2", first, true, first},
			{"sub_1", third, true, third},
		} {
			applied, err := billing.ApplyTicket(t.Context(), tx, c.object, c.ticket, noon)
			if err != nil || applied != c.applied {
				t.Errorf("%s with ticket %d: applied %v, %v", c.object, c.ticket, applied, err)
			}
			if latest, err := billing.AppliedTicket(t.Context(), tx, c.object); err != nil || latest != c.latest {
				t.Errorf("%s with ticket %d: latest %d, %v, want %d", c.object, c.ticket, latest, err, c.latest)
			}
		}
	})

	t.Run("B3_AnObjectNeverAppliedHasTicketZero", func(t *testing.T) {
		t.Parallel()
		if latest, err := billing.AppliedTicket(t.Context(), pgtest.Tx(t), "sub_1"); latest != 0 || err != nil {
			t.Errorf("got %d, %v", latest, err)
		}
	})

	t.Run("B3_ATicketNeedsAnObject", func(t *testing.T) {
		t.Parallel()
		if _, err := billing.ApplyTicket(t.Context(), pgtest.Tx(t), "", 1, noon); err == nil {
			t.Error("applied to no object")
		}
	})

	// An earlier and a later fetch meet: whoever comes second waits for the first
	// and is judged by what it left, which is nothing if it rolled back.
	t.Run("B3_TwoFetchesAtOnceAreJudgedOneAfterTheOther", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Pool(t)
		for _, c := range []struct {
			object        string
			first, second int64
			commit, want  bool
		}{
			{"sub_overtaken", 20, 10, true, false},
			{"sub_in_order", 10, 20, true, true},
			{"sub_first_failed", 20, 10, false, true},
		} {
			first, err := pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if applied, err := billing.ApplyTicket(t.Context(), first, c.object, c.first, noon); !applied || err != nil {
				t.Fatal(c.object, applied, err)
			}
			second := make(chan string, 1)
			ctx := context.WithoutCancel(t.Context())
			go func() {
				var applied bool
				err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) (err error) {
					applied, err = billing.ApplyTicket(ctx, tx, c.object, c.second, noon.Add(time.Second))
					return err
				})
				second <- fmt.Sprint(applied, err)
			}()
			waitForALock(t, pool)
			if c.commit {
				err = first.Commit(t.Context())
			} else {
				err = first.Rollback(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := <-second; got != fmt.Sprint(c.want, nil) {
				t.Errorf("%s: the second answered %s, want %v", c.object, got, c.want)
			}
		}
	})
}

func TestEventCursor(t *testing.T) {
	t.Parallel()
	tx := pgtest.Tx(t)
	if c, found, err := billing.EventCursor(t.Context(), tx, "all"); found || err != nil {
		t.Fatalf("before the first sweep: %+v, %v, %v", c, found, err)
	}
	at := func(id string, hours int) billing.SweepCursor {
		created := noon.Add(time.Duration(hours) * time.Hour)
		return billing.SweepCursor{EventID: id, CreatedAt: created, SweptAt: created.Add(time.Minute)}
	}
	for _, c := range []struct {
		name       string
		save, want billing.SweepCursor
	}{
		{"E3_Begins", at("evt_1", 1), at("evt_1", 1)},
		{"E3_MovesOn", at("evt_2", 2), at("evt_2", 2)},
		{"E3_MovesWithinOneSecond", at("evt_3", 2), at("evt_3", 2)},
		{"E3_NeverGoesBack", at("evt_1", 1), at("evt_3", 2)},
	} {
		if err := billing.SaveEventCursor(t.Context(), tx, "all", c.save); err != nil {
			t.Fatal(err)
		}
		if got, found, err := billing.EventCursor(t.Context(), tx, "all"); got != c.want || !found || err != nil {
			t.Errorf("%s: %+v, %v, %v, want %+v", c.name, got, found, err, c.want)
		}
	}
	if _, found, err := billing.EventCursor(t.Context(), tx, "other"); found || err != nil {
		t.Errorf("another cursor: %v, %v", found, err)
	}
}
