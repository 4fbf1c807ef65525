package teams

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

type instant = time.Time

// reasonLengthMax bounds a move's reason (T10).
const reasonLengthMax = 500

// Place is where credits lie: the pool, a member's allocation, a user's personal account.
type Place struct {
	Kind string `json:"kind"`
	User string `json:"user,omitempty"`
	Team string `json:"team,omitempty"` // "": this one; another team's place is refused
}

// The kinds of place.
const (
	PlacePool     = "pool"
	PlaceMember   = "member"
	PlacePersonal = "personal"
)

// MoveIn asks for credits to be moved (T8).
type MoveIn struct {
	TeamID  string
	By      Actor
	From    Place
	To      Place
	Credits int64
	All     bool // all that is free there, instead of Credits; of a reclaim
	Reason  string
	Key     string
	Hash    []byte
}

// MoveOut says what a move did, or in a preview would do: both balances before and after,
// and the lots that moved (T9). It is stored with the entry, as the answer to its key.
type MoveOut struct {
	Entry    *ledger.EntryRef `json:"entry,omitempty"` // in the team's book; nil of a preview
	At       time.Time        `json:"at"`
	Kind     string           `json:"kind"`
	Credits  int64            `json:"credits"`
	From     Place            `json:"from"`
	To       Place            `json:"to"`
	Reason   string           `json:"reason,omitempty"`
	Before   Balances         `json:"before"`
	After    Balances         `json:"after"`
	Lots     []MovedLot       `json:"lots"`
	Replayed bool             `json:"-"`
}

// Balances are what is free in the two places of a move.
type Balances struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// MovedLot is a part of a lot that moves; it keeps source and end.
type MovedLot struct {
	Source    ledger.Source `json:"source"`
	Credits   int64         `json:"credits"`
	ExpiresAt *time.Time    `json:"expires_at"`
}

// Move moves credits between the places of one team, or from the mover's own personal
// account into its pool. It takes effect at once and is final.
func Move(ctx context.Context, tx pgx.Tx, c *billing.Catalog, in MoveIn, at time.Time) (*MoveOut, error) {
	m, err := openMove(ctx, tx, c, in, at)
	if err != nil {
		return nil, err
	}
	first, reused := m.state.Book.Answered(m.request())
	if first != nil {
		return replayedMove(first)
	}
	if err := m.allow(ctx, tx); err != nil {
		return nil, err
	}
	if reused != nil {
		return nil, asRefusal(reused)
	}
	if m.kindErr != nil {
		return nil, m.kindErr
	}
	out, err := m.decide()
	if err != nil {
		return nil, err
	}
	if err := m.settle(); err != nil {
		return nil, err
	}
	m.tell(out)
	return out, billing.Save(ctx, tx, m.states()...)
}

// Preview answers what Move would, and posts nothing. The transaction may be rolled back
// or committed: nothing is written.
func Preview(ctx context.Context, tx pgx.Tx, c *billing.Catalog, in MoveIn, at time.Time) (*MoveOut, error) {
	in.Key, in.Hash = "preview", nil
	m, err := openMove(ctx, tx, c, in, at)
	if err != nil {
		return nil, err
	}
	if err := m.allow(ctx, tx); err != nil {
		return nil, err
	}
	if m.kindErr != nil {
		return nil, m.kindErr
	}
	out, err := m.decide()
	if err != nil {
		return nil, err
	}
	out.Entry = nil
	return out, nil
}

// move is one move with everything it touches, locked.
type move struct {
	*room
	in       MoveIn
	at       time.Time
	kind     ledger.EntryKind
	kindErr  error
	personal *billing.State // of a contribution
}

// openMove locks and loads what a move touches. Who may is asked afterwards: a repeated
// key gets its answer whatever has changed since.
func openMove(ctx context.Context, tx pgx.Tx, c *billing.Catalog, in MoveIn, at time.Time) (*move, error) {
	m := &move{in: in, at: at}
	m.kind, m.kindErr = moveKind(in)
	if m.kind == ledger.KindContribution {
		// Both books are locked together, in id order; opening the room then locks one again.
		if err := m.openPersonal(ctx, tx, c); err != nil {
			return nil, err
		}
	}
	var want ledger.Want
	if in.Hash != nil { // a preview has no key
		want.Keys = []string{ledgerKey(in.Key)}
	}
	var err error
	m.room, err = enterRoom(ctx, tx, c, in.TeamID, at, want)
	return m, err
}

