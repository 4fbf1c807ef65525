package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// cardPage is what an automatic top-up may be paid with.
type cardPage struct {
	Methods []billing.PaymentMethod
	Chosen  string // "": the customer's default
}

// registerCards lets whoever pays an automatic top-up choose with what (P2). Stripe is asked
// before anything is written, and no transaction is open meanwhile.
func (s *Server) registerCards(root string, page showing) {
	path := root + "/billing/card"
	s.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(w, r)
		if v == nil {
			return
		}
		v.form = form{r.URL.Query()}
		shown, err := s.cards(r.Context(), v)
		if err != nil {
			v.again(w, err, page)
			return
		}
		v.show(w, http.StatusOK, func(context.Context, pgx.Tx, *visit) (view, error) {
			return view{"card", v.T("card.title"), shown}, nil
		})
	})
	s.mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(w, r)
		if v == nil || !v.read(w) {
			return
		}
		out, err := s.chooseCard(r.Context(), v)
		if err != nil {
			v.again(w, err, page)
			return
		}
		v.leaveFor(w, out)
	})
}

func (s *Server) cards(ctx context.Context, v *visit) (*cardPage, error) {
	p, customer := &cardPage{}, ""
	err := pgx.BeginTxFunc(ctx, s.cfg.Pool, snapshot, func(tx pgx.Tx) (err error) {
		if err := v.findTeam(ctx, tx); err != nil {
			return err
		}
		teamID, userID := v.ofPlace()
		setting, err := teams.GetAutoTopUp(ctx, tx, teamID, userID, v.By)
		if err != nil {
			return err
		}
		p.Chosen = setting.PaymentMethodID
		customer, err = teams.PayingCustomer(ctx, tx, teamID, userID, v.By)
		return err
	})
	if err != nil {
		return nil, err
	}
	if p.Methods, err = s.cfg.Stripe.ListPaymentMethods(ctx, customer); err != nil {
		return nil, fmt.Errorf("listing what %s pays with: %w", customer, err)
	}
	return p, nil
}

// chooseCard sets the payment method and leaves the rest of the setting as it is.
func (s *Server) chooseCard(ctx context.Context, v *visit) (done, error) {
	p, err := s.cards(ctx, v)
	if err != nil {
		return done{}, err
	}
	chosen := v.form.Get("payment_method")
	if chosen != "" && !slices.ContainsFunc(p.Methods, func(m billing.PaymentMethod) bool { return m.ID == chosen }) {
		return done{}, &teams.Refusal{Class: teams.Rule, Code: "payment_method_invalid", Field: "payment_method", Detail: "that is none of the customer's payment methods"}
	}
	return v.once(ctx, func(ctx context.Context, tx pgx.Tx, v *visit) (done, error) {
		teamID, userID := v.ofPlace()
		was, err := teams.GetAutoTopUp(ctx, tx, teamID, userID, v.By)
		if err != nil {
			return done{}, err
		}
		setting, err := teams.SetAutoTopUp(ctx, tx, s.cfg.Catalog, teams.TopUpSetting{
			TeamID: teamID, UserID: userID, By: v.By, On: was.On, Threshold: was.Threshold, Pack: was.Pack, CreditsMax: was.CreditsMax,
			AmountMax: was.AmountMax, Currency: was.Currency, PaymentMethodID: chosen,
		}, v.At)
		if err != nil {
			return done{}, err
		}
		return done{note{Text: v.T("card.done")}, v.Path("billing")}, s.cfg.StageTopUps(ctx, tx, []int64{setting.BookID})
	})
}

// Card is a payment method as people know it.
func (v *visit) Card(m billing.PaymentMethod) string {
	name := v.Word("card.brand", m.Brand)
	if m.Brand == "" {
		name = v.Word("card.kind", m.Kind)
	}
	if m.Last4 == "" {
		return name
	}
	return v.T("card.ends", name, m.Last4)
}

// CardUntil is when a card expires; "" of what doesn't.
func (v *visit) CardUntil(m billing.PaymentMethod) string {
	if m.ExpYear == 0 {
		return ""
	}
	return v.T("card.until", fmt.Sprintf("%02d/%d", m.ExpMonth, m.ExpYear))
}
