package worker

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"purser/billing"
	"purser/teams"
)

// shop is a world in which each event is worked as it comes, without the queue, so that a
// test sees at once which one fails.
type shop struct {
	*world
	team     teams.Team
	customer string
	worker   *Worker
}

func newShop(t testing.TB) *shop {
	t.Helper()
	s := &shop{world: newWorld(t)}
	s.team = s.world.team("acme", "olga")
	s.customer = s.world.customer("purser_user", "olga")
	s.worker = s.world.worker()
	return s
}

// sells subscribes the team.
func (s *shop) sells(lookupKey string, seats int, more ...string) *sale {
	s.t.Helper()
	return s.subscribe(s.customer, lookupKey, seats, append(more, "metadata[purser_team]", "acme")...)
}

// hears has everything delivered and worked, and what is due settled.
func (s *shop) hears() {
	s.t.Helper()
	s.flush()
	drain(s.t, s.worker)
	_, err := s.worker.SettleDue(s.t.Context())
	ok(s.t, err)
}

// is holds the team's pool, and that nothing waits, failed or went wrong.
func (s *shop) is(when string, want billing.Pool) {
	s.t.Helper()
	s.hears()
	want.Total = want.Monthly + want.Purchased + want.Rollover + want.Bonus
	want.Available = want.Total - want.Used - want.Held
	same(s.t, when, figures(s.read(s.team.BookID)), figures(want))
	same(s.t, when+": events that wait or failed", s.count(`SELECT count(*) FROM events WHERE state NOT IN ('done', 'ignored')`), 0)
	s.audit()
}

func (s *shop) status(sale *sale) string {
	s.t.Helper()
	var sub struct{ Status string }
	s.ask(http.MethodGet, "/v1/subscriptions/"+sale.id, nil, &sub)
	return sub.Status
}

// invoice is the latest of a subscription.
func (s *shop) invoice(sale *sale) (id string) {
	s.t.Helper()
	var sub struct {
		Latest_invoice string //nolint:revive // as Stripe spells it
	}
	s.ask(http.MethodGet, "/v1/subscriptions/"+sale.id, nil, &sub)
	return sub.Latest_invoice
}

// makePrice makes a price that no catalogue knows.
func (s *shop) makePrice(name, usage string) (id string) {
	s.t.Helper()
	var made struct{ ID string }
	s.post("/v1/prices", url.Values{
		"product_data[name]": {name}, "currency": {"usd"}, "unit_amount": {"3"}, "recurring[interval]": {"month"}, "recurring[usage_type]": {usage},
	}, &made)
	return made.ID
}

// addCard puts a good card on file, for invoices to come.
func (s *shop) addCard() {
	s.t.Helper()
	var made struct{ ID string }
	s.post("/v1/payment_methods/pm_card_visa/attach", url.Values{"customer": {s.customer}}, &made)
	s.post("/v1/customers/"+s.customer, url.Values{"invoice_settings[default_payment_method]": {made.ID}}, nil)
}

func (s *shop) withoutCard() {
	s.t.Helper()
	var made struct{ ID string }
	s.post("/v1/customers", url.Values{"email": {"olga@acme.example"}, "metadata[purser_user]": {"olga"}}, &made)
	s.customer = made.ID
}

var feb15 = jan15.AddDate(0, 1, 0)

