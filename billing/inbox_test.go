package billing_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/internal/pgtest"
)

var noon = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// anEvent is an event as a delivery at noon would bring it.
func anEvent(id string, changes ...func(*billing.Event)) billing.Event {
	e := billing.Event{
		ID: id, CreatedAt: noon.Add(-time.Second), ReceivedAt: noon, Type: "customer.subscription.updated",
		APIVersion: "2023-10-16", ObjectKind: "subscription", ObjectID: "sub_1", CustomerID: "cus_1",
		Origin: billing.FromWebhook, Body: []byte("{\"a\":\"\\u0000\xff\"}"),
	}
	for _, change := range changes {
		change(&e)
	}
	return e
}

func record(t *testing.T, tx pgx.Tx, e billing.Event) bool {
	t.Helper()
	recorded, err := billing.RecordEvent(t.Context(), tx, e)
	if err != nil {
		t.Fatal(err)
	}
	return recorded
}

func settle(t *testing.T, tx pgx.Tx, e billing.Event, state billing.EventState, reason string) {
	t.Helper()
	if err := billing.SettleEvent(t.Context(), tx, e.ID, e.CreatedAt, state, reason, noon.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, tx pgx.Tx, id string) billing.Event {
	t.Helper()
	e, err := billing.GetEvent(t.Context(), tx, id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestRecordEvent(t *testing.T) {
	t.Parallel()

	t.Run("E1_KeepsEveryColumnAndEveryByte", func(t *testing.T) {
		t.Parallel()
		tx := pgtest.Tx(t)
		e := anEvent("evt_1", func(e *billing.Event) { e.Account, e.Origin = "acct_1", billing.FromSweep })
		if !record(t, tx, e) {
			t.Fatal("a new event wasn't recorded")
		}
		got := get(t, tx, "evt_1")
		if got.Ticket <= 0 {
			t.Errorf("ticket %d", got.Ticket)
		}
		e.Ticket, e.State = got.Ticket, billing.EventReceived
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", e) {
			t.Errorf("got  %+v\nwant %+v", got, e)
		}
	})

	t.Run("E1_OnlyTheIdDecidesWhatIsKnown", func(t *testing.T) {
		t.Parallel()
		tx := pgtest.Tx(t)
		record(t, tx, anEvent("evt_1"))
		before := get(t, tx, "evt_1")
		for name, change := range map[string]func(*billing.Event){
			"Same":                func(*billing.Event) {},
			"AnotherCreationTime": func(e *billing.Event) { e.CreatedAt = noon.AddDate(0, 3, 0) },
			"AnotherBody":         func(e *billing.Event) { e.Body, e.ObjectID = []byte("{}"), "sub_2" },
			"FromTheSweep":        func(e *billing.Event) { e.Origin = billing.FromSweep },
		} {
			if record(t, tx, anEvent("evt_1", change)) {
				t.Errorf("%s was recorded again", name)
			}
		}
		if after := get(t, tx, "evt_1"); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("changed from %+v to %+v", before, after)
		}
		if !record(t, tx, anEvent("evt_2")) {
			t.Error("another id with the same content wasn't recorded")
		}
	})

	t.Run("E1_ARaceIsDecidedByTheFirstToCommit", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Pool(t)
		for _, c := range []struct {
			id     string
			commit bool
		}{{"evt_commits", true}, {"evt_rolls_back", false}} {
			first, err := pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			record(t, first, anEvent(c.id))
			second := make(chan bool, 1)
			go func() {
				_ = pgx.BeginFunc(context.WithoutCancel(t.Context()), pool, func(tx pgx.Tx) error {
					recorded, err := billing.RecordEvent(context.WithoutCancel(t.Context()), tx,
						anEvent(c.id, func(e *billing.Event) { e.CreatedAt = noon.AddDate(1, 0, 0) }))
					second <- recorded
					return err
				})
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
			if recorded := <-second; recorded == c.commit {
				t.Errorf("%s: the second recorded it: %v", c.id, recorded)
			}
		}
	})

	t.Run("E1_ManyAtOnceRecordItOnce", func(t *testing.T) {
		t.Parallel()
		pool := pgtest.Pool(t)
		var wg sync.WaitGroup
		recorded := make(chan bool, 50)
		for n := range 50 {
			wg.Go(func() {
				err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
					isNew, err := billing.RecordEvent(t.Context(), tx,
						anEvent("evt_1", func(e *billing.Event) { e.CreatedAt = noon.AddDate(0, n%7, 0) }))
					recorded <- isNew
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		close(recorded)
		news := 0
		for isNew := range recorded {
			if isNew {
				news++
			}
		}
		if listed, err := billing.ListEvents(t.Context(), pool, billing.EventFilter{}); news != 1 || len(listed) != 1 || err != nil {
			t.Errorf("recorded %d times, %d rows, %v", news, len(listed), err)
		}
	})

	t.Run("RefusesWhatCantBeAnEvent", func(t *testing.T) {
		t.Parallel()
		for name, change := range map[string]func(*billing.Event){
			"NoID":          func(e *billing.Event) { e.ID = "" },
			"NoType":        func(e *billing.Event) { e.Type = "" },
			"UnknownOrigin": func(e *billing.Event) { e.Origin = "hearsay" },
			"NoBody":        func(e *billing.Event) { e.Body = nil },
		} {
			if _, err := billing.RecordEvent(t.Context(), pgtest.Tx(t), anEvent("evt_1", change)); err == nil {
				t.Errorf("%s was taken", name)
			}
		}
	})
}

// waitForALock waits until somebody in the database waits for a lock.
func waitForALock(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		var waiting bool
		err := pool.QueryRow(t.Context(), `
			SELECT EXISTS (SELECT 1 FROM pg_stat_activity
			               WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		if waiting {
			return
		}
		select {
		case <-deadline:
			t.Fatal("nobody came to wait for the lock")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestGetEventOfAnUnknownIdSaysSo(t *testing.T) {
	t.Parallel()
	if _, err := billing.GetEvent(t.Context(), pgtest.Tx(t), "evt_1"); !errors.Is(err, billing.ErrEventUnknown) {
		t.Errorf("got %v", err)
	}
}

func TestSettleEvent(t *testing.T) {
	t.Parallel()

	t.Run("EveryStateButReceivedSettlesAndMayBeSettledAgain", func(t *testing.T) {
		t.Parallel()
		tx := pgtest.Tx(t)
		e := anEvent("evt_1")
		record(t, tx, e)
		states := []billing.EventState{billing.EventUnmatched, billing.EventUnmapped, billing.EventFailed, billing.EventIgnored, billing.EventDone}
		for n, state := range states {
			settle(t, tx, e, state, "because "+string(state))
			got := get(t, tx, "evt_1")
			if got.State != state || got.Reason != "because "+string(state) || got.Attempts != n+1 ||
				got.SettledAt == nil || !got.SettledAt.Equal(noon.Add(time.Minute)) {
				t.Errorf("settled as %s: %+v", state, got)
			}
		}
	})

	t.Run("RefusesStatesThatSettleNothing", func(t *testing.T) {
		t.Parallel()
		tx := pgtest.Tx(t)
		e := anEvent("evt_1")
		record(t, tx, e)
		for _, state := range []billing.EventState{billing.EventReceived, "", "gone"} {
			if err := billing.SettleEvent(t.Context(), tx, e.ID, e.CreatedAt, state, "", noon); err == nil {
				t.Errorf("settled as %q", state)
			}
		}
		if got := get(t, tx, "evt_1"); got.State != billing.EventReceived || got.Attempts != 0 {
			t.Errorf("got %+v", got)
		}
	})

	t.Run("AnUnknownEventSaysSo", func(t *testing.T) {
		t.Parallel()
		tx := pgtest.Tx(t)
		e := anEvent("evt_1")
		record(t, tx, e)
		err := billing.SettleEvent(t.Context(), tx, "evt_2", e.CreatedAt, billing.EventDone, "", noon)
		if !errors.Is(err, billing.ErrEventUnknown) {
			t.Errorf("got %v", err)
		}
	})

	t.Run("E2_AnyReasonCanBeStored", func(t *testing.T) {
		t.Parallel()
		tx := pgtest.Tx(t)
		e := anEvent("evt_1")
		record(t, tx, e)
		for name, c := range map[string]struct{ reason, want string }{
			"NUL":          {"a\x00b", "a\uFFFDb"},
			"InvalidUTF8":  {"a\xff\xfeb", "a\uFFFDb"},
			"TooLong":      {strings.Repeat("x", 5000), strings.Repeat("x", 2000)},
			"CutInARune":   {strings.Repeat("x", 1999) + "€", strings.Repeat("x", 1999)},
			"JustFits":     {strings.Repeat("x", 1997) + "€", strings.Repeat("x", 1997) + "€"},
			"OnlyInvalid":  {strings.Repeat("\xff", 5000), "\uFFFD"},
			"ManyNULs":     {strings.Repeat("\x00", 5000), strings.Repeat("\uFFFD", 666)},
			"PlainAndTrue": {"no user owns cus_1", "no user owns cus_1"},
		} {
			settle(t, tx, e, billing.EventFailed, c.reason)
			if got := get(t, tx, "evt_1").Reason; got != c.want {
				t.Errorf("%s: stored %d bytes %.40q, want %d bytes %.40q", name, len(got), got, len(c.want), c.want)
			}
		}
	})
}

func TestCountEventsByState(t *testing.T) {
	t.Parallel()
	tx := pgtest.Tx(t)
	for n, state := range []billing.EventState{"", "", billing.EventDone, billing.EventFailed, billing.EventFailed, billing.EventUnmatched} {
		e := anEvent(fmt.Sprintf("evt_%d", n))
		record(t, tx, e)
		if state != "" {
			settle(t, tx, e, state, "")
		}
	}
	all, err := billing.CountEvents(t.Context(), tx)
	if want := "map[done:1 failed:2 received:2 unmatched:1]"; err != nil || fmt.Sprint(all) != want {
		t.Errorf("counted %v, %v, want %s", all, err, want)
	}
	some, err := billing.CountEvents(t.Context(), tx, billing.EventFailed, billing.EventUnmapped)
	if want := "map[failed:2]"; err != nil || fmt.Sprint(some) != want {
		t.Errorf("counted %v, %v, want %s", some, err, want)
	}
}

func ids(events []billing.Event) []string {
	list := make([]string, len(events))
	for i, e := range events {
		list[i] = e.ID
	}
	return list
}

func argIDs(args []billing.EventArgs) []string {
	list := make([]string, len(args))
	for i, a := range args {
		list[i] = a.EventID
	}
	slices.Sort(list)
	return list
}
