package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// settingsPage is what a team is called, how it shares, and who owns it.
type settingsPage struct {
	Owner   string      // by name
	Owns    bool        // whoever looks does
	Members []memberRow // whom to hand over to; none of a large team
	Open    bool        // the team isn't closed
}

// handingOver is what a hand-over would do, for whoever is to confirm it.
type handingOver struct{ To, ToName string }

// closingPage is what becomes of a team that closes (T16).
type closingPage struct {
	*teams.Closing
	Name   func(userID string) string
	Barred bool // it can't be closed now, whatever is confirmed
}

func (s *Server) registerSettings() {
	path := Root + "/teams/{team}/settings"
	page := manages(s.settings)
	s.page(path, page)
	s.act(path, s.changeTeam, page)
	s.mux.HandleFunc("GET "+path+"/owner", func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(w, r)
		if v == nil {
			return
		}
		v.form = form{r.URL.Query()}
		shown, err := s.tryHandOver(r.Context(), v)
		if err != nil {
			v.again(w, err, page)
			return
		}
		v.show(w, http.StatusOK, func(context.Context, pgx.Tx, *visit) (view, error) {
			return view{"hand_over", v.T("handover.title"), shown}, nil
		})
	})
	s.act(path+"/owner", func(ctx context.Context, tx pgx.Tx, v *visit) (done, error) {
		shown, err := s.handOver(ctx, tx, v)
		if err != nil {
			return done{}, err
		}
		return done{note{Text: v.T("handover.done", shown.ToName)}, v.Path("settings")}, nil
	}, page)
	s.page(path+"/close", s.closing)
	s.act(path+"/close", s.closeTeam, s.closing)
}

func (s *Server) settings(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
	v.here = v.Path("settings")
	p := &settingsPage{Owns: v.Role == teams.Owner, Open: v.Team.ClosedAt == nil}
	owner, err := teams.GetUser(ctx, tx, v.Team.OwnerID)
	if err != nil {
		return view{}, err
	}
	p.Owner = Named(owner, owner.ID)
	if p.Owns {
		choice := &movePage{Kind: moveKind{To: true}}
		if err := s.offer(ctx, tx, v, choice); err != nil {
			return view{}, err
		}
		for _, m := range choice.Members {
			if m.UserID != v.Team.OwnerID {
				p.Members = append(p.Members, m)
			}
		}
	}
	return view{"settings", v.T("settings.title"), p}, nil
}

func (s *Server) changeTeam(ctx context.Context, tx pgx.Tx, v *visit) (done, error) {
	name, description, sharing, fallBack := v.form.Text("name"), v.form.Text("description"), v.form.Get("sharing"), v.form.Get("fall_back") == "yes"
	_, err := teams.ChangeTeam(ctx, tx, s.cfg.Catalog, v.Team.ID, teams.TeamChange{
		Name: &name, Description: &description, Sharing: &sharing, FallBack: &fallBack,
	}, v.By, v.At)
	return done{note{Text: v.T("settings.saved")}, v.Path("settings")}, err
}

// handOver makes another member the owner (T3).
func (s *Server) handOver(ctx context.Context, tx pgx.Tx, v *visit) (*handingOver, error) {
	to, err := v.findMember(ctx, tx, "to")
	if err != nil {
		return nil, err
	}
	user, err := teams.GetUser(ctx, tx, to)
	if err != nil {
		return nil, err
	}
	return &handingOver{to, Named(user, to)}, teams.HandOver(ctx, tx, s.cfg.Catalog, v.Team.ID, to, v.By, v.At)
}

// tryHandOver does it and takes it back.
func (s *Server) tryHandOver(ctx context.Context, v *visit) (shown *handingOver, err error) {
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error {
		if err := v.findTeam(ctx, tx); err != nil {
			return err
		}
		if shown, err = s.handOver(ctx, tx, v); err != nil {
			return err
		}
		return errOnlyTried
	})
	if errors.Is(err, errOnlyTried) {
		err = nil
	}
	return shown, err
}

// closing shows what would become of the team. Who may know, teams says.
func (s *Server) closing(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
	c, err := teams.PreviewClose(ctx, tx, s.cfg.Catalog, v.Team.ID, v.By, v.At)
	if err != nil {
		return view{}, err
	}
	var ids []string
	for _, home := range c.Credits.Homeward {
		ids = append(ids, home.UserID)
	}
	for _, put := range c.Contributions {
		ids = append(ids, put.UserID)
	}
	people, err := teams.People(ctx, tx, ids)
	if err != nil {
		return view{}, err
	}
	name := func(id string) string { return Named(people[id], id) }
	return view{"close", v.T("close.title"), &closingPage{c, name, c.Holds > 0 || c.Credits.Buying}}, nil
}

// closeTeam closes the team, if exactly what will expire was confirmed. Whoever ticks the
// box sends the number that was shown beside it.
func (s *Server) closeTeam(ctx context.Context, tx pgx.Tx, v *visit) (out done, err error) {
	in := teams.CloseIn{TeamID: v.Team.ID, By: v.By}
	if v.form.Has("expires") {
		if in.Expires, err = v.form.credits("expires"); err != nil {
			return out, err
		}
	}
	_, err = teams.Close(ctx, tx, s.cfg.Catalog, in, v.At)
	return done{note{Text: v.T("close.done", v.Team.Name)}, v.Path()}, err
}
