package billing

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var (
	differsFrom = time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)
	differsTo   = time.Date(2026, 2, 15, 9, 0, 0, 0, time.UTC)
	differsAt   = time.Date(2026, 1, 20, 9, 0, 0, 0, time.UTC)
)

// running is a subscription of five seats as both sides have it.
func running() *Subscription {
	return &Subscription{
		ID: "sub_1", CustomerID: "cus_1", Status: StatusActive, PeriodStart: differsFrom, PeriodEnd: differsTo, Anchor: differsFrom, CreatedAt: differsFrom,
		Items: []Item{{ID: "si_1", PriceID: "price_1", LookupKey: "team_monthly", Interval: "month", IntervalCount: 1, Quantity: 5}},
	}
}

func differencesText(found []Difference) string {
	lines := make([]string, len(found))
	for i, d := range found {
		lines[i] = fmt.Sprintf("%s %s: %s | %s | %s", d.Kind, d.TeamID+"/"+d.UserID, d.Here, d.Stripe, d.Reason)
	}
	return strings.Join(lines, "\n")
}

func TestSubscriptionDifferences_E3(t *testing.T) {
	t.Parallel()
	date := func(day int) *time.Time { at := differsFrom.AddDate(0, 0, day); return &at }
	for name, c := range map[string]struct {
		there func(*Fetched)
		here  func(*KeptSubscription)
		want  string
	}{
		"Same":                            {},
		"SameThoughSomebodyElsesMetadata": {here: func(k *KeptSubscription) { k.Facts.Metadata = map[string]string{} }},
		"Status": {
			there: func(f *Fetched) { f.Subscription.Status = StatusPastDue },
			want:  "status acme/olga: active | past_due | ",
		},
		"Seats": {
			there: func(f *Fetched) { f.Subscription.Items[0].Quantity = 8 },
			want:  "seats acme/olga: 5 | 8 | ",
		},
		"PlanAndItsSeats": {
			there: func(f *Fetched) {
				f.Subscription.Items[0].PriceID, f.Subscription.Items[0].LookupKey = "price_2", "business_monthly"
				f.Subscription.Items[0].Quantity = 4
			},
			want: "plan acme/olga: team_monthly | business_monthly | \nseats acme/olga: 5 | 4 | ",
		},
		"PlanIsOneThatNobodyKnows": {
			there: func(f *Fetched) { f.Subscription.Items[0].PriceID, f.Subscription.Items[0].LookupKey = "price_9", "" },
			want:  "plan acme/olga: team_monthly | price_9 | \nseats acme/olga: 5 | 0 | ",
		},
		"AQuantityThatBuysNoSeats": {
			there: func(f *Fetched) {
				f.Subscription.Items = append(f.Subscription.Items, Item{ID: "si_2", PriceID: "price_9", Interval: "month", Quantity: 7})
			},
			here: func(k *KeptSubscription) {
				k.Facts.Items = append(k.Facts.Items, Item{ID: "si_2", PriceID: "price_9", Interval: "month", Quantity: 6})
			},
			want: "details acme/olga: other items | changed | ",
		},
		"Period": {
			there: func(f *Fetched) {
				f.Subscription.PeriodStart, f.Subscription.PeriodEnd = differsTo, AddMonths(differsTo, 1)
			},
			want: "period acme/olga: 2026-01-15T09:00:00Z to 2026-02-15T09:00:00Z | 2026-02-15T09:00:00Z to 2026-03-15T09:00:00Z | ",
		},
		"Trial": {
			there: func(f *Fetched) { f.Subscription.TrialStart, f.Subscription.TrialEnd = date(0), date(14) },
			want:  "trial acme/olga: none | until 2026-01-29T09:00:00Z | ",
		},
		"CancellationIsSet": {
			there: func(f *Fetched) { f.Subscription.CancelAtPeriodEnd, f.Subscription.CancelAt = true, date(31) },
			want:  "cancellation acme/olga: none | at the period's end | ",
		},
		"Ended": {
			there: func(f *Fetched) { f.Subscription.Status, f.Subscription.EndedAt = StatusCanceled, date(3) },
			want:  "status acme/olga: active | canceled | \ncancellation acme/olga: none | ended 2026-01-18T09:00:00Z | ",
		},
		"AnotherCustomer": {
			there: func(f *Fetched) { f.Subscription.CustomerID = "cus_2" },
			want:  "customer acme/olga: cus_1 | cus_2 | ",
		},
		"TheCustomerWasDeleted": {
			there: func(f *Fetched) { f.Customer.Deleted = true },
			want:  "customer acme/olga: customer cus_1 | deleted | ",
		},
		"TheCustomerWasDeleted_AndThatIsKnown": {
			there: func(f *Fetched) { f.Customer.Deleted = true },
			here:  func(k *KeptSubscription) { k.CustomerDeleted = true },
		},
		"AnchorAndPaymentMethod": {
			there: func(f *Fetched) { f.Subscription.Anchor, f.Subscription.PaymentMethodID = *date(2), "pm_2" },
			want:  "details acme/olga: other anchor, payment_method_id | changed | ",
		},
		"B14_UnmatchedWaits": {
			here: func(k *KeptSubscription) {
				k.State, k.Reason, k.Linked, k.TeamID, k.UserID = stateUnmatched, "customer cus_1 is not linked to a user", false, "", ""
			},
			want: "unmatched /: active | active | customer cus_1 is not linked to a user",
		},
		"B14_UnmatchedWhomTheMetadataNamesNow": {
			there: func(f *Fetched) { f.Customer.Metadata = map[string]string{MetadataUser: "olga"} },
			here: func(k *KeptSubscription) {
				k.State, k.Linked, k.TeamID, k.UserID = stateUnmatched, false, "", ""
			},
			want: "customer /: nobody's | user olga | ",
		},
		"B14_UnmatchedThoughLinked": {
			here: func(k *KeptSubscription) { k.State, k.TeamID = stateUnmatched, "" },
			want: "customer /olga: not taken in | of a customer who is linked | ",
		},
		"B2_UnmappedWaits": {
			there: func(f *Fetched) { f.Subscription.Items[0].LookupKey = "support" },
			here: func(k *KeptSubscription) {
				k.State, k.Reason, k.Facts.Items[0].LookupKey = stateUnmapped, unmappedReason, "support"
			},
			want: "unmapped acme/olga: support | support | no price of it is in the catalogue",
		},
		"B2_UnmappedWhosePriceIsKnownNow": {
			here: func(k *KeptSubscription) { k.State = stateUnmapped },
			want: "plan acme/olga: no price of it was known | team_monthly | ",
		},
		"WhatHasEndedWaitsForNobody": {
			there: func(f *Fetched) { f.Subscription.Status = StatusCanceled },
			here:  func(k *KeptSubscription) { k.State, k.Facts.Status, k.Linked = stateUnmatched, StatusCanceled, false },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			there := Fetched{Subscription: running(), Customer: &Customer{ID: "cus_1"}}
			here := &KeptSubscription{Facts: *running(), State: statePlaced, TeamID: "acme", UserID: "olga", Linked: true, First: differsFrom}
			if c.there != nil {
				c.there(&there)
			}
			if c.here != nil {
				c.here(here)
			}
			if got := differencesText(SubscriptionDifferences(DemoCatalog(), there, here, differsAt)); got != c.want {
				t.Errorf("differs in\n%s\nand should in\n%s", got, c.want)
			}
		})
	}
}

