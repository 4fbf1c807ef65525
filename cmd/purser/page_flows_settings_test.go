package main

import "net/http"

// settings: the team gets another name and shares otherwise, and then another owner.
func (f *flow) settings() {
	f.acme("Ada", "Ben")
	f.enter("Olga")
	f.Follow("Settings")
	f.Card("h-team").Fill("Name", "   ")
	f.Card("h-team").Press("Save")
	f.Says("A team's name has between 1 and 200 characters.")
	f.Card("h-team").Fill("Name", "Acme Design")
	f.Card("h-team").Fill("Description (optional)", "Brand & print.")
	f.Click("[name=sharing][value=balances]")
	f.Card("h-team").Press("Save")
	f.Says("The team's settings are saved.")
	f.Follow("Overview")
	f.Says("Acme Design", "Brand & print.")
	f.Follow("Settings")
	f.Choose("Hand it over to", "Ada")
	f.Card("h-owner").Press("See what would happen")
	f.Says("Ada becomes the owner of the team", "Only Ada can hand the team back.")
	f.Press("Hand the team over")
	f.Says("Ada owns the team now. You are an admin.", "Only the owner can hand the team over or close it.")
	f.enter("Ada")
	f.Follow("Settings")
	f.Says("The team belongs to Ada.", "Close the team")
	f.enter("Ben") // and nobody draws on the pool
	f.Card("h-mine").Has("From Acme Design", "0 credits you can use now")
}

// closing: what becomes of the credits is seen first, and confirmed with their number.
func (f *flow) closing() {
	f.acme("Ben")
	f.spends("Ben", 400)
	f.ask(http.MethodPost, "/v1/teams/"+f.team+"/bonus", fields{"credits": 70, "memo": "a present"}, nil)
	f.enter("Olga")
	f.show("/settings/close")
	f.Card("h-what").Has("4,600 credits go to the personal account of Olga", "70 credits expire", "Nobody can spend from the team any more")
	f.Tick("I know that 70 credits expire.")
	f.Press("Close the team for good")
	f.Says("Acme is closed.")
	f.Go(f.link("Olga", ""))
	f.facts("h-pool", map[string]string{"Available": "4,600"})
}
