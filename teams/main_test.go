package teams

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/internal/pgtest"
	"purser/ledger"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// start is when every test's clock begins: the middle of no period.
var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// backend asks without a role's limits.
var backend = Actor{}

// catalog sells a team plan of 1,000 credits a seat and one that allows no teams.
func catalog() *billing.Catalog {
	plan := func(name string, teams bool, members int) billing.Plan {
		return billing.Plan{
			Name: name, MonthlyCredits: 1000, TrialCredits: 100, Counting: billing.CountingPerSeat, Teams: teams, MembersMax: members,
			Features: []string{name + " features"}, Prices: []billing.Price{{ID: name + "_month", Interval: billing.IntervalMonth, IntervalCount: 1}},
			Rollover: billing.Rollover{Mode: billing.RolloverAll}, SeatDecrease: billing.SeatDecreaseImmediate,
			Increase: billing.IncreaseAtOnce, GrantRule: billing.GrantRulePeriodStart,
		}
	}
	return &billing.Catalog{
		Plans:               []billing.Plan{plan("team", true, 10), plan("basic", false, 1)},
		WithoutSubscription: billing.WithoutSubscription{Teams: true, MembersMax: 5},
	}
}

// world is a test's own rolled-back database, with a clock. Each act is one request: a
// savepoint that a refusal rolls back, as the edge does.
type world struct {
	t       *testing.T
	tx      pgx.Tx
	catalog *billing.Catalog
	at      time.Time
	n       int
	subs    map[string]*billing.Subscription
}

// newWorld gives a test its world. When the test ends the ledger must be sound.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, tx: pgtest.Tx(t), catalog: catalog(), at: start, subs: map[string]*billing.Subscription{}}
	t.Cleanup(w.sound)
	return w
}

func (w *world) sound() {
	if w.t.Failed() {
		return
	}
	ctx := context.WithoutCancel(w.t.Context())
	if _, err := ledger.Audit(ctx, w.tx, func(d ledger.Difference) error {
		w.t.Errorf("audit: %s", d)
		return nil
	}); err != nil {
		w.t.Errorf("auditing: %v", err)
	}
}

// act does something in a savepoint of its own.
func (w *world) act(f func(tx pgx.Tx) error) error {
	w.t.Helper()
	err := pgx.BeginFunc(w.t.Context(), w.tx, f)
	var refusal *Refusal
	if err != nil && !errors.As(err, &refusal) {
		w.t.Fatalf("not a refusal: %v", err)
	}
	return err
}

// must is act that may not be refused.
func (w *world) must(f func(tx pgx.Tx) error) {
	w.t.Helper()
	if err := w.act(f); err != nil {
		w.t.Fatalf("refused: %v", err)
	}
}

// wantRefusal fails the test unless it was refused with that class and code.
func wantRefusal(t *testing.T, err error, class Class, code string) *Refusal {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatalf("got %v, want to be refused as %s", err, code)
	}
	if r.Code != code || r.Class != class {
		t.Fatalf("refused as %s of class %d (%s), want %s of class %d", r.Code, r.Class, r.Detail, code, class)
	}
	return r
}

func (w *world) key(kind string) string {
	w.n++
	return fmt.Sprintf("%s-%d", kind, w.n)
}

func (w *world) team(id, owner string) Team {
	w.t.Helper()
	var team Team
	w.must(func(tx pgx.Tx) (err error) {
		team, err = CreateTeam(w.t.Context(), tx, w.catalog, TeamIn{ID: id, OwnerID: owner, Name: id}, w.at)
		return err
	})
	return team
}

func (w *world) user(id string) User {
	w.t.Helper()
	var u User
	w.must(func(tx pgx.Tx) (err error) {
		u, err = EnsureUser(w.t.Context(), tx, id, w.at)
		return err
	})
	return u
}

