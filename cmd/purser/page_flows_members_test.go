package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"purser/internal/browsertest"
)

// invite: somebody is invited with a role, an access and a limit, comes, and is seen.
func (f *flow) invite() {
	f.acme()
	f.people("Emil")
	f.enter("Olga")
	f.Follow("Members")
	f.invites("Emil", "Admin", "Seat", "500")
	f.Says(f.mail("Emil") + " is invited. The invitation is valid for seven days.")
	f.Card("h-pending").Has(f.mail("Emil"), "Admin, Seat, 500 each period", "until 27 Feb 2026")
	first := f.sent()
	f.Follow("Members")
	f.SaysNot("Copy this link") // it is shown once

	f.invites("Emil", "Member", "Credits", "500")
	f.Says("That address is invited already")
	if got := f.Card("h-invite").Value("E-mail address"); got != f.mail("Emil") {
		f.t.Errorf("what was typed is gone: %q", got)
	}
	f.Press("New link for " + f.mail("Emil"))
	f.Says("has a new link")
	second := f.sent()
	if status := f.tries("/v1/invitations/accept", fields{"token": first, "user_id": f.id("Emil")}); status != http.StatusNotFound {
		f.t.Errorf("the first link still works: %d", status)
	}
	f.accept("Emil", second)
	f.Follow("Members")
	f.Card("h-pending").Has("Nobody")
	f.Card("h-members").Has("2 members", "2 of 5 seats in use")
	if row := f.Card("h-members").Row("Emil"); row[2] != "Admin" || row[3] != "Seat" || row[8] != "0 of 500 resets 20 Mar 2026" {
		f.t.Errorf("Emil: %q", row)
	}
	f.invites("Eve", "Member", "Personal", "7")
	f.Press("Take back the invitation of " + f.mail("Eve"))
	f.Says("The invitation is taken back")
	f.Card("h-pending").Has("Nobody")

	f.enter("Emil") // and he is what he was invited as
	f.Follow("My credits")
	f.facts("h-access", map[string]string{"Role": "Admin", "Access": "Seat", "Features": "shared_pool, exports"})
	f.Card("h-mine").Has("500 credits you can use now")
}

// tries asks the API for what may be refused, and gives its status.
func (f *flow) tries(path string, body any) int {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	raw, err := json.Marshal(body)
	if err != nil {
		f.t.Fatal(err)
	}
	status, _, err := f.product.call(f.t.Context(), "", http.MethodPost, path, string(raw))
	if err != nil {
		f.t.Fatal(err)
	}
	return status
}

// bulk: several members are chosen; what would become of each is shown, then done.
func (f *flow) bulk() {
	f.acme("Ada", "Ben", "Cleo")
	f.spends("Ben", 100)
	f.enter("Olga")
	f.Follow("Members")
	f.Within("fieldset.bulk").Press("See what would change")
	f.Says("Choose at least one member")

	f.chosen("Change access", func(p browsertest.Part) { p.Choose("Access", "Seat") }, "Ben", "Cleo")
	f.Says("2 members get different access")
	f.becomes(map[string]string{"Ben": "Credits → Seat", "Cleo": "Credits → Seat"})
	f.Follow("Cancel")
	f.Card("h-members").Has("1 of 5 seats in use") // looking changed nothing
	f.chosen("Change access", func(p browsertest.Part) { p.Choose("Access", "Seat") }, "Ben", "Cleo")
	f.done("2 members changed", "Ben: Credits → Seat", "Cleo: Credits → Seat")
	f.Card("h-members").Has("3 of 5 seats in use")

	f.chosen("Set the limit", func(p browsertest.Part) {
		p.Choose("Limit", "Each period")
		p.Fill("Credits at most", "1,500")
	}, "Ben", "Cleo")
	f.done("2 members changed", "Ben: No limit → 1,500 each period")
	f.member("Ben", 8, "100 of 1,500 resets 20 Mar 2026")

	f.chosen("Set credits aside", func(p browsertest.Part) { p.Fill("Credits for each", "400") }, "Ben", "Cleo")
	f.becomes(map[string]string{"Ben": "400 more: 0 → 400", "Cleo": "400 more: 0 → 400"})
	f.done("2 members changed", "Ben: 400 more: 0 → 400")
	f.member("Cleo", 4, "400")

	// Both would be more than there is, so nobody gets any: 4,100 are left, and 3,000 once Ben has his.
	f.chosen("Set credits aside", func(p browsertest.Part) { p.Fill("Credits for each", "2500") }, "Ben", "Cleo")
	f.Says("Nothing was changed, since some rows are refused", "Cleo: Only 1,600 credits are free there")
	f.member("Ben", 4, "400")

	f.chosen("Reclaim credits", func(p browsertest.Part) { p.Fill("Credits for each", "") }, "Cleo") // all there is
	f.done("1 member changed", "Cleo: 400 less: 400 → 0")

	f.chosen("Remove from the team", func(browsertest.Part) {}, "Ben", "Cleo")
	f.Says("2 members leave the team; what is unspent comes back to the pool")
	f.done("2 members changed", "Ben: leaves the team")
	f.Card("h-members").Has("2 members", "1 of 5 seats in use")
	f.Follow("Overview")
	f.facts("h-pool", map[string]string{"Used": "100", "Set aside": "0", "Available": "4,900"})
}

