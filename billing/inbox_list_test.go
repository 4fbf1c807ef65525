package billing_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/pgtest"
)

// inboxOfSix has events a … f, received a minute apart: a is the oldest.
func inboxOfSix(t *testing.T) pgx.Tx {
	t.Helper()
	tx := pgtest.Tx(t)
	for n, c := range []struct {
		id, kind, customer, object string
		state                      billing.EventState
	}{
		{"a", "invoice.paid", "cus_1", "in_1", billing.EventDone},
		{"b", "invoice.paid", "cus_2", "in_2", billing.EventUnmatched},
		{"c", "customer.subscription.updated", "cus_2", "sub_2", billing.EventUnmatched},
		{"d", "customer.subscription.updated", "cus_1", "sub_1", billing.EventFailed},
		{"e", "charge.refunded", "", "ch_1", billing.EventIgnored},
		{"f", "customer.subscription.updated", "cus_1", "sub_1", ""},
	} {
		e := anEvent(c.id, func(e *billing.Event) {
			e.Type, e.CustomerID, e.ObjectID = c.kind, c.customer, c.object
			e.ReceivedAt = noon.Add(time.Duration(n) * time.Minute)
			// Created in other months and in another order than received.
			e.CreatedAt = noon.AddDate(0, -n, 0)
		})
		record(t, tx, e)
		if c.state != "" {
			settle(t, tx, e, c.state, "so it is")
		}
	}
	return tx
}

func TestListEvents(t *testing.T) {
	t.Parallel()
	tx := inboxOfSix(t)
	minute := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
	for _, c := range []struct {
		name   string
		filter billing.EventFilter
		want   string
	}{
		{"AllNewestFirst", billing.EventFilter{}, "[f e d c b a]"},
		{"ByIds", billing.EventFilter{IDs: []string{"a", "e", "z"}}, "[e a]"},
		{"ByState", billing.EventFilter{States: []billing.EventState{billing.EventUnmatched}}, "[c b]"},
		{"ByStates", billing.EventFilter{States: []billing.EventState{billing.EventReceived, billing.EventFailed}}, "[f d]"},
		{"ByTypes", billing.EventFilter{Types: []string{"invoice.paid", "charge.refunded"}}, "[e b a]"},
		{"ByCustomer", billing.EventFilter{Customer: "cus_1"}, "[f d a]"},
		{"ByObject", billing.EventFilter{ObjectID: "sub_1"}, "[f d]"},
		{"SinceIsInclusive", billing.EventFilter{Since: minute(4)}, "[f e]"},
		{"UntilIsExclusive", billing.EventFilter{Until: minute(2)}, "[b a]"},
		{"AllMustHold", billing.EventFilter{Customer: "cus_1", Types: []string{"customer.subscription.updated"}, Until: minute(5)}, "[d]"},
		{"EmptyChoicesAreOpen", billing.EventFilter{IDs: []string{}, States: []billing.EventState{}, Types: []string{}}, "[f e d c b a]"},
		{"Limit", billing.EventFilter{Limit: 2}, "[f e]"},
		{"LimitBelowOneIsTheDefault", billing.EventFilter{Limit: -1}, "[f e d c b a]"},
		{"NoneIsAnEmptyList", billing.EventFilter{Customer: "cus_3"}, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, err := billing.ListEvents(t.Context(), tx, c.filter)
			if err != nil || fmt.Sprint(ids(events)) != c.want {
				t.Errorf("listed %v, %v, want %s", ids(events), err, c.want)
			}
		})
	}
}

func TestListEventsLeavesOutBodies(t *testing.T) {
	t.Parallel()
	tx := inboxOfSix(t)
	events, err := billing.ListEvents(t.Context(), tx, billing.EventFilter{Limit: 1})
	if err != nil || len(events) != 1 {
		t.Fatal(events, err)
	}
	want := get(t, tx, "f")
	want.Body = nil
	if fmt.Sprintf("%+v", events[0]) != fmt.Sprintf("%+v", want) {
		t.Errorf("listed %+v, want %+v", events[0], want)
	}
}

// TestListEventsPages holds that pages neither skip nor repeat, also when many
// events were received in one instant, when they lie in several partitions, and
// when new ones arrive meanwhile.
func TestListEventsPages(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool(t)
	if _, err := billing.EnsureEventPartitions(t.Context(), pool, noon, 2); err != nil {
		t.Fatal(err)
	}
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	for n := range 25 {
		record(t, tx, anEvent(fmt.Sprintf("evt_%02d", n), func(e *billing.Event) {
			e.ReceivedAt = noon.Add(time.Duration(n/10) * time.Microsecond)
			e.CreatedAt = noon.AddDate(0, n%4, 0)
		}))
	}
	var seen []string
	filter := billing.EventFilter{Limit: 4}
	for len(seen) <= 25 {
		page, err := billing.ListEvents(t.Context(), tx, filter)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		seen = append(seen, ids(page)...)
		filter.After = page[len(page)-1].Position()
		record(t, tx, anEvent(fmt.Sprintf("late_%d", len(seen)), func(e *billing.Event) { e.ReceivedAt = noon.Add(time.Hour) }))
	}
	var want []string
	for n := 24; n >= 0; n-- {
		want = append(want, fmt.Sprintf("evt_%02d", n))
	}
	if !slices.Equal(seen, want) {
		t.Errorf("saw  %v\nwant %v", seen, want)
	}
}