func (w *world) invite(team, email string, change ...func(*InviteIn)) (Invitation, error) {
	w.t.Helper()
	id := w.key("inv")
	in := InviteIn{ID: id, TeamID: team, Email: email, Role: Plain, Limit: Limit{Kind: LimitNone}, TokenHash: []byte(id)}
	for _, c := range change {
		c(&in)
	}
	var i Invitation
	err := w.act(func(tx pgx.Tx) (err error) {
		i, err = Invite(w.t.Context(), tx, w.catalog, in, w.at)
		return err
	})
	return i, err
}

func (w *world) accept(invitation, user string) (Member, error) {
	w.t.Helper()
	var m Member
	err := w.act(func(tx pgx.Tx) (err error) {
		m, err = Accept(w.t.Context(), tx, w.catalog, []byte(invitation), user, w.at)
		return err
	})
	return m, err
}

// join lets a user into a team.
func (w *world) join(team, user string, change ...func(*InviteIn)) {
	w.t.Helper()
	i, err := w.invite(team, user+"@example.com", change...)
	if err != nil {
		w.t.Fatalf("inviting %s: %v", user, err)
	}
	if _, err := w.accept(i.ID, user); err != nil {
		w.t.Fatalf("%s accepting: %v", user, err)
	}
}

func asAdmin(in *InviteIn) { in.Role = Admin }
func seated(in *InviteIn)  { in.Access = SeatAccess }
func by(user string) func(*InviteIn) {
	return func(in *InviteIn) { in.By = Actor{User: user} }
}

// grant gives bonus credits to a book's main account, or to a member's allocation.
func (w *world) grant(book, credits int64, expiresAt *time.Time) {
	w.t.Helper()
	w.must(func(tx pgx.Tx) error {
		_, err := billing.GrantBonus(w.t.Context(), tx, w.catalog, billing.BonusIn{
			Book: book, Credits: credits, Key: w.key("bonus"), Actor: "operator", ExpiresAt: expiresAt,
		}, w.at)
		return err
	})
}

// subscribe lets a user's customer buy so many seats of a plan from now on, and puts the
// subscription on the personal account or into the named team.
func (w *world) subscribe(id, user, plan string, seats int64, team *Team) {
	w.t.Helper()
	u := w.user(user)
	end := w.at.AddDate(0, 1, 0)
	w.subs[id] = &billing.Subscription{
		ID: id, CustomerID: "cus_" + user, Status: billing.StatusActive, PeriodStart: w.at, PeriodEnd: end, Anchor: w.at, CreatedAt: w.at,
		Items: []billing.Item{{ID: "si_" + id, PriceID: plan + "_month", Interval: billing.IntervalMonth, IntervalCount: 1, Quantity: seats}},
	}
	w.must(func(tx pgx.Tx) error {
		_, err := billing.LinkCustomer(w.t.Context(), tx, "cus_"+user, user, u.BookID, "operator", w.at)
		return err
	})
	w.hear(id, u, team)
}

// hear applies what Stripe says of a subscription now.
func (w *world) hear(id string, owner User, team *Team) {
	w.t.Helper()
	w.n++
	in := billing.ApplyIn{
		Fetched: billing.Fetched{Subscription: w.subs[id]}, Ticket: int64(w.n), Now: func() time.Time { return w.at },
		Owner: billing.Owner{CustomerID: "cus_" + owner.ID, UserID: owner.ID, BookID: owner.BookID},
	}
	if team != nil {
		in.Named = &billing.Slot{TeamID: team.ID, BookID: team.BookID}
	}
	w.must(func(tx pgx.Tx) error {
		var err error
		if in.Found, err = billing.Find(w.t.Context(), tx, id); err != nil {
			return err
		}
		_, err = billing.Apply(w.t.Context(), tx, w.catalog, in)
		return err
	})
}

// buys changes the seats of a subscription at Stripe.
func (w *world) buys(id, owner string, seats int64) {
	w.t.Helper()
	sub := *w.subs[id]
	sub.Items = append([]billing.Item(nil), sub.Items...)
	sub.Items[0].Quantity = seats
	w.subs[id] = &sub
	w.hear(id, w.user(owner), nil)
}

