package web_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"purser/billing"
	"purser/teams"
)

const billingAt = "/page/teams/acme/billing"

func (b *browser) wantLedTo(address string) {
	b.T.Helper()
	if got := b.header.Get("Location"); b.status != 303 || !strings.HasPrefix(got, address) {
		b.T.Errorf("%d to %s, want %s: %s", b.status, got, address, visibleText(b.body))
	}
}

func TestBilling(t *testing.T) {
	t.Parallel()
	t.Run("P1_APackIsBoughtAtStripe_OnceHoweverOftenTheFormIsSent", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("abe", "acme").get(billingAt).want(200, "Plan team active", "1,000 credits 10.00 USD · last 12 months", "Nothing has been bought yet", "Only the owner of the subscription")
		f := b.form(billingAt + "/checkout")
		b.sendForm(f).wantLedTo("https://stripe.example/pay/top_")
		first := b.header.Get("Location")
		if b.sendForm(f); b.header.Get("Location") != first || len(w.stripe.checkouts) != 1 {
			t.Errorf("a second page: %s, %d", b.header.Get("Location"), len(w.stripe.checkouts))
		}
		in := w.stripe.checkouts[0]
		if in.SuccessURL != w.url+billingAt+"?bought=1" || in.CancelURL != w.url+billingAt || in.CustomerID != "cus_ann" {
			t.Errorf("%+v", in)
		}
		b.get(billingAt+"?bought=1").want(200, "Thank you", "1,000 credits 1,000", "to be paid", "Pay at Stripe")
	})
	t.Run("StripeIsAway_AndTheSameFormGoesOnOnceItIsBack", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		w.stripe.away = fmt.Errorf("asking: %w", billing.ErrStripeUnavailable)
		b := w.as("abe", "acme").get(billingAt)
		f := b.form(billingAt + "/checkout")
		b.sendForm(f).want(503, "Stripe can't be reached")
		w.stripe.away = nil
		b.sendForm(f).wantLedTo("https://stripe.example/pay/top_")
		if n := strings.Count(b.get(billingAt).body, "Pay at Stripe"); n != 1 {
			t.Errorf("%d purchases", n)
		}
	})
	t.Run("E5_OnlyTheSubscriptionsOwnerIsLedToThePortal", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("ann", "acme").get(billingAt).want(200, "Manage subscription")
		b.sendForm(b.form(billingAt + "/portal")).wantLedTo("https://stripe.example/portal")
		if in := w.stripe.portals[0]; in.CustomerID != "cus_ann" || in.ReturnURL != w.url+billingAt {
			t.Errorf("%+v", in)
		}
		admin := w.as("abe", "acme").get(billingAt).wantNot("Manage subscription", "Remove the subscription")
		admin.sendForm(formOn{action: billingAt + "/portal", method: "POST", fields: url.Values{
			"csrf": {admin.form("/page/leave").fields.Get("csrf")}, "key": {"page-" + strings.Repeat("k", 24)},
		}}).want(403)
	})
	t.Run("T13_RemovingAndAssigningTheSubscription_WithALookBefore", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("ann", "acme").get(billingAt)
		b.get(b.leadsTo("Remove the subscription")).want(200, "Team acme 3,300 500", "your own credits 0 3,500")
		if m := w.member("ann"); m.Access != teams.SeatAccess {
			t.Fatal("looking changed it")
		}
		b.submit(billingAt+"/unassign").want(200, "yours alone again", "Plan None")
		b.get(b.leadsTo("Use your subscription for this team")).want(200, "Team acme 500", "your own credits 3,500 0")
		b.submit(billingAt+"/assign").want(200, "The subscription is the team's", "Plan team")
		w.as("abe", "acme").get(billingAt + "/unassign").want(403)
	})
	t.Run("P2_AutomaticTopUp", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("abe", "acme").get(billingAt).want(200, "Automatic top-up off")
		at := billingAt + "/auto-top-up"
		b.submit(at, "on", "yes", "threshold", "1,000", "pack", "pack_1000", "credits_max", "5000", "amount_max", "50.00").want(200, "Automatic top-up is on")
		if w.staged.Load() != 1 {
			t.Error("nobody decides whether to buy now")
		}
		got := b.form(at).fields
		if got.Get("on") != "yes" || got.Get("threshold") != "1000" || got.Get("credits_max") != "5000" || got.Get("amount_max") != "50.00" {
			t.Errorf("%v", got)
		}
		setting, err := teams.GetAutoTopUp(t.Context(), w.DB, "acme", "", teams.Actor{})
		if err != nil || setting.AmountMax != 5000 || setting.Currency != "usd" {
			t.Errorf("%+v: %v", setting, err)
		}
		b.submit(at, "credits_max", "10").want(422, "Both caps must be enough")
		b.submit(at, "amount_max", "lots").want(422, "isn't an amount of money")
		w.as("bob", "acme").get(billingAt).want(403)
	})
	t.Run("T15_APersonalAccountHasItToo", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.User("eve")
		b := w.as("eve", "").get("/page/account/billing").want(200, "You have no subscription", "Automatic top-up off")
		b.sendForm(b.form("/page/account/billing/checkout")).wantLedTo("https://stripe.example/pay/top_")
		b.get("/page/account/billing").submit("/page/account/billing/auto-top-up", "threshold", "0", "credits_max", "1000", "amount_max", "10").want(200, "is off")
	})
	t.Run("B1_AnAccountsSubscriptionIsNamedByItsPlan_AndByItsPriceOnlyWhereNoPlanHasIt", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		w.as("ann", "").get("/page/account/billing").want(200, "5 × team active in a team").wantNot("team_monthly")
		for item, says := range map[string]string{
			`{"price_id": "price_disk", "lookup_key": "storage"}`:     "5 × storage active",
			`{"price_id": "price_disk", "lookup_key": ""}`:            "5 × price_disk active",
			`{"price_id": "price_one", "lookup_key": "solo_monthly"}`: "5 × solo active",
		} {
			if _, err := w.DB.Exec(t.Context(), `UPDATE subscriptions SET facts = jsonb_set(facts, '{items,0}', facts->'items'->0 || $1::jsonb)`, item); err != nil {
				t.Fatal(err)
			}
			w.as("ann", "").get("/page/account/billing").want(200, says)
		}
	})
}
