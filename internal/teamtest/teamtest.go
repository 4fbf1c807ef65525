// Package teamtest answers how the tests of a door get teams that have credits.
//
// What it makes is made through the core, as products make it, and audited when the test
// ends.
package teamtest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/internal/pgtest"
	"purser/ledger"
	"purser/teams"
)

// Noon is when most tests take place.
var Noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// World is a database of one test's own, with the demo's catalogue and a clock.
type World struct {
	T       testing.TB
	DB      *pgxpool.Pool
	Catalog *billing.Catalog
	Clock   *Clock       // that credits follow
	Made    atomic.Int64 // how many things have got a number of their own
}

// New makes a world in which it is noon. Whoever has closed the doors to it says so by
// Audited.
func New(t testing.TB) *World {
	t.Helper()
	return &World{T: t, DB: pgtest.Pool(t), Catalog: billing.DemoCatalog(), Clock: ClockAt(Noon)}
}

// Audited proves the ledger, at the end of a test.
func (w *World) Audited() {
	w.T.Helper()
	ctx := context.WithoutCancel(w.T.Context())
	err := pgx.BeginTxFunc(ctx, w.DB, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		_, err := ledger.Audit(ctx, tx, func(d ledger.Difference) error {
			w.T.Errorf("audit: %s", d)
			return nil
		})
		return err
	})
	if err != nil {
		w.T.Error(err)
	}
}

// Must runs something in a transaction that commits.
func (w *World) Must(do func(tx pgx.Tx) error) {
	w.T.Helper()
	if err := pgx.BeginFunc(w.T.Context(), w.DB, do); err != nil {
		w.T.Fatal(err)
	}
}

// NewID names something of a kind.
func (w *World) NewID(kind string) string { return fmt.Sprintf("%s_%06d", kind, w.Made.Add(1)) }

// Team makes a team with credits in its pool.
func (w *World) Team(id, owner string, credits int64) teams.Team {
	w.T.Helper()
	var team teams.Team
	w.Must(func(tx pgx.Tx) (err error) {
		team, err = teams.CreateTeam(w.T.Context(), tx, w.Catalog, teams.TeamIn{ID: id, OwnerID: owner, Name: "Team " + id}, w.Clock.Now())
		return err
	})
	if credits > 0 {
		w.Grant(team.BookID, credits)
	}
	return team
}

// Grant puts bonus credits into a pool or a personal account.
func (w *World) Grant(book, credits int64) {
	w.T.Helper()
	w.Must(func(tx pgx.Tx) error {
		_, err := billing.GrantBonus(w.T.Context(), tx, w.Catalog, billing.BonusIn{
			Book: book, Credits: credits, Key: fmt.Sprintf("g%d", w.Made.Add(1)), Actor: "test", Memo: "test",
		}, w.Clock.Now())
		return err
	})
}

// Join makes a user a member.
func (w *World) Join(team, user string, role teams.Role) {
	w.T.Helper()
	hash := []byte(fmt.Sprintf("token %d", w.Made.Add(1)))
	w.Must(func(tx pgx.Tx) error {
		_, err := teams.Invite(w.T.Context(), tx, w.Catalog, teams.InviteIn{
			ID: string(hash), TeamID: team, Email: user + "@example.com", Role: role, Limit: teams.Limit{Kind: teams.LimitNone}, TokenHash: hash,
		}, w.Clock.Now())
		if err != nil {
			return err
		}
		_, err = teams.Accept(w.T.Context(), tx, w.Catalog, hash, user, w.Clock.Now())
		return err
	})
}

// User gives a user, made at this mention.
func (w *World) User(id string) teams.User {
	w.T.Helper()
	var u teams.User
	w.Must(func(tx pgx.Tx) (err error) {
		u, err = teams.EnsureUser(w.T.Context(), tx, id, w.Clock.Now())
		return err
	})
	return u
}

// Subscribe gives a team seats of the plan "team", as if Stripe had told of them and they
// were paid. It is of any period that contains the clock's instant.
func (w *World) Subscribe(team teams.Team, seats int64) string {
	w.T.Helper()
	owner := w.User(team.OwnerID)
	at := w.Clock.Now()
	id := fmt.Sprintf("sub_%s_%d", team.ID, w.Made.Add(1))
	sub := &billing.Subscription{
		ID: id, CustomerID: "cus_" + owner.ID, Status: billing.StatusActive, PeriodStart: at, PeriodEnd: at.AddDate(0, 1, 0), Anchor: at, CreatedAt: at,
		Items: []billing.Item{{ID: "si_" + id, PriceID: "price_team", LookupKey: "team_monthly", Interval: billing.IntervalMonth, IntervalCount: 1, Quantity: seats}},
	}
	invoice := billing.Invoice{
		ID: "in_" + id, SubscriptionID: id, CustomerID: sub.CustomerID, Status: "paid", CreatedAt: at, PaidAt: &at,
		Lines: []billing.InvoiceLine{{ID: "il_" + id, PriceID: "price_team", LookupKey: "team_monthly", Quantity: seats, Amount: 2500 * seats, From: sub.PeriodStart, To: sub.PeriodEnd}},
	}
	w.Must(func(tx pgx.Tx) error {
		if _, err := billing.LinkCustomer(w.T.Context(), tx, sub.CustomerID, owner.ID, owner.BookID, "test", at); err != nil {
			return err
		}
		out, err := billing.Apply(w.T.Context(), tx, w.Catalog, billing.ApplyIn{
			Fetched: billing.Fetched{Subscription: sub, Invoices: []billing.Invoice{invoice}}, Ticket: w.Made.Add(1), Now: w.Clock.Now,
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
		_, _, err = teams.ChangeMembers(w.T.Context(), tx, w.Catalog, team.ID, []teams.Change{{UserID: team.OwnerID, Access: &seat}}, teams.Actor{}, at)
		return err
	})
	return id
}

// Clock is a clock that tests move.
type Clock struct{ nanos atomic.Int64 }

// ClockAt is a clock that stands at an instant.
func ClockAt(at time.Time) *Clock {
	c := &Clock{}
	c.Set(at)
	return c
}

// Now is what it says.
func (c *Clock) Now() time.Time { return time.Unix(0, c.nanos.Load()).UTC() }

// Set moves it to an instant.
func (c *Clock) Set(at time.Time) { c.nanos.Store(at.UnixNano()) }

// Advance moves it on.
func (c *Clock) Advance(by time.Duration) { c.nanos.Add(int64(by)) }

// Log is a log that may be read while it is written.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends to it.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
