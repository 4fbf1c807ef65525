package billing

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Difference is something in which what is kept here and what Stripe says don't agree
// (E3), or a subscription that waits for somebody (Waits).
type Difference struct {
	Kind           DifferenceKind `json:"kind"`
	ObjectID       string         `json:"object_id"` // Stripe's id, or of a top-up the purchase's
	SubscriptionID string         `json:"subscription_id,omitempty"`
	CustomerID     string         `json:"customer_id,omitempty"`
	TeamID         string         `json:"team_id,omitempty"`
	UserID         string         `json:"user_id,omitempty"`
	Here           string         `json:"here"`             // as it is kept; empty: not at all
	Stripe         string         `json:"stripe"`           // as Stripe has it; empty: not at all
	Result         string         `json:"result,omitempty"` // what mending it came to
	Reason         string         `json:"reason,omitempty"` // why that, or what it waits for
}

// DifferenceKind says what differs.
type DifferenceKind string

// What may differ.
const (
	DiffersUnknown      DifferenceKind = "unknown"      // a subscription that was never heard of
	DiffersGone         DifferenceKind = "gone"         // a subscription that Stripe hasn't got
	DiffersCustomer     DifferenceKind = "customer"     // whose it is, or that it was deleted
	DiffersStatus       DifferenceKind = "status"       //
	DiffersPlan         DifferenceKind = "plan"         // the prices that are paid
	DiffersSeats        DifferenceKind = "seats"        //
	DiffersPeriod       DifferenceKind = "period"       //
	DiffersTrial        DifferenceKind = "trial"        //
	DiffersCancellation DifferenceKind = "cancellation" // when it is to end
	DiffersDetails      DifferenceKind = "details"      // anything else that Stripe says
	DiffersInvoice      DifferenceKind = "invoice"      // one of a subscription was paid or can't be any more
	DiffersTopUp        DifferenceKind = "top_up"       // a purchase was paid
	DiffersRefund       DifferenceKind = "refund"       // money was given back
	DiffersDispute      DifferenceKind = "dispute"      //

	// These wait and are no difference: both sides say the same.
	WaitsUnmatched DifferenceKind = "unmatched" // nobody is known whose customer it is
	WaitsUnmapped  DifferenceKind = "unmapped"  // no price of it is in the catalogue
)

// Waits tells whether it is no difference but something that only a person can settle.
func (d Difference) Waits() bool { return d.Kind == WaitsUnmatched || d.Kind == WaitsUnmapped }

// Results of mending a difference.
const (
	ResultMended = "mended"
	ResultWaits  = "waits"  // it is kept now, and waits for its customer or its price
	ResultFailed = "failed" // trying again may help
	ResultLeft   = "left"   // it is not for a program to decide
)

// KeptSubscription is what is kept of a subscription.
type KeptSubscription struct {
	Facts           Subscription
	State           string
	Reason          string
	TeamID          string
	UserID          string // its owner; empty while nobody knows
	Linked          bool   // the customer is somebody's
	CustomerDeleted bool
	FetchedAt       time.Time
	// First is where the first period begins that is kept of it, or Stripe's longer one
	// around that. What was paid before doesn't matter here.
	First time.Time
}

// SubscriptionDifferences compares a subscription as Stripe has it with what is kept of
// it, which is nil for one that was never heard of.
func SubscriptionDifferences(c *Catalog, there Fetched, here *KeptSubscription, at time.Time) []Difference {
	sub := there.Subscription
	if here == nil {
		return unknownSubscription(c, there, at)
	}
	cmp := comparison{base: Difference{
		ObjectID: sub.ID, SubscriptionID: sub.ID, CustomerID: sub.CustomerID, TeamID: here.TeamID, UserID: here.UserID,
	}, told: map[string]bool{}}
	cmp.customer(there, here)
	cmp.that(DiffersStatus, string(here.Facts.Status), string(sub.Status), "status")
	cmp.that(DiffersPlan, pricesOf(here.Facts.Items), pricesOf(sub.Items))
	cmp.seats(c, &here.Facts, sub)
	cmp.that(DiffersPeriod, spanText(here.Facts.PeriodStart, here.Facts.PeriodEnd), spanText(sub.PeriodStart, sub.PeriodEnd), "period_start", "period_end")
	cmp.that(DiffersTrial, trialText(here.Facts), trialText(*sub), "trial_start", "trial_end")
	cmp.that(DiffersCancellation, endText(here.Facts), endText(*sub), "cancel_at_period_end", "cancel_at", "ended_at")
	cmp.details(&here.Facts, sub)
	if len(cmp.found) == 0 && !sub.Status.Ended() {
		cmp.waits(c, there, here)
	}
	return cmp.found
}

// unknownSubscription is one of which nothing is kept. One that has ended brings nothing
// more once its last period is over; neither does one that was never paid for.
func unknownSubscription(c *Catalog, there Fetched, at time.Time) []Difference {
	sub := there.Subscription
	if sub.Status == StatusIncompleteExpired || sub.Status.Ended() && !sub.PeriodEnd.After(at) {
		return nil
	}
	d := Difference{
		Kind: DiffersUnknown, ObjectID: sub.ID, SubscriptionID: sub.ID, CustomerID: sub.CustomerID,
		TeamID: sub.Metadata[MetadataTeam], UserID: namedUser(there),
		Stripe: fmt.Sprintf("%s, %s, %s", sub.Status, pricesOf(sub.Items), spanText(sub.PeriodStart, sub.PeriodEnd)),
	}
	if seats := seatsOf(c, sub); seats > 0 {
		d.Stripe = fmt.Sprintf("%s, %d × %s, %s", sub.Status, seats, pricesOf(sub.Items), spanText(sub.PeriodStart, sub.PeriodEnd))
	}
	return []Difference{d}
}

