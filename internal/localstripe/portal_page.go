package localstripe

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

type portalPage struct {
	Post, Error, Card, Return string
	Subscriptions             []portalSubscription
	Cards                     []cardChoice
	Invoices                  []cardChoice
}

type portalSubscription struct {
	ID, Name, Status       string
	Seats                  int64
	Plans                  []planChoice
	Editable, Ending, Only bool
}

type planChoice struct {
	Name, Label string
	Chosen      bool
}

func (s *Server) portalView(ps *portalSession) portalPage {
	page := portalPage{Post: "/p/session/" + ps.id, Return: ps.returnURL, Card: "None"}
	only := ps.onlySubscription()
	for _, sub := range s.subscriptions.where(func(sub *subscription) bool {
		return sub.customer == ps.customer && !sub.over() && (only == "" || sub.id == only)
	}) {
		page.Subscriptions = append(page.Subscriptions, s.portalSubscription(sub, ps.flow["type"] == "subscription_update"))
	}
	if only != "" {
		return page
	}
	page.Cards = cardChoices
	if m, ok := s.methods.get(ps.customer.defaultMethod); ok {
		page.Card = m.does.brand + " •••• " + m.does.last4
	}
	for _, inv := range s.invoices.where(func(inv *invoice) bool { return inv.customer == ps.customer && inv.finalizedAt != 0 }) {
		page.Invoices = append(page.Invoices, cardChoice{"/i/" + inv.id, inv.number + ", " + money(inv.currency, inv.total()) + ", " + inv.status})
	}
	return page
}

// onlySubscription is the one that the session's flow is about, if any.
func (ps *portalSession) onlySubscription() string {
	kind, _ := ps.flow["type"].(string)
	inner, _ := ps.flow[kind].(obj)
	id, _ := inner["subscription"].(string)
	return id
}

// editable follows Stripe's rule: the portal updates subscriptions of one licensed price only.
func (sub *subscription) editable() bool { return len(sub.items) == 1 && !sub.items[0].price.metered() }

func (s *Server) portalSubscription(sub *subscription, only bool) portalSubscription {
	view := portalSubscription{
		ID: sub.id, Name: sub.items[0].price.product.name, Editable: sub.editable(), Ending: sub.cancelAt != 0, Only: only,
		Status: fmt.Sprintf("%s until %s", sub.status, time.Unix(sub.periodEnd, 0).UTC().Format("2 January 2006")),
	}
	if view.Editable {
		view.Seats = sub.items[0].quantity
	}
	for _, p := range s.prices.where(func(p *price) bool {
		return p.recurring != nil && p.active && !p.metered() && p.currency == sub.currency
	}) {
		view.Plans = append(view.Plans, planChoice{Name: p.id, Label: p.product.name + " " + p.rate(), Chosen: p == sub.items[0].price})
	}
	return view
}

func (s *Server) portalPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ps, ok := s.pagePortal(w, r); ok {
		s.showPage(w, http.StatusOK, "portal", s.portalView(ps))
	}
}

func (s *Server) pagePortal(w http.ResponseWriter, r *http.Request) (*portalSession, bool) {
	ps, ok := s.portals.get(r.PathValue("id"))
	if !ok || ps.customer.deleted {
		s.showPage(w, http.StatusNotFound, "message", messagePage{Title: "No such session"})
		return nil, false
	}
	return ps, true
}

// portalDo carries out one button of the portal and shows what came of it.
func (s *Server) portalDo(do func(ps *portalSession, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.cause = cause{}
		ps, ok := s.pagePortal(w, r)
		if !ok {
			return
		}
		if err := do(ps, r); err != nil {
			page := s.portalView(ps)
			page.Error = err.Error()
			s.showPage(w, http.StatusUnprocessableEntity, "portal", page)
			return
		}
		http.Redirect(w, r, ps.next(), http.StatusSeeOther)
	}
}

// next is where the browser goes when a flow is done: back to the portal, or where the flow says.
func (ps *portalSession) next() string {
	after, _ := ps.flow["after_completion"].(obj)
	redirect, _ := after["redirect"].(obj)
	if to, _ := redirect["return_url"].(string); to != "" {
		return to
	}
	return "/p/session/" + ps.id
}

func (s *Server) portalChange(ps *portalSession, r *http.Request) error {
	sub, ok := s.subscriptions.get(r.PathValue("subscription"))
	if !ok || sub.customer != ps.customer || sub.over() {
		return noSuch(404, "subscription", r.PathValue("subscription"), "id")
	}
	nothing := func(*subscription) error { return nil }
	switch r.PostFormValue("do") {
	case "cancel", "resume":
		atEnd := r.PostFormValue("do") == "cancel"
		return s.changeSubscription(sub, changeSpec{cancelAtEnd: &atEnd, proration: "none", fill: nothing})
	case "update":
		if !sub.editable() {
			return invalid("", "This subscription can only be canceled here.")
		}
		seats, err := strconv.ParseInt(r.PostFormValue("seats"), 10, 64)
		if err != nil || seats < 1 {
			return invalid("seats", "The number of seats must be at least 1.")
		}
		it := sub.items[0]
		spec := itemSpec{id: it.id, priceID: r.PostFormValue("price"), quantity: seats, hasQuantity: true, metadata: newParams()}
		proration := "always_invoice"
		if seats < it.quantity && (spec.priceID == "" || spec.priceID == it.price.id) {
			proration = "create_prorations" // a decrease makes no invoice
		}
		return s.changeSubscription(sub, changeSpec{items: []itemSpec{spec}, proration: proration, fill: nothing})
	}
	return invalid("do", "Unknown action.")
}

// portalCard makes another card the default, also of the subscriptions that named one.
func (s *Server) portalCard(ps *portalSession, r *http.Request) error {
	m, err := s.methodFor(ps.customer, r.PostFormValue("payment_method"), "payment_method")
	if err != nil {
		return err
	}
	if m == nil {
		return missingParam("payment_method")
	}
	if err := m.attachable(); err != nil {
		return err
	}
	m.authenticated = true
	s.attach(m, ps.customer)
	s.change(ps.customer.clock, "customer.updated", ps.customer, func() { ps.customer.defaultMethod = m.id })
	for _, sub := range s.subscriptions.where(func(sub *subscription) bool {
		return sub.customer == ps.customer && !sub.over() && sub.defaultMethod != ""
	}) {
		s.change(sub.clock(), "customer.subscription.updated", sub, func() { sub.defaultMethod = m.id })
	}
	return nil
}
