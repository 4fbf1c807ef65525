package main

import (
	"net/http"
	"strings"

	"purser/billing"
)

// portal: from Manage subscription to Stripe's portal, where seats are changed and the
// subscription is canceled, and back to a page that says so.
func (f *flow) portal() {
	f.acme("Ada")
	f.spends("Ada", 100)
	f.enter("Ada")
	f.Follow("Billing")
	f.Card("h-plan").Has("Only the owner of the subscription can manage it")
	if f.Offers("Manage subscription") {
		f.t.Error("an admin is offered the owner's portal")
	}

	f.enter("Olga")
	f.Follow("Billing")
	f.Press("Manage subscription")
	f.atStripesPage("/p/session/")
	f.Says("Team", "Active", "Visa ending in 4242")
	f.Fill("Seats", "8")
	f.Press("Update")
	f.Follow("Back")
	f.isBack("/billing")
	f.worked()
	f.show("/billing")
	f.facts("h-plan", map[string]string{"Plan": "team active", "Seats bought": "8"})
	f.Follow("Overview")
	f.facts("h-pool", map[string]string{"Monthly": "8,000", "Used": "100", "Available": "7,900"})

	f.Follow("Billing")
	f.Press("Change seats") // straight to the change, and straight back
	f.atStripesPage("/p/session/")
	f.SaysNot("Payment method")
	f.Fill("Seats", "3")
	f.Press("Update")
	f.worked()
	f.show("")
	f.facts("h-pool", map[string]string{"Monthly": "3,000", "Available": "2,900"})
	f.facts("h-period", map[string]string{"Seats in use": "1 of 3"})

	f.Follow("Billing")
	f.Press("Manage subscription")
	f.Press("Cancel at the period's end")
	f.Says("ends on 20 March 2026")
	f.Follow("Back")
	f.isBack("/billing")
	f.worked()
	f.show("")
	f.facts("h-period", map[string]string{"Plan": "team active", "Next grant": "None to come"})
	f.facts("h-pool", map[string]string{"Available": "2,900"}) // what is paid stays
	f.SaysNot("roll over to the next period")
}

// checkout: a pack is bought on Stripe's page, with a card that is declined first, and one
// with a bank that asks.
func (f *flow) checkout() {
	f.acme("Ada")
	f.enter("Ada")
	f.Follow("Billing")
	f.Card("h-packs").Has("1,000 credits 10.00 USD · last 12 months", "5,000 credits 45.00 USD")
	f.Card("h-bought").Has("Nothing has been bought yet")
	f.Press("Buy 1,000 credits")
	f.atStripesPage("/c/pay/")
	f.Says("Pay $10.00")
	f.Choose("Pay with", "declined")
	f.Press("Pay")
	f.Says("Your card was declined")
	f.worked()
	f.Follow("Back") // and nothing is lost
	f.isBack("/billing")
	if row := f.Card("h-bought").Row("1,000 credits"); row[4] != "to be paid" {
		f.t.Errorf("the purchase: %q", row)
	}
	f.Follow("Pay at Stripe")
	f.Choose("Pay with", "4242 4242")
	f.Press("Pay")
	f.isBack("/billing?bought=1")
	f.Says("Thank you. The credits will be here as soon as the payment is.")
	f.worked()
	f.show("/billing")
	if row := f.Card("h-bought").Row("1,000 credits"); row[2] != "1,000" || row[3] != "10.00 USD" || row[4] != "paid" || row[5] != "Invoice Receipt" {
		f.t.Errorf("the purchase: %q", row)
	}
	f.Press("Buy 5,000 credits")
	f.Choose("Pay with", "the bank asks every time")
	f.Press("Pay")
	f.Says("Your bank asks you to confirm this payment")
	f.Press("Confirm payment")
	f.isBack("/billing?bought=1")
	f.worked()
	f.show("")
	f.facts("h-pool", map[string]string{"Monthly": "5,000", "Purchased": "6,000", "Available": "11,000"})
	if row := f.Card("h-ends").Row("Purchased"); row[0] != "20 Feb 2027" || row[2] != "6,000" {
		f.t.Errorf("bought credits expire: %q", row)
	}
}

