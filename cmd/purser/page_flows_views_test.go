package main

import (
	"net/http"
	"os"
	"path/filepath"
)

// doors: how people come in, what they may open by their role, and how they leave.
func (f *flow) doors() {
	f.acme("Ada", "Ben")
	f.people("Eve")
	manager := "Overview Members Move credits Usage History Billing Explain Settings My credits"
	for name, tabs := range map[string]string{"Olga": manager, "Ada": manager, "Ben": "Overview Usage History"} {
		link := f.link(name, f.team)
		f.Go(link)
		f.Says("You are " + name)
		if got := f.Within("nav.tabs").Text(); got != tabs {
			f.t.Errorf("%s sees the tabs %q", name, got)
		}
		f.Go(link)
		f.Says("This link was used already", "Back to Acme Studio")
	}
	f.enter("Ben")
	for _, below := range []string{"/members", "/members/" + f.id("Ada"), "/moves/allocate", "/billing", "/explain"} {
		f.show(below)
		f.Says("You can't do that")
		f.SaysNot("Ada")
	}
	f.Go(f.link("Eve", "")) // she is in no team
	f.Says("Your personal credits")
	f.show("")
	f.Says("There is nothing here")
	f.SaysNot("Acme's", "5,000")

	f.enter("Olga")
	f.Press("Sign out")
	f.Says("You are signed out", "Back to Acme Studio")
	f.show("")
	f.Says("You aren't signed in here")

	f.enter("Olga")
	if _, err := f.cli.db.Exec(f.t.Context(), `UPDATE page_sessions SET ends_at = opened_at WHERE user_id = $1`, f.id("Olga")); err != nil {
		f.t.Fatal(err)
	}
	f.Follow("Members")
	f.Says("Your session is over", "Nothing is lost", "Back to Acme Studio")
	f.SaysNot("Ada")
}

// roleLost: what somebody may do is decided when it is done, not when the form is shown.
func (f *flow) roleLost() {
	f.acme("Ada", "Ben")
	f.enter("Ada")
	f.show("/moves/allocate")
	f.Choose("To", "Ben")
	f.Fill("Credits", "100")
	f.Press("See what would happen")
	f.ask(http.MethodPost, "/v1/teams/"+f.team+"/members/changes", fields{"changes": []fields{{"user_id": f.id("Ada"), "role": "member"}}}, nil)
	f.Press("Move 100 credits")
	f.Says("Your role doesn't allow this")
	f.enter("Ben")
	f.facts("h-mine", map[string]string{"Available": "0"})
}

// overview: the figures are the pool's.
func (f *flow) overview() {
	f.acme("Ada", "Ben", "Cleo")
	f.spends("Ada", 300)
	f.ask(http.MethodPost, "/v1/teams/"+f.team+"/holds", fields{"user_id": f.id("Ben"), "credits": 200}, nil)
	f.ask(http.MethodPost, "/v1/teams/"+f.team+"/allocations", fields{"user_id": f.id("Cleo"), "credits": 1000}, nil)
	f.enter("Olga")
	f.Card("h-pool").Has("3,500 available of 5,000")
	f.facts("h-pool", map[string]string{
		"Used": "300", "Held": "200", "Set aside": "1,000", "Frozen": "0", "Available": "3,500",
		"Monthly": "5,000", "Rolled over": "0", "Purchased": "0", "Bonus": "0", "Contributed": "0",
	})
	f.facts("h-period", map[string]string{
		"Plan": "team active", "From – to": "20 Feb 2026 – 20 Mar 2026", "Seats in use": "1 of 5", "Members": "4",
		"Next grant": "5,000 on 20 Mar 2026 if the renewal is paid",
	})
	// What lies unspent until a day after the period, and what of it lives on: 500 a seat.
	if row := f.Card("h-ends").Row("Monthly"); row[0] != "21 Mar 2026" || row[2] != "4,700" {
		f.t.Errorf("it expires: %q", row)
	}
	f.Card("h-ends").Has("2,500 of the credits roll over")

	f.Follow("Explain")
	f.Card("h-why").Has("5 seats")
	f.Card("h-next").Has("5,000")
	f.enter("Cleo")
	f.Card("h-mine").Has("4,500 credits you can use now", "Set aside for you in this period: 1,000")
	f.facts("h-mine", map[string]string{"Used": "0", "Held": "0", "Available": "1,000"})
}