// batch decides requests together. Each gets a key unless it has one.
func (w *world) batch(ins ...SpendIn) []SpendResult {
	w.t.Helper()
	for i := range ins {
		if ins[i].Key == "" {
			ins[i].Key = w.key("spend")
		}
		if ins[i].Hash == nil {
			ins[i].Hash = hashOf(ins[i])
		}
	}
	var results []SpendResult
	w.must(func(tx pgx.Tx) (err error) {
		results, _, err = SpendMany(w.t.Context(), tx, w.catalog, ins, w.at)
		return err
	})
	return results
}

func hashOf(in SpendIn) []byte {
	return fmt.Appendf(nil, "%s %s %s %d %t %v %s", in.Op, in.TeamID, in.UserID, in.Credits, in.Whole, in.Of, in.By.User)
}

func (w *world) spend(in SpendIn) (*SpendOut, error) {
	w.t.Helper()
	if in.Op == "" {
		in.Op = OpSpend
	}
	r := w.batch(in)[0]
	return r.Out, r.Err
}

// spends is spend that may not be refused.
func (w *world) spends(in SpendIn) SpendAnswer {
	w.t.Helper()
	out, err := w.spend(in)
	if err != nil {
		w.t.Fatalf("%s of %d refused: %v", in.Op, in.Credits, err)
	}
	return out.Answer
}

func (w *world) move(in MoveIn) (*MoveOut, error) {
	w.t.Helper()
	if in.Key == "" {
		in.Key = w.key("move")
	}
	if in.Hash == nil {
		in.Hash = fmt.Appendf(nil, "%v %v %d", in.From, in.To, in.Credits)
	}
	var out *MoveOut
	err := w.act(func(tx pgx.Tx) (err error) {
		out, err = Move(w.t.Context(), tx, w.catalog, in, w.at)
		return err
	})
	return out, err
}

// moves is move that may not be refused.
func (w *world) moves(in MoveIn) *MoveOut {
	w.t.Helper()
	out, err := w.move(in)
	if err != nil {
		w.t.Fatalf("moving refused: %v", err)
	}
	return out
}

func (w *world) change(team string, who Actor, changes ...Change) ([]ChangeResult, bool, error) {
	w.t.Helper()
	var results []ChangeResult
	var ok bool
	errNotOK := refuse(Conflict, "not_ok", "rolled back")
	err := w.act(func(tx pgx.Tx) (err error) {
		results, ok, err = ChangeMembers(w.t.Context(), tx, w.catalog, team, changes, who, w.at)
		if err == nil && !ok {
			return errNotOK
		}
		return err
	})
	if errors.Is(err, errNotOK) {
		err = nil
	}
	return results, ok, err
}

// changes is change that may not be refused.
func (w *world) changes(team string, changes ...Change) {
	w.t.Helper()
	results, ok, err := w.change(team, backend, changes...)
	if err != nil || !ok {
		w.t.Fatalf("changing members: %v %+v", err, results)
	}
}

func (w *world) member(team, user string) Member {
	w.t.Helper()
	m, err := GetMember(w.t.Context(), w.tx, team, user)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) pool(book int64) billing.Pool {
	w.t.Helper()
	p, err := billing.ReadPool(w.t.Context(), w.tx, w.catalog, book, w.at)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) entries(book int64) int {
	w.t.Helper()
	var n int
	if err := w.tx.QueryRow(w.t.Context(), `SELECT count(*) FROM entries WHERE book_id = $1`, book).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) access(team string, user string, access Access) {
	w.t.Helper()
	w.changes(team, Change{UserID: user, Access: &access})
}

func (w *world) limit(team, user, kind string, credits int64) {
	w.t.Helper()
	w.changes(team, Change{UserID: user, Limit: &Limit{Kind: kind, Credits: credits}})
}

func ofPool() Place                { return Place{Kind: PlacePool} }
func ofMember(user string) Place   { return Place{Kind: PlaceMember, User: user} }
func ofPersonal(user string) Place { return Place{Kind: PlacePersonal, User: user} }