func TestOddTrials(t *testing.T) {
	t.Parallel()
	const missing = "trial_settings[end_behavior][missing_payment_method]"
	trial := billing.Pool{Seats: 5, Bonus: 500}

	t.Run("E6_EndsWithoutACard_Paused_AndResumed", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		s.withoutCard()
		sale := s.sells("team_monthly", 5, "trial_period_days", "7", missing, "pause")
		s.is("B4: a trial", trial)
		s.spend(s.team.BookID, "spent", 100)
		s.advance(7*day + 2*time.Hour)
		same(t, "status", s.status(sale), "paused")
		// No period of its own runs now: what is shown is the calendar month.
		over := billing.Pool{Seats: 5, Bonus: 100, Used: 100}
		s.is("B4: over, and B6: nothing new", over)
		s.addCard()
		s.advance(3 * day)
		s.is("B6: while it is paused", over)
		s.post("/v1/subscriptions/"+sale.id+"/resume", nil, nil)
		same(t, "status", s.status(sale), "active")
		s.is("B6: resumed and paid", billing.Pool{Seats: 5, Monthly: 5000})
		s.advance(31*day + 2*time.Hour)
		s.is("B9: a month later", billing.Pool{Seats: 5, Monthly: 5000, Rollover: 2500})
	})

	t.Run("E6_EndsWithoutACard_Invoiced_AndPaidLater", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		s.withoutCard()
		sale := s.sells("team_monthly", 5, "trial_period_days", "7", missing, "create_invoice")
		s.advance(7*day + 2*time.Hour)
		same(t, "status", s.status(sale), "past_due")
		s.is("B7: not paid", billing.Pool{Seats: 5})
		s.addCard()
		s.post("/v1/invoices/"+s.invoice(sale)+"/pay", nil, nil)
		same(t, "status", s.status(sale), "active")
		s.is("B7: paid", billing.Pool{Seats: 5, Monthly: 5000})
	})

	t.Run("E6_EndsWithoutACard_Canceled", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		s.withoutCard()
		sale := s.sells("team_monthly", 5, "trial_period_days", "7", missing, "cancel")
		s.advance(7*day + 2*time.Hour)
		same(t, "status", s.status(sale), "canceled")
		s.is("B6", billing.Pool{})
	})

	t.Run("E6_EndsWithACard_AndBringsTheMonthOnceItIsPaid", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		sale := s.sells("team_monthly", 5, "trial_period_days", "7")
		s.advance(7*day + time.Minute)
		same(t, "status", s.status(sale), "active")
		s.is("B7: its invoice is a draft for an hour", billing.Pool{Seats: 5})
		s.advance(time.Hour)
		s.is("B7: paid", billing.Pool{Seats: 5, Monthly: 5000})
	})

	t.Run("E6_EndedByHand_AndExtendedByHand", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		sale := s.sells("team_monthly", 5, "trial_period_days", "7")
		s.is("B4: a trial", trial)
		s.spend(s.team.BookID, "spent", 100)
		s.advance(day)
		sale.set("trial_end", fmt.Sprint(jan15.Add(20*day).Unix()))
		s.is("B4: one that is extended keeps its lot", billing.Pool{Seats: 5, Bonus: 500, Used: 100})
		s.advance(10 * day)
		s.is("B4: still", billing.Pool{Seats: 5, Bonus: 500, Used: 100})
		sale.set("trial_end", "now")
		s.is("B4: one that ends early just ends", billing.Pool{Seats: 5, Monthly: 5000})
	})
}

// A renewal while payments aren't collected isn't paid, though the status stays active.
func TestOddPauses(t *testing.T) {
	t.Parallel()
	for _, behaviour := range []string{"void", "mark_uncollectible", "keep_as_draft"} {
		t.Run("E6_CollectionPausedAcrossARenewal_"+behaviour, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			sale := s.sells("team_monthly", 5)
			s.is("B5", billing.Pool{Seats: 5, Monthly: 5000})
			s.advance(day)
			sale.set("pause_collection[behavior]", behaviour)
			s.is("paused", billing.Pool{Seats: 5, Monthly: 5000})
			s.advanceTo(feb15.Add(2 * time.Hour))
			same(t, "status", s.status(sale), "active")
			s.is("B8: until the grace is over", billing.Pool{Seats: 5, Monthly: 5000})
			s.advanceTo(feb15.Add(25 * time.Hour))
			s.is("B8: rolled, expired, not granted", billing.Pool{Seats: 5, Rollover: 2500})
			draft := s.invoice(sale)
			sale.set("pause_collection", "")
			late := int64(0)
			if behaviour == "keep_as_draft" {
				s.post("/v1/invoices/"+draft+"/pay", nil, nil)
				late = 5000
			}
			s.is("B8: a grant that comes later is added alone", billing.Pool{Seats: 5, Rollover: 2500, Monthly: late})
			s.advanceTo(jan15.AddDate(0, 2, 0).Add(2 * time.Hour))
			s.is("B9: the next month", billing.Pool{Seats: 5, Monthly: 5000, Rollover: 2500})
		})
	}
}

