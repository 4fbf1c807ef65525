package teams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// SpendResult is what became of one request of a batch.
type SpendResult struct {
	Out *SpendOut
	Err error
}

// ErrAgain says that a request couldn't be decided with what was locked: the member's
// access changed meanwhile. Trying again locks the right books.
var ErrAgain = errors.New("the member's access changed meanwhile")

// Spend is SpendMany of one.
func Spend(ctx context.Context, tx pgx.Tx, c *billing.Catalog, in SpendIn, at time.Time) (*SpendOut, error) {
	results, _, err := SpendMany(ctx, tx, c, []SpendIn{in}, at)
	if err != nil {
		return nil, err
	}
	return results[0].Out, results[0].Err
}

// SpendMany decides requests together, in order, each with its own answer: the books are
// locked and loaded once, and what all of them post is written once. A request that is
// refused changes nothing and holds nobody up. An error of the whole means that nothing
// was decided; the transaction must be rolled back. Low are the books whose automatic
// top-up is to be decided now: whoever commits stages that.
func SpendMany(ctx context.Context, tx pgx.Tx, c *billing.Catalog, ins []SpendIn, at time.Time) (results []SpendResult, low []int64, err error) {
	d, err := openDesk(ctx, tx, c, ins, at)
	if err != nil {
		return nil, nil, err
	}
	results = make([]SpendResult, len(ins))
	for i, in := range ins {
		if err := d.ready(i, in); err != nil {
			results[i].Err = err
			continue
		}
		results[i].Out, results[i].Err = d.decide(in, d.whom[i].user)
	}
	low, err = d.save(ctx, tx)
	return results, low, err
}

// ready tells whether everything that the request may touch is locked.
func (d *desk) ready(i int, in SpendIn) error {
	team, err := d.place(in)
	if err != nil {
		return nil //nolint:nilerr // decide refuses it
	}
	if d.states[team.BookID] == nil {
		return ErrAgain
	}
	m, ok := d.members[d.whom[i]]
	if !ok || (m.Access != PersonalAccess && !team.FallBack) {
		return nil
	}
	if u := d.users[m.UserID]; u == nil || d.states[u.BookID] == nil {
		return ErrAgain
	}
	return nil
}

// openDesk reads what the requests are about, locks the books, and reads again: what
// was read before the lock only told what to lock.
func openDesk(ctx context.Context, tx pgx.Tx, c *billing.Catalog, ins []SpendIn, at time.Time) (*desk, error) {
	d := &desk{at: at, states: map[int64]*billing.State{}, changed: map[memberKey]bool{}}
	if err := d.findWhom(ctx, tx, ins); err != nil {
		return nil, err
	}
	if err := d.read(ctx, tx, ins); err != nil {
		return nil, err
	}
	wants := d.wants(ins)
	if len(wants) == 0 {
		return d, nil
	}
	states, err := billing.OpenStates(ctx, tx, c, at, wants...)
	if err != nil {
		return nil, fmt.Errorf("opening the books: %w", err)
	}
	for _, s := range states {
		d.states[s.Book.ID] = s
		if err := s.Settle(at); err != nil {
			return nil, err
		}
		if err := ledger.RecountDrawn(ctx, tx, s.Book); err != nil {
			return nil, err
		}
	}
	return d, d.read(ctx, tx, ins)
}

// findWhom finds whom the requests are about. A team's capture, release or reversal is
// about whoever the entry was made for.
func (d *desk) findWhom(ctx context.Context, tx pgx.Tx, ins []SpendIn) error {
	var refs []ledger.EntryRef
	for _, in := range ins {
		d.whom = append(d.whom, memberKey{in.TeamID, in.UserID})
		if in.TeamID != "" && in.Of.Sequence != 0 {
			refs = append(refs, in.Of)
		}
	}
	if refs == nil {
		return nil
	}
	holders, err := ledger.HoldersOf(ctx, tx, refs)
	if err != nil {
		return err
	}
	for i, in := range ins {
		if in.TeamID != "" && in.Of.Sequence != 0 {
			d.whom[i].user = holders[in.Of]
		}
	}
	return nil
}

