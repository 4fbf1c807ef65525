package worker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"purser/billing"
	"purser/teams"
)

const (
	untouched = "5 seats, total 5000 = monthly 5000 + purchased 0 + rollover 0 + bonus 0; used 1200, held 0, available 3800"
	noSeats   = "0 seats, total 1200 = monthly 1200 + purchased 0 + rollover 0 + bonus 0; used 1200, held 0, available 0"
	eight     = "8 seats, total 8000 = monthly 8000 + purchased 0 + rollover 0 + bonus 0; used 1200, held 0, available 6800"
	seatless  = "0 seats, total 5000 = monthly 5000 + purchased 0 + rollover 0 + bonus 0; used 1200, held 0, available 3800"
)

// oddFetch is a shape of acme's subscription of five seats that is odd, what its pool then
// is, and whether it can't be read at all.
type oddFetch struct {
	name   string
	bend   func(map[string]any)
	want   string
	unread bool
}

var oddFetches = []oddFetch{
	{"QuantityNull", onItem("quantity", nil), noSeats, false},
	{"QuantityZero", onItem("quantity", 0), noSeats, false},
	{"QuantityMissing", onItems(func(data []any) []any { delete(data[0].(map[string]any), "quantity"); return data }), noSeats, false},
	{"QuantityNegative", onItem("quantity", -5), noSeats, false},
	{"QuantityAString", onItem("quantity", "3"), untouched, true},
	{"QuantityAFraction", onItem("quantity", json.Number("3.0")), untouched, true},
	{"QuantityBeyondAllNumbers", onItem("quantity", json.Number("1e20")), untouched, true},
	{"SamePriceTwice", onItems(func(data []any) []any {
		second := map[string]any{}
		for k, v := range data[0].(map[string]any) {
			second[k] = v
		}
		second["id"], second["quantity"] = "si_second", 3
		return append(data, second)
	}), eight, false},
	{"MeteredFirst", onItems(func(data []any) []any {
		return append([]any{map[string]any{
			"id": "si_metered", "object": "subscription_item", "price": map[string]any{
				"id": "price_metered", "object": "price", "recurring": map[string]any{"interval": "month", "interval_count": 1, "usage_type": "metered"},
			},
		}}, data...)
	}), untouched, false},
	{"ItemsNull", set("items", nil), noSeats, false},
	{"ItemsMissing", onSub(func(sub map[string]any) { delete(sub, "items") }), noSeats, false},
	{"ItemsEmpty", onItems(func([]any) []any { return []any{} }), noSeats, false},
	{"AnItemNull", onItems(func(data []any) []any { return append([]any{nil}, data...) }), untouched, false},
	{"PriceNull", onItem("price", nil), noSeats, false},
	{"PriceUnknown", onPrice("id", "price_nobody_knows", "lookup_key", nil), noSeats, false},
	{"PriceOfAnUnknownType", onPrice("type", "barter", "recurring", nil), untouched, false},
	{"PriceTieredBelowACent", onPrice("unit_amount", nil, "unit_amount_decimal", "0.5", "billing_scheme", "tiered", "tiers_mode", "volume"), untouched, false},
	{"PriceTransformsQuantities", onPrice("transform_quantity", map[string]any{"divide_by": 10, "round": "up"}), untouched, false},
	{"StatusUnknown", set("status", "hibernating"), seatless, false},
	{"StatusEmpty", set("status", ""), seatless, false},
	{"CustomerNull", set("customer", nil), untouched, false},
	{"CustomerDeleted", onSub(func(sub map[string]any) {
		if customer, expanded := sub["customer"].(map[string]any); expanded {
			sub["customer"] = map[string]any{"id": customer["id"], "object": "customer", "deleted": true}
		}
	}), untouched, false},
	{"Livemode", set("livemode", true), untouched, false},
	{"CreatedIn2100", set("created", 4102444800), untouched, false},
	{"CreatedAFraction", set("created", json.Number("1768467600.5")), untouched, true},
	{"MetadataANumber", set("metadata", map[string]any{"purser_team": 7}), untouched, true},
	{"MetadataNull", set("metadata", nil), untouched, false},
	{"MetadataThatNoDatabaseTakes", set("metadata", map[string]any{"purser_x": "a\x00c", "purser_y": "BYTE", "purser_z": "\ufffe"}), untouched, false},
	{"MetadataAsLargeAsCanBe", onSub(func(sub map[string]any) {
		most := map[string]any{}
		for i := range 50 {
			most[fmt.Sprintf("purser_%02d", i)] = strings.Repeat("🦑", 500)
		}
		sub["metadata"] = most
	}), untouched, false},
	{"ObjectUnknown", set("object", "subscription.v9"), untouched, false},
	{"LatestInvoiceNull", set("latest_invoice", nil), untouched, false},
	{"InvoiceLinesNull", onInvoice("lines", nil), untouched, false},
	{"InvoiceStatusUnknown", onInvoice("status", "bartered"), untouched, false},
	{"InvoiceWithoutTransitions", onInvoice("status_transitions", nil), untouched, false},
	{"PeriodNull", set("current_period_start", nil, "current_period_end", nil), untouched, false},
	{"PeriodEndsBeforeItBegins", set("current_period_end", 1), untouched, false},
	{"PeriodOfAThousandYears", set("current_period_end", json.Number("33000000000")), untouched, false},
	{"CancelAtLongAgo", set("cancel_at", 1), untouched, false},
	{"ScheduleAndPendingUpdateAndPause", set(
		"schedule", "sub_sched_1", "pending_update", map[string]any{"expires_at": 4102444800, "subscription_items": []any{}},
		"pause_collection", map[string]any{"behavior": "void", "resumes_at": nil}, "imagined", map[string]any{"quantity": "3"}), untouched, false},
}

