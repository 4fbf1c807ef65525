package web

import (
	"context"
	"errors"
	"net/http"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// assigning is what becomes of both sides when a subscription comes to the team or leaves
// it (T13).
type assigning struct {
	Leaves       bool
	Subscription string
	Team, Own    balances
}

// balances are what is available before and after.
type balances struct{ Before, After int64 }

// registerAssign shows what assigning or removing the subscription would do, and does it.
func (s *Server) registerAssign(page showing) {
	path := Root + "/teams/{team}/billing/"
	for _, what := range []string{"assign", "unassign"} {
		change := s.assign
		if what == "unassign" {
			change = s.unassign
		}
		s.mux.HandleFunc("GET "+path+what, func(w http.ResponseWriter, r *http.Request) {
			v := s.visit(w, r)
			if v == nil {
				return
			}
			v.form = form{r.URL.Query()}
			shown, err := s.tryAssign(r.Context(), v, what == "unassign", change)
			if err != nil {
				v.again(w, err, page)
				return
			}
			v.show(w, http.StatusOK, func(context.Context, pgx.Tx, *visit) (view, error) {
				return view{"assign", v.T("assign." + what), shown}, nil
			})
		})
		s.act(path+what, func(ctx context.Context, tx pgx.Tx, v *visit) (done, error) {
			return done{note{Text: v.T("assign." + what + ".done")}, v.Path("billing")}, change(ctx, tx, v)
		}, page)
	}
}

func (s *Server) assign(ctx context.Context, tx pgx.Tx, v *visit) error {
	return teams.AssignSubscription(ctx, tx, s.cfg.Catalog, v.Team.ID, v.form.Get("subscription"), v.By, v.At)
}

func (s *Server) unassign(ctx context.Context, tx pgx.Tx, v *visit) error {
	_, err := teams.UnassignSubscription(ctx, tx, s.cfg.Catalog, v.Team.ID, v.By, v.At)
	return err
}

// tryAssign does it and takes it back.
func (s *Server) tryAssign(ctx context.Context, v *visit, leaves bool, change func(context.Context, pgx.Tx, *visit) error) (*assigning, error) {
	a := &assigning{Leaves: leaves, Subscription: v.form.Get("subscription")}
	err := pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error {
		if err := v.findTeam(ctx, tx); err != nil {
			return err
		}
		read := func(team, own *int64) error {
			for book, into := range map[int64]*int64{v.Team.BookID: team, v.Person.BookID: own} {
				pool, err := billing.ReadPool(ctx, tx, s.cfg.Catalog, book, v.At)
				if err != nil {
					return err
				}
				*into = pool.Available
			}
			return nil
		}
		if err := read(&a.Team.Before, &a.Own.Before); err != nil {
			return err
		}
		if err := change(ctx, tx, v); err != nil {
			return err
		}
		if err := read(&a.Team.After, &a.Own.After); err != nil {
			return err
		}
		return errOnlyTried
	})
	if !errors.Is(err, errOnlyTried) {
		return nil, err
	}
	return a, nil
}
