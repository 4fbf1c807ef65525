package billing

// DocumentsIn names a payment: by its invoice where it has one, else by its payment intent.
type DocumentsIn struct{ InvoiceID, PaymentIntentID string }

// Documents are Stripe's own pages for a payment; "" where there is none. They hold for
// weeks only, so they are asked for when somebody wants to see them.
type Documents struct {
	InvoiceURL string
	ReceiptURL string
}

// Document asks for the documents of a purchase; it has some once it is paid, unless it
// cost nothing.
func (p Purchase) Document() DocumentsIn {
	in := DocumentsIn{PaymentIntentID: p.PaymentIntentID}
	if p.InvoiceID != nil {
		in.InvoiceID = *p.InvoiceID
	}
	return in
}

// PaymentMethod is something that a customer pays with, as it is shown to that customer.
type PaymentMethod struct {
	ID                string
	Kind              string // card, sepa_debit, …, in Stripe's words
	Brand             string // of a card
	Last4             string
	ExpMonth, ExpYear int64 // of a card
	Default           bool  // of the customer
}
