package billing

import "time"

// CreditsMax is the largest amount of credits that one rule may name, which is
// also the largest amount that may move at once (rule L1).
const CreditsMax int64 = 1_000_000_000_000

// MembersMaxLimit is the members_max of a plan that names none, so that nobody
// has to treat an absent maximum as a case of its own.
const MembersMaxLimit = 100_000

// AmountMax is the largest amount of money, in the currency's smallest unit,
// that a catalogue may name.
const AmountMax int64 = 999_999_999_999

// Counting says what a plan's credits are multiplied by.
type Counting string

const (
	// CountingPerSeat multiplies a plan's credits by the seats bought.
	CountingPerSeat Counting = "per_seat"
	// CountingPerSubscription is for a base fee: it buys no seats and brings
	// its credits once, whatever the quantity.
	CountingPerSubscription Counting = "per_subscription"
)

// The modes of rollover (rule B9).
const (
	RolloverNone    = "none"
	RolloverAll     = "all"
	RolloverCap     = "cap"
	RolloverPercent = "percent"
)

// The values of Plan.SeatDecrease, Plan.Increase and Plan.GrantRule (rules B10
// and B7).
const (
	SeatDecreaseImmediate  = "immediate"
	SeatDecreaseNextPeriod = "next_period"

	IncreaseAtOnce = "at_once"
	IncreasePaid   = "paid"

	GrantRulePaid        = "paid"
	GrantRulePeriodStart = "period_start"
)

// The values of Price.Interval. Prices by day or week are refused, because a
// period of credits is a month.
const (
	IntervalMonth = "month"
	IntervalYear  = "year"
)

// Catalog is what the product sells (rule B1): its plans, its packs of credits,
// and what users and teams may do who have bought no plan. It is read once at
// start and is not to be changed afterwards.
type Catalog struct {
	// Plans stand in the order of the file. Of a subscription with items of
	// several plans, the plan that stands first gives features and rules (B13).
	Plans               []Plan
	Packs               []Pack
	WithoutSubscription WithoutSubscription
	// Hash names the content: comments, layout and spelled-out defaults don't
	// change it, every figure and the order of the plans do.
	Hash string
	// Warnings are what a catalogue may say and its owner should think over.
	Warnings []CatalogWarning
}

// Plan is one plan with every rule that hangs on it. All defaults are filled in.
type Plan struct {
	Name     string
	Title    string
	Prices   []Price
	Counting Counting

	// MonthlyCredits and TrialCredits count per seat, or once per subscription
	// when the plan counts so. MonthlyCredits is at least 1; TrialCredits is 0
	// when a trial brings none.
	MonthlyCredits int64
	TrialCredits   int64

	Features []string
	// Teams says whether a team may live on this plan. Where it may not,
	// MembersMax is 1: nobody new comes in after a downgrade to it (B13).
	Teams      bool
	MembersMax int

	Rollover     Rollover
	SeatDecrease string // SeatDecreaseImmediate or SeatDecreaseNextPeriod
	Proration    bool
	Increase     string // IncreaseAtOnce or IncreasePaid
	GrantRule    string // GrantRulePaid or GrantRulePeriodStart
	// RenewalGrace is how long a period's turn waits for the renewal's payment:
	// 0 or more and under 28 days. It counts under GrantRulePaid only (B8).
	RenewalGrace time.Duration
	TopUp        TopUpRules
}

// Price is one price at Stripe, named by exactly one of ID and LookupKey. The
// other fields are optional; they serve to create the price at Stripe and are
// zero when the catalogue leaves them out.
type Price struct {
	ID            string
	LookupKey     string
	Interval      string // IntervalMonth, IntervalYear, or empty; always empty for a pack
	IntervalCount int    // 0 without an interval
	UnitAmount    int64  // in the currency's smallest unit
	Currency      string // three lower-case letters
}

// Rollover says what becomes of unspent monthly credits at a period's turn.
type Rollover struct {
	Mode        string // RolloverNone, RolloverAll, RolloverCap or RolloverPercent
	CapPerSeat  int64  // with RolloverCap: credits for each seat of the new period, at least one seat
	Percent     int    // with RolloverPercent: 1 to 100, of the ended period's net grant
	MaxAgeTurns int    // how many turns credits survive; 0 = no maximum age
}

// TopUpRules say which packs a pool or personal account may buy, and how far
// its automatic top-up may go. The two monthly maxima bound the caps that
// someone chooses when switching it on (P2); they are no caps by themselves.
type TopUpRules struct {
	Allowed                bool
	Packs                  []string // empty: all packs; ask AllowsPack
	CountMax               int      // packs in one purchase
	Auto                   bool     // false whenever Allowed is
	AutoCreditsPerMonthMax int64
	AutoAmountPerMonthMax  int64 // in the smallest unit of the pack's currency
}

// Pack is an amount of credits for sale. Its months until expiry count from the
// payment (P1); ExpiryMonths is 0 when it never expires.
type Pack struct {
	Name         string
	Title        string
	Price        Price
	Credits      int64
	ExpiryMonths int
	NeverExpires bool
}

// WithoutSubscription says what users and teams may do that no subscription is
// assigned to.
type WithoutSubscription struct {
	Teams      bool
	MembersMax int
	Features   []string
	TopUp      TopUpRules
}

// AllowsPack reports whether a pack of this name may be bought under the rules.
func (r TopUpRules) AllowsPack(name string) bool {
	if !r.Allowed {
		return false
	}
	for _, allowed := range r.Packs {
		if allowed == name {
			return true
		}
	}
	return len(r.Packs) == 0
}

// PlanOf finds the plan that a price at Stripe belongs to. The id decides
// before the lookup key, because a lookup key can be moved to another price
// while an id stays. Empty arguments match nothing.
func (c *Catalog) PlanOf(priceID, lookupKey string) (*Plan, bool) {
	for _, matches := range catalogMatchers(priceID, lookupKey) {
		for i := range c.Plans {
			for _, price := range c.Plans[i].Prices {
				if matches(price) {
					return &c.Plans[i], true
				}
			}
		}
	}
	return nil, false
}

// PackOf finds the pack that a price at Stripe belongs to, as PlanOf does.
func (c *Catalog) PackOf(priceID, lookupKey string) (*Pack, bool) {
	for _, matches := range catalogMatchers(priceID, lookupKey) {
		for i := range c.Packs {
			if matches(c.Packs[i].Price) {
				return &c.Packs[i], true
			}
		}
	}
	return nil, false
}

// Plan finds a plan by its name in the catalogue.
func (c *Catalog) Plan(name string) (*Plan, bool) {
	for i := range c.Plans {
		if c.Plans[i].Name == name {
			return &c.Plans[i], true
		}
	}
	return nil, false
}

// Pack finds a pack by its name in the catalogue.
func (c *Catalog) Pack(name string) (*Pack, bool) {
	for i := range c.Packs {
		if c.Packs[i].Name == name {
			return &c.Packs[i], true
		}
	}
	return nil, false
}

// catalogMatchers are the ways to recognize a price, the surest first.
func catalogMatchers(priceID, lookupKey string) []func(Price) bool {
	return []func(Price) bool{
		func(p Price) bool { return priceID != "" && p.ID == priceID },
		func(p Price) bool { return lookupKey != "" && p.LookupKey == lookupKey },
	}
}
