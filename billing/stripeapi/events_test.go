package stripeapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"purser/billing"
)

// eventLog is a list of events as Stripe keeps it, the newest first, which grows while it is read.
type eventLog struct {
	bodies []string // oldest first
	grow   int      // so many come in with every page that is asked for
}

// eventBody is odd on purpose: bytes that a decoder would lose must come through.
func eventBody(n int) string {
	return fmt.Sprintf("{\n  \"id\": \"evt_%04d\", \"object\":\"event\",\n  \"created\": %d,  \"type\": \"imagined.thing\", \"Type\": \"x\", \"amount\": 1.50, \"n\": 12345678901234567890, \"text\": \"\\u0000\\u00e9\", \"empty\": [\n\n  ]\n}", n, 1709000000+n)
}

func (l *eventLog) add(n int) {
	for range n {
		l.bodies = append(l.bodies, eventBody(len(l.bodies)))
	}
}

func (l *eventLog) page(r request) (int, string) {
	defer l.add(l.grow)
	newest := make([]string, 0, len(l.bodies))
	since, _ := time.ParseDuration(r.query.Get("created[gte]") + "s")
	for i := len(l.bodies) - 1; i >= 0 && float64(1709000000+i) >= since.Seconds(); i-- {
		newest = append(newest, l.bodies[i])
	}
	position := func(id string) int {
		for i, body := range newest {
			if strings.Contains(body, `"`+id+`"`) {
				return i
			}
		}
		return -1
	}
	first, last, more := 0, len(newest), false
	if id := r.query.Get("starting_after"); id != "" {
		first = position(id) + 1
	}
	if id := r.query.Get("ending_before"); id != "" {
		last = position(id)
		first, more = max(0, last-100), last > 100
	} else if last-first > 100 {
		last, more = first+100, true
	}
	return http.StatusOK, fmt.Sprintf(`{"object": "list", "has_more": %t, "data": [%s]}`, more, strings.Join(newest[first:last], ",\n"))
}

func TestEventsSince(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		events, grow int
		since        time.Time
		first, last  int
		calls        int
	}{
		"None":                         {events: 0, last: -1, calls: 1},
		"OnePageIsOneCall":             {events: 100, last: 99, calls: 1},
		"ManyPagesOldestFirst":         {events: 450, last: 449, calls: 5 + 4},
		"E3_OnlySinceAnInstant":        {events: 450, since: at(1709000000 + 300), first: 300, last: 449, calls: 2 + 1},
		"E3_ASecondBelongsToTheSince":  {events: 10, since: at(1709000000 + 9).Add(900 * time.Millisecond), first: 9, last: 9, calls: 1},
		"E3_WhatHappensMeanwhileCount": {events: 250, grow: 7, last: 250 + 7*5 - 1, calls: 3 + 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newStripe(t)
			log := &eventLog{grow: c.grow}
			log.add(c.events)
			fake.on("GET /v1/events", log.page)
			var got []string
			err := fake.client(t).EventsSince(t.Context(), c.since, func(body []byte) error {
				got = append(got, string(body))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for n := c.first; n <= c.last; n++ {
				want = append(want, eventBody(n))
			}
			same(t, "number", len(got), len(want))
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("event %d:\n got %s\nwant %s", i, got[i], want[i])
				}
			}
			same(t, "calls", len(fake.calls()), c.calls)
			same(t, "page size", fake.asked()[0].query.Get("limit"), "100")
		})
	}

	t.Run("E2_AnErrorOfTheCallerStopsIt", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		log := &eventLog{}
		log.add(250)
		fake.on("GET /v1/events", log.page)
		stop, n := errors.New("the database is away"), 0
		err := fake.client(t).EventsSince(t.Context(), time.Time{}, func([]byte) error {
			if n++; n == 60 {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) || n != 60 {
			t.Errorf("got %v after %d events", err, n)
		}
	})

	t.Run("ALostPageIsAnErrorNotTheEnd", func(t *testing.T) {
		t.Parallel()
		fake := newStripe(t)
		log := &eventLog{}
		log.add(450)
		fake.on("GET /v1/events", func(r request) (int, string) {
			if r.query.Get("ending_before") == "evt_0149" {
				return http.StatusBadGateway, "<html>"
			}
			return log.page(r)
		})
		n := 0
		err := fake.client(t).EventsSince(t.Context(), time.Time{}, func([]byte) error { n++; return nil })
		if !errors.Is(err, billing.ErrStripeUnavailable) || n != 150 {
			t.Errorf("got %v after %d events", err, n)
		}
	})
}