// allow refuses in S4's order: belongs, suspended, role, state.
func (m *move) allow(ctx context.Context, tx pgx.Tx) error {
	if err := m.findRole(ctx, tx, m.in.By); err != nil {
		return err
	}
	for _, p := range []Place{m.in.From, m.in.To} {
		if p.Kind == PlaceMember {
			if _, err := GetMember(ctx, tx, m.team.ID, p.User); err != nil {
				return err
			}
		}
	}
	allowed := m.role.Manages()
	if m.kind == ledger.KindContribution {
		giver, err := GetMember(ctx, tx, m.team.ID, m.in.From.User)
		if err != nil {
			return err
		}
		// One's own credits, into a team that one owns or administers.
		allowed = giver.Role.Manages() && (m.in.By.Backend() || m.in.By.User == giver.UserID)
	}
	return m.may(allowed, "move these credits")
}

func (m *move) openPersonal(ctx context.Context, tx pgx.Tx, c *billing.Catalog) error {
	user, err := GetUser(ctx, tx, m.in.From.User)
	if errors.Is(err, ErrUserUnknown) {
		// Who may not see the team learns of no user either.
		if _, _, err := Look(ctx, tx, m.in.TeamID, m.in.By); err != nil {
			return err
		}
		return refuse(NotFound, "user_not_found", "there is no user %q", m.in.From.User)
	}
	if err != nil {
		return err
	}
	team, err := GetTeam(ctx, tx, m.in.TeamID)
	if errors.Is(err, ErrTeamUnknown) {
		return errTeamUnknown(m.in.TeamID)
	}
	if err != nil {
		return err
	}
	if err := ledger.Lock(ctx, tx, team.BookID, user.BookID); err != nil {
		return err
	}
	m.personal, err = billing.OpenState(ctx, tx, c, m.at, ledger.Want{Book: user.BookID})
	if err != nil {
		return err
	}
	return m.personal.Settle(m.at)
}

// moveKind names the move by its two ends, and refuses those that aren't allowed (T8).
func moveKind(in MoveIn) (ledger.EntryKind, error) {
	from, to := in.From.Kind, in.To.Kind
	switch {
	case in.To.Team != "" && in.To.Team != in.TeamID:
		return "", refuseField("move_to_other_team", "to", "credits don't move from team to team")
	case in.From.Team != "" && in.From.Team != in.TeamID:
		return "", refuseField("move_to_other_team", "from", "credits don't move from team to team")
	case from == PlacePersonal && to == PlacePool:
		return ledger.KindContribution, nil
	case to == PlacePersonal:
		return "", refuseField("move_to_personal", "to", "a team's credits don't move to a personal account")
	case from == PlacePersonal:
		return "", refuseField("move_from_personal", "from", "personal credits are put into the pool, and set aside from there")
	case from == PlacePool && to == PlaceMember:
		return ledger.KindAllocation, nil
	case from == PlaceMember && to == PlacePool:
		return ledger.KindReclaim, nil
	case from == PlaceMember && to == PlaceMember && in.From.User == in.To.User:
		return "", refuseField("move_to_oneself", "to", "credits don't move to where they are")
	case from == PlaceMember && to == PlaceMember:
		return ledger.KindTransfer, nil
	}
	return "", refuseField("move_invalid", "to", "credits move between pool, members and one's own personal account")
}

// decide checks what is left to check and moves in memory.
func (m *move) decide() (*MoveOut, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	out := &MoveOut{At: m.at.UTC().Truncate(time.Microsecond), Kind: string(m.kind), From: m.in.From, To: m.in.To, Reason: m.in.Reason}
	from, to := m.accounts()
	out.Before = m.balances(from, to)
	if m.in.All {
		m.in.Credits = min(out.Before.From, ledger.CreditsMax)
		if m.in.Credits == 0 {
			return nil, m.tooMuch(&ledger.InsufficientError{})
		}
	}
	out.Credits = m.in.Credits
	var entry *ledger.Entry // the one in the team's book
	var err error
	if m.personal != nil {
		entry, err = m.contribute(from, to)
	} else {
		entry, err = m.state.Book.Move(m.request(), ledger.MoveIn{Kind: m.kind, From: from, To: to, Credits: m.in.Credits})
	}
	if err != nil {
		return nil, m.tooMuch(err)
	}
	out.Entry = &ledger.EntryRef{Book: entry.Book, Sequence: entry.Sequence}
	out.After = m.balances(from, to)
	out.Lots = m.moved(entry)
	entry.Answer, _ = json.Marshal(out) // of strings, numbers and instants: it can't fail
	return out, nil
}

