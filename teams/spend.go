package teams

import (
	"encoding/json"
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
	TeamID string // "": on the user's own account, outside any team
	UserID string // the member, or whose account; of a team's capture, release or reversal it may be empty
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
	guessed bool        // which books to lock was remembered, not read
	whom    []memberKey // of each request
	teams   map[string]*Team
	users   map[string]*User
	members map[memberKey]*Member
	states  map[int64]*billing.State
	left    map[int64]bool   // books that somebody else has locked
	taken   map[bookKey]bool // keys that other kinds of write have used
	changed map[memberKey]bool
}

type memberKey struct{ team, user string }

// decide decides one request about a member. What it refuses has changed nothing.
func (d *desk) decide(in SpendIn, holder string) (*SpendOut, error) {
	team, err := d.place(in)
	if err != nil {
		return nil, err
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

// place finds where a request is made. A personal account is a team of one who pays
// personally: the book that the request names is then the user's own (L6).
func (d *desk) place(in SpendIn) (*Team, error) {
	if in.TeamID == "" {
		user, ok := d.users[in.UserID]
		if !ok {
			return nil, errUserUnknown(in.UserID)
		}
		return &Team{BookID: user.BookID, OwnerID: user.ID}, nil
	}
	team, ok := d.teams[in.TeamID]
	if !ok {
		return nil, errTeamUnknown(in.TeamID)
	}
	return team, nil
}

// member gives whoever a request is about, as the place knows them.
func (d *desk) member(team *Team, userID string) (*Member, bool) {
	if team.ID == "" {
		return &Member{UserID: userID, Role: Owner, Access: PersonalAccess}, true
	}
	m, ok := d.members[memberKey{team.ID, userID}]
	return m, ok
}

// checkOwn is check of a personal account: nobody but its user and the backend sees it.
func (d *desk) checkOwn(team *Team, in SpendIn) error {
	if !in.By.Backend() && in.By.User != in.UserID {
		return errUserUnknown(in.UserID)
	}
	if in.Op != OpSpend && in.Op != OpHold && !d.askedHere(team, in) {
		return unknown(in.Op)
	}
	if in.Op != OpRelease {
		if err := d.suspended(team, in.UserID); err != nil {
			return err
		}
	}
	if in.Op == OpReverse && !in.By.Backend() {
		return refuse(Forbidden, "backend_only", "nobody gives spent credits back to oneself")
	}
	return nil
}

// check holds S4's order as far as it needs no credits: belongs, suspended, role, state.
func (d *desk) check(team *Team, in SpendIn, holder string) error {
	if team.ID == "" {
		return d.checkOwn(team, in)
	}
	asks, isMember := d.members[memberKey{team.ID, in.By.User}]
	if !in.By.Backend() && !isMember {
		return errTeamUnknown(in.TeamID)
	}
	draws := in.Op == OpSpend || in.Op == OpHold
	if _, ok := d.members[memberKey{team.ID, holder}]; draws && !ok {
		return refuse(NotFound, "member_not_found", "%q is not a member of the team", holder)
	}
	if !draws && !d.askedHere(team, in) {
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
// for themselves. Whoever manages the team may also settle for others, and no plain member
// gives credits back to oneself.
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
