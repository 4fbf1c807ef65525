package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// devProduct is the product in miniature: it knows who its users are, which it believes of
// whoever clicks, and leads them to their page. Real products do the same once somebody is
// logged in. It answers on this machine only.
type devProduct struct {
	*product
	mu     sync.Mutex // of product, which counts its requests
	server *http.Server
	url    string
}

// devPeople are those whom purser dev offers to be.
var devPeople = []struct{ User, Team, Says string }{
	{"olga", "acme", "Olga, who owns Acme"},
	{"ada", "acme", "Ada, an admin"},
	{"dora", "acme", "Dora, a member with a limit"},
	{"cleo", "acme", "Cleo, a member with credits set aside"},
	{"olga", "", "Olga's own page, with her teams"},
}

// openProduct has the product answer. Whoever gets it must close it.
func (s *stage) openProduct(ctx context.Context, listen string) (*devProduct, error) {
	at, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", listen, err)
	}
	if tcp, ok := at.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("%s is not on this machine only, and the product believes whoever clicks", listen), at.Close())
	}
	p := &devProduct{product: s.product, url: "http://" + at.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.show)
	mux.HandleFunc("POST /page", p.lead)
	p.server = &http.Server{Handler: http.NewCrossOriginProtection().Handler(mux), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.server.Serve(at) }()
	return p, nil
}

// Close stops it.
func (p *devProduct) Close() error { return p.server.Close() }

var devPage = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>Acme Studio</title>
<h1>Acme Studio</h1>
<p>This is your product, in miniature. It asks purser's API for a page session and leads there. Who are you?</p>
{{range .}}<form method="post" action="/page"><input type="hidden" name="user" value="{{.User}}"><input type="hidden" name="team" value="{{.Team}}"><p><button>{{.Says}}</button></p></form>
{{end}}</html>`))

func (p *devProduct) show(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = devPage.Execute(w, devPeople)
}

// lead asks for a page session and leads there.
func (p *devProduct) lead(w http.ResponseWriter, r *http.Request) {
	address, err := p.session(r.Context(), r.FormValue("user"), r.FormValue("team"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, address, http.StatusSeeOther)
}

// session is what a product's backend does to open the page for a user.
func (p *devProduct) session(ctx context.Context, user, team string) (string, error) {
	body, err := json.Marshal(map[string]string{"user_id": user, "team_id": team, "return_url": p.url + "/"})
	if err != nil {
		return "", fmt.Errorf("asking for a page session: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	status, raw, err := p.call(ctx, "", http.MethodPost, "/v1/page_sessions", string(body))
	if err != nil {
		return "", err
	}
	if status != http.StatusCreated {
		return "", fmt.Errorf("asking for a page session: %d: %s", status, strings.TrimSpace(string(raw)))
	}
	var made struct{ URL string }
	if err := json.Unmarshal(raw, &made); err != nil {
		return "", fmt.Errorf("asking for a page session: %w", err)
	}
	return made.URL, nil
}
