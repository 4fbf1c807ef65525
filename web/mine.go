package web

import (
	"context"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// mine is a member's own part of a team.
type mine struct {
	Explained *teams.MemberExplanation
	Went      bar // where the allocation went
	Limit     bar
	GoesBack  bool // the member may ask for the team's credits back
}

// mine shows a member what is the member's own: what can be drawn, what is set aside, the
// limit, and whose credits pay.
func (s *Server) mine(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
	e, err := teams.ExplainMember(ctx, tx, s.cfg.Catalog, v.Team.ID, v.By.User, v.By, v.At)
	if err != nil {
		return view{}, err
	}
	a := e.View.Allocation
	m := &mine{Explained: e, GoesBack: e.View.Access == teams.PersonalAccess}
	m.Went = v.bar(part{"used", a.Used}, part{"held", a.Held}, part{"frozen", a.Frozen}, part{"available", a.Remaining})
	if l := e.Access.Limit; l != nil {
		m.Limit = v.bar(part{"used", min(l.Used, l.Credits)}, part{"available", l.Left})
	}
	return view{"mine", v.T("mine.title"), m}, nil
}

func (s *Server) registerMine() {
	s.registerLeaving()
	again := s.mine
	s.act(Root+"/teams/{team}/mine/personal", func(ctx context.Context, tx pgx.Tx, v *visit) (done, error) {
		_, err := teams.GoPersonal(ctx, tx, s.cfg.Catalog, v.Team.ID, v.By.User, v.By, v.At)
		return done{note{Text: v.T("mine.went_personal")}, v.Path("mine")}, err
	}, again)
	s.act(Root+"/teams/{team}/mine/back", func(ctx context.Context, tx pgx.Tx, v *visit) (done, error) {
		m, err := teams.GoBack(ctx, tx, s.cfg.Catalog, v.Team.ID, v.By.User, v.By, v.At)
		return done{note{Text: v.T("mine.went_back", v.Word("access", m.Access))}, v.Path("mine")}, err
	}, again)
}
