package billing

import "testing"

// N2: an explanation says what became of the last attempt, whatever that was.
func TestPurchaseSentence(t *testing.T) {
	t.Parallel()
	at := day("2026-03-10 13:00")
	for _, c := range []struct {
		name, state, reason, decline, want string
	}{
		{"Paid", PurchasePaid, "", "", "It last bought 3000 credits, on 2026-03-10 13:00 UTC."},
		{"Declined", PurchaseFailed, "Your card was declined.", "generic_decline", "Its last attempt, to buy 3000 credits on 2026-03-10 13:00 UTC, was declined: generic_decline."},
		{"Failed", PurchaseFailed, "its invoice was voided at Stripe", "", "Its last attempt, to buy 3000 credits on 2026-03-10 13:00 UTC, came to nothing: its invoice was voided at Stripe."},
		{"Expired", PurchaseExpired, "nobody authenticated the payment within a day", "authentication_required", "Its last attempt, to buy 3000 credits on 2026-03-10 13:00 UTC, came to nothing: nobody authenticated the payment within a day."},
		{"Open", PurchaseOpen, TopUpAuthenticate, "", "Its last attempt, to buy 3000 credits on 2026-03-10 13:00 UTC, is under way."},
	} {
		p := Purchase{Credits: 3000, State: c.state, Reason: c.reason, DeclineCode: c.decline, CreatedAt: at, PaidAt: &at}
		if got := p.saying().String(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
