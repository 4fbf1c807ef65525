package teams

import (
	"encoding/json"
	"errors"
	"time"

	"purser/billing"
	"purser/ledger"
)

// Op is what is done with a member's credits (S1).
type Op string

// The operations.
const (
	OpSpend   Op = "spend"
	OpHold    Op = "hold"
	OpCapture Op = "capture"
	OpRelease Op = "release"
	OpReverse Op = "reverse"
)

// How long a hold lives (S1).
const (
	HoldDefault = 15 * time.Minute
	HoldMax     = 24 * time.Hour
)

// SpendIn is one request to spend, hold, capture, release or reverse.
type SpendIn struct {
	Op     Op
	TeamID string
	UserID string // the member; of a capture, release or reversal it may be empty
	By     Actor

	Credits int64
	Whole   bool          // capture all that is held, reverse all that is left, instead of Credits
	TTL     time.Duration // of a hold; 0: HoldDefault
	Of      ledger.EntryRef

	Key       string
	Hash      []byte
	Reference string
	Memo      string
	Metadata  json.RawMessage
}

// desk is everything that one batch of requests needs: teams, members and books, loaded
// once, under their locks.
type desk struct {
	at      time.Time
	whom    []memberKey // of each request
	teams   map[string]*Team
	users   map[string]*User
	members map[memberKey]*Member
	states  map[int64]*billing.State
	taken   map[bookKey]bool // keys that other kinds of write have used
	changed map[memberKey]bool
}

type memberKey struct{ team, user string }

// decide decides one request about a member. What it refuses has changed nothing.
func (d *desk) decide(in SpendIn, holder string) (*SpendOut, error) {
	team, ok := d.teams[in.TeamID]
	if !ok {
		return nil, errTeamUnknown(in.TeamID)
	}
	book := d.states[team.BookID].Book
	first, reused := book.Answered(ledger.Request{Key: ledgerKey(in.Key), Hash: in.Hash, Actor: in.By.Name()})
	if first != nil {
		return d.replay(team, in, first)
	}
	if d.taken[bookKey{team.BookID, in.Key}] {
		reused = ledger.ErrKeyReused
	}
	if err := d.check(team, in, holder); err != nil {
		return nil, err
	}
	// S4: whether the key was used comes after who may ask.
	if reused != nil {
		return nil, asRefusal(reused)
	}
	if in.Op == OpSpend || in.Op == OpHold {
		return d.draw(team, in)
	}
	return d.settle(team, in)
}

// check holds S4's order as far as it needs no credits: belongs, suspended, role, state.
func (d *desk) check(team *Team, in SpendIn, holder string) error {
	asks, isMember := d.members[memberKey{team.ID, in.By.User}]
	if !in.By.Backend() && !isMember {
		return errTeamUnknown(in.TeamID)
	}
	draws := in.Op == OpSpend || in.Op == OpHold
	if _, ok := d.members[memberKey{team.ID, holder}]; draws && !ok {
		return refuse(NotFound, "member_not_found", "%q is not a member of the team", holder)
	}
	if !draws && !d.ofTeam(team, in) {
		return unknown(in.Op)
	}
	// What a hold keeps may always go back.
	if in.Op != OpRelease {
		if err := d.suspended(team, holder, in.By.User); err != nil {
			return err
		}
	}
	if !in.By.Backend() && !maySettle(in, asks.Role, holder) {
		return refuse(Forbidden, "role_forbids", "a %s may not do that with another member's credits", asks.Role)
	}
	if team.ClosedAt != nil {
		return refuse(Conflict, "team_closed", "the team is closed")
	}
	return nil
}

// maySettle tells whether a member may do that. Members spend, hold, capture and release
// for themselves. Whoever manages the team may also settle for others, and nobody gives
// credits back to oneself alone.
func maySettle(in SpendIn, role Role, holder string) bool {
	switch in.Op {
	case OpSpend, OpHold:
		return in.By.User == holder
	case OpReverse:
		return role.Manages()
	}
	return in.By.User == holder || role.Manages()
}

func (d *desk) suspended(team *Team, userIDs ...string) error {
	if team.SuspendedAt != nil {
		return refuse(Suspended, "team_suspended", "the team is suspended")
	}
	for _, id := range userIDs {
		if u := d.users[id]; u != nil && u.SuspendedAt != nil {
			return refuse(Suspended, "user_suspended", "the user is suspended")
		}
	}
	return nil
}

// draw spends or holds: from the accounts that the member's access names, or, if the
// team lets its members fall back, all of it from the personal account.
func (d *desk) draw(team *Team, in SpendIn) (*SpendOut, error) {
	m := d.members[memberKey{team.ID, in.UserID}]
	if in.Op == OpHold {
		if in.TTL == 0 {
			in.TTL = HoldDefault
		}
		if in.TTL < time.Second || in.TTL > HoldMax {
			return nil, refuseField("hold_too_long", "expires_in", "a hold lives between one second and 24 hours")
		}
	}
	p := d.payment(team, *m)
	entry, err := d.drawAs(d.states[team.BookID], p, in)
	var short *ledger.InsufficientError
	if errors.As(err, &short) {
		return d.fallBack(team, m, p, in)
	}
	if err != nil {
		return nil, asRefusal(err)
	}
	return d.answer(team, m, in, entry, false), nil
}

