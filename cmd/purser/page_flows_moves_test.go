package main

import "net/http"

// moves: every way to move credits, seen before it is done, and what is refused.
func (f *flow) moves() {
	f.acme("Ada", "Ben", "Cleo")
	f.ask(http.MethodPost, "/v1/users/"+f.id("Ada")+"/bonus", fields{"credits": 300, "memo": "a present"}, nil)
	f.enter("Ada")
	f.Follow("Move credits")

	f.opens("Set credits aside")
	f.Choose("To", "Ben")
	f.Fill("Credits", "500")
	f.Fill("Reason (optional)", "a poster")
	f.Press("See what would happen")
	f.preview("500 credits would move", "the pool 5,000 4,500", "Ben 0 500")
	f.Card("h-preview").Has("500 credits: monthly, until 21 Mar 2026")
	f.Card("h-form").Fill("Credits", "700")
	f.Press("See what would happen")
	f.preview("700 credits would move", "the pool 5,000 4,300", "Ben 0 700")
	f.moved("Move 700 credits", "Done: 700 credits are set aside for Ben.", "the pool: 5,000 → 4,300 available", "Ben: 0 → 700 available")

	f.opens("Transfer credits")
	f.Choose("From", "Ben")
	f.Choose("To", "Cleo")
	f.Fill("Credits", "9999")
	f.Press("See what would happen")
	f.Says("Only 700 credits are free there")
	if f.Offers("Move 9,999 credits") {
		f.t.Error("what is refused can be confirmed")
	}
	f.Fill("Credits", "200")
	f.Press("See what would happen")
	f.preview("200 credits would move", "Ben 700 500", "Cleo 0 200")
	f.moved("Move 200 credits", "Done: 200 credits went from Ben to Cleo.", "Ben: 700 → 500 available", "Cleo: 0 → 200 available")

	f.opens("Reclaim credits")
	f.Choose("From", "Ben")
	f.Press("See what would happen") // all there is
	f.preview("500 credits would move", "Ben 500 0", "the pool 4,300 4,800")
	f.moved("Move 500 credits", "Done: 500 credits of Ben are back in the pool.", "the pool: 4,300 → 4,800 available")

	f.opens("Contribute credits")
	f.Says("You have 300 available")
	f.Fill("Credits", "120")
	f.Press("See what would happen")
	f.preview("120 credits would move", "your own credits 300 180", "the pool 4,800 4,920")
	f.moved("Move 120 credits", "Done: 120 of your credits are in the team's pool.", "your own credits: 300 → 180 available")

	if row := f.Card("h-recent").Row("a poster"); row[2] != "700" || row[5] != "Ada" {
		f.t.Errorf("the history says %q", row)
	}
	f.Follow("Overview")
	f.facts("h-pool", map[string]string{"Set aside": "200", "Available": "4,920", "Contributed": "120"})
}

// lost: between the preview and the confirmation somebody else was faster.
func (f *flow) lost() {
	f.acme("Ada", "Ben")
	f.enter("Olga")
	f.show("/moves/allocate")
	f.Choose("To", "Ben")
	f.Fill("Credits", "4,500")
	f.Press("See what would happen")
	f.preview("4,500 credits would move", "the pool 5,000 500", "Ben 0 4,500")
	f.spends("Ada", 1000)
	f.Press("Move 4,500 credits")
	f.Says("Only 4,000 credits are free there")
	if got := f.Value("Credits"); got != "4,500" {
		f.t.Errorf("what was typed is gone: %q", got)
	}
	f.Follow("Overview")
	f.facts("h-pool", map[string]string{"Used": "1,000", "Set aside": "0", "Available": "4,000"})
}

// opens opens one of the ways to move credits.
func (f *flow) opens(name string) {
	f.t.Helper()
	f.show("/moves")
	f.Within(".tiles").Follow(name)
	f.Says("What do you want to move?")
}

// preview fails the test unless it says what would happen to both sides.
func (f *flow) preview(title string, rows ...string) {
	f.t.Helper()
	f.Says(title)
	f.Card("h-preview").Has(rows...)
}

// moved confirms, and fails the test unless the page tells of it.
func (f *flow) moved(button string, texts ...string) {
	f.t.Helper()
	f.Press(button)
	f.Says(texts[0])
	f.Within(".told").Has(texts...)
}

// mine: a member goes on with credits of one's own, and comes back.
func (f *flow) mine() {
	f.acme()
	f.people("Ben")
	f.join("Ben", fields{"limit": fields{"kind": "period", "credits": 600}})
	f.ask(http.MethodPost, "/v1/users/"+f.id("Ben")+"/bonus", fields{"credits": 40, "memo": "a present"}, nil)
	f.spends("Ben", 150)
	f.enter("Ben")
	f.Card("h-mine").Has("From Acme", "450 credits you can use now", "Your limit on the pool in this period: 600", "It resets on 20 Mar 2026")
	f.facts("h-access", map[string]string{"Role": "Member", "Access": "Credits", "Used": "150", "Held": "0"})
	f.Press("Use my own credits instead")
	f.Says("From now on you pay with your own credits")
	f.Card("h-mine").Has("You pay with your own credits", "40 credits you can use now")
	f.facts("h-access", map[string]string{"Access": "Personal"})
	f.spends("Ben", 40)
	f.show("")
	f.Card("h-mine").Has("0 credits you can use now", "Your own credits are used up")
	f.Press("Use the team's credits again")
	f.Says("You use the team's credits again (Credits)")
	f.Card("h-mine").Has("450 credits you can use now")

	// Whom an admin makes personal an admin must let back, also while the button is seen.
	f.Press("Use my own credits instead")
	f.ask(http.MethodPost, "/v1/teams/"+f.team+"/members/changes", fields{"changes": []fields{{"user_id": f.id("Ben"), "access": "personal"}}}, nil)
	f.Press("Use the team's credits again")
	f.Says("An admin has made your access personal")
	f.show("")
	f.Card("h-access").Has("Personal", "An admin has made your access personal, so an admin must give it back.")
	if f.Offers("Use the team's credits again") {
		f.t.Error("what would be refused is offered")
	}
}