func TestOddSales(t *testing.T) {
	t.Parallel()

	t.Run("E6_PlanAndIntervalSwitchedInTheDashboard", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		sale := s.sells("team_monthly", 5)
		s.hears()
		s.spend(s.team.BookID, "spent", 1200)
		s.advance(10 * day)
		sale.plan("business_monthly", 5)
		// 21 of 31 days are left of 5,000 more, and business prorates: 3,387.09…
		s.is("B11: business", billing.Pool{Seats: 5, Monthly: 8387, Used: 1200})
		sale.plan("team_monthly", 5)
		s.is("B11: to and fro mints nothing", billing.Pool{Seats: 5, Monthly: 5000, Used: 1200})
		sale.plan("team_yearly", 5)
		// Cut after 10 of 31 days to 1,612: 3,388 of the 3,800 that were left are taken, and
		// the other 412 roll.
		s.is("B11: cut, and a year begun", billing.Pool{Seats: 5, Monthly: 5000, Rollover: 412})
		s.advance(31*day + 2*time.Hour)
		s.is("B4: its second month", billing.Pool{Seats: 5, Monthly: 5000, Rollover: 2500})
	})

	t.Run("E6_ASchedulesPhases", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		form := url.Values{"customer": {s.customer}, "start_date": {"now"}, "end_behavior": {"release"}}
		for i, phase := range []struct {
			price, seats string
		}{{"team_monthly", "5"}, {"team_monthly", "8"}, {"business_monthly", "4"}} {
			form.Set(fmt.Sprintf("phases[%d][items][0][price]", i), s.price(phase.price))
			form.Set(fmt.Sprintf("phases[%d][items][0][quantity]", i), phase.seats)
			form.Set(fmt.Sprintf("phases[%d][iterations]", i), "1")
		}
		s.post("/v1/subscription_schedules", form, nil)
		s.advance(2 * time.Hour)
		s.is("its first phase", billing.Pool{Seats: 5, Monthly: 5000})
		s.spend(s.team.BookID, "spent", 1200)
		s.advanceTo(feb15.Add(2 * time.Hour))
		// 3,800 are left, and 8 seats may keep 4,000.
		s.is("B9: its second", billing.Pool{Seats: 8, Monthly: 8000, Rollover: 3800})
		s.advanceTo(jan15.AddDate(0, 2, 0).Add(2 * time.Hour))
		// Business keeps half of what the month brought, 4,000 of 11,800.
		s.is("B9: its third, of another plan", billing.Pool{Seats: 4, Monthly: 8000, Rollover: 4000})
		s.advanceTo(jan15.AddDate(0, 3, 0).Add(2 * time.Hour))
		s.is("released", billing.Pool{Seats: 4, Monthly: 8000, Rollover: 4000})
	})

	for _, off := range []struct{ name, field, amount string }{
		{"AllOfIt", "percent_off", "100"}, {"MoreThanItCosts", "amount_off", "9999999"}, {"APart", "percent_off", "25"},
	} {
		t.Run("E6_ACouponOf_"+off.name, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			form := url.Values{off.field: {off.amount}, "duration": {"forever"}}
			if off.field == "amount_off" {
				form.Set("currency", "usd")
			}
			var coupon struct{ ID string }
			s.post("/v1/coupons", form, &coupon)
			sale := s.sells("team_monthly", 5, "coupon", coupon.ID)
			s.is("B7: nothing to pay counts as paid", billing.Pool{Seats: 5, Monthly: 5000})
			s.advance(day)
			sale.set("items[0][id]", sale.item, "items[0][quantity]", "6", "proration_behavior", "always_invoice")
			s.is("B10", billing.Pool{Seats: 6, Monthly: 6000})
			s.advanceTo(feb15.Add(2 * time.Hour))
			s.is("B7: the next month", billing.Pool{Seats: 6, Monthly: 6000, Rollover: 3000})
			if off.name == "APart" {
				charge := s.charge(s.customer)
				var c struct{ Amount int64 }
				s.ask(http.MethodGet, "/v1/charges/"+charge, nil, &c)
				s.refund(charge, c.Amount)
				s.hears()
				same(t, "R3: all that the month brought", s.left(s.team.BookID), "available 3000, allocated 0, held 0, frozen 0, used 0, debt 0")
				s.audit()
			}
		})
	}

	t.Run("R3_ARefundOfASeatThatWasAddedToADiscountedMonth", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		var coupon struct{ ID string }
		s.post("/v1/coupons", url.Values{"percent_off": {"25"}, "duration": {"forever"}}, &coupon)
		sale := s.sells("team_monthly", 5, "coupon", coupon.ID)
		s.hears()
		sale.set("items[0][id]", sale.item, "items[0][quantity]", "6", "proration_behavior", "always_invoice")
		s.is("B10", billing.Pool{Seats: 6, Monthly: 6000})
		// 93.75 and 18.75 were paid for the month's 6,000.
		s.refund(s.charge(s.customer), 1875)
		s.is("R3: a sixth of what the month cost", billing.Pool{Seats: 6, Monthly: 5000})
	})

	t.Run("E6_SeveralPlansBesideThingsOfOthers", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		sale := s.sells("team_monthly", 5, "items[1][price]", s.price("business_monthly"), "items[1][quantity]", "2",
			"items[2][price]", s.makePrice("Storage", "licensed"), "items[2][quantity]", "40")
		s.is("B13: their credits add up", billing.Pool{Seats: 7, Monthly: 9000})
		s.advance(day)
		s.ask(http.MethodDelete, "/v1/subscription_items/"+sale.item, nil, nil)
		s.is("B11: what the item brought is taken, all of it as it was granted", billing.Pool{Seats: 2, Monthly: 4000})
	})

	t.Run("E6_AMeteredItemFirst", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		form := url.Values{
			"customer": {s.customer}, "items[0][price]": {s.makePrice("Calls", "metered")}, "items[1][price]": {s.price("team_monthly")},
			"items[1][quantity]": {"5"}, "metadata[purser_team]": {"acme"},
		}
		var sub struct {
			Items struct{ Data []struct{ ID string } }
		}
		s.post("/v1/subscriptions", form, &sub)
		s.is("B2", billing.Pool{Seats: 5, Monthly: 5000})
		s.post("/v1/subscription_items/"+sub.Items.Data[0].ID+"/usage_records", url.Values{"quantity": {"77"}}, nil)
		s.advanceTo(feb15.Add(2 * time.Hour))
		s.is("B7: usage is billed with the next month", billing.Pool{Seats: 5, Monthly: 5000, Rollover: 2500})
	})

	t.Run("E6_TwentyItemsOfWhichStripeSendsTen", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		form := url.Values{"customer": {s.customer}, "metadata[purser_team]": {"acme"}}
		for i := range 19 {
			form.Set(fmt.Sprintf("items[%d][price]", i), s.makePrice(fmt.Sprint("Thing ", i), "licensed"))
		}
		form.Set("items[19][price]", s.price("team_monthly"))
		form.Set("items[19][quantity]", "5")
		s.post("/v1/subscriptions", form, nil)
		s.is("B2: the last of twenty", billing.Pool{Seats: 5, Monthly: 5000})
		s.advanceTo(feb15.Add(2 * time.Hour))
		s.is("B7: the next month", billing.Pool{Seats: 5, Monthly: 5000, Rollover: 2500})
	})

	t.Run("E6_QuantityZeroForAWhile", func(t *testing.T) {
		t.Parallel()
		s := newShop(t)
		sale := s.sells("team_monthly", 5)
		s.hears()
		s.spend(s.team.BookID, "spent", 1200)
		s.advance(day)
		sale.seats(0)
		s.is("B10: no seats", billing.Pool{Monthly: 1200, Used: 1200})
		// Where something costs again after nothing did, Stripe begins a new period. The
		// 1,200 that were spent are set off in it.
		sale.seats(5)
		s.is("B11: mints nothing", billing.Pool{Seats: 5, Monthly: 3800})
		sale.seats(0)
		s.is("B10: no seats again", billing.Pool{})
		s.advanceTo(feb15.Add(day + 2*time.Hour))
		s.is("B7: a month of none", billing.Pool{})
		sale.seats(3)
		s.is("B10: what even the turn lacked is forgotten", billing.Pool{Seats: 3, Monthly: 3000})
	})

	t.Run("E6_ACustomerDeletedInTheMidstOfAutomaticTopUps", func(t *testing.T) {
		t.Parallel()
		h := newTopped(t)
		h.set()
		h.sweep()
		h.wants("before", "ready", 1000, "paid 1000")
		h.ask(http.MethodDelete, "/v1/customers/"+h.customer, nil, nil)
		h.settled()
		h.spend(h.team.BookID, "spent", 900)
		before := h.calls.count("POST /v1/invoices")
		for range 5 {
			h.sweep()
			h.advance(day)
		}
		h.wants("after", "waiting no_customer", 100, "paid 1000")
		same(t, "invoices asked for of a customer who is gone", h.calls.count("POST /v1/invoices")-before, 0)
		same(t, "events that wait or failed", h.count(`SELECT count(*) FROM events WHERE state NOT IN ('done', 'ignored')`), 0)
		h.audit()
	})
}