func TestUnknownSubscription_E3(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Fetched)
		want   string
	}{
		"Running": {func(*Fetched) {}, "unknown acme/olga:  | active, 5 × team_monthly, 2026-01-15T09:00:00Z to 2026-02-15T09:00:00Z | "},
		"NobodyIsNamed": {
			func(f *Fetched) { f.Subscription.Metadata = nil },
			"unknown /:  | active, 5 × team_monthly, 2026-01-15T09:00:00Z to 2026-02-15T09:00:00Z | ",
		},
		"ThePriceIsUnknown": {
			func(f *Fetched) { f.Subscription.Items[0].LookupKey = "" },
			"unknown acme/olga:  | active, price_1, 2026-01-15T09:00:00Z to 2026-02-15T09:00:00Z | ",
		},
		"EndedWithinItsPaidMonth": {
			func(f *Fetched) { f.Subscription.Status = StatusCanceled },
			"unknown acme/olga:  | canceled, 5 × team_monthly, 2026-01-15T09:00:00Z to 2026-02-15T09:00:00Z | ",
		},
		"EndedLongAgo": {
			func(f *Fetched) { f.Subscription.Status, f.Subscription.PeriodEnd = StatusCanceled, differsAt }, "",
		},
		"NeverPaidFor": {func(f *Fetched) { f.Subscription.Status = StatusIncompleteExpired }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			there := Fetched{Subscription: running()}
			there.Subscription.Metadata = map[string]string{MetadataTeam: "acme", MetadataUser: "olga"}
			c.change(&there)
			if got := differencesText(SubscriptionDifferences(DemoCatalog(), there, nil, differsAt)); got != c.want {
				t.Errorf("differs in\n%s\nand should in\n%s", got, c.want)
			}
		})
	}
}

