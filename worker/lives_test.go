package worker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// TestLives lets a team live at random through all that happens to credits at once: members
// spend, hold and move them, its owner buys, switches, cancels and comes back, money is given
// back and disputed, the subscription leaves the team and returns, cards fail, events come
// twice, late and out of order, and months pass. After every step the ledger is right, the
// pools add up, what is shown is what a worker then writes, nothing lies in lots that have
// ended, and no event fails.
func TestLives(t *testing.T) {
	t.Parallel()
	seeds, steps := []uint64{3, 22}, 25
	if os.Getenv(soak) != "" {
		steps = 60
		for seed := uint64(100); seed < 160; seed++ {
			seeds = append(seeds, seed)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("Seed_", seed), func(t *testing.T) {
			t.Parallel()
			l := newLife(t, seed)
			l.lives(steps)
		})
	}
}

// life is one team's, with what of it can be taken up again.
type life struct {
	*shop
	t        *testing.T
	chance   *rand.Rand
	personal int64
	card     string
	sub      *sale
	n        int
	late     bool // hears of what Stripe does by itself only when all is over

	holds, spends     []drawn
	refunds, disputes []string
	orders, others    int
	log               []string
}

// drawn is a spend or a hold of a member's, or with user "" of the owner's own account.
type drawn struct {
	of      ledger.EntryRef
	team    string
	user    string
	credits int64
}

var crew = []string{"olga", "ada", "ben"}

func newLife(t *testing.T, seed uint64) *life {
	t.Helper()
	l := &life{shop: newShop(t), t: t, chance: rand.New(rand.NewPCG(seed, 7))}
	l.link(l.customer, "olga")
	l.personal = l.user("olga").BookID
	for _, user := range crew[1:] {
		l.joins(user)
	}
	l.stripe.OnAdvance(func(time.Time) {
		if !l.late {
			l.hears()
		}
	})
	return l
}

func (l *life) key() string { l.n++; return fmt.Sprint("key-", l.n) }

func (l *life) joins(user string) {
	l.t.Helper()
	key := l.key()
	hash := bytes.Repeat([]byte{0}, 32)
	copy(hash, key)
	l.inTx(func(tx pgx.Tx) error {
		if _, err := teams.Invite(l.t.Context(), tx, l.catalog, teams.InviteIn{
			ID: "inv_" + key, TeamID: l.team.ID, Email: user + "@acme.example", Role: teams.Plain, Access: teams.CreditsAccess,
			Limit: teams.Limit{Kind: teams.LimitNone}, TokenHash: hash,
		}, l.stripe.Now()); err != nil {
			return err
		}
		_, err := teams.Accept(l.t.Context(), tx, l.catalog, hash, user, l.stripe.Now())
		return err
	})
}

func pick[T any](l *life, list []T) T { return list[l.chance.IntN(len(list))] }

