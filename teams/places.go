package teams

import (
	"errors"
	"sync"
)

// placesMax bounds how many teams are remembered, and placesRest is for how many batches a
// team of which more than its own book was needed isn't guessed.
const (
	placesMax  = 100_000
	placesRest = 100
)

// ErrMisplaced says that a batch needs other books than were remembered, and that nothing
// was done. It is decided once it is asked for again, in a transaction of its own.
var ErrMisplaced = errors.New("other books are needed than were remembered")

// Places remembers the books of teams whose requests needed no other one, so that the next
// ones are locked without looking. Nothing is decided by it: what a request needs is read
// under the lock, and if another book is among it, the batch begins anew and looks. So what
// another process changes makes a batch slower, never wrong.
type Places struct {
	mu    sync.Mutex
	known map[string]remembered
}

type remembered struct {
	book int64
	rest int // for how many batches it isn't guessed
}

// guess gives the teams of the requests with no more than their books, or nil where one
// has to be looked up.
func (p *Places) guess(ins []SpendIn) map[string]*Team {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	teams := map[string]*Team{}
	for _, in := range ins {
		r, ok := p.known[in.TeamID]
		if !ok || r.rest > 0 || in.Of.Book != 0 && in.Of.Book != r.book {
			return nil
		}
		teams[in.TeamID] = &Team{ID: in.TeamID, BookID: r.book}
	}
	return teams
}

// learn remembers what the requests turned out to need, and tells whether all of it was
// locked if it was a guess.
func (p *Places) learn(d *desk, ins []SpendIn) (enough bool) {
	if p == nil {
		return true
	}
	alone := map[string]bool{}
	for i, in := range ins {
		if in.TeamID != "" {
			before, seen := alone[in.TeamID]
			alone[in.TeamID] = d.ownBookDoes(i, in) && (before || !seen)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil || len(p.known) > placesMax {
		p.known = map[string]remembered{}
	}
	enough = true
	for id, does := range alone {
		r := p.known[id]
		switch team := d.teams[id]; {
		case team == nil:
			delete(p.known, id)
			enough = false
		case !does:
			p.known[id] = remembered{rest: placesRest}
			enough = false
		default:
			p.known[id] = remembered{book: team.BookID, rest: max(0, r.rest-1)}
		}
	}
	return enough || !d.guessed
}

// ownBookDoes tells whether a request of a team's needs no other book than the team's. Of
// one that somebody else has locked nothing else is known.
func (d *desk) ownBookDoes(i int, in SpendIn) bool {
	team := d.teams[in.TeamID]
	if team != nil && d.left[team.BookID] {
		return true
	}
	if team == nil || d.states[team.BookID] == nil || in.Of.Book != 0 && in.Of.Book != team.BookID || team.FallBack {
		return false
	}
	m, ok := d.members[d.whom[i]]
	return !ok || m.Access != PersonalAccess
}
