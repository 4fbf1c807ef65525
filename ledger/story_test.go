package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// story is a team and its owner after a life in which everything happened once, as the
// audit must find it in order and as later tests go on from.
type story struct {
	t    testing.TB
	tx   pgx.Tx
	team int64
	user int64
	at   time.Time
}

func tell(t testing.TB, tx pgx.Tx) *story {
	s := &story{t: t, tx: tx, team: create(t, tx, TeamBook), user: create(t, tx, UserBook), at: day(0)}
	s.buyAndSpend()
	s.holdAndReverse()
	s.refundAndRegret()
	s.moveBetweenBooks()
	s.turn()
	return s
}

// step opens the two books on a day, decides and writes.
func (s *story) step(n int, want Want, decide func(team, user *Book)) {
	s.t.Helper()
	s.at = day(n)
	want.Book = s.team
	books, err := Open(s.t.Context(), s.tx, s.at, want, Want{Book: s.user})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, b := range books {
		b.ExpireHolds(s.at)
		b.ExpireLots(s.at)
	}
	decide(books[0], books[1])
	write(s.t, s.tx, books...)
}

func (s *story) ask(key string) Request {
	return Request{Key: key, Actor: "user:ann", At: s.at, Holder: "ann", Memo: key, Reference: "ref " + key, Metadata: []byte(`{"a": 1}`)}
}

func monthly(origin string, step int64, expiresAt *time.Time) LotIn {
	return LotIn{Source: Monthly, Origin: origin, EffectiveAt: start, ExpiresAt: expiresAt, Series: "sub_1", Step: step}
}

func pack(origin string, expiresAt *time.Time) LotIn {
	return LotIn{Source: Purchase, Origin: origin, EffectiveAt: start, ExpiresAt: expiresAt, Payer: "cus_1"}
}

func (s *story) buyAndSpend() {
	s.step(0, Want{}, func(team, user *Book) {
		pool, own := mainOf(s.t, team), mainOf(s.t, user)
		team.SetWindow(day(0))
		user.SetWindow(day(0))
		must(s.t)(team.Grant(s.ask("monthly"), pool, monthly("month 1", 1, until(31)), 5000))
		must(s.t)(team.Grant(s.ask("more seats"), pool, monthly("month 1", 1, until(31)), 1000))
		must(s.t)(team.Grant(s.ask("pack"), pool, pack("pack 1", nil), 2000))
		must(s.t)(user.Grant(s.ask("own"), own, pack("pack 2", until(90)), 800))
		must(s.t)(user.Grant(s.ask("gift"), own, bonus("gift", until(5)), 50))
		ann := team.MakeAllocation("ann", s.at)
		must(s.t)(team.Move(s.ask("allocate"), MoveIn{Kind: KindAllocation, From: pool, To: ann, Credits: 300}))
		must(s.t)(team.Spend(s.ask("spend"), SpendIn{Credits: 700, Payers: []Payer{From(ann), {Account: pool, Max: 500}}}))
		must(s.t)(user.Spend(s.ask("own spend"), SpendIn{Credits: 20, Payers: []Payer{From(own)}}))
	})
}

func (s *story) holdAndReverse() {
	var held, ended, kept *Entry
	s.step(1, Want{Undo: []int64{s.sequence("spend")}}, func(team, user *Book) {
		pool := mainOf(s.t, team)
		ann := team.MakeAllocation("ann", s.at)
		must(s.t)(team.Reverse(s.ask("reverse"), s.sequence("spend"), 250))
		must(s.t)(team.Move(s.ask("allocate again"), MoveIn{Kind: KindAllocation, From: pool, To: ann, Credits: 100}))
		both := []Payer{From(ann), From(pool)}
		held = must(s.t)(team.Hold(s.ask("hold"), HoldIn{Credits: 400, Payers: both, ExpiresAt: s.at.Add(time.Hour)}))
		ended = must(s.t)(team.Hold(s.ask("forgotten"), HoldIn{Credits: 60, Payers: both, ExpiresAt: s.at.Add(time.Hour)}))
		kept = must(s.t)(team.Hold(s.ask("long"), HoldIn{Credits: 40, Payers: both, ExpiresAt: day(300)}))
		must(s.t)(team.Capture(s.ask("capture"), held.Sequence, 150))
	})
	s.step(2, Want{Holds: []int64{ended.Sequence, kept.Sequence}}, func(team, user *Book) {
		if h, _ := team.HoldOf(ended.Sequence); h.Status != HoldExpired {
			s.t.Errorf("the forgotten hold is %s, want expired", h.Status)
		}
		released := must(s.t)(team.Hold(s.ask("unused"), HoldIn{Credits: 10, Payers: []Payer{From(mainOf(s.t, team))}, ExpiresAt: day(3)}))
		must(s.t)(team.Release(s.ask("release"), released.Sequence))
	})
}

