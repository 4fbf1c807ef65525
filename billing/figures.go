package billing

import (
	"slices"
	"time"
)

// Figures are what a period is granted by: prices, credits and rules as the catalogue
// said when the period began. A granted period keeps them (B1).
type Figures struct {
	Plans  []PlanFigures     `json:"plans"` // in catalogue order; the first gives the rules (B13)
	Prices map[string]string `json:"prices"`

	Rollover     Rollover      `json:"rollover"`
	SeatDecrease string        `json:"seat_decrease"`
	Proration    bool          `json:"proration"`
	Increase     string        `json:"increase"`
	GrantRule    string        `json:"grant_rule"`
	RenewalGrace time.Duration `json:"renewal_grace"`
}

// PlanFigures are one plan's credits.
type PlanFigures struct {
	Name    string `json:"name"`
	PerSeat bool   `json:"per_seat"`
	Monthly int64  `json:"monthly"`
	Trial   int64  `json:"trial"`
}

// Lead names the plan whose features and rules hold.
func (f *Figures) Lead() string {
	if f == nil || len(f.Plans) == 0 {
		return ""
	}
	return f.Plans[0].Name
}

// Mapped tells whether any price of the subscription belongs to a plan.
func (f *Figures) Mapped() bool { return f != nil && len(f.Plans) > 0 }

// figure works out by which figures a subscription counts. What prior knows, its
// figures win, and a price that vanished from the catalogue still counts; the rules
// stay prior's as long as the leading plan does.
func figure(c *Catalog, items []Item, prior *Figures) *Figures {
	f := &Figures{Prices: map[string]string{}}
	for _, i := range items {
		name := planName(c, i.PriceID, i.LookupKey, prior)
		if name == "" || i.Metered || !byMonths(i) {
			continue
		}
		f.Prices[i.PriceID] = name
		if !slices.ContainsFunc(f.Plans, func(p PlanFigures) bool { return p.Name == name }) {
			f.Plans = append(f.Plans, planFigures(c, name, prior))
		}
	}
	slices.SortStableFunc(f.Plans, func(a, b PlanFigures) int { return c.rank(a.Name) - c.rank(b.Name) })
	if lead, ok := c.Plan(f.Lead()); ok && f.Lead() != prior.Lead() {
		f.Rollover, f.SeatDecrease, f.Proration = lead.Rollover, lead.SeatDecrease, lead.Proration
		f.Increase, f.GrantRule, f.RenewalGrace = lead.Increase, lead.GrantRule, lead.RenewalGrace
	} else if prior != nil {
		f.Rollover, f.SeatDecrease, f.Proration = prior.Rollover, prior.SeatDecrease, prior.Proration
		f.Increase, f.GrantRule, f.RenewalGrace = prior.Increase, prior.GrantRule, prior.RenewalGrace
	}
	return f
}

// byMonths keeps out prices by day or week, which the catalogue refuses too.
func byMonths(i Item) bool { return i.Interval != "day" && i.Interval != "week" }

func planName(c *Catalog, priceID, lookupKey string, prior *Figures) string {
	if prior != nil && prior.Prices[priceID] != "" {
		return prior.Prices[priceID]
	}
	if p, ok := c.PlanOf(priceID, lookupKey); ok {
		return p.Name
	}
	return ""
}

func planFigures(c *Catalog, name string, prior *Figures) PlanFigures {
	if prior != nil {
		for _, p := range prior.Plans {
			if p.Name == name {
				return p
			}
		}
	}
	p, _ := c.Plan(name)
	return PlanFigures{Name: p.Name, PerSeat: p.Counting != CountingPerSubscription, Monthly: p.MonthlyCredits, Trial: p.TrialCredits}
}

// rank is a plan's place in the catalogue; plans that vanished come last.
func (c *Catalog) rank(name string) int {
	i := slices.IndexFunc(c.Plans, func(p Plan) bool { return p.Name == name })
	if i < 0 {
		return len(c.Plans)
	}
	return i
}

// quantities adds up each plan's seats. Negative quantities, which Stripe doesn't
// send, count for nothing.
func (f *Figures) quantities(items []Item) map[string]int64 {
	q := map[string]int64{}
	for _, i := range items {
		if name := f.Prices[i.PriceID]; name != "" && !i.Metered {
			q[name] = min(q[name]+max(i.Quantity, 0), CreditsMax)
		}
	}
	return q
}

// seats are the seats bought (B2): what counts per seat, whatever the plan.
func (f *Figures) seats(items []Item) int64 {
	var sum int64
	for name, q := range f.quantities(items) {
		if p := f.plan(name); p != nil && p.PerSeat {
			sum = min(sum+q, CreditsMax)
		}
	}
	return sum
}

func (f *Figures) plan(name string) *PlanFigures {
	for i := range f.Plans {
		if f.Plans[i].Name == name {
			return &f.Plans[i]
		}
	}
	return nil
}

// target is how many credits a full period brings.
func (f *Figures) target(items []Item, trial bool) int64 {
	return f.targetOf(f.quantities(items), trial)
}

func (f *Figures) targetOf(quantities map[string]int64, trial bool) int64 {
	var sum int64
	for _, p := range f.Plans {
		each := p.Monthly
		if trial {
			each = p.Trial
		}
		q, has := quantities[p.Name]
		if !p.PerSeat && has {
			q = 1
		}
		sum = min(sum+times(each, q), CreditsMax)
	}
	return sum
}

// Seats gives the seats that a subscription bought, by the catalogue of today.
func Seats(c *Catalog, s *Subscription) int64 {
	if !s.Status.countsSeats() {
		return 0
	}
	return figure(c, s.Items, nil).seats(s.Items)
}