// read reads the teams, and the members and users that the requests are about or come
// from. Once the books are locked it also finds which keys were used for other writes.
func (d *desk) read(ctx context.Context, tx pgx.Tx, ins []SpendIn) error {
	var teamIDs, userIDs, keys []string
	var books []int64
	for i, k := range d.whom {
		teamIDs, userIDs = append(teamIDs, k.team), append(userIDs, k.user)
		if by := ins[i].By; !by.Backend() && by.User != k.user {
			teamIDs, userIDs = append(teamIDs, k.team), append(userIDs, by.User)
		}
		if t, err := d.place(ins[i]); err == nil && d.states[t.BookID] != nil {
			books, keys = append(books, t.BookID), append(keys, ins[i].Key)
		}
	}
	d.teams, d.users, d.members, d.taken = map[string]*Team{}, map[string]*User{}, map[memberKey]*Member{}, map[bookKey]bool{}
	var batch pgx.Batch
	batch.Queue(`SELECT `+teamColumns+` FROM teams WHERE id = ANY($1)`, teamIDs).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[Team])
		for _, t := range list {
			d.teams[t.ID] = t
		}
		return err
	})
	batch.Queue(`SELECT `+userColumns+` FROM users WHERE id = ANY($1)`, userIDs).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[User])
		for _, u := range list {
			d.users[u.ID] = u
		}
		return err
	})
	batch.Queue(`
		SELECT `+memberColumns+` FROM members
		WHERE (team_id, user_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))`, teamIDs, userIDs).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[Member])
		for _, m := range list {
			d.members[memberKey{m.TeamID, m.UserID}] = m
		}
		return err
	})
	if books != nil {
		queueTaken(&batch, books, keys, d.at, d.taken)
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("reading teams and members: %w", err)
	}
	return nil
}

// wants says which books the requests need, and what of their past.
func (d *desk) wants(ins []SpendIn) []ledger.Want {
	byBook := map[int64]*ledger.Want{}
	want := func(book int64) *ledger.Want {
		if byBook[book] == nil {
			byBook[book] = &ledger.Want{Book: book}
		}
		return byBook[book]
	}
	for i, in := range ins {
		team, err := d.place(in)
		if err != nil {
			continue // decide refuses it
		}
		w := want(team.BookID)
		w.Keys = append(w.Keys, ledgerKey(in.Key))
		whom := d.whom[i]
		if whom.user != "" {
			w.Drawn = append(w.Drawn, whom.user)
		}
		if m, ok := d.members[whom]; ok && (m.Access == PersonalAccess || team.FallBack) && d.users[m.UserID] != nil {
			want(d.users[m.UserID].BookID)
		}
		if in.Of.Sequence != 0 && d.mayHold(team, whom.user, in.Of.Book) {
			w := want(in.Of.Book)
			w.Undo = append(w.Undo, in.Of.Sequence)
			if in.Op != OpReverse {
				w.Holds = append(w.Holds, in.Of.Sequence)
			}
		}
	}
	wants := make([]ledger.Want, 0, len(byBook))
	for _, w := range byBook {
		wants = append(wants, *w)
	}
	return wants
}

// mayHold keeps requests from reaching into books that have nothing to do with the team.
func (d *desk) mayHold(team *Team, userID string, book int64) bool {
	return book == team.BookID || d.users[userID] != nil && d.users[userID].BookID == book
}

func (d *desk) save(ctx context.Context, tx pgx.Tx) (low []int64, err error) {
	states := make([]*billing.State, 0, len(d.states))
	for _, s := range d.states {
		if err := s.Settle(d.at); err != nil {
			return nil, err
		}
		states = append(states, s)
		if s.RunsLow() {
			low = append(low, s.Book.ID)
		}
	}
	for key := range d.changed {
		if err := storeMember(ctx, tx, *d.members[key]); err != nil {
			return nil, err
		}
	}
	if len(states) == 0 {
		return nil, nil
	}
	return low, billing.Save(ctx, tx, states...)
}
