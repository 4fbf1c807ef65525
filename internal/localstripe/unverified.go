package localstripe

import "net/http"

// Fact is something that is modelled here by general knowledge, because neither Stripe's documentation nor
// recorded traffic was at hand to check it. A test against a real sandbox should settle these first.
type Fact struct{ Topic, Modelled string }

// Unverified lists such facts, all in one place.
var Unverified = []Fact{
	{"proration lines", "the wording \"Unused time on 5 × Plan after 12 Mar 2025\", and rounding each line to the nearest cent, a half away from zero"},
	{"previous_attributes.items", "holds the whole old data array and nothing else of the list"},
	{"renewal events", "subscription.updated, invoice.created; an hour later invoice.updated, invoice.finalized, payment_intent.created, charge.succeeded, payment_intent.succeeded, invoice.updated, invoice.paid, invoice.payment_succeeded"},
	{"cancellation_details.reason", "payment_failed when dunning gives up, payment_disputed is never set"},
	{"invoice.upcoming", "seven days before the renewal"},
	{"webhook timeout", deliveryTimeout.String()},
	{"idempotency", "an equal key in flight is 409 only while a call is delayed on demand"},
	{"first period cut by an anchor or cancel_at", "its line has type subscription and proration true"},
	{"no-cost Checkout session in mode payment", "payment_status is no_payment_required and there is no PaymentIntent"},
	{"invoice_creation", "the invoice is written and paid before the session tells that it is, gets no metadata of the session, and takes off no discount but the session's; a session that costs nothing gets none"},
	{"paused", "customer.subscription.updated comes before customer.subscription.paused, and likewise for resumed"},
	{"send_invoice", "the first invoice is a draft for an hour too; past_due begins at the due date"},
	{"billing portal", "in the default configuration an increase of seats is invoiced at once, a decrease leaves its credit pending"},
	{"cards that decline", "those of Stripe's table cannot be attached to a customer; pm_card_chargeCustomerFail can"},
	{"failed refunds", "the charge's amount_refunded falls again; charge.refund.updated tells of it"},
	{"Stripe-Should-Retry", "true for lock_timeout and a key in use, false for what was refused, absent otherwise"},
	{"a bank that asks about an invoice", "the payment is left in requires_action, also off session, and /pay answers invoice_payment_intent_requires_action"},
	{"an invoice whose payment is processing", "next_payment_attempt is null, and another payment is refused with payment_intent_unexpected_state"},
	{"hard declines", "retries are counted on schedule with invoice.updated only"},
}

func listUnverified(*http.Request) (any, error) {
	list := []any{}
	for _, f := range Unverified {
		list = append(list, obj{"topic": f.Topic, "modelled": f.Modelled})
	}
	return obj{"facts": list}, nil
}
