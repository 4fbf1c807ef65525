package teams

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"purser/ledger"
)

// purse is a book whose main account and ann's allocation hold so much.
func purse(t *testing.T, kind ledger.Kind, inMain, inAllocation int64) *ledger.Book {
	t.Helper()
	b := ledger.Blank(1, kind, start)
	give := func(key string, to *ledger.Account, credits int64) {
		if credits == 0 {
			return
		}
		_, err := b.Grant(ledger.Request{Key: key, Actor: "operator", At: start}, to,
			ledger.LotIn{Source: ledger.Bonus, Origin: key, EffectiveAt: start}, credits)
		if err != nil {
			t.Fatal(err)
		}
	}
	pool, _ := b.Account(ledger.Main)
	give("main", pool, inMain)
	if kind == ledger.TeamBook {
		give("allocation", b.MakeAllocation("ann", start), inAllocation)
	}
	return b
}

func TestPay(t *testing.T) {
	end := start.AddDate(0, 1, 0)
	period := func(n int64) Member {
		return Member{UserID: "ann", Access: CreditsAccess, LimitKind: LimitPeriod, LimitAmount: n}
	}
	total := func(n int64) Member {
		return Member{UserID: "ann", Access: SeatAccess, LimitKind: LimitTotal, LimitAmount: n}
	}
	none := Member{UserID: "ann", Access: CreditsAccess, LimitKind: LimitNone}
	for _, c := range []struct {
		name    string
		sharing string
		member  Member
		drawn   Drawn
		want    string // account and cap of each payer
		has     int64
	}{
		{"S2_AllocationFirstThenPool", SharingPool, none, Drawn{}, "allocation -1, pool -1", 140},
		{"S2_BalancesLeaveThePoolAlone", SharingBalances, none, Drawn{}, "allocation -1", 40},
		{"S2_WithoutAnAllocationThePool", SharingPool, Member{UserID: "bob", Access: SeatAccess, LimitKind: LimitNone}, Drawn{}, "pool -1", 100},
		{"S2_BalancesWithoutAnAllocationNothing", SharingBalances, Member{UserID: "bob", Access: SeatAccess, LimitKind: LimitNone}, Drawn{}, "", 0},
		{"S2_PersonalPaysAll", SharingPool, Member{UserID: "ann", Access: PersonalAccess, LimitKind: LimitPeriod}, Drawn{}, "personal -1", 7},
		{"T6_PeriodLimitLeavesTheRest", SharingPool, period(60), Drawn{Window: 45, Total: 900}, "allocation -1, pool 15", 55},
		{"T6_TotalLimitCountsForEver", SharingPool, total(60), Drawn{Window: 0, Total: 50}, "allocation -1, pool 10", 50},
		{"T6_ZeroBlocksThePool", SharingPool, period(0), Drawn{}, "allocation -1, pool 0", 40},
		{"T6_LoweredBelowWhatWasUsed", SharingPool, period(10), Drawn{Window: 45}, "allocation -1, pool 0", 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			team, personal := purse(t, ledger.TeamBook, 100, 40), purse(t, ledger.UserBook, 7, 0)
			p := pay(Team{Sharing: c.sharing}, c.member, team, personal, c.drawn, end)
			got := ""
			for i, payer := range p.payers {
				if i > 0 {
					got += ", "
				}
				got += string(payer.Account.Kind) + " " + strconv.FormatInt(payer.Max, 10)
			}
			if got != c.want || p.available(start) != c.has {
				t.Errorf("pays %q with %d available, want %q with %d", got, p.available(start), c.want, c.has)
			}
		})
	}
}

