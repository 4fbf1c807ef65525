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

// team makes a team with credits in its pool.
func (w *world) team(id, owner string, credits int64) teams.Team {
	w.t.Helper()
	var team teams.Team
	w.must(func(tx pgx.Tx) (err error) {
		team, err = teams.CreateTeam(w.t.Context(), tx, w.catalog, teams.TeamIn{ID: id, OwnerID: owner, Name: "Team " + id}, w.clock.now())
		return err
	})
	if credits > 0 {
		w.grant(team.BookID, credits)
	}
	return team
}

// grant puts bonus credits into a pool or a personal account.
func (w *world) grant(book, credits int64) {
	w.t.Helper()
	w.must(func(tx pgx.Tx) error {
		_, err := billing.GrantBonus(w.t.Context(), tx, w.catalog, billing.BonusIn{
			Book: book, Credits: credits, Key: fmt.Sprintf("g%d", w.made.Add(1)), Actor: "test", Memo: "test",
		}, w.clock.now())
		return err
	})
}

// join makes a user a member.
func (w *world) join(team, user string, role teams.Role) {
	w.t.Helper()
	hash := []byte(fmt.Sprintf("token %d", w.made.Add(1)))
	w.must(func(tx pgx.Tx) error {
		_, err := teams.Invite(w.t.Context(), tx, w.catalog, teams.InviteIn{
			ID: string(hash), TeamID: team, Email: user + "@example.com", Role: role, Limit: teams.Limit{Kind: teams.LimitNone}, TokenHash: hash,
		}, w.clock.now())
		if err != nil {
			return err
		}
		_, err = teams.Accept(w.t.Context(), tx, w.catalog, hash, user, w.clock.now())
		return err
	})
}

// user gives a user, made at this mention.
func (w *world) user(id string) teams.User {
	w.t.Helper()
	var u teams.User
	w.must(func(tx pgx.Tx) (err error) {
		u, err = teams.EnsureUser(w.t.Context(), tx, id, w.clock.now())
		return err
	})
	return u
}

// spend lets a member spend.
func (w *world) spend(team, user string, credits int64) {
	w.t.Helper()
	w.draw(teams.SpendIn{Op: teams.OpSpend, TeamID: team, UserID: user, Credits: credits})
}

// hold lets a member hold.
func (w *world) hold(team, user string, credits int64) {
	w.t.Helper()
	w.draw(teams.SpendIn{Op: teams.OpHold, TeamID: team, UserID: user, Credits: credits})
}

func (w *world) draw(in teams.SpendIn) {
	w.t.Helper()
	in.Key, in.Hash = fmt.Sprintf("s%d", w.made.Add(1)), []byte("h")
	w.must(func(tx pgx.Tx) error {
		out, _, err := teams.SpendMany(w.t.Context(), tx, w.catalog, []teams.SpendIn{in}, w.clock.now())
		if err == nil {
			err = out[0].Err
		}
		return err
	})
}

// subscribe gives a team seats of the plan "team", as if Stripe had told of them and they
// were paid.
func (w *world) subscribe(team teams.Team, seats int64) string {
	w.t.Helper()
	owner := w.user(team.OwnerID)
	at := w.clock.now()
	id := fmt.Sprintf("sub_%s_%d", team.ID, w.made.Add(1))
	sub := &billing.Subscription{
		ID: id, CustomerID: "cus_" + owner.ID, Status: billing.StatusActive, PeriodStart: at, PeriodEnd: at.AddDate(0, 1, 0), Anchor: at, CreatedAt: at,
		Items: []billing.Item{{ID: "si_" + id, PriceID: "price_team", LookupKey: "team_monthly", Interval: billing.IntervalMonth, IntervalCount: 1, Quantity: seats}},
	}
	invoice := billing.Invoice{
		ID: "in_" + id, SubscriptionID: id, CustomerID: sub.CustomerID, Status: "paid", CreatedAt: at, PaidAt: &at,
		Lines: []billing.InvoiceLine{{ID: "il_" + id, PriceID: "price_team", LookupKey: "team_monthly", Quantity: seats, Amount: 2500 * seats, From: sub.PeriodStart, To: sub.PeriodEnd}},
	}
	w.must(func(tx pgx.Tx) error {
		if _, err := billing.LinkCustomer(w.t.Context(), tx, sub.CustomerID, owner.ID, owner.BookID, "test", at); err != nil {
			return err
		}
		out, err := billing.Apply(w.t.Context(), tx, w.catalog, billing.ApplyIn{
			Fetched: billing.Fetched{Subscription: sub, Invoices: []billing.Invoice{invoice}}, Ticket: w.made.Add(1), Now: w.clock.now,
			Owner: billing.Owner{CustomerID: sub.CustomerID, UserID: owner.ID, BookID: owner.BookID},
			Named: &billing.Slot{TeamID: team.ID, BookID: team.BookID},
		})
		if err == nil && out.State != billing.EventDone {
			err = fmt.Errorf("the subscription is %s: %s", out.State, out.Reason)
		}
		if err != nil {
			return err
		}
		seat := teams.SeatAccess
		_, _, err = teams.ChangeMembers(w.t.Context(), tx, w.catalog, team.ID, []teams.Change{{UserID: team.OwnerID, Access: &seat}}, teams.Actor{}, at)
		return err
	})
	return id
}

// acme is a lively team: ann owns it, abe is an admin, bob and cleo are members.
func (w *world) acme() teams.Team {
	w.t.Helper()
	team := w.team("acme", "ann", 0)
	w.subscribe(team, 5)
	w.join("acme", "abe", teams.Admin)
	w.join("acme", "bob", teams.Plain)
	w.join("acme", "cleo", teams.Plain)
	w.grant(team.BookID, 500)
	w.move("pool", "bob", 1000)
	w.spend("acme", "bob", 300)
	w.spend("acme", "cleo", 1200)
	return team
}

// move sets credits of acme's pool aside for a member.
func (w *world) move(_, user string, credits int64) {
	w.t.Helper()
	w.must(func(tx pgx.Tx) error {
		_, err := teams.Move(w.t.Context(), tx, w.catalog, teams.MoveIn{
			TeamID: "acme", From: teams.Place{Kind: teams.PlacePool}, To: teams.Place{Kind: teams.PlaceMember, User: user}, Credits: credits,
			Key: fmt.Sprintf("m%d", w.made.Add(1)), Hash: []byte("h"), Reason: "for a project",
		}, w.clock.now())
		return err
	})
}
