package api_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"purser/api"
	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// audited proves the ledger at the end of every test.
func (w *world) audited() {
	w.t.Helper()
	ctx := context.WithoutCancel(w.t.Context())
	err := pgx.BeginTxFunc(ctx, w.db, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		_, err := ledger.Audit(ctx, tx, func(d ledger.Difference) error {
			w.t.Errorf("audit: %s", d)
			return nil
		})
		return err
	})
	if err != nil {
		w.t.Error(err)
	}
}

// must runs something in a transaction that commits.
func (w *world) must(do func(tx pgx.Tx) error) {
	w.t.Helper()
	if err := pgx.BeginFunc(w.t.Context(), w.db, do); err != nil {
		w.t.Fatal(err)
	}
}

// newKey makes an API key.
func (w *world) newKey(scopes ...teams.Scope) string {
	w.t.Helper()
	n := w.made.Add(1)
	id, token, hash := api.NewKey(func(b []byte) {
		copy(b, fmt.Sprintf("%032d", n))
		copy(b[max(0, len(b)-10):], fmt.Sprintf("%010d", n))
	})
	w.must(func(tx pgx.Tx) error {
		return teams.CreateKey(w.t.Context(), tx, teams.APIKey{ID: id, Name: "test", Scopes: scopes, CreatedBy: "test", CreatedAt: noon}, hash)
	})
	return token
}

// team makes a team with credits in its pool.
func (w *world) team(id, owner string, credits int64) teams.Team {
	w.t.Helper()
	var team teams.Team
	w.must(func(tx pgx.Tx) (err error) {
		team, err = teams.CreateTeam(w.t.Context(), tx, w.catalog, teams.TeamIn{ID: id, OwnerID: owner, Name: id}, w.clock.now())
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

// subscribe gives a team seats of the plan "team", as if Stripe had told of them and they
// were paid. It is of any period that contains the clock's instant.
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
		_, err := billing.LinkCustomer(w.t.Context(), tx, sub.CustomerID, owner.ID, owner.BookID, "test", at)
		if err != nil {
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
