package billing

import (
	"fmt"
	"testing"
	"time"

	"purser/ledger"
)

// large is a team of so many members, each of whom has an allocation, some of it rolled
// over and some of it held.
func large(t listener, members int) *story {
	s := tell(t, plan("team", rollover(Rollover{Mode: RolloverCap, CapPerSeat: 900}))).
		subscribes("2025-01-01", item("team_month", int64(members))).pays().on("2025-01-01")
	for i := range members {
		at := day("2025-01-02")
		account := s.state.Book.MakeAllocation(fmt.Sprint("m", i), at)
		s.must(s.state.Book.Move(s.request("2025-01-02"), ledger.MoveIn{Kind: ledger.KindAllocation, From: s.pool(), To: account, Credits: 500}))
		s.must(s.state.Book.Hold(s.request("2025-01-02"), ledger.HoldIn{
			Credits: 5, Payers: []ledger.Payer{ledger.From(account)}, ExpiresAt: day("2025-02-01 12:00").Add(time.Duration(i) * time.Second),
		}))
	}
	return s.renews("2025-02-01").pays()
}

func TestLarge(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		t.Run(fmt.Sprintf("B8_AThousandAllocationsTurnQuickly/Frozen=%v", frozen), func(t *testing.T) {
			s := large(t, 1000).freezes("2025-01-03", ledger.Monthly, frozen)
			began := time.Now()
			s.on("2025-02-01 10:00").freezes("2025-02-01 10:00", ledger.Monthly, false).on("2025-02-03")
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
			if got := s.posted(ledger.KindRollover); got != 900_000 {
				t.Errorf("%d rolled", got)
			}
		})
	}
}

func BenchmarkSettle(b *testing.B) {
	for _, members := range []int{10, 5000} {
		b.Run(fmt.Sprintf("NothingDue/%d", members), func(b *testing.B) {
			s := large(b, members).on("2025-01-03")
			for b.Loop() {
				if err := s.state.Settle(day("2025-01-04")); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("Turn/%d", members), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := large(b, members)
				b.StartTimer()
				if err := s.state.Settle(day("2025-02-01 10:00")); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("HoldsEndAfterTheTurn/%d", members), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s := large(b, members).on("2025-02-01 10:00")
				b.StartTimer()
				if err := s.state.Settle(day("2025-02-02")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
