package web

import (
	"context"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// explainPage says why a number is what it is, and what comes next (N2).
type explainPage struct {
	*billing.Explanation
	Ends []ending
	Came bar // where the total came from
}

// memberPage is one member, for whoever manages the team.
type memberPage struct {
	*teams.MemberExplanation
	Name   string
	Email  string
	Recent []line
}

func (s *Server) registerExplain() {
	s.page(Root+"/teams/{team}/explain", manages(s.explain))
	s.page(Root+"/account/explain", s.explain)
	s.page(Root+"/teams/{team}/members/{user}", manages(s.member))
}

func (s *Server) explain(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
	book := v.Person.BookID
	if v.Team != nil {
		book = v.Team.BookID
	}
	e, err := billing.Explain(ctx, tx, s.cfg.Catalog, book, v.At)
	if err != nil {
		return view{}, err
	}
	return view{"explain", v.T("explain.title"), &explainPage{e, endings(e.Pool.Lots), v.came(e.Pool)}}, nil
}

func (s *Server) member(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
	id := v.r.PathValue("user")
	e, err := teams.ExplainMember(ctx, tx, s.cfg.Catalog, v.Team.ID, id, v.By, v.At)
	if err != nil {
		return view{}, err
	}
	user, err := teams.GetUser(ctx, tx, id)
	if err != nil {
		return view{}, err
	}
	rows, err := ledger.FilterHistory(ctx, tx, ledger.HistoryFilter{Book: v.Team.BookID, Holder: id, Limit: 10})
	if err != nil {
		return view{}, err
	}
	p := &memberPage{MemberExplanation: e, Name: Named(user, id), Email: user.Email}
	p.Recent, err = v.lines(ctx, tx, rows)
	return view{"member", p.Name, p}, err
}
