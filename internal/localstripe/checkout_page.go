package localstripe

import (
	"errors"
	"net/http"
	"strings"
)

type checkoutPage struct {
	Total, Error, Note, Email, Cancel, Method, Button string
	Lines, Sums                                       []pageLine
	Cards                                             []cardChoice
	Ask                                               bool
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
	page := checkoutPage{Total: money(cs.currency, cs.total()), Cancel: cs.cancelURL, Email: cs.customerEmail, Button: "Pay"}
	if cs.needsMethod() {
		page.Cards = cardChoices
	}
	if cs.mode == "subscription" {
		page.Button = "Subscribe"
	}
	if cs.mode == "subscription" && cs.trial() {
		page.Button, page.Note = "Start trial", "The plan is free during its trial."
	}
	if cs.customer != nil && page.Email == "" {
		page.Email = cs.customer.email
	}
	for _, l := range cs.lines {
		name := l.price.product.name
		if l.price.recurring != nil {
			name += ", " + l.price.rate()
		}
		page.Lines = append(page.Lines, pageLine{Name: name, Quantity: l.quantity, Amount: money(cs.currency, cents(l.price.amount(l.quantity)))})
	}
	if off := cs.off(); off > 0 {
		page.Sums = append(page.Sums, pageLine{Name: "Discount", Amount: money(cs.currency, -off)})
	}
	page.Sums = append(page.Sums, pageLine{Name: "Due today", Amount: page.Total})
	return page
}

// payPage is the page's button. It needs no JavaScript.
func (s *Server) payPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cause = cause{}
	cs, known := s.sessions.get(r.PathValue("id"))
	if !known {
		s.showPage(w, http.StatusNotFound, "message", messagePage{Title: "No such session"})
		return
	}
	answer := r.PostFormValue("authenticated")
	with := Payment{Method: r.PostFormValue("payment_method"), Email: r.PostFormValue("email"), Authenticated: answer == "true"}
	var err error
	if answer == "false" && cs.status == "open" {
		err = s.refuseSession(cs)
	} else {
		err = s.pay(cs, with)
	}
	var refused *apiError
	switch {
	case err == nil:
		http.Redirect(w, r, cs.success(), http.StatusSeeOther)
	case errors.As(err, &refused) && cs.status == "open":
		page := s.checkoutView(cs)
		page.Error, page.Method, page.Email = refused.message, with.Method, with.Email
		if page.Ask = refused.code == "authentication_required" && answer == ""; page.Ask {
			page.Error = "" // the page asks; nothing has gone wrong
		}
		s.showPage(w, http.StatusPaymentRequired, "checkout", page)
	default:
		s.showPage(w, http.StatusConflict, "message", messagePage{Title: "Not paid", Text: err.Error(), Link: cs.cancelURL})
	}
}

// refuseSession is the owner's no to the bank's question. A subscription's payment isn't begun before a yes.
func (s *Server) refuseSession(cs *checkoutSession) error {
	if cs.trying == nil || cs.trying.status != "requires_action" {
		return &apiError{status: 402, kind: "card_error", code: "payment_intent_authentication_failure", message: authenticationFailed}
	}
	return s.answered(cs.trying, false)
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