func namedUser(there Fetched) string {
	if user := there.Subscription.Metadata[MetadataUser]; user != "" || there.Customer == nil {
		return user
	}
	return there.Customer.Metadata[MetadataUser]
}

// comparison gathers the differences of one subscription.
type comparison struct {
	base  Difference
	found []Difference
	told  map[string]bool // fields of the facts that were compared
}

func (c *comparison) that(kind DifferenceKind, here, there string, fields ...string) {
	for _, f := range fields {
		c.told[f] = true
	}
	if here != there {
		c.add(kind, here, there)
	}
}

func (c *comparison) add(kind DifferenceKind, here, there string) {
	d := c.base
	d.Kind, d.Here, d.Stripe = kind, here, there
	c.found = append(c.found, d)
}

// customer compares whose subscription it is. Metadata that names a user links a customer
// that is nobody's yet, and no other.
func (c *comparison) customer(there Fetched, here *KeptSubscription) {
	c.that(DiffersCustomer, here.Facts.CustomerID, there.Subscription.CustomerID, "customer_id")
	user := namedUser(there)
	switch {
	case here.State == stateUnmatched && here.Linked:
		c.add(DiffersCustomer, "not taken in", "of a customer who is linked")
	case here.State == stateUnmatched && user != "":
		c.add(DiffersCustomer, "nobody's", "user "+user)
	}
	if there.Customer != nil && there.Customer.Deleted && here.Linked && !here.CustomerDeleted {
		c.add(DiffersCustomer, "customer "+there.Customer.ID, "deleted")
	}
}

func (c *comparison) seats(catalog *Catalog, here, there *Subscription) {
	if !here.Status.countsSeats() || !there.Status.countsSeats() {
		return // the status says it
	}
	c.that(DiffersSeats, fmt.Sprint(seatsOf(catalog, here)), fmt.Sprint(seatsOf(catalog, there)))
}

func seatsOf(c *Catalog, sub *Subscription) int64 { return figure(c, sub.Items, nil).seats(sub.Items) }

// details names the fields that differ and that nothing else speaks of.
func (c *comparison) details(here, there *Subscription) {
	// Else a quantity may differ that buys no seats.
	c.told["items"] = slices.ContainsFunc(c.found, func(d Difference) bool { return d.Kind == DiffersPlan || d.Kind == DiffersSeats })
	ours, theirs := fieldsOf(here), fieldsOf(there)
	differ := []string{}
	for name := range ours {
		if string(ours[name]) != string(theirs[name]) && !c.told[name] {
			differ = append(differ, name)
		}
	}
	for name := range theirs {
		if _, kept := ours[name]; !kept && !c.told[name] {
			differ = append(differ, name)
		}
	}
	if len(differ) > 0 {
		slices.Sort(differ)
		c.add(DiffersDetails, "other "+strings.Join(differ, ", "), "changed")
	}
}

// fieldsOf are the facts as they are stored, by name.
func fieldsOf(s *Subscription) map[string]json.RawMessage {
	fields := map[string]json.RawMessage{}
	text, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil {
		panic(fmt.Sprintf("a subscription that can't be written: %v", err)) // it has no such fields
	}
	return fields
}

// waits lists what both sides agree on and what nevertheless brings nobody credits.
func (c *comparison) waits(catalog *Catalog, there Fetched, here *KeptSubscription) {
	mapped := figure(catalog, there.Subscription.Items, nil).Mapped()
	switch {
	case here.State == stateUnmatched:
		c.add(WaitsUnmatched, string(here.Facts.Status), string(here.Facts.Status))
	case here.State == stateUnmapped && mapped:
		c.add(DiffersPlan, "no price of it was known", pricesOf(there.Subscription.Items))
		return
	case here.State == stateUnmapped:
		c.add(WaitsUnmapped, pricesOf(here.Facts.Items), pricesOf(there.Subscription.Items))
	default:
		return
	}
	c.found[len(c.found)-1].Reason = here.Reason
}

// pricesOf writes what is paid for, in an order that doesn't depend on Stripe's.
func pricesOf(items []Item) string {
	names := map[string]bool{}
	for _, i := range items {
		switch {
		case i.LookupKey != "":
			names[i.LookupKey] = true
		case i.PriceID != "":
			names[i.PriceID] = true
		}
	}
	if len(names) == 0 {
		return "no price"
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), " + ")
}

func spanText(from, to time.Time) string { return instantText(from) + " to " + instantText(to) }

func instantText(at time.Time) string { return at.UTC().Format(time.RFC3339) }

func trialText(s Subscription) string {
	if s.TrialEnd == nil {
		return "none"
	}
	return "until " + instantText(*s.TrialEnd)
}

func endText(s Subscription) string {
	switch {
	case s.EndedAt != nil:
		return "ended " + instantText(*s.EndedAt)
	case s.CancelAtPeriodEnd:
		return "at the period's end"
	case s.CancelAt != nil:
		return "at " + instantText(*s.CancelAt)
	}
	return "none"
}
