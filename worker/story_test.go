package worker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/localstripe"
	"purser/teams"
)

// story is a month and more at the local Stripe of which no event was delivered, with
// purser standing where it stood before, or knowing nothing at all.
type story struct {
	*world
	team   teams.Team
	events []billing.Event // all that Stripe has to tell, the oldest first
	stripe *still
}

// Acme has 5 seats, of which purser knows, and has spent and held some credits. Then,
// unheard: three seats more, a pack, the renewal, a seat more and three fewer, another
// plan, both by invoices of their own, and a cancellation that is set and taken back.
func tellStory(t *testing.T, known bool) *story {
	t.Helper()
	s := &story{world: newWorld(t)}
	unheard := localstripe.Faults{Drop: []string{"*"}}
	if known {
		s.team = s.world.team("acme", "olga")
	} else {
		s.world.stripe.SetDelivery(unheard)
	}
	customer := s.customer("purser_user", "olga")
	sub := s.subscribe(customer, "team_monthly", 5, "metadata[purser_team]", "acme")
	if known {
		_, stop := s.start()
		s.settled()
		stop()
		s.spend(s.team.BookID, "spend", 1200)
		s.hold(s.team.BookID, "hold", 300, 40*day)
		s.world.stripe.SetDelivery(unheard)
	}
	s.advance(4 * day)
	sub.seats(8)
	s.advance(day)
	if known {
		s.buy("top_1", s.team.BookID, customer)
	}
	s.advanceTo(jan15.AddDate(0, 1, 0).Add(2 * time.Hour))
	s.advance(3 * day)
	sub.set("items[0][id]", sub.item, "items[0][quantity]", "9", "proration_behavior", "always_invoice")
	s.advance(day)
	sub.seats(6)
	s.advance(day)
	sub.plan("business_monthly", 6, "proration_behavior", "always_invoice")
	s.advance(day)
	sub.set("cancel_at_period_end", "true")
	s.advance(time.Hour)
	sub.set("cancel_at_period_end", "false")
	s.post("/v1/customers/"+customer, url.Values{"description": {"a good one"}}, nil)
	s.rest()
	return s
}

// rest takes down what Stripe would answer from now on, and all events that purser
// hasn't heard of.
func (s *story) rest() {
	s.stripe = &still{Stripe: s.api, answers: map[string]any{}}
	ok(s.t, s.api.EventsSince(s.t.Context(), jan15.Add(-day), func(body []byte) error {
		event, err := billing.ParseEvent(body)
		event.Origin, event.ReceivedAt = billing.FromWebhook, s.world.stripe.Now()
		if s.count(`SELECT count(*) FROM event_ids WHERE id = $1`, event.ID) == 0 {
			s.events = append(s.events, event)
		}
		s.stripe.bodies = append(s.stripe.bodies, body)
		return err
	}))
}

// telling is the story told in some order, in a transaction that is rolled back.
type telling struct {
	*story
	t  *testing.T
	w  *Worker
	tx pgx.Tx
}

func (s *story) telling(t *testing.T, do func(*telling)) {
	t.Helper()
	tx, err := s.pool.Begin(t.Context())
	ok(t, err)
	defer func() { ok(t, tx.Rollback(context.WithoutCancel(t.Context()))) }()
	w := s.worker(func(c *Config) { c.Stripe = s.stripe })
	w.db = tx
	do(&telling{s, t, w, tx})
}

// then does what follows on what was told so far, and takes it back.
func (told *telling) then(do func()) {
	told.t.Helper()
	before := told.tx
	tx, err := before.Begin(told.t.Context())
	ok(told.t, err)
	told.tx, told.w.db = tx, tx
	defer func() {
		ok(told.t, tx.Rollback(context.WithoutCancel(told.t.Context())))
		told.tx, told.w.db = before, before
	}()
	do()
}

// end is what came of what was told.
func (told *telling) end() string {
	t := told.t
	t.Helper()
	drain(t, told.w)
	team, err := teams.GetTeam(t.Context(), told.tx, "acme")
	ok(t, err)
	pool := readPool(t, told.tx, told.catalog, team.BookID, told.world.stripe.Now())
	auditIn(t, told.tx)
	return portrait(t, told.tx, team.BookID) + "\n" + figures(pool) + "\n" + seriesOf(pool)
}

func seriesOf(p billing.Pool) string {
	lots := make([]string, len(p.Lots))
	for i, l := range p.Lots {
		end := "never"
		if l.ExpiresAt != nil {
			end = l.ExpiresAt.UTC().Format(time.RFC3339)
		}
		lots[i] = fmt.Sprintf("%s %d/%d until %s", l.Source, l.Remaining, l.Granted, end)
	}
	slices.Sort(lots)
	return strings.Join(lots, "\n")
}