// topUp: automatic top-up is set, buys when credits run low, and stops when it is switched off.
func (f *flow) topUp() {
	f.acme("Ada")
	f.enter("Olga")
	f.Follow("Billing")
	f.setTopUp("1,000", "1,000 credits", "500", "50.00", true)
	f.Says("Both caps must be enough for one pack")
	f.setTopUp("1,000", "1,000 credits", "5,000", "ten", false)
	f.Says("That isn't an amount of money")
	f.setTopUp("1,000", "1,000 credits", "1,000", "50.00", false)
	f.Says("Automatic top-up is on.")
	f.Card("h-topup").Has("Automatic top-up on")
	for name, want := range map[string]string{
		"When this many credits are left": "1000", "At most this many credits a month": "1000", "At most this much money a month": "50.00",
	} {
		if got := f.Card("h-topup").Value(name); got != want {
			f.t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
	f.Card("h-bought").Has("Nothing has been bought yet") // there is enough

	f.spends("Ada", 4200)
	f.becomesTrue("/billing", "automatic", "1,000 credits 10.00 USD", "paid")
	f.show("")
	f.facts("h-pool", map[string]string{"Used": "4,200", "Purchased": "1,000", "Available": "1,800"})
	f.decided()
	f.spends("Ada", 900) // the cap allows no second one
	f.show("/billing")
	f.Card("h-topup").Press("Save") // it is decided anew at once, not with the next sweep
	f.Says("Automatic top-up is on.")
	f.becomesTrue("", "Automatic top-up has bought what it may this month: the cap in credits is reached")
	f.Follow("Change its caps")
	f.Card("h-topup").Has("capped", "It checks again on")
	f.Card("h-topup").Tick("Switched on")
	f.Card("h-topup").Press("Save")
	f.Says("Automatic top-up is off.")
	if n := f.Card("h-bought").Rows(); n != 1 {
		f.t.Errorf("%d purchases: %s", n, f.Card("h-bought").Text())
	}
}

// setTopUp fills in the automatic top-up, and switches it on.
func (f *flow) setTopUp(threshold, pack, creditsMax, amountMax string, tick bool) {
	f.t.Helper()
	form := f.Card("h-topup")
	if tick {
		form.Tick("Switched on")
	}
	form.Fill("When this many credits are left", threshold)
	form.Choose("Buy", pack)
	form.Fill("At most this many credits a month", creditsMax)
	form.Fill("At most this much money a month", amountMax)
	form.Press("Save")
}

// assigning: the subscription is taken from the team and given back, each seen before it is done.
func (f *flow) assigning() {
	f.acme("Ada")
	f.spends("Ada", 400)
	f.ask(http.MethodPost, "/v1/teams/"+f.team+"/bonus", fields{"credits": 70, "memo": "a present"}, nil)
	f.enter("Olga")
	f.Follow("Billing")
	f.Follow("Remove the subscription")
	f.Says("Members with a seat get personal access")
	f.Card("h-preview").Has("Acme 4,670 70", "your own credits 0 4,600")
	f.Press("Confirm")
	f.Says("The subscription is yours alone again.")
	f.facts("h-plan", map[string]string{"Plan": "None"})
	f.Follow("Overview")
	f.facts("h-pool", map[string]string{"Monthly": "400", "Used": "400", "Bonus": "70", "Available": "70"})

	f.Follow("Billing")
	f.Follow("Use your subscription for this team")
	f.Card("h-preview").Has("Acme 70 4,670", "your own credits 4,600 0")
	f.Press("Confirm")
	f.Says("The subscription is the team's.")
	f.Follow("Overview")
	f.facts("h-pool", map[string]string{"Used": "400", "Available": "4,670"})
	f.facts("h-period", map[string]string{"Plan": "team active"})
}

// own: somebody's own page, a team that is made there, and what it gets of the subscription.
func (f *flow) own() {
	f.people("Olga")
	f.subscribed("4", "")
	f.ask(http.MethodPost, "/v1/users/"+f.id("Olga")+"/bonus", fields{"credits": 30, "memo": "a present"}, nil)
	f.Go(f.link("Olga", ""))
	f.Says("Your personal credits")
	f.facts("h-pool", map[string]string{"Monthly": "4,000", "Bonus": "30", "Available": "4,030"})
	for tab, says := range map[string]string{"Usage": "0 used", "History": "a present", "Billing": "4 × team active", "Explain": "4,030"} {
		f.Follow(tab)
		f.Says(says)
	}
	f.Follow("Your teams")
	f.Says("You own no team.", "You are in no other team.")
	f.Fill("Name", "   ")
	f.Press("Make the team")
	f.Says("The name")
	f.Fill("Name", "Studio & Sons")
	f.Fill("Description (optional)", "Print.")
	f.Press("Make the team")
	f.Says("Studio & Sons is yours.", "Print.")
	f.facts("h-pool", map[string]string{"Monthly": "4,000", "Available": "4,000"})
	f.facts("h-period", map[string]string{"Seats in use": "1 of 4", "Members": "1"})
	f.Follow("Your own credits")
	f.facts("h-pool", map[string]string{"Monthly": "0", "Bonus": "30", "Available": "30"})
	f.Follow("Your teams")
	f.Card("h-own").Has("Studio & Sons", "Owner")
	f.Follow("Your own credits")
	f.Follow("Billing")
	f.Follow("in a team")
	f.Says("Studio & Sons")
}

// decided waits until no automatic top-up is being decided: what runs low meanwhile is left to a sweep.
func (f *flow) decided() {
	f.t.Helper()
	var left int
	if !f.Until(func() bool {
		err := f.cli.db.QueryRow(f.t.Context(), `SELECT count(*) FROM river_job WHERE kind = $1 AND state <> 'completed'`, billing.TopUpArgs{}.Kind()).Scan(&left)
		return err == nil && left == 0
	}) {
		f.t.Fatalf("%d automatic top-ups are still being decided", left)
	}
}

// atStripesPage fails the test unless the browser is at the local Stripe's.
func (f *flow) atStripesPage(begins string) {
	f.t.Helper()
	if at := f.Address(); !strings.HasPrefix(at, f.stripe.URL()+begins) {
		f.t.Fatalf("it led to %s: %s", at, f.Text())
	}
}

// isBack fails the test unless Stripe led back to a page of the team.
func (f *flow) isBack(below string) {
	f.t.Helper()
	if want := f.svc.URL() + "/page/teams/" + f.team + below; f.Address() != want {
		f.t.Fatalf("it led to %s, not %s: %s", f.Address(), want, f.Text())
	}
}

// becomesTrue opens a page until it says these texts: what comes by itself takes its time.
func (f *flow) becomesTrue(below string, texts ...string) {
	f.t.Helper()
	if !f.Until(func() bool {
		f.show(below)
		all := f.Text()
		for _, text := range texts {
			if !strings.Contains(all, text) {
				return false
			}
		}
		return true
	}) {
		f.t.Fatalf("%s never says %q: %s", f.At(), texts, f.Text())
	}
}
