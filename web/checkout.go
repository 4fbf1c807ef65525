package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// leadTo leads the browser on to one of Stripe's pages. A page at an address that forms
// may not lead to, one under a name of the product's own, is a click away.
func (v *visit) leadTo(w http.ResponseWriter, address string) {
	u, err := url.Parse(address)
	if err == nil && slices.Contains(v.s.cfg.StripeAt, u.Scheme+"://"+u.Host) {
		http.Redirect(w, v.r, address, http.StatusSeeOther)
		return
	}
	v.render(w, http.StatusOK, view{"message", v.T("stripe.on"), calm{Text: v.T("stripe.text"), On: address, OnText: v.T("stripe.go")}})
}

// registerPortal leads to Stripe's billing portal (E5). Stripe's key follows from the
// form's, so that one sent twice leads to one session. Nothing is remembered: the address
// works for minutes only.
func (s *Server) registerPortal(root string, page showing) {
	s.mux.HandleFunc("POST "+root+"/billing/portal", func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(w, r)
		if v == nil || !v.read(w) {
			return
		}
		ask, err := s.portalAsked(r.Context(), v)
		if err != nil {
			v.again(w, err, page)
			return
		}
		address, err := s.cfg.Stripe.CreatePortalSession(r.Context(), ask)
		if err != nil {
			v.again(w, fmt.Errorf("opening the billing portal: %w", err), page)
			return
		}
		v.leadTo(w, address)
	})
}

func (s *Server) portalAsked(ctx context.Context, v *visit) (ask billing.PortalIn, err error) {
	flow := map[string]billing.PortalFlow{"seats": billing.PortalUpdate, "cancel": billing.PortalCancel, "card": billing.PortalPaymentMethod}[v.form.Get("flow")]
	back := "" // to the billing page
	err = pgx.BeginTxFunc(ctx, s.cfg.Pool, snapshot, func(tx pgx.Tx) error {
		if err := v.findTeam(ctx, tx); err != nil {
			return err
		}
		teamID, userID := v.ofPlace()
		switch {
		case flow == billing.PortalPaymentMethod:
			ask.Flow, back = flow, "card"
			ask.CustomerID, err = teams.PayingCustomer(ctx, tx, teamID, userID, v.By)
		case v.Team != nil:
			ask, err = teams.TeamPortal(ctx, tx, teamID, flow, v.By)
		default:
			ask, err = teams.UserPortal(ctx, tx, userID, v.form.Get("subscription"), flow)
		}
		return err
	})
	key, hash := v.key()
	sum := sha256.Sum256(append([]byte(key+" "), hash...))
	ask.Key, ask.ReturnURL = "page-portal-"+hex.EncodeToString(sum[:]), s.cfg.URL+v.Path("billing")
	if back != "" {
		ask.ReturnURL += "/" + back
	}
	return ask, err
}

// registerCheckout sells packs on Stripe's page (P1): our row first, then Stripe, then the
// way there. No transaction is open while Stripe is asked, and a form that is sent twice
// goes on where the first one stopped, with the same purchase and so with the same page.
func (s *Server) registerCheckout(root string, page showing) {
	s.mux.HandleFunc("POST "+root+"/billing/checkout", func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(w, r)
		if v == nil || !v.read(w) {
			return
		}
		address, err := s.sell(r.Context(), v)
		if err != nil {
			v.again(w, err, page)
			return
		}
		v.leadTo(w, address)
	})
}

func (s *Server) sell(ctx context.Context, v *visit) (address string, err error) {
	key, hash := v.key()
	begun, err := v.onceBy(ctx, key, hash, func(ctx context.Context, tx pgx.Tx, v *visit) (done, error) {
		buy := teams.BuyIn{PurchaseID: s.cfg.NewID("top"), By: v.By, Pack: v.form.Get("pack")}
		buy.TeamID, buy.UserID = v.ofPlace()
		p, err := teams.Buy(ctx, tx, s.cfg.Catalog, buy, v.At)
		return done{To: p.ID}, err
	})
	if err != nil {
		return "", err
	}
	p, err := billing.GetPurchase(ctx, s.cfg.Pool, begun.To)
	if err != nil {
		return "", err
	}
	if p.URL != "" {
		return p.URL, nil
	}
	pack, ok := s.cfg.Catalog.Pack(p.Pack)
	if !ok || p.State == billing.PurchaseFailed {
		return "", billing.ErrPackUnknown
	}
	session, err := s.cfg.Stripe.CreateCheckout(ctx, billing.CheckoutIn{
		PurchaseID: p.ID, CustomerID: p.CustomerID, PriceID: pack.Price.ID, LookupKey: pack.Price.LookupKey, Quantity: 1,
		SuccessURL: s.cfg.URL + v.Path("billing") + "?bought=1", CancelURL: s.cfg.URL + v.Path("billing"),
		Metadata: map[string]string{billing.MetadataPurchase: p.ID},
	})
	if err != nil {
		return "", fmt.Errorf("opening a checkout session: %w", err)
	}
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error { return billing.PurchaseOpened(ctx, tx, p.ID, session) })
	return session.URL, err
}