func (m *move) request() ledger.Request {
	r := ledger.Request{
		Key: ledgerKey(m.in.Key), Hash: m.in.Hash, Actor: m.in.By.Name(), At: m.at, Holder: m.in.To.User, Memo: m.in.Reason, Metadata: m.places(),
	}
	if m.kind == ledger.KindReclaim {
		r.Holder = m.in.From.User
	}
	return r
}

func replayedMove(first *ledger.Entry) (*MoveOut, error) {
	out := &MoveOut{Replayed: true}
	if err := json.Unmarshal(first.Answer, out); err != nil {
		return nil, fmt.Errorf("reading the first answer: %w", err)
	}
	return out, nil
}

// check holds the rules that depend on neither role nor credits.
func (m *move) check() error {
	if utf8.RuneCountInString(m.in.Reason) > reasonLengthMax {
		return refuseField("reason_too_long", "reason", "a reason has at most %d characters", reasonLengthMax)
	}
	if m.in.All && m.kind != ledger.KindReclaim {
		return refuseField("move_invalid", "all", "only a reclaim takes all there is")
	}
	if !m.in.All && (m.in.Credits < 1 || m.in.Credits > ledger.CreditsMax) {
		return asRefusal(&ledger.AmountError{Credits: m.in.Credits})
	}
	if m.kind != ledger.KindReclaim && !m.plan(m.at).teams {
		return refuse(Rule, "plan_without_teams", "the team's plan doesn't allow sharing credits")
	}
	return nil
}

func (m *move) accounts() (from, to *ledger.Account) {
	at := func(p Place) *ledger.Account {
		switch p.Kind {
		case PlaceMember:
			return m.state.Book.MakeAllocation(p.User, m.at)
		case PlacePersonal:
			a, _ := m.personal.Book.Account(ledger.Main)
			return a
		}
		a, _ := m.state.Book.Account(ledger.Main)
		return a
	}
	return at(m.in.From), at(m.in.To)
}

func (m *move) balances(from, to *ledger.Account) Balances {
	return Balances{From: from.Available(m.at), To: to.Available(m.at)}
}

// contribute carries the giver's own credits into the pool, and gives the entry that
// arrives. It keeps the key: the team is where the request is named (L6).
func (m *move) contribute(from, to *ledger.Account) (*ledger.Entry, error) {
	r := m.request()
	draws, err := m.personal.Book.Choose(from, r, m.in.Credits)
	if err != nil {
		return nil, err
	}
	_, arrives, err := ledger.Carry(m.personal.Book, m.state.Book, r, ledger.CarryIn{
		Kind: ledger.KindContribution, From: from, To: to, Draws: draws, Contributor: m.in.From.User,
		PaysDebt: m.in.From.User == m.team.OwnerID, KeyInTo: true,
	})
	return arrives, err
}

// tooMuch says how much could have been moved.
func (m *move) tooMuch(err error) error {
	var short *ledger.InsufficientError
	if !errors.As(err, &short) {
		return asRefusal(err)
	}
	r := refuse(Short, "too_few_credits", "only %d credits are free there; what is held or frozen can't be moved", short.Available)
	r.Available = short.Available
	return r
}

func (m *move) moved(e *ledger.Entry) []MovedLot {
	moved := []MovedLot{}
	for _, p := range e.Postings {
		if p.To == ledger.Debt {
			continue
		}
		if lot, ok := m.state.Book.LotByID(p.Lot); ok {
			moved = append(moved, MovedLot{Source: lot.Source, Credits: p.Credits, ExpiresAt: lot.ExpiresAt})
		}
	}
	return moved
}

// places records both ends with the entry, for the history.
func (m *move) places() []byte {
	raw, _ := json.Marshal(map[string]Place{"from": m.in.From, "to": m.in.To})
	return raw
}

func (m *move) settle() error {
	for _, s := range m.states() {
		if err := s.Settle(m.at); err != nil {
			return err
		}
	}
	return nil
}

func (m *move) states() []*billing.State {
	if m.personal != nil {
		return []*billing.State{m.state, m.personal}
	}
	return []*billing.State{m.state}
}