// past is the team that has lived for a month before any flow begins: 200 were used on the
// first day, 50 two days later, and 30 in the period that runs.
func (p *pages) past(f *flow) {
	f.acme("Ada", "Ben")
	f.spends("Ada", 120)
	f.spends("Ben", 80)
	f.advance(2)
	f.ask(http.MethodPost, "/v1/teams/"+f.team+"/spends", fields{"user_id": f.id("Ben"), "credits": 50, "memo": "=a formula", "reference": "job-7"}, nil)
	f.advance(34)
	f.spends("Ada", 30)
}

// usage: by day and by member, of this period and of the one before.
func (f *flow) usage() {
	f.n, f.team = 0, "acme-0"
	f.enter("Olga")
	f.Follow("Usage")
	f.Says("30 used")
	f.usedBy(map[string]string{"Ada": "30"})
	f.Follow("The period before")
	f.Says("250 used")
	f.usedBy(map[string]string{"Ada": "120", "Ben": "130"})
	f.Click("summary")
	for day, used := range map[string]string{"15 Jan 2026": "200", "16 Jan 2026": "0", "17 Jan 2026": "50"} {
		if row := f.Card("h-days").Row(day); row[3] != used {
			f.t.Errorf("on %s was used %q, not %s", day, row, used)
		}
	}
	f.Fill("From", "2026-01-16")
	f.Fill("To", "2026-01-18")
	f.Press("Show")
	f.Says("50 used", "16 Jan 2026 – 18 Jan 2026")
	f.stepping()
	f.enter("Ben")
	f.Follow("Usage")
	f.Follow("The period before")
	f.Says("130 used")
	f.SaysNot("250", "By member", "Ada")
}

// stepping: from period to period, as far back as the team goes, and on to this one.
func (f *flow) stepping() {
	f.Follow("Usage")
	f.Card("h-days").Has("15 Feb 2026 – 15 Mar 2026", "30 used")
	f.Follow("Earlier period")
	f.Card("h-days").Has("15 Jan 2026 – 15 Feb 2026", "250 used")
	if f.Offers("Earlier period") {
		f.t.Errorf("there is a period before the first: %s", f.Text())
	}
	f.Follow("Later period")
	f.Card("h-days").Has("15 Feb 2026 – 15 Mar 2026", "30 used")
	if f.Offers("Later period") {
		f.t.Errorf("there is a period to come: %s", f.Text())
	}
}

func (f *flow) usedBy(want map[string]string) {
	f.t.Helper()
	if n := f.Card("h-users").Rows(); n != len(want) {
		f.t.Errorf("%d members used something: %s", n, f.Card("h-users").Text())
	}
	for name, used := range want {
		if row := f.Card("h-users").Row(name); row[1] != used {
			f.t.Errorf("%s used %q, not %s", name, row, used)
		}
	}
}

// history: all of it, what a filter leaves, and as a file.
func (f *flow) history() {
	f.n, f.team = 0, "acme-0"
	f.enter("Ada")
	f.Follow("History")
	f.Choose("Member", "Ben")
	f.Choose("What", "Spend")
	f.Press("Show")
	if n := f.Rows(); n != 2 {
		f.t.Errorf("Ben spent %d times: %s", n, f.Text())
	}
	row := f.Row("job-7")
	if row[2] != "50" || row[3] != "the pool" || row[4] != "spent" || row[5] != "The product" {
		f.t.Errorf("it says %q", row)
	}
	f.Fill("From", "2026-01-16")
	f.Press("Show")
	if n := f.Rows(); n != 1 || f.Value("From") != "2026-01-16" {
		f.t.Errorf("since the 16th there are %d from %s: %s", n, f.Value("From"), f.Text())
	}
	file := filepath.Join(f.t.TempDir(), "credits.csv")
	f.Download("Download as CSV", file)
	raw, err := os.ReadFile(file)
	if err != nil {
		f.t.Fatal(err)
	}
	// What a spreadsheet would take for a formula stands behind a mark.
	want := "at,kind,credits,from,to,user_id,actor,memo,reference\n2026-01-17T09:00:00Z,spend,50,pool,spent,ben-0,backend,'=a formula,job-7\n"
	if string(raw) != want {
		f.t.Errorf("the file says:\n%s", raw)
	}
	f.Fill("From", "2026-02-10")
	f.Press("Show")
	f.Says("Nothing was found")
}
