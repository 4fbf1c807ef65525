package billing

// Outcome says what became of something fetched from Stripe.
type Outcome struct {
	State  EventState // done, unmatched, unmapped or ignored
	Reason string
	Stale  bool        // a later fetch had been applied already
	Reopen []EventArgs // events that can be applied now and are to be staged again
	Books  []int64     // books that changed

	// Of a subscription that lives in a team: which, how many seats were bought, and
	// whether it has just been placed there. The team follows.
	Team   string
	Seats  int64
	Placed bool

	// Of a charge: what was done about its refunds and disputes.
	Charge *ChargeOutcome
}

// ChargeOutcome says what was done about a charge of which money was given back, or that
// is disputed, in credits.
type ChargeOutcome struct {
	ChargeID       string
	PurchaseID     string
	SubscriptionID string
	BookID         int64 // where it lives
	Refunded       int64 // money
	Lost           int64 // money, in disputes
	Currency       string

	Taken     int64
	Owed      int64 // of it: what nobody had
	GivenBack int64
	Frozen    int // lots
	Thawed    int
}
