package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// stored puts an event into the inbox, in a state, so many minutes before now.
func (c *cli) stored(id string, minutes int, state billing.EventState, changes ...func(*billing.Event)) {
	c.t.Helper()
	at := now.Add(-time.Duration(minutes) * time.Minute)
	e := billing.Event{
		ID: id, CreatedAt: at, ReceivedAt: at, Type: "customer.subscription.updated", APIVersion: "2023-10-16",
		ObjectKind: "subscription", ObjectID: "sub_1", CustomerID: "cus_1", Origin: billing.FromWebhook,
		Body: []byte("{\n  \"id\": \"" + id + "\",\n  \"name\": \"a\u009b2Jb\"\n}"),
	}
	for _, change := range changes {
		change(&e)
	}
	err := pgx.BeginFunc(c.t.Context(), c.db, func(tx pgx.Tx) error {
		if _, err := billing.RecordEvent(c.t.Context(), tx, e); err != nil || state == billing.EventReceived {
			return err
		}
		return billing.SettleEvent(c.t.Context(), tx, e.ID, e.CreatedAt, state, "because\nof this", at.Add(time.Second))
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// jobs counts the jobs that wait for an event.
func (c *cli) jobs(id string) int {
	c.t.Helper()
	var n int
	err := c.db.QueryRow(c.t.Context(), `SELECT count(*) FROM river_job WHERE kind = 'stripe_event' AND args->>'event_id' = $1`, id).Scan(&n)
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (c *cli) stateOf(id string) billing.EventState {
	c.t.Helper()
	e, err := billing.GetEvent(c.t.Context(), c.db, id)
	if err != nil {
		c.t.Fatal(err)
	}
	return e.State
}

func ids(list page[eventView]) string {
	var all []string
	for _, e := range list.Items {
		all = append(all, e.ID)
	}
	return strings.Join(all, " ")
}

func TestEventsList(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.stored("evt_1", 50, billing.EventFailed)
	c.stored("evt_2", 40, billing.EventDone, func(e *billing.Event) { e.Type = "invoice.paid" })
	c.stored("evt_3", 30, billing.EventUnmatched, func(e *billing.Event) { e.CustomerID = "cus_2" })
	c.stored("evt_4", 20, billing.EventReceived, func(e *billing.Event) { e.ObjectID = "sub_2" })
	c.stored("evt_5", 10, billing.EventFailed)

	for _, f := range []struct{ args, want string }{
		{"", "evt_5 evt_4 evt_3 evt_2 evt_1"},
		{"--state failed", "evt_5 evt_1"},
		{"--state failed,unmatched", "evt_5 evt_3 evt_1"},
		{"--state failed --state done", "evt_5 evt_2 evt_1"},
		{"--type invoice.paid", "evt_2"},
		{"--customer cus_2", "evt_3"},
		{"--object sub_2", "evt_4"},
		{"--since 2026-03-10T11:20:00Z --until 2026-03-10T11:50:00Z", "evt_4 evt_3 evt_2"},
		{"--since 2026-03-10T13:50:00+02:00", "evt_5"},
		{"--after evt_4 --limit 2", "evt_3 evt_2"},
		{"--state done --customer cus_2", ""},
	} {
		t.Run(f.args, func(t *testing.T) {
			one := *c
			one.t = t
			if got := ids(decoded[page[eventView]](&one, append([]string{"events", "list"}, strings.Fields(f.args)...)...)); got != f.want {
				t.Errorf("lists %q, not %q", got, f.want)
			}
		})
	}
	list := decoded[page[eventView]](c, "events", "list", "--limit", "2")
	if !list.More || list.Next != "evt_4" {
		t.Errorf("the first page is %+v", list)
	}
	shows(t, c.ok("events", "list", "--limit", "2"), `^EVENT +RECEIVED +TYPE +STATE`,
		`^evt_5 +2026-03-10T11:50:00Z +customer\.subscription\.updated +failed +sub_1 +cus_1 +because of this$`, `^there are more: --after evt_4$`)
	c.fails(exitFailed, []string{"evt_9", "purser events list"}, "events", "list", "--after", "evt_9")
}

func TestEventsShow(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.stored("evt_1", 50, billing.EventFailed)
	out := c.ok("events", "show", "evt_1")
	shows(t, out, `^state +failed$`, `^reason +because of this$`, `^settled +2026-03-10T11:10:01Z$`, `^\{$`, `^  "id": "evt_1",$`)
	if strings.Contains(out, "\u009b") {
		t.Errorf("a control character is printed: %q", out)
	}
	body := "{\n  \"id\": \"evt_1\",\n  \"name\": \"a\u009b2Jb\"\n}"
	if out := c.ok("events", "show", "evt_1", "--body"); out != body {
		t.Errorf("the body is %q", out)
	}
	view := decoded[eventView](c, "events", "show", "evt_1")
	var inner struct{ Name string }
	if err := json.Unmarshal(view.Body, &inner); err != nil || inner.Name != "a\u009b2Jb" || view.State != "failed" || view.Attempts != 1 {
		t.Errorf("as JSON: %+v, %v", view, err)
	}
	c.fails(exitFailed, []string{"evt_9", "purser events list"}, "events", "show", "evt_9")
}

func TestEventsReplay(t *testing.T) {
	t.Parallel()

	t.Run("E2_ByIdWhateverTheState", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.stored("evt_1", 50, billing.EventDone)
		c.stored("evt_2", 40, billing.EventReceived)
		shows(t, c.ok("events", "replay", "evt_1", "evt_2"), `^staged 2 events`)
		for _, id := range []string{"evt_1", "evt_2"} {
			if c.stateOf(id) != billing.EventReceived || c.jobs(id) != 1 {
				t.Errorf("%s is %s with %d jobs", id, c.stateOf(id), c.jobs(id))
			}
		}
	})
	t.Run("E2_ByIdAllOrNone", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.stored("evt_1", 50, billing.EventDone)
		c.fails(exitFailed, []string{"replaying", "evt_9"}, "events", "replay", "evt_1", "evt_9")
		if c.stateOf("evt_1") != billing.EventDone || c.jobs("evt_1") != 0 {
			t.Error("one was staged although the other is unknown")
		}
	})
	t.Run("E2_ByFilterPastAPage", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		for i := range replayPage + 3 {
			c.stored(fmt.Sprintf("evt_%d", i), i, billing.EventFailed)
		}
		c.stored("evt_done", 5, billing.EventDone)
		c.stored("evt_new", 5, billing.EventReceived)
		type staged struct {
			Events int `json:"events_staged"`
		}
		if s := decoded[staged](c, "events", "replay", "--state", "failed"); s.Events != replayPage+3 {
			t.Errorf("staged %d", s.Events)
		}
		if c.jobs("evt_0") != 1 || c.jobs(fmt.Sprintf("evt_%d", replayPage+2)) != 1 || c.jobs("evt_done") != 0 || c.jobs("evt_new") != 0 {
			t.Error("other events than the failed ones were staged, or not all of these")
		}
		shows(t, c.ok("events", "replay", "--state", "failed"), `^staged 0 events`)
		// A filter without states takes what is settled, and leaves what has its job.
		shows(t, c.ok("events", "replay", "--customer", "cus_1"), `^staged 1 event;`)
	})
	t.Run("NeverEverythingByAForgottenFlag", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.stored("evt_1", 50, billing.EventDone)
		c.fails(exitUsage, []string{"--state failed"}, "events", "replay")
		c.fails(exitUsage, []string{"have their jobs already"}, "events", "replay", "--state", "received")
		if c.jobs("evt_1") != 0 {
			t.Error("something was staged")
		}
	})
}
