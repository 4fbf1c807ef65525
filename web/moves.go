package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// moveKinds are the ways in which credits are moved on the page, and who may be named.
var moveKinds = []moveKind{
	{Name: "allocate", To: true},
	{Name: "reclaim", From: true, All: true},
	{Name: "transfer", From: true, To: true},
	{Name: "contribute"},
}

// moveKind is one way to move credits.
type moveKind struct {
	Name     string
	From, To bool // a member is named
	All      bool // nothing named means all there is
}

// movesPage shows the ways to move credits, and the last moves.
type movesPage struct {
	Kinds  []moveKind
	Recent []line
}

// movePage is the form of one of them and, once it is filled in, what it would do.
type movePage struct {
	Kind    moveKind
	Members []memberRow // to choose from; none of a large team
	Free    int64       // what could be moved of what isn't a member's
	Preview *moveShown
}

// moveShown is a move as it is shown before and after.
type moveShown struct {
	*teams.MoveOut
	FromName, ToName string
	Fields           map[string]string // to be sent again
}

// choiceMax is how many members a form offers to choose from; in larger teams one types.
const choiceMax = 200

func (s *Server) registerMoves() {
	path := Root + "/teams/{team}/moves"
	s.page(path, manages(s.moves))
	again := manages(s.moveForm(nil))
	s.mux.HandleFunc("GET "+path+"/{kind}", func(w http.ResponseWriter, r *http.Request) {
		if v := s.visit(w, r); v != nil {
			v.form = form{r.URL.Query()}
			s.showMove(w, v)
		}
	})
	s.act(path+"/{kind}", func(ctx context.Context, tx pgx.Tx, v *visit) (done, error) {
		in, err := v.moveAsked(ctx, tx)
		if err != nil {
			return done{}, err
		}
		in.Key, in.Hash = v.key()
		out, err := teams.Move(ctx, tx, s.cfg.Catalog, in, v.At)
		if err != nil {
			return done{}, err
		}
		shown, err := v.moveShown(ctx, tx, out)
		if err != nil {
			return done{}, err
		}
		text := v.T("moves.done."+v.r.PathValue("kind"), out.Credits, shown.FromName, shown.ToName)
		return done{note{Text: text, Rows: []row{
			{Who: shown.FromName, Text: v.T("moves.balance", out.Before.From, out.After.From)},
			{Who: shown.ToName, Text: v.T("moves.balance", out.Before.To, out.After.To)},
		}}, v.Path("moves")}, nil
	}, again)
}

// kindOfMove is the way that the path names.
func (v *visit) kindOfMove() (moveKind, error) {
	i := slices.IndexFunc(moveKinds, func(k moveKind) bool { return k.Name == v.r.PathValue("kind") })
	if i < 0 {
		return moveKind{}, errNotHere
	}
	return moveKinds[i], nil
}

// moveAsked reads what is to be moved.
func (v *visit) moveAsked(ctx context.Context, tx pgx.Tx) (in teams.MoveIn, err error) {
	kind, err := v.kindOfMove()
	if err != nil {
		return in, err
	}
	in = teams.MoveIn{
		TeamID: v.Team.ID, By: v.By, From: teams.Place{Kind: teams.PlacePool}, To: teams.Place{Kind: teams.PlacePool}, Reason: v.form.Text("reason"),
	}
	if kind.Name == "contribute" {
		in.From = teams.Place{Kind: teams.PlacePersonal, User: v.By.User}
	}
	for _, end := range []struct {
		named bool
		name  string
		place *teams.Place
	}{{kind.From, "from", &in.From}, {kind.To, "to", &in.To}} {
		if !end.named {
			continue
		}
		id, err := v.findMember(ctx, tx, end.name)
		if err != nil {
			return in, err
		}
		*end.place = teams.Place{Kind: teams.PlaceMember, User: id}
	}
	if in.All = kind.All && v.form.Text("credits") == ""; !in.All {
		in.Credits, err = v.form.credits("credits")
	}
	return in, err
}

// findMember finds whom a field names: by id, or by e-mail address.
func (v *visit) findMember(ctx context.Context, tx pgx.Tx, name string) (string, error) {
	text := v.form.Text(name)
	members, err := teams.Members(ctx, tx, v.Team.ID)
	if err != nil {
		return "", err
	}
	ids := make([]string, len(members))
	for i, m := range members {
		if ids[i] = m.UserID; m.UserID == text {
			return text, nil
		}
	}
	people, err := teams.People(ctx, tx, ids)
	if err != nil {
		return "", err
	}
	for _, u := range people {
		if u.Email != "" && strings.EqualFold(u.Email, text) {
			return u.ID, nil
		}
	}
	return "", &teams.Refusal{Class: teams.Rule, Code: "member_unknown", Field: name, Detail: "that is no member of the team"}
}