// taken takes one out of a list.
func taken[T any](l *life, list *[]T) (T, bool) {
	var none T
	if len(*list) == 0 {
		return none, false
	}
	i := l.chance.IntN(len(*list))
	one := (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	return one, true
}

func (l *life) credits() int64 { return pick(l, []int64{1, 7, 100, 333, 900, 2500}) }

func (l *life) note(format string, args ...any) {
	l.log = append(l.log, l.stripe.Now().Format("01-02 15:04 ")+fmt.Sprintf(format, args...))
}

// lives does so many random steps, and tells them all when one goes wrong.
func (l *life) lives(steps int) {
	defer func() {
		if l.t.Failed() {
			l.t.Log(strings.Join(l.log, "\n"))
		}
	}()
	l.subscribes()
	l.holdsGood()
	acts := []func(){
		l.draws, l.draws, l.draws, l.settles, l.settles, l.reverses, l.shifts, l.shifts, l.contributes, l.bonus, l.comesAndGoes,
		l.changesSeats, l.changesSeats, l.switches, l.cancels, l.subscribes, l.changesCard, l.paysInvoice, l.packs, l.packs,
		l.refundsSome, l.refundsSome, l.failsRefund, l.disputesSome, l.endsDispute, l.leaves, l.returns, l.posts,
		l.passes, l.passes, l.passes, l.passes, l.pauses, l.another, l.switchesOn, l.closes,
	}
	for range steps {
		pick(l, acts)()
		if l.holdsGood(); l.t.Failed() {
			return
		}
	}
	l.ends()
}

// asks asks Stripe for something that it may refuse.
func (l *life) asks(method, path string, pairs ...string) bool {
	l.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequestWithContext(l.t.Context(), method, l.stripe.URL()+path, strings.NewReader(form.Encode()))
	ok(l.t, err)
	req.Header.Set("Authorization", "Bearer "+l.stripe.Key())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	ok(l.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ok(l.t, err)
	l.note("%s %s %v: %s", method, path, pairs, res.Status)
	if res.StatusCode >= 500 {
		l.t.Errorf("Stripe: %s %s: %s", path, res.Status, body)
	}
	return res.StatusCode < 300
}

// tries does what may be refused, and gives whether it was done.
func (l *life) tries(what string, do func(tx pgx.Tx) error) bool {
	l.t.Helper()
	err := pgx.BeginFunc(l.t.Context(), l.pool, do)
	l.note("%s: %v", what, err)
	var refusal *teams.Refusal
	if err != nil && !errors.As(err, &refusal) {
		l.t.Errorf("%s: %v", what, err)
	}
	return err == nil
}

func (l *life) subscribes() {
	if l.sub != nil && !slices.Contains([]string{"canceled", "incomplete_expired"}, l.status(l.sub)) {
		return
	}
	l.asks("POST", "/v1/customers/"+l.customer, "name", "olga")
	var more []string
	if l.chance.IntN(2) == 0 {
		more = append(more, "metadata[purser_team]", l.team.ID)
	}
	if l.chance.IntN(3) == 0 {
		more = append(more, "trial_period_days", fmt.Sprint(1+l.chance.IntN(20)))
	}
	price, seats := pick(l, []string{"team_monthly", "business_monthly", "team_yearly"}), 1+l.chance.IntN(6)
	l.note("subscribes %s × %d %v", price, seats, more)
	l.sub = l.subscribe(l.customer, price, seats, more...)
}

// drawn answers of a member's or, one time in four, of the owner's own account.
func (l *life) where() (team, user string) {
	if l.chance.IntN(4) == 0 {
		return "", "olga"
	}
	return l.team.ID, pick(l, crew)
}

func (l *life) draws() {
	team, user := l.where()
	in := teams.SpendIn{Op: teams.OpSpend, TeamID: team, UserID: user, Credits: l.credits(), Key: l.key(), Hash: []byte{1}}
	if l.chance.IntN(2) == 0 {
		in.Op, in.TTL = teams.OpHold, pick(l, []time.Duration{time.Minute, time.Hour, 23 * time.Hour})
	}
	l.tries(fmt.Sprintf("%s of %d by %s in %q", in.Op, in.Credits, user, team), func(tx pgx.Tx) error {
		out, err := teams.Spend(l.t.Context(), tx, l.catalog, in, l.stripe.Now())
		if err != nil {
			return err
		}
		d := drawn{out.Answer.Entry, team, user, in.Credits}
		if in.Op == teams.OpHold {
			l.holds = append(l.holds, d)
		} else {
			l.spends = append(l.spends, d)
		}
		return nil
	})
}

func (l *life) settles() {
	d, ok := taken(l, &l.holds)
	if !ok {
		return
	}
	in := teams.SpendIn{Op: teams.OpCapture, TeamID: d.team, UserID: d.user, Of: d.of, Credits: l.chance.Int64N(d.credits + 1), Key: l.key(), Hash: []byte{1}}
	if l.chance.IntN(3) == 0 {
		in.Op, in.Credits = teams.OpRelease, 0
	}
	l.tries(fmt.Sprintf("%s %d of %d", in.Op, in.Credits, d.credits), func(tx pgx.Tx) error {
		_, err := teams.Spend(l.t.Context(), tx, l.catalog, in, l.stripe.Now())
		return err
	})
}

func (l *life) reverses() {
	d, ok := taken(l, &l.spends)
	if !ok {
		return
	}
	in := teams.SpendIn{Op: teams.OpReverse, TeamID: d.team, UserID: d.user, Of: d.of, Credits: 1 + l.chance.Int64N(d.credits), Key: l.key(), Hash: []byte{1}}
	l.tries(fmt.Sprintf("reverses %d of %d", in.Credits, d.credits), func(tx pgx.Tx) error {
		_, err := teams.Spend(l.t.Context(), tx, l.catalog, in, l.stripe.Now())
		return err
	})
}

func (l *life) moves(from, to teams.Place) {
	in := teams.MoveIn{TeamID: l.team.ID, By: teams.Actor{User: "olga"}, From: from, To: to, Credits: l.credits(), Key: l.key(), Hash: []byte{1}}
	l.tries(fmt.Sprintf("moves %d from %v to %v", in.Credits, from, to), func(tx pgx.Tx) error {
		_, err := teams.Move(l.t.Context(), tx, l.catalog, in, l.stripe.Now())
		return err
	})
}

func (l *life) shifts() {
	places := []teams.Place{thePool, member("olga"), member("ada"), member("ben"), thePool}
	l.moves(pick(l, places), pick(l, places))
}

func (l *life) contributes() {
	l.moves(teams.Place{Kind: teams.PlacePersonal, User: "olga"}, thePool)
}

func (l *life) bonus() {
	in := billing.BonusIn{Book: pick(l, []int64{l.team.BookID, l.personal}), Credits: l.credits(), Key: l.key(), Actor: "operator"}
	if l.chance.IntN(2) == 0 {
		end := l.stripe.Now().Add(time.Duration(1+l.chance.IntN(60)) * day)
		in.ExpiresAt = &end
	}
	l.tries(fmt.Sprintf("bonus of %d to %d", in.Credits, in.Book), func(tx pgx.Tx) error {
		_, err := billing.GrantBonus(l.t.Context(), tx, l.catalog, in, l.stripe.Now())
		return err
	})
}

func (l *life) comesAndGoes() {
	user := pick(l, crew[1:])
	gone := l.tries("removes "+user, func(tx pgx.Tx) error {
		_, done, err := teams.ChangeMembers(l.t.Context(), tx, l.catalog, l.team.ID, []teams.Change{{UserID: user, Remove: true}}, teams.Actor{User: "olga"}, l.stripe.Now())
		if err == nil && !done {
			return &teams.Refusal{Code: "not_removed"}
		}
		return err
	})
	if gone {
		l.joins(user)
	}
}
