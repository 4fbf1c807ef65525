package localstripe

import (
	"net/http"
	"strings"
)

type invoicePage struct {
	Title, Number, Status, To, Due, Error, Receipt string
	Lines, Sums                                    []pageLine
	Cards                                          []cardChoice
	Open, Ask, Waiting                             bool
}

func (s *Server) invoiceView(inv *invoice) invoicePage {
	amount := func(cents int64) string { return money(inv.currency, cents) }
	page := invoicePage{
		Title: "Invoice " + inv.number, Number: inv.number, Status: strings.ToUpper(inv.status[:1]) + inv.status[1:], To: inv.customer.email,
		Due: amount(inv.due()), Cards: cardChoices, Waiting: inv.payable() != nil,
	}
	page.Open = inv.status == "open" && !page.Waiting
	page.Ask = inv.intent != nil && inv.intent.status == "requires_action"
	for _, l := range inv.lines {
		page.Lines = append(page.Lines, pageLine{Name: l.description, Quantity: l.quantity, Amount: amount(l.amount)})
	}
	if off := inv.off(); off > 0 {
		page.Sums = append(page.Sums, pageLine{Name: "Discount", Amount: amount(-off)})
	}
	page.Sums = append(page.Sums, pageLine{Name: "Total", Amount: amount(inv.total())})
	if inv.applied != 0 {
		page.Sums = append(page.Sums, pageLine{Name: "Credit balance", Amount: amount(-inv.applied)})
	}
	if inv.status == "paid" {
		page.Sums = append(page.Sums, pageLine{Name: "Paid", Amount: amount(inv.paidAmount)})
	} else {
		page.Sums = append(page.Sums, pageLine{Name: "Due", Amount: page.Due})
	}
	if inv.intent != nil && inv.intent.latest != nil && inv.intent.latest.status == "succeeded" {
		page.Receipt = "/receipts/" + inv.intent.latest.id
	}
	return page
}

// pageInvoice finds the invoice that a page is about; drafts have no page.
func (s *Server) pageInvoice(w http.ResponseWriter, r *http.Request) (*invoice, bool) {
	inv, ok := s.invoices.get(r.PathValue("id"))
	if !ok || inv.finalizedAt == 0 {
		s.showPage(w, http.StatusNotFound, "message", messagePage{Title: "No such invoice"})
		return nil, false
	}
	return inv, true
}

func (s *Server) invoicePage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if inv, ok := s.pageInvoice(w, r); ok {
		s.showPage(w, http.StatusOK, "invoice", s.invoiceView(inv))
	}
}

// payInvoicePage is the hosted invoice's button.
func (s *Server) payInvoicePage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cause = cause{}
	inv, ok := s.pageInvoice(w, r)
	if !ok {
		return
	}
	err := s.payHosted(inv, r.PostFormValue("payment_method"), r.PostFormValue("authenticated"))
	page, status := s.invoiceView(inv), http.StatusOK
	if err != nil {
		status = http.StatusPaymentRequired
		if !page.Ask {
			page.Error = err.Error()
		}
	}
	s.showPage(w, status, "invoice", page)
}

// payHosted pays as a person on the page: on session, so that the bank may ask. The answer is what the bank is told, if
// it has asked.
func (s *Server) payHosted(inv *invoice, method, answer string) error {
	if inv.status != "open" {
		return invalidCode("invoice_not_editable", "", "This invoice is %s.", inv.status)
	}
	if err := inv.payable(); err != nil {
		return err
	}
	if answer != "" && inv.intent.status == "requires_action" {
		if refusal := s.answered(inv.intent, answer == "true"); refusal != nil {
			return refusal
		}
		return nil
	}
	m, err := s.methodFor(inv.customer, method, "payment_method")
	if err != nil {
		return err
	}
	if m == nil {
		return missingParam("payment_method")
	}
	if refusal := s.tryInvoice(inv, m, attempting{}); refusal != nil {
		return refusal
	}
	if inv.intent.status == "requires_action" {
		return invalidCode("authentication_required", "", "Your bank asks for authentication.")
	}
	return nil
}

func (s *Server) authenticatePage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pi, ok := s.intents.get(r.PathValue("id"))
	if !ok || pi.status != "requires_action" {
		s.showPage(w, http.StatusNotFound, "message", messagePage{Title: "Nothing to confirm"})
		return
	}
	s.showPage(w, http.StatusOK, "authenticate", money(pi.currency, pi.amount))
}

func (s *Server) answerBank(w http.ResponseWriter, r *http.Request) {
	err := s.Authenticate(r.PathValue("id"), r.PostFormValue("ok") == "true")
	s.mu.Lock()
	defer s.mu.Unlock()
	pi, ok := s.intents.get(r.PathValue("id"))
	switch {
	case ok && err == nil && pi.returnURL != "":
		http.Redirect(w, r, pi.returnURL, http.StatusSeeOther)
	case err != nil:
		s.showPage(w, http.StatusConflict, "message", messagePage{Title: "Not confirmed", Text: err.Error()})
	default:
		s.showPage(w, http.StatusOK, "message", messagePage{Title: "Done"})
	}
}

func (s *Server) receiptPage(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, ok := s.charges.get(r.PathValue("id"))
	if !ok || h.status != "succeeded" {
		s.showPage(w, http.StatusNotFound, "message", messagePage{Title: "No such receipt"})
		return
	}
	s.showPage(w, http.StatusOK, "message", messagePage{Title: "Receipt", Text: money(h.currency, h.amount) + " paid on " + stamp(h.created)})
}
