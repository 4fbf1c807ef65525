package localstripe

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

type portalPage struct {
	Post, Error, Card, Return string
	Subscriptions             []portalSubscription
	Cards                     []cardChoice
	Invoices                  []cardChoice
	History, Empty            bool
}

type portalSubscription struct {
	ID, Name, Status    string
	Seats               int64
	Plans               []planChoice
	SeatsFixed, Ending  bool
	CanUpdate           bool
	CanCancel, CanStay  bool
	CancelLabel, Period string
	UpdateLabel         string
}

type planChoice struct {
	Name, Label string
	Chosen      bool
}

func (s *Server) portalView(ps *portalSession) portalPage {
	features, only := ps.configuration.features, ps.onlySubscription()
	page := portalPage{Post: "/p/session/" + ps.id, Return: ps.back(), Card: "None"}
	for _, sub := range s.subscriptions.where(func(sub *subscription) bool {
		return sub.customer == ps.customer && !sub.over() && (only == "" || sub.id == only) && ps.flow["type"] != "payment_method_update"
	}) {
		page.Subscriptions = append(page.Subscriptions, s.portalSubscription(sub, ps))
	}
	page.Empty = len(page.Subscriptions) == 0 && ps.flow["type"] != "payment_method_update"
	if only == "" && features.method {
		page.Cards = cardChoices
	}
	if m, ok := s.methods.get(ps.customer.defaultMethod); ok {
		page.Card = m.label()
	}
	if only != "" || !features.invoices || ps.flow["type"] != nil {
		return page
	}
	page.History = true
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

// back is where the portal's link leads.
func (ps *portalSession) back() string {
	if ps.returnURL != "" {
		return ps.returnURL
	}
	return ps.configuration.returnURL
}

// editable follows Stripe's rule: the portal updates subscriptions of one licensed price only.
func (sub *subscription) editable() bool { return len(sub.items) == 1 && !sub.items[0].price.metered() }

func (s *Server) portalSubscription(sub *subscription, ps *portalSession) portalSubscription {
	features, flow := &ps.configuration.features, ps.flow["type"]
	current := sub.items[0]
	view := portalSubscription{
		ID: sub.id, Name: current.price.product.name, Status: plainStatus[sub.status], Ending: sub.cancelAt != 0,
		CanUpdate: sub.editable() && features.update && flow != "subscription_cancel", SeatsFixed: !slices.Contains(features.updates, "quantity"),
		CanCancel: features.cancel && sub.cancelAt == 0 && flow != "subscription_update", CanStay: sub.cancelAtPeriodEnd && flow == nil,
		UpdateLabel: "Update", CancelLabel: "Cancel at the period's end", Period: day(sub.periodEnd),
	}
	if features.cancelMode == "immediately" {
		view.CancelLabel = "Cancel now"
	}
	if !view.CanUpdate {
		return view
	}
	if seats, p, ok := s.toConfirm(ps, sub); ok {
		view.Seats, view.SeatsFixed, view.UpdateLabel = seats, true, "Confirm"
		view.Plans = []planChoice{{Name: p.id, Label: p.product.name + ", " + p.rate(), Chosen: true}}
		return view
	}
	view.Seats = current.quantity
	for _, p := range s.prices.where(func(p *price) bool {
		return p == current.price || slices.Contains(features.updates, "price") && p.recurring != nil && p.active && !p.metered() &&
			p.currency == sub.currency && features.sells(p)
	}) {
		view.Plans = append(view.Plans, planChoice{Name: p.id, Label: p.product.name + ", " + p.rate(), Chosen: p == current.price})
	}
	return view
}

// toConfirm is the change that a flow has laid out already.
func (s *Server) toConfirm(ps *portalSession, sub *subscription) (seats int64, p *price, ok bool) {
	inner, _ := ps.flow["subscription_update_confirm"].(obj)
	items, _ := inner["items"].([]any)
	if len(items) != 1 {
		return 0, nil, false
	}
	seats, p = sub.items[0].quantity, sub.items[0].price
	entry, _ := items[0].(obj)
	if n, given := entry["quantity"].(int64); given {
		seats = n
	}
	if id, given := entry["price"].(string); given {
		if named, known := s.prices.get(id); known {
			p = named
		}
	}
	return seats, p, true
}

// plainStatus is what a person reads.
var plainStatus = map[string]string{
	"active": "Active", "trialing": "Trial", "past_due": "Past due", "unpaid": "Unpaid", "paused": "Paused", "incomplete": "Waiting for its first payment",
}

func day(at int64) string { return time.Unix(at, 0).UTC().Format("2 January 2006") }

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
	features := &ps.configuration.features
	switch do := r.PostFormValue("do"); {
	case do == "cancel" && features.cancel && features.cancelMode == "immediately":
		s.portalCancelNow(sub, features)
		return nil
	case do == "cancel" && features.cancel, do == "resume":
		atEnd := do == "cancel"
		return s.changeSubscription(sub, changeSpec{cancelAtEnd: &atEnd, proration: "none", fill: plainFieldsStay})
	case do == "update" && features.update:
		if seats, p, ok := s.toConfirm(ps, sub); ok {
			return s.portalUpdate(sub, features, p.id, strconv.FormatInt(seats, 10))
		}
		return s.portalUpdate(sub, features, r.PostFormValue("price"), r.PostFormValue("seats"))
	}
	return invalid("do", "The portal's configuration doesn't allow this.")
}

func plainFieldsStay(*subscription) error { return nil }

func (s *Server) portalCancelNow(sub *subscription, features *portalFeatures) {
	if features.cancelProration != "none" && sub.status != "trialing" {
		for _, credit := range s.credits(sub, sub.items, sub.clock().now) {
			s.addItem(credit)
		}
	}
	if features.cancelProration == "always_invoice" {
		s.lastInvoice(sub)
	}
	s.cancelNow(sub, cancellation{reason: "cancellation_requested"})
}

// portalUpdate changes seats and plan. Where the configuration says nothing of prorations, more is invoiced at once
// and less leaves its credit to the next invoice.
func (s *Server) portalUpdate(sub *subscription, features *portalFeatures, priceID, wanted string) error {
	if !sub.editable() {
		return invalid("", "This subscription can only be canceled here.")
	}
	it := sub.items[0]
	spec := itemSpec{id: it.id, priceID: it.price.id, quantity: it.quantity, hasQuantity: true, metadata: newParams()}
	if priceID != "" {
		spec.priceID = priceID
	}
	if p, ok := s.prices.get(spec.priceID); p != it.price && (!ok || !slices.Contains(features.updates, "price") || !features.sells(p)) {
		return invalid("price", "The portal's configuration doesn't offer this price.")
	}
	if slices.Contains(features.updates, "quantity") {
		seats, err := strconv.ParseInt(wanted, 10, 64)
		if err != nil || seats < 1 {
			return invalid("seats", "The number of seats must be at least 1.")
		}
		spec.quantity = seats
	}
	proration := features.proration
	if proration == "" {
		proration = "always_invoice"
		if spec.quantity < it.quantity && spec.priceID == it.price.id {
			proration = "create_prorations"
		}
	}
	return s.changeSubscription(sub, changeSpec{items: []itemSpec{spec}, proration: proration, fill: plainFieldsStay})
}

// portalCard makes another card the default, also of the subscriptions that named one.
func (s *Server) portalCard(ps *portalSession, r *http.Request) error {
	if !ps.configuration.features.method {
		return invalid("payment_method", "The portal's configuration doesn't allow this.")
	}
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
