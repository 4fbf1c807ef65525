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
}
