package main

import (
	"time"

	"purser/billing"
)

// catalogView is a catalogue as JSON: the file's own words, with every default filled in.
type catalogView struct {
	Plans    []planView   `json:"plans"`
	Packs    []packView   `json:"packs"`
	Without  withoutView  `json:"without_subscription"`
	Warnings []remarkView `json:"warnings"`
	Hash     string       `json:"hash"`
}

type planView struct {
	Name                string       `json:"name"`
	Title               string       `json:"title"`
	Prices              []priceView  `json:"prices"`
	Counting            string       `json:"counting"`
	MonthlyCredits      int64        `json:"monthly_credits"`
	TrialCredits        int64        `json:"trial_credits"`
	Features            []string     `json:"features"`
	Teams               bool         `json:"teams"`
	MembersMax          int          `json:"members_max"`
	Rollover            rolloverView `json:"rollover"`
	SeatDecrease        string       `json:"seat_decrease"`
	Proration           bool         `json:"proration"`
	Increase            string       `json:"increase"`
	GrantRule           string       `json:"grant_rule"`
	RenewalGraceSeconds int64        `json:"renewal_grace_seconds"`
	TopUp               topUpView    `json:"top_up"`
}

type priceView struct {
	ID            string `json:"id,omitempty"`
	LookupKey     string `json:"lookup_key,omitempty"`
	Interval      string `json:"interval,omitempty"`
	IntervalCount int    `json:"interval_count,omitempty"`
	UnitAmount    int64  `json:"unit_amount,omitempty"`
	Currency      string `json:"currency,omitempty"`
}

type rolloverView struct {
	Mode        string `json:"mode"`
	CapPerSeat  int64  `json:"cap_per_seat,omitempty"`
	Percent     int    `json:"percent,omitempty"`
	MaxAgeTurns int    `json:"max_age_turns,omitempty"`
}

type topUpView struct {
	Allowed                bool     `json:"allowed"`
	Packs                  []string `json:"packs"` // empty: all
	CountMax               int      `json:"count_max"`
	Auto                   bool     `json:"auto"`
	AutoCreditsPerMonthMax int64    `json:"auto_credits_per_month_max"`
	AutoAmountPerMonthMax  int64    `json:"auto_amount_per_month_max"`
}

type packView struct {
	Name         string    `json:"name"`
	Title        string    `json:"title"`
	Price        priceView `json:"price"`
	Credits      int64     `json:"credits"`
	ExpiryMonths int       `json:"expiry_months"` // 0: never
	NeverExpires bool      `json:"never_expires"`
}

type withoutView struct {
	Teams      bool      `json:"teams"`
	MembersMax int       `json:"members_max"`
	Features   []string  `json:"features"`
	TopUp      topUpView `json:"top_up"`
}

// remarkView is a warning or an error with its place in the file.
type remarkView struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

func viewCatalog(c *billing.Catalog) catalogView {
	w := c.WithoutSubscription
	return catalogView{
		Plans: mapped(c.Plans, viewPlan), Packs: mapped(c.Packs, viewPack), Hash: c.Hash,
		Without:  withoutView{w.Teams, w.MembersMax, filled(w.Features), viewTopUp(w.TopUp)},
		Warnings: mapped(c.Warnings, func(w billing.CatalogWarning) remarkView { return remarkView(w) }),
	}
}

func viewPlan(p billing.Plan) planView {
	return planView{
		Name: p.Name, Title: p.Title, Prices: mapped(p.Prices, viewPrice), Counting: string(p.Counting),
		MonthlyCredits: p.MonthlyCredits, TrialCredits: p.TrialCredits, Features: filled(p.Features), Teams: p.Teams,
		MembersMax: p.MembersMax, Rollover: rolloverView(p.Rollover), SeatDecrease: p.SeatDecrease, Proration: p.Proration,
		Increase: p.Increase, GrantRule: p.GrantRule, RenewalGraceSeconds: int64(p.RenewalGrace / time.Second),
		TopUp: viewTopUp(p.TopUp),
	}
}

func viewPack(p billing.Pack) packView {
	return packView{p.Name, p.Title, viewPrice(p.Price), p.Credits, p.ExpiryMonths, p.NeverExpires}
}

func viewPrice(p billing.Price) priceView { return priceView(p) }

func viewTopUp(t billing.TopUpRules) topUpView {
	view := topUpView(t)
	view.Packs = filled(t.Packs)
	return view
}

// filled makes a list that JSON writes as a list, even if there is nothing in it.
func filled(list []string) []string { return append([]string{}, list...) }

func mapped[A, B any](list []A, view func(A) B) []B {
	views := make([]B, len(list))
	for i, one := range list {
		views[i] = view(one)
	}
	return views
}
