package billing

import (
	"slices"
	"time"
)

// Figures are what a period is granted by: prices, credits and rules as the catalogue
// said when the period began. A granted period keeps them (B1).
type Figures struct {
	Plans []PlanFigures `json:"plans"` // in catalogue order; the first gives the rules (B13)
	// Prices says which plan a price belongs to: "" if none did. A price that the
	// catalogue gains or loses later changes nothing in the period.
	Prices map[string]string `json:"prices"`
	// Lapsed: it was seen running in a status that grants nothing. Once it is over,
	// only its payment grants it, even on a plan that doesn't wait for payments.
	Lapsed bool `json:"lapsed,omitempty"`
	// Mixed: plans that prorate and plans that don't have led in turn. Uncredited is what
	// the target counts that prorated increases didn't grant, and Kept what it doesn't count
	// that prorated decreases left. At most one of them is more than 0.
	Mixed      bool  `json:"mixed,omitempty"`
	Uncredited int64 `json:"uncredited,omitempty"`
	Kept       int64 `json:"kept,omitempty"`
}

// PlanFigures are one plan's credits and rules.
type PlanFigures struct {
	Name    string `json:"name"`
	PerSeat bool   `json:"per_seat"`
	Monthly int64  `json:"monthly"`
	Trial   int64  `json:"trial"`
	Rules
}

// Rules are a plan's rules for its credits.
type Rules struct {
	Rollover     Rollover      `json:"rollover"`
	SeatDecrease string        `json:"seat_decrease"`
	Proration    bool          `json:"proration"`
	Increase     string        `json:"increase"`
	GrantRule    string        `json:"grant_rule"`
	RenewalGrace time.Duration `json:"renewal_grace"`
}

// Lead names the plan whose features and rules hold.
func (f *Figures) Lead() string {
	if !f.Mapped() {
		return ""
	}
	return f.Plans[0].Name
}

// Rules are the leading plan's.
func (f *Figures) Rules() Rules {
	if !f.Mapped() {
		return Rules{}
	}
	return f.Plans[0].Rules
}

// Mapped tells whether any price of the subscription belongs to a plan.
func (f *Figures) Mapped() bool { return f != nil && len(f.Plans) > 0 }

// figure works out by which figures a subscription counts. What prior knows, its
// figures win, and a price that vanished from the catalogue still counts.
func figure(c *Catalog, items []Item, prior *Figures) *Figures {
	f := &Figures{Prices: map[string]string{}}
	if prior != nil {
		f.Lapsed = prior.Lapsed
	}
	for _, i := range items {
		if !counts(i) {
			continue
		}
		name := planOfPrice(c, i.PriceID, i.LookupKey, prior)
		f.Prices[i.PriceID] = name
		if name != "" && f.plan(name) == nil {
			f.Plans = append(f.Plans, planFigures(c, name, prior))
		}
	}
	slices.SortStableFunc(f.Plans, func(a, b PlanFigures) int { return c.rank(a.Name) - c.rank(b.Name) })
	return f
}

// counts tells whether an item can buy a plan at all. Metered items don't, and neither
// do prices by day or week, which the catalogue refuses too.
func counts(i Item) bool {
	return i.PriceID != "" && !i.Metered && i.Interval != "day" && i.Interval != "week"
}

func planOfPrice(c *Catalog, priceID, lookupKey string, prior *Figures) string {
	if prior != nil {
		if name, known := prior.Prices[priceID]; known {
			return name
		}
	}
	if p, ok := c.PlanOf(priceID, lookupKey); ok {
		return p.Name
	}
	return ""
}

func planFigures(c *Catalog, name string, prior *Figures) PlanFigures {
	if prior != nil {
		if p := prior.plan(name); p != nil {
			return *p
		}
	}
	p, _ := c.Plan(name)
	return PlanFigures{
		Name: p.Name, PerSeat: p.Counting != CountingPerSubscription, Monthly: p.MonthlyCredits, Trial: p.TrialCredits,
		Rules: Rules{
			Rollover: p.Rollover, SeatDecrease: p.SeatDecrease, Proration: p.Proration,
			Increase: p.Increase, GrantRule: p.GrantRule, RenewalGrace: p.RenewalGrace,
		},
	}
}

// union keeps the figures of plans that the subscription no longer has, so that one
// which comes back within the period counts as it did. The plans it has stay first.
func union(now, prior *Figures) *Figures {
	now.Uncredited, now.Kept = prior.Uncredited, prior.Kept
	now.Mixed = prior.Mixed || now.Mapped() && prior.Mapped() && now.Rules().Proration != prior.Rules().Proration
	for _, p := range prior.Plans {
		if now.plan(p.Name) == nil {
			now.Plans = append(now.Plans, p)
		}
	}
	for price, plan := range prior.Prices {
		if _, known := now.Prices[price]; !known {
			now.Prices[price] = plan
		}
	}
	return now
}

// rank is a plan's place in the catalogue; plans that vanished come last.
func (c *Catalog) rank(name string) int {
	i := slices.IndexFunc(c.Plans, func(p Plan) bool { return p.Name == name })
	if i < 0 {
		return len(c.Plans)
	}
	return i
}

func (f *Figures) plan(name string) *PlanFigures {
	for i := range f.Plans {
		if f.Plans[i].Name == name {
			return &f.Plans[i]
		}
	}
	return nil
}

// quantities adds up what is bought of each plan. Negative quantities, which Stripe
// doesn't send, count for nothing.
func (f *Figures) quantities(items []Item) map[string]int64 {
	q := map[string]int64{}
	for _, i := range items {
		if name := f.Prices[i.PriceID]; name != "" && counts(i) {
			q[name] = min(q[name]+min(max(i.Quantity, 0), CreditsMax), CreditsMax)
		}
	}
	return q
}

// seats are the seats bought (B2): what counts per seat, whatever the plan.
func (f *Figures) seats(items []Item) int64 {
	var sum int64
	q := f.quantities(items)
	for _, p := range f.Plans {
		if p.PerSeat {
			sum = min(sum+q[p.Name], CreditsMax)
		}
	}
	return sum
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

// capSeats lets no more seats count than there are; the plans that stand first go first.
func (f *Figures) capSeats(quantities map[string]int64, seats int64) {
	for _, p := range f.Plans {
		if p.PerSeat {
			quantities[p.Name] = min(quantities[p.Name], seats)
			seats -= quantities[p.Name]
		}
	}
}