func TestListEventsIsBounded(t *testing.T) {
	t.Parallel()
	tx := pgtest.Tx(t)
	for n := range 1002 {
		record(t, tx, anEvent(fmt.Sprintf("evt_%d", n)))
	}
	for limit, want := range map[int]int{0: 100, 999: 999, 1001: 1000, 1 << 30: 1000} {
		events, err := billing.ListEvents(t.Context(), tx, billing.EventFilter{Limit: limit})
		if err != nil || len(events) != want {
			t.Errorf("limit %d gave %d, %v, want %d", limit, len(events), err, want)
		}
	}
}

func TestUnmatchedEventsOf(t *testing.T) {
	t.Parallel()
	tx := inboxOfSix(t)
	for customer, want := range map[string]string{"cus_2": "[c b]", "cus_1": "[]", "": "[]"} {
		events, err := billing.UnmatchedEventsOf(t.Context(), tx, customer)
		if err != nil || fmt.Sprint(ids(events)) != want {
			t.Errorf("B14 %q: %v, %v, want %s", customer, ids(events), err, want)
		}
	}
}

func TestReopenEvents(t *testing.T) {
	t.Parallel()

	t.Run("E2_ByFilterTakesWhatIsSettled", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			name   string
			filter billing.EventFilter
			want   string
		}{
			{"OfACustomer", billing.EventFilter{Customer: "cus_1"}, "[a d]"},
			{"OfAState", billing.EventFilter{States: []billing.EventState{billing.EventFailed}}, "[d]"},
			{"OfAnObject", billing.EventFilter{ObjectID: "sub_1"}, "[d]"},
			{"OfATime", billing.EventFilter{Since: noon.Add(time.Minute), Until: noon.Add(3 * time.Minute)}, "[b c]"},
			{"OfAType", billing.EventFilter{Types: []string{"invoice.paid"}}, "[a b]"},
			{"ByIdAlsoWhatIsReceived", billing.EventFilter{IDs: []string{"f", "a"}}, "[a f]"},
			{"ByStateAlsoWhatIsReceived", billing.EventFilter{States: []billing.EventState{billing.EventReceived}}, "[f]"},
			{"NoneIsNone", billing.EventFilter{IDs: []string{"z"}}, "[]"},
		} {
			t.Run(c.name, func(t *testing.T) {
				tx := inboxOfSix(t)
				args, err := billing.ReopenEvents(t.Context(), tx, c.filter)
				if err != nil || fmt.Sprint(argIDs(args)) != c.want {
					t.Errorf("reopened %v, %v, want %s", argIDs(args), err, c.want)
				}
			})
		}
	})

	t.Run("E2_AReopenedEventIsReceivedWithATicketThatNoFetchPreceded", func(t *testing.T) {
		t.Parallel()
		tx := inboxOfSix(t)
		fetched, err := billing.TakeTicket(t.Context(), tx)
		if err != nil {
			t.Fatal(err)
		}
		before, other := get(t, tx, "d"), get(t, tx, "c")
		args, err := billing.ReopenEvents(t.Context(), tx, billing.EventFilter{IDs: []string{"d"}})
		if err != nil || len(args) != 1 || args[0] != before.Args() {
			t.Fatalf("reopened %v, %v, want %v", args, err, before.Args())
		}
		after := get(t, tx, "d")
		if after.State != billing.EventReceived || after.SettledAt != nil || after.Reason != "" || after.Ticket <= fetched {
			t.Errorf("reopened as %+v, after ticket %d", after, fetched)
		}
		if after.Attempts != before.Attempts || string(after.Body) != string(before.Body) {
			t.Errorf("changed more than it should: %+v", after)
		}
		if again := get(t, tx, "c"); fmt.Sprint(again) != fmt.Sprint(other) {
			t.Errorf("another event changed: %+v", again)
		}
	})

	t.Run("E2_PageAfterPageUntilNoneComes", func(t *testing.T) {
		t.Parallel()
		tx := inboxOfSix(t)
		var all []billing.EventArgs
		for len(all) <= 5 {
			args, err := billing.ReopenEvents(t.Context(), tx, billing.EventFilter{Until: noon.Add(time.Hour), Limit: 2})
			if err != nil {
				t.Fatal(err)
			}
			if len(args) == 0 {
				break
			}
			all = append(all, args...)
		}
		if want := "[a b c d e]"; fmt.Sprint(argIDs(all)) != want {
			t.Errorf("reopened %v, want %s", argIDs(all), want)
		}
	})

	t.Run("B14_ACustomersManyEventsAreReopenedAtOnce", func(t *testing.T) {
		t.Parallel()
		tx := pgtest.Tx(t)
		for n := range 150 {
			e := anEvent(fmt.Sprintf("evt_%d", n))
			record(t, tx, e)
			settle(t, tx, e, billing.EventUnmatched, "nobody owns cus_1")
		}
		filter := billing.EventFilter{Customer: "cus_1", States: []billing.EventState{billing.EventUnmatched}}
		if args, err := billing.ReopenEvents(t.Context(), tx, filter); err != nil || len(args) != 150 {
			t.Errorf("reopened %d, %v, want all 150", len(args), err)
		}
	})

	t.Run("AFilterThatChoosesNothingOutIsRefused", func(t *testing.T) {
		t.Parallel()
		tx := inboxOfSix(t)
		before, err := billing.CountEvents(t.Context(), tx)
		if err != nil {
			t.Fatal(err)
		}
		for _, filter := range []billing.EventFilter{{}, {Limit: 5}, {IDs: []string{}}} {
			if args, err := billing.ReopenEvents(t.Context(), tx, filter); !errors.Is(err, billing.ErrEventFilterEmpty) {
				t.Errorf("%+v reopened %v, %v", filter, args, err)
			}
		}
		if after, err := billing.CountEvents(t.Context(), tx); err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("states went from %v to %v, %v", before, after, err)
		}
	})
}