func TestInvoiceDifference_E3(t *testing.T) {
	t.Parallel()
	sub := &KeptSubscription{Facts: *running(), First: differsFrom}
	for _, c := range []struct {
		name, here, there string
		created           time.Time
		want              bool
	}{
		{"PaidAndUnknown", "", "paid", differsFrom, true},
		{"PaidAndUnknown_BeforeWhatIsKept", "", "paid", differsFrom.AddDate(0, -1, 0), false},
		{"OpenAndUnknown", "", "open", differsFrom, false},
		{"VoidAndUnknown", "", "void", differsFrom, false},
		{"PaidMeanwhile", "open", "paid", differsFrom, true},
		{"VoidedMeanwhile", "open", "void", differsFrom, true},
		{"GivenUpMeanwhile", "open", "uncollectible", differsFrom, true},
		{"PaidHereOnly", "paid", "open", differsFrom, true},
		{"FinalizedMeanwhile", "draft", "open", differsFrom, false},
		{"Same", "paid", "paid", differsFrom, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var here *KeptInvoice
			if c.here != "" {
				here = &KeptInvoice{Status: c.here}
			}
			d, differs := InvoiceDifference(Invoice{ID: "in_1", SubscriptionID: "sub_1", Status: c.there, CreatedAt: c.created}, sub, here)
			if differs != c.want || differs && (d.Here != c.here || d.Stripe != c.there || d.Kind != DiffersInvoice) {
				t.Errorf("differs: %t, %+v", differs, d)
			}
		})
	}
}