// TestOddFetches has one shape after the other come by in one life, in which each must
// leave no trace.
func TestOddFetches(t *testing.T) {
	t.Parallel()
	for part := range slices.Chunk(oddFetches, 10) {
		t.Run("E6_From"+part[0].name, func(t *testing.T) {
			t.Parallel()
			b := newBent(t)
			for i, odd := range part {
				t.Run("E6_"+odd.name+"_CorruptsNothing_HoldsNobodyUp_AndPasses", func(t *testing.T) {
					b.t = t
					b.comesBy(odd, int64(6+i%2))
				})
			}
		})
	}
}

func (b *bent) comesBy(odd oddFetch, seats int64) {
	t := b.t
	b.bends(odd.bend)
	b.sale.set("description", "odd: "+odd.name)
	if odd.unread {
		b.until("it was tried", func() bool { return b.failing() == 1 })
	}
	b.beside.seats(int(seats))
	b.until("the next event is worked at once", func() bool { return b.read(b.beta.BookID).Seats == seats })
	same(t, "the other pool", figures(b.read(b.beta.BookID)), figures(seatsOf(seats)))
	if !odd.unread {
		b.settled()
	}
	same(t, "the pool", figures(b.read(b.acme.BookID)), odd.want)
	b.audit()
	b.bends(nil)
	b.sale.set("description", "as ever")
	b.exec(`UPDATE river_job SET state = 'available', scheduled_at = now() WHERE kind = 'stripe_event' AND state IN ('available', 'retryable')`)
	b.settled()
	b.passed(b.acme, untouched)
}

// failing is how many jobs failed and will be tried again.
func (b *bent) failing() int64 {
	return b.count(`SELECT count(*) FROM river_job WHERE kind = 'stripe_event' AND state <> 'completed' AND cardinality(errors) > 0`)
}

func (b *bent) passed(team teams.Team, want string) {
	b.t.Helper()
	same(b.t, "once it has passed", figures(b.read(team.BookID)), want)
	same(b.t, "events that wait or failed", b.count(`SELECT count(*) FROM events WHERE state NOT IN ('done', 'ignored')`), 0)
	b.audit()
}

// A subscription may be odd from its first day. Nothing is queued here: each event is
// worked as it comes.
func TestOddArrivals(t *testing.T) {
	t.Parallel()
	b := &bent{world: newWorld(t), sale: &sale{id: "none yet"}}
	b.worker = b.world.worker(func(c *Config) { c.Stripe = b.between() })
	for _, odd := range oddFetches {
		t.Run("E6_"+odd.name+"_OfOneThatIsNew", func(t *testing.T) {
			b.t = t
			user := strings.ToLower(odd.name)
			team := b.team("team_"+user, user)
			customer := b.customer("purser_user", user)
			b.flush()
			drain(t, b.worker)
			sale := b.subscribe(customer, "team_monthly", 5, "metadata[purser_team]", team.ID)
			b.flush()
			b.mu.Lock()
			b.sale, b.bend = sale, odd.bend
			b.mu.Unlock()
			same(t, "events that can't be read", b.workAll() > 0, odd.unread)
			b.audit()
			b.bends(nil)
			sale.set("description", "as ever")
			b.flush()
			drain(t, b.worker)
			b.passed(team, figures(seatsOf(5)))
		})
	}
}

// workAll works each event that waits once, and counts those that fail.
func (b *bent) workAll() (failed int) {
	b.t.Helper()
	events, err := billing.ListEvents(b.t.Context(), b.pool, billing.EventFilter{States: []billing.EventState{billing.EventReceived}, Limit: 1000})
	ok(b.t, err)
	for _, event := range events {
		if err := workOnce(b.t.Context(), b.worker, event); err != nil {
			failed++
		}
	}
	return failed
}
