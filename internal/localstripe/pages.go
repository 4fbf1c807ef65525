package localstripe

import (
	_ "embed"
	"html/template"
	"net/http"
)

//go:embed pages.html
var pagesHTML string

// Pages work without JavaScript: each button is a form's.
var pages = template.Must(template.New("pages").Parse(pagesHTML))

func (s *Server) showPage(w http.ResponseWriter, status int, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	w.WriteHeader(status)
	if err := pages.ExecuteTemplate(w, name, data); err != nil {
		s.log.Debug("local Stripe page not sent", "page", name, "error", err)
	}
}

type messagePage struct{ Title, Text, Link string }

// pageLine is a line of a table, or, without a quantity, one of its sums.
type pageLine struct {
	Name, Amount string
	Quantity     int64
}

type cardChoice struct{ Name, Label string }

// cardChoices are what can be picked on every page that asks for a card.
var cardChoices = []cardChoice{
	{"pm_card_visa", "4242 4242 4242 4242: succeeds"},
	{"pm_card_mastercard", "5555 5555 5555 4444: succeeds"},
	{"pm_card_authenticationRequired", "4000 0027 6000 3184: the bank asks every time"},
	{"pm_card_chargeDeclined", "4000 0000 0000 0002: declined"},
	{"pm_card_chargeDeclinedInsufficientFunds", "4000 0000 0000 9995: insufficient funds"},
	{"pm_card_chargeCustomerFail", "4000 0000 0000 0341: can be kept, and declines when charged"},
	{"pm_card_createDispute", "4000 0000 0000 0259: disputed right after the charge"},
	{"pm_usBankAccount_success", "Bank account 6789: pays days later"},
	{"pm_usBankAccount_insufficientFunds", "Bank account 2227: fails days later"},
}

// label names a payment method as its owner knows it.
func (m *paymentMethod) label() string {
	names := map[string]string{
		"visa": "Visa", "mastercard": "Mastercard", "amex": "American Express", "discover": "Discover",
		"us_bank_account": "Bank account", "sepa_debit": "SEPA debit",
	}
	return names[m.does.brand] + " ending in " + m.does.last4
}
