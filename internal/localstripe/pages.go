package localstripe

import (
	"html/template"
	"net/http"
)

// Pages work without JavaScript: each button is a form.
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
{{define "invoice"}}{{template "head" .Title}}<h1>Invoice {{.Number}}</h1><p>{{.Status}}, {{.Total}}</p>
{{with .Error}}<p class="error" role="alert">{{.}}</p>{{end}}
<table><thead><tr><th>Item</th><th>Quantity</th><th>Amount</th></tr></thead><tbody>
{{range .Lines}}<tr><td>{{.Name}}</td><td>{{.Quantity}}</td><td>{{.Amount}}</td></tr>{{end}}</tbody></table>
{{if .Open}}<form method="post">{{if .Ask}}<p>Your bank asks you to confirm this payment.</p><input type="hidden" name="authenticated" value="true">{{else}}{{template "cards" .Cards}}{{end}}
<button type="submit">{{if .Ask}}Confirm payment{{else}}Pay {{.Due}}{{end}}</button></form>{{end}}{{template "foot"}}{{end}}
{{define "portal"}}{{template "head" "Billing"}}<h1>Billing</h1>{{with .Error}}<p class="error" role="alert">{{.}}</p>{{end}}
{{$post := .Post}}{{range .Subscriptions}}<section><h2>{{.Name}}</h2><p>{{.Status}}</p>
{{if .Editable}}<form method="post" action="{{$post}}/subscriptions/{{.ID}}"><input type="hidden" name="do" value="update">
<label for="seats-{{.ID}}">Seats</label><input id="seats-{{.ID}}" name="seats" type="number" min="1" value="{{.Seats}}">
<label for="plan-{{.ID}}">Plan</label><select id="plan-{{.ID}}" name="price">{{range .Plans}}<option value="{{.Name}}"{{if .Chosen}} selected{{end}}>{{.Label}}</option>{{end}}</select>
<button type="submit">Update</button></form>{{end}}
{{if not .Only}}<form method="post" action="{{$post}}/subscriptions/{{.ID}}">{{if .Ending}}<input type="hidden" name="do" value="resume"><button type="submit">Don't cancel</button>{{else}}<input type="hidden" name="do" value="cancel"><button type="submit">Cancel at the period's end</button>{{end}}</form>{{end}}</section>{{else}}<p>No subscriptions.</p>{{end}}
{{if .Cards}}<section><h2>Card</h2><p>{{.Card}}</p><form method="post" action="{{.Post}}/card">{{template "cards" .Cards}}<button type="submit">Use this card</button></form></section>
<section><h2>Invoices</h2><ul>{{range .Invoices}}<li><a href="{{.Name}}">{{.Label}}</a></li>{{end}}</ul></section>{{end}}
{{with .Return}}<p><a href="{{.}}">Back</a></p>{{end}}{{template "foot"}}{{end}}
{{define "authenticate"}}{{template "head" "Your bank"}}<h1>Confirm {{.}}?</h1><form method="post"><button type="submit" name="ok" value="true">Confirm</button> <button type="submit" name="ok" value="false">Refuse</button></form>{{template "foot"}}{{end}}
{{define "message"}}{{template "head" .Title}}<h1>{{.Title}}</h1><p>{{.Text}}</p>{{with .Link}}<p><a href="{{.}}">Back</a></p>{{end}}{{template "foot"}}{{end}}
`))

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
