package teams

import (
	"time"

	"purser/ledger"
)

// Sharing says whether members may draw from the pool or only from their own allocation.
const (
	SharingPool     = "pool"
	SharingBalances = "balances"
)

// LimitState is a member's limit as it stands.
type LimitState struct {
	Limit
	Used     int64      `json:"used"`
	Left     int64      `json:"left"`
	ResetsAt *time.Time `json:"resets_at"`
}

// Drawn is what a member drew from the pool: spent or held, and not given back.
type Drawn struct {
	Window int64 // in the current period
	Total  int64 // ever
}

// limitState works out what is left of a limit (T6).
func limitState(l Limit, drawn Drawn, periodEnd time.Time) *LimitState {
	s := &LimitState{Limit: l}
	switch l.Kind {
	case LimitPeriod:
		s.Used, s.ResetsAt = drawn.Window, &periodEnd
	case LimitTotal:
		s.Used = drawn.Total
	default:
		return nil
	}
	s.Left = max(0, l.Credits-s.Used)
	return s
}

// payment says who pays for a member's spend (S2), in order, and what stops it.
type payment struct {
	personal bool
	payers   []ledger.Payer
	limit    *LimitState
}

// pay decides who pays: of a personal member the personal account; of the others their
// own allocation first, then, if the team shares the pool, the pool within the limit.
func pay(team Team, m Member, shared, personal *ledger.Book, drawn Drawn, periodEnd time.Time) payment {
	if m.Access == PersonalAccess {
		account, _ := personal.Account(ledger.Main)
		return payment{personal: true, payers: []ledger.Payer{ledger.From(account)}}
	}
	p := payment{limit: limitState(m.Limit(), drawn, periodEnd)}
	if allocation, ok := shared.AllocationOf(m.UserID); ok {
		p.payers = append(p.payers, ledger.From(allocation))
	}
	if team.Sharing == SharingPool {
		pool, _ := shared.Account(ledger.Main)
		most := int64(-1)
		if p.limit != nil {
			most = p.limit.Left
		}
		p.payers = append(p.payers, ledger.Payer{Account: pool, Max: most})
	}
	return p
}

// short explains why a spend was refused for want of credits or of a limit's room: what
// stopped it, how much there is, and what would help (T7). The limit is looked at before
// the credits (S4).
func (p payment) short(team Team, wanted int64, at time.Time, canGoPersonal bool) *Refusal {
	r := &Refusal{Class: Short, Available: p.available(at), Limit: p.limit}
	fromPool := wanted // what would have to come from the pool
	poolShort := true
	for _, payer := range p.payers {
		if payer.Account.ID == ledger.Main {
			poolShort = payer.Account.Available(at) < fromPool
		} else {
			fromPool -= min(fromPool, payer.Account.Available(at))
		}
	}
	switch {
	case p.personal:
		r.Code, r.Detail, r.Helps = "personal_account_empty", "the personal account has too few credits", []string{"buy_pack"}
	case team.Sharing == SharingBalances:
		r.Code, r.Detail, r.Helps = "allocation_empty", "the member's allocation has too few credits", []string{"allocate", "transfer"}
	case p.limit != nil && p.limit.Left < fromPool:
		r.Code, r.Detail, r.Helps = "limit_reached", "the member's limit is reached", []string{"raise_limit", "allocate"}
		if p.limit.ResetsAt != nil {
			r.Helps = append(r.Helps, "wait_for_reset")
		}
		if poolShort {
			r.Helps = append(r.Helps, "buy_pack", "add_seats")
		}
	default:
		r.Code, r.Detail, r.Helps = "pool_empty", "the pool has too few credits", []string{"buy_pack", "add_seats"}
	}
	if canGoPersonal && !p.personal {
		r.Helps = append(r.Helps, "go_personal")
	}
	return r
}

// seats says how many seats there are and who has them (T4).
type seats struct {
	Bought   int64
	Assigned int64
	Reserved int64 // by invitations
}

func (s seats) free() int64 { return s.Bought - s.Assigned - s.Reserved }

// fallingSeats says who gives up a seat when fewer were bought than are taken (T5):
// invitations first, the latest first; then the members whose seat is the youngest.
func fallingSeats(s seats, reserved []Invitation, assigned []Member) (invitations []Invitation, members []Member) {
	over := s.Assigned + s.Reserved - s.Bought
	for i := len(reserved) - 1; i >= 0 && over > 0; i-- {
		invitations = append(invitations, reserved[i])
		over--
	}
	for i := len(assigned) - 1; i >= 0 && over > 0; i-- {
		members = append(members, assigned[i])
		over--
	}
	return invitations, members
}

// mayGoBack tells whether a member may leave personal access alone (T7).
func mayGoBack(m Member, s seats) *Refusal {
	if m.Access != PersonalAccess {
		return refuse(Conflict, "not_personal", "the member's access is %s already", m.Access)
	}
	if m.PersonalBy != bySelf && m.PersonalBy != byFallback {
		return refuse(Forbidden, "access_set_by_admin", "the access was not given up by the member, so an admin must give it back")
	}
	if m.AccessGiven == SeatAccess && s.free() < 1 {
		return refuse(Conflict, "no_seat_free", "all %d seats are assigned or reserved", s.Bought)
	}
	return nil
}

// membersRoom tells how many more may be invited or join (T3): the owner counts, and so
// do pending invitations.
func membersRoom(membersMax int, members, pending int64) int64 {
	return max(0, int64(membersMax)-members-pending)
}
