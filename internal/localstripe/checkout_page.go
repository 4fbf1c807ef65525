package localstripe

import (
	"errors"
	"html/template"
	"net/http"
	"strings"
)

var pages = template.Must(template.New("pages").Parse(`
{{define "head"}}<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.}}</title><style>
body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem;color:#1a1f36;background:#fff}
table{width:100%;border-collapse:collapse;margin:1rem 0}td,th{padding:.4rem 0;text-align:left;border-bottom:1px solid #d0d5dd}
td:last-child,th:last-child{text-align:right}label{display:block;margin:1rem 0 .25rem}
select,input{width:100%;padding:.5rem;font:inherit;box-sizing:border-box}
button{margin-top:1.25rem;padding:.6rem 1.2rem;font:inherit;color:#fff;background:#4338ca;border:0;border-radius:.4rem;cursor:pointer}
.note{color:#475467;font-size:.9rem}.error{color:#b42318}fieldset{margin:1rem 0;border:1px solid #d0d5dd}
</style></head><body><main>{{end}}
{{define "foot"}}<p class="note">Local Stripe, test mode. No money moves.</p></main></body></html>{{end}}
{{define "cards"}}<label for="card">Card</label><select id="card" name="payment_method">{{range .}}<option value="{{.Name}}">{{.Label}}</option>{{end}}</select>{{end}}
{{define "checkout"}}{{template "head" "Checkout"}}<h1>Pay {{.Total}}</h1>
{{with .Error}}<p class="error" role="alert">{{.}}</p>{{end}}
<table><thead><tr><th>Item</th><th>Quantity</th><th>Amount</th></tr></thead><tbody>
{{range .Lines}}<tr><td>{{.Name}}</td><td>{{.Quantity}}</td><td>{{.Amount}}</td></tr>{{end}}</tbody></table>
<form method="post">{{if .Ask}}<p>Your bank asks you to confirm this payment.</p><input type="hidden" name="authenticated" value="true"><input type="hidden" name="payment_method" value="{{.Method}}">{{else}}
<label for="email">E-mail</label><input id="email" name="email" type="email" value="{{.Email}}">
{{template "cards" .Cards}}{{end}}<button type="submit">{{if .Ask}}Confirm payment{{else}}Pay{{end}}</button></form>
{{with .Cancel}}<p><a href="{{.}}">Back</a></p>{{end}}{{template "foot"}}{{end}}
{{define "message"}}{{template "head" .Title}}<h1>{{.Title}}</h1><p>{{.Text}}</p>{{with .Link}}<p><a href="{{.}}">Back</a></p>{{end}}{{template "foot"}}{{end}}
`))

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

func (s *Server) showPage(w http.ResponseWriter, status int, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := pages.ExecuteTemplate(w, name, data); err != nil {
		s.log.Debug("local Stripe page not sent", "page", name, "error", err)
	}
}

type messagePage struct{ Title, Text, Link string }

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