func TestTopUpDifference_E3(t *testing.T) {
	t.Parallel()
	session, other, invoice := "cs_1", "cs_2", "in_1"
	for _, c := range []struct {
		name  string
		there PaidAtStripe
		here  *Purchase
		want  string
	}{
		{"PaidThereOnly", PaidAtStripe{Target: Target{ID: session}, Paid: true, Amount: 1000, Currency: "usd"}, &Purchase{State: PurchaseOpen, TeamID: "acme"}, "top_up acme/: open | cs_1 paid 1000 usd | "},
		{"PaidThoughGivenUp", PaidAtStripe{Target: Target{ID: session}, Paid: true, Amount: 1000, Currency: "usd"}, &Purchase{State: PurchaseExpired}, "top_up /: expired | cs_1 paid 1000 usd | "},
		{"PaidAndUnknown", PaidAtStripe{Target: Target{ID: session}, Paid: true, Amount: 5, Currency: "eur"}, nil, "top_up /:  | cs_1 paid 5 eur | no purchase of that id was ever made here"},
		{"UnpaidAndUnknown", PaidAtStripe{Target: Target{ID: session}}, nil, ""},
		{"PaidOnBothSides", PaidAtStripe{Target: Target{ID: session}, Paid: true}, &Purchase{State: PurchasePaid, SessionID: &session}, ""},
		{"PaidHereOnly", PaidAtStripe{Target: Target{ID: session}, Status: "open unpaid"}, &Purchase{State: PurchasePaid, SessionID: &session}, "top_up /: paid | cs_1 open unpaid | "},
		{"PaidHereByAnInvoiceThatIsVoid", PaidAtStripe{Target: Target{ID: invoice}, Status: "void"}, &Purchase{State: PurchasePaid, InvoiceID: &invoice}, "top_up /: paid | in_1 void | "},
		{"AnEarlierSessionOfIt", PaidAtStripe{Target: Target{ID: other}, Status: "expired unpaid"}, &Purchase{State: PurchasePaid, SessionID: &session}, ""},
		{"UnpaidOnBothSides", PaidAtStripe{Target: Target{ID: session}, Status: "open unpaid"}, &Purchase{State: PurchaseOpen, SessionID: &session}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if d, differs := TopUpDifference(c.there, c.here); differs {
				got = differencesText([]Difference{d})
			}
			if got != c.want {
				t.Errorf("differs in %q and should in %q", got, c.want)
			}
		})
	}
	t.Run("P1_NothingToPayCountsAsPaid", func(t *testing.T) {
		t.Parallel()
		free := CheckoutSession{ID: "cs_1", Status: "complete", PaymentStatus: "no_payment_required", Metadata: map[string]string{MetadataPurchase: "top_1"}}
		if p, ours := OfSession(free); !ours || !p.Paid || p.PurchaseID != "top_1" {
			t.Errorf("%+v, ours: %t", p, ours)
		}
		if _, ours := OfSession(CheckoutSession{ID: "cs_2", PaymentStatus: "paid"}); ours {
			t.Error("a session that names no purchase is ours")
		}
	})
}

func TestReversalDifference_E3(t *testing.T) {
	t.Parallel()
	lost := &Dispute{ID: "dp_1", Status: DisputeLost}
	for _, c := range []struct {
		name  string
		there Reversal
		here  KeptCharge
		want  string
	}{
		{"RefundUnheard", Reversal{Refunded: 300}, KeptCharge{Ours: true, TeamID: "acme"}, "refund acme/: 0 given back | 300 given back | "},
		{"RefundThatFailed", Reversal{Refunded: 0}, KeptCharge{Ours: true, Refunded: 300}, "refund /: 300 given back | 0 given back | "},
		{"RefundKnown", Reversal{Refunded: 300}, KeptCharge{Ours: true, Refunded: 300}, ""},
		{"RefundOfOthers", Reversal{Refunded: 300}, KeptCharge{}, ""},
		{"DisputeUnheard", Reversal{Dispute: lost}, KeptCharge{Ours: true}, "dispute /:  | lost | "},
		{"DisputeLostUnheard", Reversal{Dispute: lost}, KeptCharge{Ours: true, Disputes: []Dispute{{ID: "dp_1", Status: DisputeNeedsResponse}}}, "dispute /: needs_response | lost | "},
		{"DisputeKnown", Reversal{Dispute: lost}, KeptCharge{Ours: true, Disputes: []Dispute{*lost}}, ""},
		{"DisputeOfOthers", Reversal{Dispute: lost}, KeptCharge{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if d, differs := ReversalDifference(c.there, c.here); differs {
				got = differencesText([]Difference{d})
			}
			if got != c.want {
				t.Errorf("differs in %q and should in %q", got, c.want)
			}
		})
	}
}
