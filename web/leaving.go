package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// leavingPage is what becomes of a member's part when the member leaves (T12).
type leavingPage struct {
	Was        teams.MemberView
	Pool       ends // available in it, before and after
	Allocation ends // of what is set aside for the member
}

// ends are a balance before and after.
type ends struct{ Before, After int64 }

// registerLeaving lets members go by themselves, once they have seen what it means.
func (s *Server) registerLeaving() {
	path := Root + "/teams/{team}/mine/leave"
	s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(w, r)
		if v == nil {
			return
		}
		shown, err := s.tryLeaving(r.Context(), v)
		if err != nil {
			v.again(w, err, s.mine)
			return
		}
		v.show(w, http.StatusOK, func(context.Context, pgx.Tx, *visit) (view, error) {
			return view{"leave", v.T("leaving.title"), shown}, nil
		})
	})
	s.mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(w, r)
		if v == nil || !v.read(w) {
			return
		}
		out, err := v.once(r.Context(), s.goAway)
		switch {
		case err != nil:
			v.again(w, err, s.mine)
		case v.OwnPage():
			v.leaveFor(w, out)
		default:
			// The session was for that team, so no page of it is left to lead on to.
			v.Team, v.Person = nil, teams.User{}
			v.render(w, http.StatusOK, view{Screen: "message", Title: out.Note.Text, Data: calm{Text: v.T("leaving.back"), Back: v.session.ReturnURL}})
		}
	})
}

// goAway takes whoever asks out of the team.
func (s *Server) goAway(ctx context.Context, tx pgx.Tx, v *visit) (done, error) {
	results, ok, err := teams.ChangeMembers(ctx, tx, s.cfg.Catalog, v.Team.ID, []teams.Change{{UserID: v.By.User, Remove: true}}, v.By, v.At)
	if err == nil && !ok {
		err = results[0].Err
	}
	return done{note{Text: v.T("leaving.done", v.Team.Name)}, Root + "/teams"}, err
}

// tryLeaving does it and takes it back.
func (s *Server) tryLeaving(ctx context.Context, v *visit) (*leavingPage, error) {
	p := &leavingPage{}
	err := pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error {
		if err := v.findTeam(ctx, tx); err != nil {
			return err
		}
		e, err := teams.ExplainMember(ctx, tx, s.cfg.Catalog, v.Team.ID, v.By.User, v.By, v.At)
		if err != nil {
			return err
		}
		p.Was, p.Allocation.Before = e.View, e.View.Allocation.Remaining
		if p.Pool.Before, err = s.poolOf(ctx, tx, v); err != nil {
			return err
		}
		if _, err = s.goAway(ctx, tx, v); err != nil {
			return err
		}
		if p.Pool.After, err = s.poolOf(ctx, tx, v); err != nil {
			return err
		}
		return errOnlyTried
	})
	if errors.Is(err, errOnlyTried) {
		err = nil
	}
	return p, err
}

// poolOf is what is available in the team's pool.
func (s *Server) poolOf(ctx context.Context, tx pgx.Tx, v *visit) (int64, error) {
	pool, err := billing.ReadPool(ctx, tx, s.cfg.Catalog, v.Team.BookID, v.At)
	return pool.Available, err
}