// hear delivers events as the receiver would and has each worked at once.
func (told *telling) hear(events ...billing.Event) {
	told.t.Helper()
	for _, e := range events {
		_, err := billing.RecordEvent(told.t.Context(), told.tx, e)
		ok(told.t, err)
		work(told.t, told.w, e.ID)
	}
}

// objects gives the latest event of each of Stripe's objects for which something is done.
func (s *story) objects() []billing.Event {
	var one []billing.Event
	seen := map[string]bool{}
	for _, e := range slices.Backward(s.events) {
		if target := billing.TargetOf(e); target.Kind != billing.TargetNone && !seen[target.ID] {
			seen[target.ID] = true
			one = append(one, e)
		}
	}
	return one
}

func TestStory(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		name := "TakenInFromNothing"
		if known {
			name = "CaughtUp"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tellStory(t, known)
			var want string
			s.telling(t, func(told *telling) {
				told.hear(s.events...)
				want = told.end()
			})
			if !strings.Contains(want, "lot monthly") {
				t.Fatalf("the story left no credits:\n%s", want)
			}
			t.Run("B3_EveryOrderOfTheObjectsEvents", func(t *testing.T) {
				objects := 6
				if !known && os.Getenv(soak) == "" {
					objects = 5
				}
				s.everyOrder(t, objects, want)
			})
			t.Run("B3_RandomOrdersOfAllEventsWithDuplicates", func(t *testing.T) { s.randomOrders(t, want) })
			if known || os.Getenv(soak) != "" {
				t.Run("E3_AnyOneEventLostAndFoundBySweeping", func(t *testing.T) { s.eachLost(t, want) })
			}
		})
	}
}

// compare holds an ending against the one that there must be.
func compare(t *testing.T, order []billing.Event, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("%s gives\n%s\nand should give\n%s", kinds(order), got, want)
	}
}

// everyOrder delivers an event of each of the latest objects in every order there is.
// Orders that begin alike share their beginning.
func (s *story) everyOrder(t *testing.T, objects int, want string) {
	chosen := s.objects()
	if len(chosen) < objects {
		t.Fatalf("only %d objects are told of: %s", len(chosen), kinds(chosen))
	}
	// What comes before the latest objects has been heard.
	latest := map[string]bool{}
	for _, e := range chosen[:objects] {
		latest[e.ObjectID] = true
	}
	var before []billing.Event
	for _, e := range s.events {
		if !latest[e.ObjectID] {
			before = append(before, e)
		}
	}
	orders, all := 0, 1
	for n := 2; n <= objects; n++ {
		all *= n
	}
	var follow func(told *telling, heard, left []billing.Event)
	follow = func(told *telling, heard, left []billing.Event) {
		if len(left) == 0 {
			orders++
			compare(t, heard, told.end(), want)
			return
		}
		for i, next := range left {
			told.then(func() {
				told.hear(next)
				follow(told, append(heard, next), slices.Delete(slices.Clone(left), i, i+1))
			})
		}
	}
	for i, first := range chosen[:objects] {
		s.exec(`VACUUM`) // or what was taken back slows down what follows
		s.telling(t, func(told *telling) {
			told.hear(before...)
			told.hear(first)
			follow(told, []billing.Event{first}, slices.Delete(slices.Clone(chosen[:objects]), i, i+1))
		})
	}
	same(t, "orders", orders, all)
}

func (s *story) randomOrders(t *testing.T, want string) {
	chance := rand.New(rand.NewPCG(1, 2))
	rounds := 8
	if os.Getenv(soak) != "" {
		rounds = 500
	}
	for range rounds {
		order := slices.Concat(s.events, s.events)
		chance.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		s.telling(t, func(told *telling) {
			told.hear(order...)
			compare(t, order, told.end(), want)
		})
	}
}

func (s *story) eachLost(t *testing.T, want string) {
	chance := rand.New(rand.NewPCG(3, 4))
	for i, lost := range s.events {
		if billing.TargetOf(lost).Kind == billing.TargetNone {
			continue
		}
		order := slices.Delete(slices.Clone(s.events), i, i+1)
		chance.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		s.telling(t, func(told *telling) {
			told.hear(order...)
			found, err := told.w.SweepEvents(t.Context())
			ok(t, err)
			same(t, "events found without "+lost.Type, found, 1)
			compare(t, order, told.end(), want)
		})
	}
}

func kinds(order []billing.Event) string {
	names := make([]string, len(order))
	for i, e := range order {
		names[i] = e.Type + " of " + e.ObjectID
	}
	return strings.Join(names, ", ")
}
