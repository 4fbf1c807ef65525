package localstripe

import (
	"errors"
	"net/http"
	"strings"
)

type cardChoice struct{ Name, Label string }

var cardChoices = []cardChoice{
	{"pm_card_visa", "4242 4242 4242 4242: succeeds"},
	{"pm_card_mastercard", "5555 5555 5555 4444: succeeds"},
	{"pm_card_authenticationRequired", "4000 0027 6000 3184: the bank asks every time"},
	{"pm_card_chargeDeclined", "4000 0000 0000 0002: declined"},
	{"pm_card_chargeDeclinedInsufficientFunds", "4000 0000 0000 9995: insufficient funds"},
	{"pm_card_chargeCustomerFail", "4000 0000 0000 0341: fails when charged"},
	{"pm_card_createDispute", "4000 0000 0000 0259: disputed later"},
	{"pm_usBankAccount_success", "Bank account: arrives days later"},
	{"pm_usBankAccount_insufficientFunds", "Bank account: fails days later"},
}

type pageLine struct {
	Name, Amount string
	Quantity     int64
}

type checkoutPage struct {
	Total, Error, Email, Cancel, Method string
	Lines                               []pageLine
	Cards                               []cardChoice
	Ask                                 bool
}

func (s *Server) checkoutPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cs, err := s.session(r.PathValue("id"))
	if err != nil {
		s.showPage(w, http.StatusNotFound, "message", messagePage{Title: "No such session"})
		return
	}
	if cs.status != "open" {
		s.showPage(w, http.StatusOK, "message", messagePage{Title: "This session is " + cs.status, Link: cs.success()})
		return
	}
	s.showPage(w, http.StatusOK, "checkout", s.checkoutView(cs))
}

func (s *Server) checkoutView(cs *checkoutSession) checkoutPage {
	page := checkoutPage{Total: money(cs.currency, cs.total()), Cancel: cs.cancelURL, Cards: cardChoices, Email: cs.customerEmail}
	if cs.customer != nil && page.Email == "" {
		page.Email = cs.customer.email
	}
	for _, l := range cs.lines {
		page.Lines = append(page.Lines, pageLine{Name: l.price.product.name, Quantity: l.quantity, Amount: money(cs.currency, cents(l.price.amount(l.quantity)))})
	}
	return page
}

// payPage is the page's button. It needs no JavaScript.
func (s *Server) payPage(w http.ResponseWriter, r *http.Request) {
	with := Payment{Method: r.PostFormValue("payment_method"), Email: r.PostFormValue("email"), Authenticated: r.PostFormValue("authenticated") == "true"}
	err := s.PaySession(r.Context(), r.PathValue("id"), with)
	s.mu.Lock()
	defer s.mu.Unlock()
	cs, known := s.sessions.get(r.PathValue("id"))
	var refused *apiError
	switch {
	case err == nil:
		http.Redirect(w, r, cs.success(), http.StatusSeeOther)
	case !known:
		s.showPage(w, http.StatusNotFound, "message", messagePage{Title: "No such session"})
	case errors.As(err, &refused) && cs.status == "open":
		page := s.checkoutView(cs)
		page.Error, page.Method = refused.message, with.Method
		page.Ask = refused.code == "authentication_required" && !with.Authenticated
		s.showPage(w, http.StatusPaymentRequired, "checkout", page)
	default:
		s.showPage(w, http.StatusConflict, "message", messagePage{Title: "Not paid", Text: err.Error(), Link: cs.cancelURL})
	}
}

func (cs *checkoutSession) success() string {
	return strings.ReplaceAll(cs.successURL, "{CHECKOUT_SESSION_ID}", cs.id)
}

// getPage and confirmPage are what Stripe's own page, and its command line, use behind the scenes.
func getPage(c *call) (any, error) {
	cs, err := c.session(c.id())
	if err != nil {
		return nil, err
	}
	return obj{"id": cs.id, "object": "checkout.session", "session_id": cs.id, "amount_total": cs.total()}, c.finish()
}

func confirmPage(c *call) (any, error) {
	cs, err := c.session(c.id())
	if err != nil {
		return nil, err
	}
	method, expected := c.str("payment_method"), c.count("expected_amount")
	if err := c.finish(); err != nil {
		return nil, err
	}
	if expected != cs.total() {
		return nil, invalid("expected_amount", "The session's amount is %d, not %d.", cs.total(), expected)
	}
	if err := c.pay(cs, Payment{Method: method}); err != nil {
		return nil, err
	}
	return cs.render(c.Server), nil
}
