package api

import (
	"html/template"
	"net/http"
)

var problemsTemplate = template.Must(template.New("problems").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Problems</title></head><body><main><h1>Problems</h1>
<p>Why a request wasn't answered as it wished, by code, and what to do.</p>
{{range .}}<section id="{{.Name}}"><h2><code>{{.Name}}</code></h2><p>{{.Status}}. {{.Title}}.</p><p>{{.Remedy}}</p></section>
{{end}}</main></body></html>
`))

// problemsPage explains every code, out of the one table.
func problemsPage(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_ = problemsTemplate.Execute(w, codes)
}