// moves shows what can be moved and what was moved last.
func (s *Server) moves(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
	rows, err := ledger.FilterHistory(ctx, tx, ledger.HistoryFilter{
		Book: v.Team.BookID, Limit: 20, Kinds: []ledger.EntryKind{ledger.KindAllocation, ledger.KindReclaim, ledger.KindTransfer, ledger.KindContributionIn},
	})
	if err != nil {
		return view{}, err
	}
	p := &movesPage{Kinds: moveKinds}
	p.Recent, err = v.lines(ctx, tx, rows)
	return view{"moves", v.T("moves.title"), p}, err
}

// showMove shows the form of one way to move credits. Filled in, it says what would
// happen, and asks.
func (s *Server) showMove(w http.ResponseWriter, v *visit) {
	if !v.form.Has("look") {
		v.show(w, http.StatusOK, manages(s.moveForm(nil)))
		return
	}
	preview, err := s.previewMove(v.r.Context(), v)
	if err != nil {
		v.again(w, err, manages(s.moveForm(nil)))
		return
	}
	v.show(w, http.StatusOK, manages(s.moveForm(preview)))
}

func (s *Server) moveForm(preview *moveShown) showing {
	return func(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
		p := &movePage{Preview: preview}
		err := s.fillMove(ctx, tx, v, p)
		return view{"move", v.T("moves." + p.Kind.Name), p}, err
	}
}

// fillMove reads what the form offers.
func (s *Server) fillMove(ctx context.Context, tx pgx.Tx, v *visit, p *movePage) error {
	kind, err := v.kindOfMove()
	if err != nil {
		return err
	}
	p.Kind = kind
	book := v.Team.BookID
	if kind.Name == "contribute" {
		book = v.Person.BookID
	}
	pool, err := billing.ReadPool(ctx, tx, s.cfg.Catalog, book, v.At)
	if err != nil {
		return err
	}
	p.Free = pool.Available
	return s.offer(ctx, tx, v, p)
}

// offer gives the members to choose from.
func (s *Server) offer(ctx context.Context, tx pgx.Tx, v *visit, p *movePage) error {
	if !p.Kind.From && !p.Kind.To {
		return nil
	}
	if n, err := teams.CountMembers(ctx, tx, v.Team.ID); err != nil || n > choiceMax {
		return err
	}
	shown, err := teams.View(ctx, tx, s.cfg.Catalog, v.Team.ID, v.By, v.At)
	if err != nil {
		return err
	}
	p.Members, err = v.named(ctx, tx, shown.Members)
	slices.SortStableFunc(p.Members, orders["name"])
	return err
}

// previewMove decides a move under its locks and takes it back (T9).
func (s *Server) previewMove(ctx context.Context, v *visit) (shown *moveShown, err error) {
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error {
		if err := v.findTeam(ctx, tx); err != nil {
			return err
		}
		in, err := v.moveAsked(ctx, tx)
		if err != nil {
			return err
		}
		out, err := teams.Preview(ctx, tx, s.cfg.Catalog, in, v.At)
		if err != nil {
			return err
		}
		if shown, err = v.moveShown(ctx, tx, out); err != nil {
			return err
		}
		return errOnlyTried
	})
	if errors.Is(err, errOnlyTried) {
		err = nil
	}
	return shown, err
}

// moveShown names both ends.
func (v *visit) moveShown(ctx context.Context, tx pgx.Tx, out *teams.MoveOut) (*moveShown, error) {
	people, err := teams.People(ctx, tx, []string{out.From.User, out.To.User})
	if err != nil {
		return nil, err
	}
	name := func(p teams.Place) string {
		if p.Kind == teams.PlaceMember {
			return Named(people[p.User], p.User)
		}
		return v.T("place." + p.Kind)
	}
	m := &moveShown{MoveOut: out, FromName: name(out.From), ToName: name(out.To), Fields: map[string]string{}}
	for _, field := range []string{"from", "to", "credits", "reason"} {
		if v.form.Has(field) {
			m.Fields[field] = v.form.Get(field)
		}
	}
	return m, nil
}