// bulkRole: all are chosen at once where scripts run; the owner among them is refused, and
// so is everything.
func (f *flow) bulkRole() {
	f.acme("Ada", "Ben")
	f.enter("Ada")
	f.Follow("Members")
	if f.scripts {
		f.Tick("Choose all on this page")
	} else {
		for _, name := range []string{"Olga", "Ada", "Ben"} {
			f.Tick("Choose " + name)
		}
	}
	f.Within("fieldset.bulk").Choose("Do this", "Change the role")
	if f.scripts == f.Within("fieldset.bulk").Sees("[name=limit_kind]") {
		f.t.Error("scripts leave the fields that belong to what is to be done; without them all are there")
	}
	f.Within("fieldset.bulk").Choose("Role", "Admin")
	f.Press("See what would change")
	f.Says("Nothing was changed, since some rows are refused", "Olga: The owner's role stays")
	f.Tick("Choose Olga") // what was chosen stays chosen, and is chosen no more
	f.Press("See what would change")
	f.becomes(map[string]string{"Ada": "Admin → Admin", "Ben": "Member → Admin"})
	f.done("2 members changed", "Ben: Member → Admin")
	f.member("Ben", 2, "Admin")
}

// chosen ticks members, says what is to be done with them, and looks.
func (f *flow) chosen(what string, fill func(browsertest.Part), names ...string) {
	f.t.Helper()
	f.show("/members")
	for _, name := range names {
		f.Tick("Choose " + name)
	}
	part := f.Within("fieldset.bulk")
	part.Choose("Do this", what)
	fill(part)
	part.Press("See what would change")
}

// becomes fails the test unless the preview says this of each.
func (f *flow) becomes(want map[string]string) {
	f.t.Helper()
	if n := f.Card("h-check").Rows(); n != len(want) {
		f.t.Errorf("%d rows: %s", n, f.Text())
	}
	for name, text := range want {
		if row := f.Card("h-check").Row(name); row[1] != text {
			f.t.Errorf("of %s becomes %q, not %q", name, row, text)
		}
	}
}

// done confirms, and fails the test unless the page tells of it.
func (f *flow) done(texts ...string) {
	f.t.Helper()
	f.Press("Confirm")
	f.Says(texts[0])
	f.Within(".told").Has(texts...)
}

// member fails the test unless a member's cell says that.
func (f *flow) member(name string, cell int, want string) {
	f.t.Helper()
	if row := f.Card("h-members").Row(name); row[cell] != want {
		f.t.Errorf("%s: %q, not %q", name, row, want)
	}
}

// invites fills in who is invited, and as what.
func (f *flow) invites(name, role, access, limit string) {
	f.t.Helper()
	form := f.Card("h-invite")
	form.Fill("E-mail address", f.mail(name))
	form.Choose("Role", role)
	form.Choose("Access", access)
	form.Choose("Limit", "Each period")
	form.Fill("Credits at most", limit)
	form.Press("Invite")
}

// sent is the token of the invitation that the page has just made.
func (f *flow) sent() string {
	f.t.Helper()
	link, err := url.Parse(f.Value("Copy this link; it is shown only once:"))
	if err != nil || link.Host != "app.acme.example" {
		f.t.Fatalf("the link is %v: %v", link, err)
	}
	return link.Query().Get("token")
}

// leaving: a member sees what it means, goes, and finds the own credits, also who goes twice;
// the owner is told why an owner can't.
func (f *flow) leaving() {
	f.acme("Ben", "Cleo")
	f.ask(http.MethodPost, "/v1/teams/"+f.team+"/allocations", fields{"user_id": f.id("Ben"), "credits": 600}, nil)
	f.spends("Ben", 100)
	f.Go(f.link("Ben", ""))
	f.Follow("Your teams")
	f.Follow("Acme")
	f.Follow("See what leaving would do")
	f.Says("What leaving Acme would do")
	if row := f.Card("h-preview").Row("Set aside for you"); row[1] != "500" || row[2] != "0" {
		f.t.Errorf("Ben gives back %q", row)
	}
	if row := f.Card("h-preview").Row("The team's pool"); row[1] != "4,400" || row[2] != "4,900" {
		f.t.Errorf("the pool gets %q", row)
	}
	f.Follow("Cancel")
	f.Card("h-mine").Has("4,900 credits you can use now")
	f.Follow("See what leaving would do")
	f.Press("Leave the team")
	f.Says("You have left Acme.", "You are in no other team.")
	f.show("/mine/leave") // back, and again
	f.Says("You have left Acme.", "Your own credits are still yours.", "Back to Acme Studio")
	f.Follow("Your teams")
	f.Says("You are in no other team.")
	f.enter("Cleo")
	f.show("/mine/leave")
	form := browsertest.Eval[string](f.Tab, `document.querySelector("form.actions").outerHTML`)
	f.Press("Leave the team")
	for range 2 { // what a second click sends, and a third
		f.Says("You have left Acme.", "Your own credits are still yours.", "Back to Acme Studio")
		f.SaysNot("Your session is over", "Overview")
		browsertest.Eval[bool](f.Tab, fmt.Sprintf(`document.querySelector("main").innerHTML = %q, true`, form))
		f.Press("Leave the team")
	}
	f.Says("You have left Acme.")
	f.enter("Olga")
	f.facts("h-pool", map[string]string{"Used": "100", "Set aside": "0", "Available": "4,900"})
	f.Follow("My credits")
	f.Card("h-leave").Has("You own this team, so you can't leave it.")
	f.show("/mine/leave")
	f.Says("the owner can't be removed, until the ownership is handed over")
}
