package web

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

//go:embed templates/*.html
var templateFiles embed.FS

// screenTemplate is one page's template within the layout.
type screenTemplate = template.Template

// readScreens reads a template for each page: the layout, the parts that several use, and
// the page itself.
func (s *Server) readScreens() (map[string]*screenTemplate, error) {
	base, err := template.New("layout.html").Funcs(template.FuncMap{
		"asset": s.assetPath, "list": func(items ...any) []any { return items }, "beside": beside,
		"int64": func(n int) int64 { return int64(n) }, // what counts in a text
	}).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("reading the layout: %w", err)
	}
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("reading the pages: %w", err)
	}
	screens := map[string]*screenTemplate{}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), path.Ext(f.Name()))
		if name == "layout" || name == "parts" {
			continue
		}
		one, err := base.Clone()
		if err == nil {
			one, err = one.ParseFS(templateFiles, "templates/"+f.Name())
		}
		if err != nil {
			return nil, fmt.Errorf("reading the page %s: %w", name, err)
		}
		screens[name] = one
	}
	return screens, nil
}

// beside gives a part of a page the whole screen beside what it shows.
func beside(s *screen, data any) *screen {
	part := *s
	part.Data = data
	return &part
}

// view is what a page shows: a template, a title and its data.
type view struct {
	Screen string
	Title  string
	Data   any
}

// screen is what templates are given.
type screen struct {
	*visit
	Title string
	Name  string
	Data  any
	Tabs  []tab
	Brand Brand
}

// tab leads to one of the pages.
type tab struct {
	Text, Path string
	Here       bool
}

// showing reads what a page shows, in one snapshot.
type showing func(ctx context.Context, tx pgx.Tx, v *visit) (view, error)

// snapshot is how pages see the database: all of it at one instant.
var snapshot = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

// page registers a page.
func (s *Server) page(path string, page showing) {
	s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		if v := s.visit(w, r); v != nil {
			v.form = form{r.URL.Query()}
			v.show(w, http.StatusOK, page)
		}
	})
}

// show reads a page and renders it.
func (v *visit) show(w http.ResponseWriter, status int, page showing) {
	var shown view
	err := pgx.BeginTxFunc(v.r.Context(), v.s.cfg.Pool, snapshot, func(tx pgx.Tx) error {
		if err := v.findTeam(v.r.Context(), tx); err != nil {
			return err
		}
		var err error
		shown, err = page(v.r.Context(), tx, v)
		return err
	})
	if err == nil && v.session.Note != nil {
		err = v.takeNote(v.r.Context())
	}
	if err != nil {
		why := v.refusalOf(err)
		if why.Status >= http.StatusInternalServerError {
			noteFailure(v.r.Context(), err)
		}
		v.s.refuse(w, v.r, v, why)
		return
	}
	v.render(w, status, shown)
}

// takeNote reads what was left for this page to tell, once.
func (v *visit) takeNote(ctx context.Context) error {
	var left note
	if v.unseal(v.session.Note, &left) == nil {
		v.Told = &left
	}
	return teams.LeavePageNote(ctx, v.s.cfg.Pool, v.session.ID, nil)
}

// render answers with a page, or, if it can't be rendered, with none of it.
func (v *visit) render(w http.ResponseWriter, status int, shown view) {
	var b bytes.Buffer
	sc := &screen{visit: v, Title: shown.Title, Name: shown.Screen, Data: shown.Data, Tabs: v.tabs(), Brand: v.s.cfg.Brand}
	if err := v.s.screens[shown.Screen].ExecuteTemplate(&b, "layout.html", sc); err != nil {
		noteFailure(v.r.Context(), err)
		http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.Header().Set("Content-Language", v.Lang())
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// teamPath is the path of a team's page, or of one below it.
func teamPath(teamID string, below ...string) string {
	return Root + "/teams/" + strings.Join(append([]string{url.PathEscape(teamID)}, below...), "/")
}

// Path is the path of a page of the same team or account.
func (v *visit) Path(below ...string) string {
	for i, part := range below {
		below[i] = url.PathEscape(part)
	}
	if id := v.r.PathValue("team"); id != "" {
		return teamPath(id, below...)
	}
	return strings.Join(append([]string{Root, "account"}, below...), "/")
}

// sections are the pages of a team or an account, in order, and who has them.
var sections = []struct {
	name           string
	team, personal bool
	managers       bool // of a team, for those who manage it only
}{
	{name: "", team: true, personal: true},
	{name: "members", team: true, managers: true},
	{name: "moves", team: true, managers: true},
	{name: "usage", team: true, personal: true},
	{name: "history", team: true, personal: true},
	{name: "billing", team: true, personal: true, managers: true},
	{name: "explain", team: true, personal: true, managers: true},
	{name: "settings", team: true, managers: true},
	{name: "mine", team: true, managers: true},
}

// tabs lead to what the user may see.
func (v *visit) tabs() []tab {
	if v.Person.ID == "" || v.Team == nil && v.session.TeamID != "" {
		return nil
	}
	var tabs []tab
	for _, one := range sections {
		if v.Team == nil && !one.personal || v.Team != nil && (!one.team || one.managers && !v.Manages()) {
			continue
		}
		to := v.Path()
		key := "tab.overview"
		if one.name != "" {
			to, key = v.Path(one.name), "tab."+one.name
		}
		here := v.r.URL.Path == to || one.name != "" && strings.HasPrefix(v.r.URL.Path, to+"/")
		tabs = append(tabs, tab{v.T(key), to, here})
	}
	return tabs
}

// Query is the address of this page with some of its query changed: names and values by turns.
func (v *visit) Query(pairs ...string) string {
	here := v.here
	if here == "" {
		here = v.r.URL.EscapedPath()
	}
	q := v.r.URL.Query()
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] == "" {
			q.Del(pair[0])
		} else {
			q.Set(pair[0], pair[1])
		}
	}
	if len(q) == 0 {
		return here
	}
	return here + "?" + q.Encode()
}

// ReturnURL is where the product wants its user back.
func (v *visit) ReturnURL() string { return v.session.ReturnURL }

// OwnPage tells whether the session is for all the user has, not for one team.
func (v *visit) OwnPage() bool { return v.session.ID != "" && v.session.TeamID == "" }

// Named is a user's name, for people: the name, else the e-mail address, else the id.
func Named(u teams.User, id string) string {
	switch {
	case u.Name != "":
		return u.Name
	case u.Email != "":
		return u.Email
	}
	return id
}

// Who is the user who acts, by name.
func (v *visit) Who() string { return Named(v.Person, v.Person.ID) }
