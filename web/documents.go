package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// registerDocuments leads to Stripe's invoice or receipt of a purchase. Stripe is asked when
// somebody wants to see it, since its addresses hold for weeks only.
func (s *Server) registerDocuments(root string) {
	s.mux.HandleFunc("GET "+root+"/billing/purchases/{purchase}/{document}", func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(w, r)
		if v == nil {
			return
		}
		address, err := s.document(r.Context(), v)
		if err != nil {
			v.again(w, err, nil)
			return
		}
		v.showAt(w, address)
	})
}

// showAt leads a click on to a page of Stripe's. The address is Stripe's own word; what no
// browser should open isn't.
func (v *visit) showAt(w http.ResponseWriter, address string) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && (u.Scheme != "http" || v.s.secure) {
		v.s.refuse(w, v.r, v, v.refusalOf(errNoDocument))
		return
	}
	http.Redirect(w, v.r, address, http.StatusSeeOther)
}

// errNoDocument says that Stripe has no such page, or that there is none of that name.
var errNoDocument = &teams.Refusal{Class: teams.NotFound, Code: "document_unknown", Detail: "there is no such document"}

func (s *Server) document(ctx context.Context, v *visit) (string, error) {
	var p billing.Purchase
	err := pgx.BeginTxFunc(ctx, s.cfg.Pool, snapshot, func(tx pgx.Tx) (err error) {
		if err := v.findTeam(ctx, tx); err != nil {
			return err
		}
		if p, err = billing.GetPurchase(ctx, tx, v.r.PathValue("purchase")); err != nil {
			return err
		}
		return teams.MaySeePurchase(ctx, tx, p, v.By)
	})
	if err != nil {
		return "", err
	}
	teamID, userID := v.ofPlace()
	if p.TeamID != teamID || teamID == "" && p.UserID != userID || len(v.Documents(p)) == 0 {
		return "", errNoDocument
	}
	found, err := s.cfg.Stripe.FetchDocuments(ctx, p.Document())
	if err != nil {
		return "", fmt.Errorf("looking for the documents of %s: %w", p.ID, err)
	}
	address := map[string]string{"invoice": found.InvoiceURL, "receipt": found.ReceiptURL}[v.r.PathValue("document")]
	if address == "" {
		return "", errNoDocument
	}
	return address, nil
}

// Documents names the documents that Stripe has of a purchase.
func (v *visit) Documents(p billing.Purchase) []string {
	of := p.Document()
	switch {
	case p.State != billing.PurchasePaid:
		return nil
	case of.InvoiceID != "" && of.PaymentIntentID != "":
		return []string{"invoice", "receipt"}
	case of.InvoiceID != "":
		return []string{"invoice"}
	case of.PaymentIntentID != "":
		return []string{"receipt"}
	}
	return nil
}