func (s *story) refundAndRegret() {
	s.step(3, Want{}, func(team, user *Book) {
		lot, _ := team.Lot("pack 1")
		must(s.t)(team.SetFrozen(s.ask("dispute"), lot, true))
		must(s.t)(team.SetFrozen(s.ask("lost"), lot, false))
		must(s.t)(team.Clawback(s.ask("clawback"), lot, team.Take(lot, 1500), 300))
	})
	s.step(4, Want{Undo: []int64{s.sequence("clawback")}}, func(team, user *Book) {
		must(s.t)(team.Grant(s.ask("pays debt"), mainOf(s.t, team), bonus("thanks", until(40)), 100))
		must(s.t)(team.UndoClawback(s.ask("failed"), s.sequence("clawback"), 350))
	})
}

func (s *story) moveBetweenBooks() {
	s.step(6, Want{}, func(team, user *Book) {
		pool, own := mainOf(s.t, team), mainOf(s.t, user)
		draws, err := user.Choose(own, s.ask(""), 120)
		if err != nil {
			s.t.Fatal(err)
		}
		_, _, err = Carry(user, team, s.ask("contribute"), CarryIn{Kind: KindContribution, To: pool, Draws: draws, Contributor: "ann"})
		if err != nil {
			s.t.Fatal(err)
		}
		lot, _ := team.Lot("pack 1")
		_, _, err = Carry(team, user, s.ask("unassign"), CarryIn{Kind: KindAssignment, To: own, Draws: team.Take(lot, 90)})
		if err != nil {
			s.t.Fatal(err)
		}
		_, _, err = Elsewhere(team, user, s.ask("personal"), func(r Request) (*Entry, error) {
			return user.Spend(r, SpendIn{Credits: 15, Payers: []Payer{From(own)}})
		})
		if err != nil {
			s.t.Fatal(err)
		}
		must(s.t)(team.Clawback(s.ask("again"), lot, nil, 70))
		if _, _, err = CarryDebt(team, user, s.ask("debt follows"), "pack 1"); err != nil {
			s.t.Fatal(err)
		}
	})
}

func (s *story) turn() {
	var held *Entry
	s.step(30, Want{}, func(team, user *Book) {
		ann := team.MakeAllocation("ann", s.at)
		must(s.t)(team.Move(s.ask("allocate last"), MoveIn{Kind: KindAllocation, From: mainOf(s.t, team), To: ann, Credits: 30}))
		held = must(s.t)(team.Hold(s.ask("leaving"), HoldIn{Credits: 20, Payers: []Payer{From(ann)}, ExpiresAt: day(32)}))
		lot, _ := team.Lot("month 1")
		must(s.t)(team.Redate(s.ask("grace"), lot, until(32)))
		must(s.t)(team.TakeBack(s.ask("fewer seats"), team.Take(lot, 200)))
	})
	s.step(31, Want{Holds: []int64{held.Sequence}}, func(team, user *Book) {
		pool := mainOf(s.t, team)
		ann, _ := team.AllocationOf("ann")
		if free := ann.Available(s.at); free > 0 {
			must(s.t)(team.Move(s.ask("leave"), MoveIn{Kind: KindReclaim, From: ann, To: pool, Credits: free}))
		}
		team.CloseAllocation(ann)
		must(s.t)(team.Release(s.ask("late release"), held.Sequence))
		lot, _ := team.Lot("month 1")
		portion := team.TakeFrom(lot, pool, CreditsMax)[0].Portion
		in := monthly("rolled", 2, until(62))
		in.Source, in.TurnsSurvived = Rollover, 1
		must(s.t)(team.Roll(s.ask("roll"), portion, 1000, in))
		must(s.t)(team.ExpireDraws(s.ask("turn"), team.Take(lot, CreditsMax)))
		team.SetWindow(day(31))
		must(s.t)(team.Spend(s.ask("next month"), SpendIn{Credits: 5, Payers: []Payer{From(pool)}}))
	})
	s.step(45, Want{}, func(team, user *Book) {}) // what was left of the thanks has ended
}

// sequence looks up the team's entry by its key.
func (s *story) sequence(key string) int64 {
	s.t.Helper()
	var n int64
	err := s.tx.QueryRow(s.t.Context(), `SELECT sequence FROM entries WHERE book_id = $1 AND key = $2`, s.team, key).Scan(&n)
	if err != nil {
		s.t.Fatalf("looking up %q: %v", key, err)
	}
	return n
}

// audit gives what an audit finds.
func audit(t testing.TB, tx pgx.Tx) ([]Difference, Summary) {
	t.Helper()
	var found []Difference
	sum, err := Audit(t.Context(), tx, func(d Difference) error {
		if found = append(found, d); len(found) > 50 {
			return errors.New("too many differences")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("auditing: %v (%v)", err, found)
	}
	return found, sum
}

// wantSound fails the test when an audit finds anything.
func wantSound(t testing.TB, tx pgx.Tx) Summary {
	t.Helper()
	found, sum := audit(t, tx)
	for _, d := range found {
		t.Error(d)
	}
	return sum
}
