package web_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// fakeStripe opens pages that nobody answers on.
type fakeStripe struct {
	billing.Stripe
	checkouts []billing.CheckoutIn
	portals   []billing.PortalIn
	asked     []billing.DocumentsIn
	away      error
}

// FetchDocuments has an invoice only where there is one.
func (f *fakeStripe) FetchDocuments(_ context.Context, in billing.DocumentsIn) (billing.Documents, error) {
	f.asked = append(f.asked, in)
	d := billing.Documents{ReceiptURL: "https://pay.stripe.example/receipts/" + in.PaymentIntentID}
	if in.InvoiceID != "" {
		d.InvoiceURL = "https://invoice.stripe.example/" + in.InvoiceID
	}
	return d, f.away
}

func (f *fakeStripe) ListPaymentMethods(_ context.Context, customerID string) ([]billing.PaymentMethod, error) {
	return []billing.PaymentMethod{
		{ID: "pm_" + customerID, Kind: "card", Brand: "visa", Last4: "4242", ExpMonth: 7, ExpYear: 2030, Default: true}, {ID: "pm_bank", Kind: "sepa_debit", Last4: "3000"},
	}, f.away
}

func (f *fakeStripe) CreateCheckout(_ context.Context, in billing.CheckoutIn) (billing.CheckoutSession, error) {
	if f.away != nil {
		return billing.CheckoutSession{}, f.away
	}
	f.checkouts = append(f.checkouts, in)
	return billing.CheckoutSession{ID: "cs_" + in.PurchaseID, URL: "https://stripe.example/pay/" + in.PurchaseID}, nil
}

func (f *fakeStripe) CreatePortalSession(_ context.Context, in billing.PortalIn) (string, error) {
	if f.away != nil {
		return "", f.away
	}
	f.portals = append(f.portals, in)
	return "https://stripe.example/portal", nil
}

// spend lets a member spend.
func (w *world) spend(team, user string, credits int64) {
	w.T.Helper()
	w.draw(teams.SpendIn{Op: teams.OpSpend, TeamID: team, UserID: user, Credits: credits})
}

// hold lets a member hold.
func (w *world) hold(team, user string, credits int64) {
	w.T.Helper()
	w.draw(teams.SpendIn{Op: teams.OpHold, TeamID: team, UserID: user, Credits: credits})
}

func (w *world) draw(in teams.SpendIn) {
	w.T.Helper()
	in.Key, in.Hash = fmt.Sprintf("s%d", w.Made.Add(1)), []byte("h")
	w.Must(func(tx pgx.Tx) error {
		out, _, err := teams.SpendMany(w.T.Context(), tx, w.Catalog, []teams.SpendIn{in}, w.Clock.Now())
		if err == nil {
			err = out[0].Err
		}
		return err
	})
}

// acme is a lively team: ann owns it, abe is an admin, bob and cleo are members.
func (w *world) acme() teams.Team {
	w.T.Helper()
	team := w.Team("acme", "ann", 0)
	w.Subscribe(team, 5)
	w.Join("acme", "abe", teams.Admin)
	w.Join("acme", "bob", teams.Plain)
	w.Join("acme", "cleo", teams.Plain)
	w.Grant(team.BookID, 500)
	w.move("pool", "bob", 1000)
	w.spend("acme", "bob", 300)
	w.spend("acme", "cleo", 1200)
	return team
}

// move sets credits of acme's pool aside for a member.
func (w *world) move(_, user string, credits int64) {
	w.T.Helper()
	w.Must(func(tx pgx.Tx) error {
		_, err := teams.Move(w.T.Context(), tx, w.Catalog, teams.MoveIn{
			TeamID: "acme", From: teams.Place{Kind: teams.PlacePool}, To: teams.Place{Kind: teams.PlaceMember, User: user}, Credits: credits,
			Key: fmt.Sprintf("m%d", w.Made.Add(1)), Hash: []byte("h"), Reason: "for a project",
		}, w.Clock.Now())
		return err
	})
}