func TestLimitState(t *testing.T) {
	end := start.AddDate(0, 1, 0)
	t.Run("T6_NoneIsNoLimit", func(t *testing.T) {
		if s := limitState(Limit{Kind: LimitNone}, Drawn{Window: 5}, end); s != nil {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("T6_OfAPeriodItResetsAtItsEnd", func(t *testing.T) {
		s := limitState(Limit{Kind: LimitPeriod, Credits: 10}, Drawn{Window: 4, Total: 90}, end)
		if s.Used != 4 || s.Left != 6 || s.ResetsAt == nil || !s.ResetsAt.Equal(end) {
			t.Errorf("got %+v", s)
		}
	})
	t.Run("T6_InTotalItNeverResets", func(t *testing.T) {
		s := limitState(Limit{Kind: LimitTotal, Credits: 10}, Drawn{Window: 4, Total: 90}, end)
		if s.Used != 90 || s.Left != 0 || s.ResetsAt != nil {
			t.Errorf("got %+v", s)
		}
	})
}

func TestShort(t *testing.T) {
	end := start.AddDate(0, 1, 0)
	member := func(access Access, kind string, n int64) Member {
		return Member{UserID: "ann", Access: access, LimitKind: kind, LimitAmount: n}
	}
	for _, c := range []struct {
		name    string
		sharing string
		member  Member
		wanted  int64
		code    string
		has     int64
		helps   []string
	}{
		{"T7_PoolEmpty", SharingPool, member(CreditsAccess, LimitNone, 0), 141, "pool_empty", 140, []string{"buy_pack", "add_seats", "go_personal"}},
		{"T7_LimitReachedThoughThePoolHasMore", SharingPool, member(CreditsAccess, LimitPeriod, 10), 51, "limit_reached", 50,
			[]string{"raise_limit", "allocate", "wait_for_reset", "go_personal"}},
		{"T7_TotalLimitNeverResets", SharingPool, member(CreditsAccess, LimitTotal, 10), 51, "limit_reached", 50,
			[]string{"raise_limit", "allocate", "go_personal"}},
		{"S4_LimitComesBeforeCredits", SharingPool, member(CreditsAccess, LimitPeriod, 10), 500, "limit_reached", 50,
			[]string{"raise_limit", "allocate", "wait_for_reset", "buy_pack", "add_seats", "go_personal"}},
		{"T7_LimitWithRoomEnoughIsNotTheReason", SharingPool, member(CreditsAccess, LimitPeriod, 1000), 141, "pool_empty", 140,
			[]string{"buy_pack", "add_seats", "go_personal"}},
		{"T7_AllocationEmpty", SharingBalances, member(SeatAccess, LimitNone, 0), 41, "allocation_empty", 40, []string{"allocate", "transfer", "go_personal"}},
		{"T7_PersonalAccountEmpty", SharingPool, member(PersonalAccess, LimitNone, 0), 8, "personal_account_empty", 7, []string{"buy_pack"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			team, personal := purse(t, ledger.TeamBook, 100, 40), purse(t, ledger.UserBook, 7, 0)
			p := pay(Team{Sharing: c.sharing}, c.member, team, personal, Drawn{}, end)
			r := p.short(Team{Sharing: c.sharing}, c.wanted, start, c.member.Access != PersonalAccess)
			if r.Class != Short || r.Code != c.code || r.Available != c.has || !slices.Equal(r.Helps, c.helps) {
				t.Errorf("got %s with %d available, helped by %v", r.Code, r.Available, r.Helps)
			}
			if (r.Limit != nil) != (c.member.LimitKind != LimitNone && c.member.Access != PersonalAccess) {
				t.Errorf("names the limit %+v", r.Limit)
			}
		})
	}
}

func TestFallingSeats(t *testing.T) {
	reserved := []Invitation{{ID: "old"}, {ID: "new"}}
	assigned := []Member{{UserID: "first"}, {UserID: "second"}, {UserID: "third"}}
	for _, c := range []struct {
		name   string
		bought int64
		want   []string
	}{
		{"T5_NoneWhileThereAreEnough", 5, nil},
		{"T5_NoneWhileThereAreMore", 9, nil},
		{"T5_TheLatestReservationFirst", 4, []string{"new"}},
		{"T5_AllReservationsBeforeAnyMember", 3, []string{"new", "old"}},
		{"T5_ThenTheLatestMember", 2, []string{"new", "old", "third"}},
		{"T5_InTheEndEverybody", 0, []string{"new", "old", "third", "second", "first"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			invitations, members := fallingSeats(seats{Bought: c.bought, Assigned: 3, Reserved: 2}, reserved, assigned)
			var got []string
			for _, i := range invitations {
				got = append(got, i.ID)
			}
			for _, m := range members {
				got = append(got, m.UserID)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("fell %v, want %v", got, c.want)
			}
		})
	}
}

func TestMayGoBack(t *testing.T) {
	full, free := seats{Bought: 2, Assigned: 1, Reserved: 1}, seats{Bought: 3, Assigned: 1, Reserved: 1}
	for _, c := range []struct {
		name   string
		member Member
		seats  seats
		code   string
	}{
		{"T7_ToCreditsAlways", Member{Access: PersonalAccess, AccessGiven: CreditsAccess, PersonalBy: bySelf}, full, ""},
		{"T7_AfterFallingBack", Member{Access: PersonalAccess, AccessGiven: CreditsAccess, PersonalBy: byFallback}, full, ""},
		{"T7_ToASeatIfOneIsFree", Member{Access: PersonalAccess, AccessGiven: SeatAccess, PersonalBy: bySelf}, free, ""},
		{"T7_NotToASeatThatNobodyBought", Member{Access: PersonalAccess, AccessGiven: SeatAccess, PersonalBy: bySelf}, full, "no_seat_free"},
		{"T7_NotIfAnAdminSaidSo", Member{Access: PersonalAccess, AccessGiven: PersonalAccess, PersonalBy: byAdmin}, free, "access_set_by_admin"},
		{"T7_NotIfSeatsFell", Member{Access: PersonalAccess, AccessGiven: SeatAccess, PersonalBy: bySeats}, free, "access_set_by_admin"},
		{"T7_NotIfTheSubscriptionLeft", Member{Access: PersonalAccess, AccessGiven: SeatAccess, PersonalBy: byUnassigned}, free, "access_set_by_admin"},
		{"T7_NotIfNotPersonal", Member{Access: SeatAccess, AccessGiven: SeatAccess}, free, "not_personal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := mayGoBack(c.member, c.seats)
			switch {
			case c.code == "" && r != nil:
				t.Errorf("refused: %s", r.Code)
			case c.code != "" && (r == nil || r.Code != c.code):
				t.Errorf("got %+v, want %s", r, c.code)
			}
		})
	}
}

func TestMembersRoom(t *testing.T) {
	for _, c := range []struct {
		name                         string
		most                         int
		members, pending, wantedRoom int64
	}{
		{"T3_TheOwnerCounts", 5, 1, 0, 4},
		{"T3_PendingInvitationsCount", 5, 2, 2, 1},
		{"T3_Full", 5, 3, 2, 0},
		{"B13_OverTheMaximumAfterADowngrade", 1, 8, 2, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := membersRoom(c.most, c.members, c.pending); got != c.wantedRoom {
				t.Errorf("room for %d, want %d", got, c.wantedRoom)
			}
		})
	}
}

func TestMoveKind(t *testing.T) {
	elsewhere := func(p Place) Place { p.Team = "other"; return p }
	for _, c := range []struct {
		name     string
		from, to Place
		kind     ledger.EntryKind
		code     string
	}{
		{"T8_Allocate", ofPool(), ofMember("ann"), ledger.KindAllocation, ""},
		{"T8_Reclaim", ofMember("ann"), ofPool(), ledger.KindReclaim, ""},
		{"T8_Transfer", ofMember("ann"), ofMember("bob"), ledger.KindTransfer, ""},
		{"T8_Contribute", ofPersonal("ann"), ofPool(), ledger.KindContribution, ""},
		{"T8_TeamNamedIsThisTeam", ofPool(), Place{Kind: PlaceMember, User: "ann", Team: "acme"}, ledger.KindAllocation, ""},
		{"T8_RefusesTeamToPersonal", ofPool(), ofPersonal("ann"), "", "move_to_personal"},
		{"T8_RefusesMemberToPersonal", ofMember("ann"), ofPersonal("ann"), "", "move_to_personal"},
		{"T8_RefusesPersonalToPersonal", ofPersonal("ann"), ofPersonal("bob"), "", "move_to_personal"},
		{"T8_RefusesPersonalToMember", ofPersonal("ann"), ofMember("ann"), "", "move_from_personal"},
		{"T8_RefusesTeamToAnotherTeam", ofPool(), elsewhere(ofPool()), "", "move_to_other_team"},
		{"T8_RefusesAnotherTeamToTeam", elsewhere(ofPool()), ofMember("ann"), "", "move_to_other_team"},
		{"T8_RefusesToOneself", ofMember("ann"), ofMember("ann"), "", "move_to_oneself"},
		{"T8_RefusesPoolToPool", ofPool(), ofPool(), "", "move_invalid"},
		{"T8_RefusesUnknownPlaces", Place{Kind: "bank"}, ofPool(), "", "move_invalid"},
		{"T8_RefusesNoPlace", Place{}, Place{}, "", "move_invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind, err := moveKind(MoveIn{TeamID: "acme", From: c.from, To: c.to})
			if c.code != "" {
				wantRefusal(t, err, Rule, c.code)
			} else if err != nil {
				t.Fatal(err)
			}
			if kind != c.kind {
				t.Errorf("got %q, want %q", kind, c.kind)
			}
		})
	}
}

func TestInvitationStateAt(t *testing.T) {
	i := Invitation{State: "pending", ExpiresAt: start.Add(7 * 24 * time.Hour)}
	if got := i.StateAt(i.ExpiresAt.Add(-1)); got != "pending" {
		t.Errorf("T3: just before its end it is %s", got)
	}
	if got := i.StateAt(i.ExpiresAt); got != "expired" {
		t.Errorf("T3: at its end it is %s", got)
	}
}