func (d *desk) payment(team *Team, m Member) payment {
	state := d.states[team.BookID]
	_, end, _ := state.CurrentPeriod(d.at)
	drawn := state.Book.DrawnBy(m.UserID)
	var personal *ledger.Book
	if s := d.states[d.users[m.UserID].BookID]; s != nil {
		personal = s.Book
	}
	return pay(*team, m, state.Book, personal, Drawn{Window: drawn.Window, Total: drawn.Total}, end)
}

func (d *desk) drawAs(state *billing.State, p payment, in SpendIn) (*ledger.Entry, error) {
	do := func(b *ledger.Book, r ledger.Request) (*ledger.Entry, error) {
		if in.Op == OpHold {
			return b.Hold(r, ledger.HoldIn{Credits: in.Credits, Payers: p.payers, ExpiresAt: d.at.Add(in.TTL)})
		}
		return b.Spend(r, ledger.SpendIn{Credits: in.Credits, Payers: p.payers})
	}
	r := in.request(d.at)
	if !p.personal {
		return do(state.Book, r)
	}
	personal := d.states[d.users[in.UserID].BookID].Book
	_, paid, err := ledger.Elsewhere(state.Book, personal, r, func(r ledger.Request) (*ledger.Entry, error) { return do(personal, r) })
	return paid, err
}

func (in SpendIn) request(at time.Time) ledger.Request {
	return ledger.Request{
		Key: ledgerKey(in.Key), Hash: in.Hash, Actor: in.By.Name(), At: at, Holder: in.UserID, Memo: in.Memo, Reference: in.Reference, Metadata: in.Metadata,
	}
}

// fallBack lets a member who is out of credits pay personally, if the team wants that:
// the access type changes in the same transaction and the whole spend is personal (T7).
func (d *desk) fallBack(team *Team, m *Member, p payment, in SpendIn) (*SpendOut, error) {
	refusal := p.short(*team, in.Credits, d.at, m.Access != PersonalAccess)
	if !team.FallBack || p.personal {
		return nil, refusal
	}
	own := *m
	own.Access = PersonalAccess
	personal := d.payment(team, own)
	entry, err := d.drawAs(d.states[team.BookID], personal, in)
	var short *ledger.InsufficientError
	if errors.As(err, &short) {
		return nil, refusal
	}
	if err != nil {
		return nil, asRefusal(err)
	}
	m.goPersonal(byFallback)
	d.changed[memberKey{m.TeamID, m.UserID}] = true
	return d.answer(team, m, in, entry, true), nil
}

// settle captures, releases or reverses.
func (d *desk) settle(team *Team, in SpendIn) (*SpendOut, error) {
	state := d.states[in.Of.Book]
	credits, kept := in.Credits, int64(0)
	if in.Op == OpReverse && in.Whole {
		left, _ := state.Book.LeftOf(in.Of.Sequence)
		credits = max(1, left) // of nothing left, one is too many
	}
	if h, ok := state.Book.HoldOf(in.Of.Sequence); ok && in.Op == OpCapture {
		kept = h.Credits
		if in.Whole {
			credits = kept
		}
	}
	do := func(b *ledger.Book, r ledger.Request) (*ledger.Entry, error) {
		switch in.Op {
		case OpCapture:
			return b.Capture(r, in.Of.Sequence, credits)
		case OpRelease:
			return b.Release(r, in.Of.Sequence)
		default:
			return b.Reverse(r, in.Of.Sequence, credits)
		}
	}
	named, r := d.states[team.BookID].Book, in.request(d.at)
	var entry *ledger.Entry
	var err error
	if named.ID == in.Of.Book {
		entry, err = do(named, r)
	} else {
		_, entry, err = ledger.Elsewhere(named, state.Book, r, func(r ledger.Request) (*ledger.Entry, error) { return do(state.Book, r) })
	}
	if err != nil {
		return nil, asRefusal(err)
	}
	out := &SpendOut{Team: team.ID, Answer: d.told(entry)}
	if in.Op == OpCapture {
		out.Answer.Credits, out.Answer.Released = credits, kept-credits
	}
	if m, ok := d.members[memberKey{team.ID, entry.Holder}]; ok {
		out.Answer.Available = d.payment(team, *m).available(d.at)
	}
	d.remember(team, in, entry, out)
	return out, nil
}

func unknown(op Op) error {
	if op == OpReverse {
		return refuse(NotFound, "spend_not_found", "there is no such spend in the team")
	}
	return refuse(NotFound, "hold_not_found", "there is no such hold in the team")
}

// ofTeam tells whether what is to be settled was asked of this team: of a personal spend
// the user's book names the team's as its peer.
func (d *desk) ofTeam(team *Team, in SpendIn) bool {
	state, ok := d.states[in.Of.Book]
	if !ok {
		return false
	}
	if in.Of.Book == team.BookID {
		return true
	}
	peer, ok := state.Book.PeerOf(in.Of.Sequence)
	return ok && peer.Book == team.BookID
}

// available is what can be drawn with this payment.
func (p payment) available(at time.Time) int64 {
	var sum int64
	for _, payer := range p.payers {
		n := payer.Account.Available(at)
		if payer.Max >= 0 {
			n = min(n, payer.Max)
		}
		sum += n
	}
	return sum
}

func (d *desk) answer(team *Team, m *Member, in SpendIn, entry *ledger.Entry, fellBack bool) *SpendOut {
	out := &SpendOut{Team: team.ID, Answer: d.told(entry)}
	out.Answer.Available, out.Answer.FellBack = d.payment(team, *m).available(d.at), fellBack
	d.remember(team, in, entry, out)
	return out
}
