package teams

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// openDesk reads what the requests are about, locks the books, and reads again: what
// was read before the lock only told what to lock. That takes two round trips, since what
// is read under the lock is sent along with it: each statement sees what was committed
// before it began, and it begins once the lock is granted.
//
// Requests of several places wait for nobody's lock: those whose book somebody else has are
// to be decided again, and the others now.
//
// Where all requests are about teams whose books are known, nothing is read before the
// lock: what was to be locked besides shows under it.
func openDesk(ctx context.Context, q ledger.Querier, c *billing.Catalog, ins []SpendIn, at time.Time, places *Places) (*desk, error) {
	d := &desk{at: at, states: map[int64]*billing.State{}, changed: map[memberKey]bool{}, taken: map[bookKey]bool{}, left: map[int64]bool{}}
	settled := d.name(ins)
	if d.teams = places.guess(ins); d.teams != nil {
		d.guessed = true
	} else if err := d.look(ctx, q, ins, settled); err != nil {
		return nil, err
	}
	wants := d.wants(ins)
	if len(wants) == 0 {
		return d, nil
	}
	var batch pgx.Batch
	open := billing.QueueOpen
	if d.places(ins) > 1 {
		open = billing.QueueOpenFree
	}
	opening := open(&batch, c, at, wants...)
	d.queueTaken(&batch, ins)
	if !d.guessed {
		settled = settledRefs{}
	}
	d.queueRead(&batch, ins, settled)
	if err := q.SendBatch(ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("opening the books: %w", err)
	}
	states, err := opening.States(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("opening the books: %w", err)
	}
	for _, s := range states {
		if !s.Book.Locked() {
			d.left[s.Book.ID] = true
			continue
		}
		d.states[s.Book.ID] = s
		if err := s.Settle(at); err != nil {
			return nil, err
		}
		if err := ledger.RecountDrawn(ctx, q, s.Book); err != nil {
			return nil, err
		}
	}
	d.findHolders(ins)
	return d, nil
}

// places counts the teams, and the accounts outside any team, that requests are made in.
func (d *desk) places(ins []SpendIn) int {
	books := map[int64]bool{}
	for _, in := range ins {
		if team, err := d.place(in); err == nil {
			books[team.BookID] = true
		}
	}
	return len(books)
}

// name says whom the requests are about, as far as they do. A team's capture, release or
// reversal is about whoever the entry was made for.
func (d *desk) name(ins []SpendIn) (settled settledRefs) {
	for _, in := range ins {
		if !in.settlesOfTeam() {
			d.whom = append(d.whom, memberKey{in.TeamID, in.UserID})
			continue
		}
		d.whom = append(d.whom, memberKey{team: in.TeamID})
		settled.teams, settled.refs = append(settled.teams, in.TeamID), append(settled.refs, in.Of)
	}
	return settled
}

func (in SpendIn) settlesOfTeam() bool { return in.TeamID != "" && in.Of.Sequence != 0 }

// findHolders takes from the opened books whom the entries that are to be settled were made
// for, where nobody looked before.
func (d *desk) findHolders(ins []SpendIn) {
	for i, in := range ins {
		if s := d.states[in.Of.Book]; d.guessed && in.settlesOfTeam() && s != nil {
			d.whom[i].user = s.Book.HolderOf(in.Of.Sequence)
		}
	}
}

// look reads, without a lock, whom the requests are about.
func (d *desk) look(ctx context.Context, q ledger.Querier, ins []SpendIn, settled settledRefs) error {
	var batch pgx.Batch
	var holders map[ledger.EntryRef]string
	if settled.refs != nil {
		holders = ledger.QueueHolders(&batch, settled.refs)
	}
	d.queueRead(&batch, ins, settled)
	if err := q.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("reading teams and members: %w", err)
	}
	for i, in := range ins {
		if in.settlesOfTeam() {
			d.whom[i].user = holders[in.Of]
		}
	}
	return nil
}

// settledRefs are entries to be settled, with the teams that are asked to.
type settledRefs struct {
	teams []string
	refs  []ledger.EntryRef
}

// queueRead queues the teams, and the members and users that the requests are about or
// come from. Those of entries that are to be settled are found by the entries themselves,
// as long as nobody knows whom they are about.
//
// Each row is looked up by itself: plans are kept from when the tables were small, and a
// join would then read all members of all teams.
func (d *desk) queueRead(batch *pgx.Batch, ins []SpendIn, settled settledRefs) {
	asked := map[memberKey]bool{}
	users, teams := map[string]bool{}, map[string]bool{}
	ask := func(k memberKey) { asked[k], users[k.user], teams[k.team] = true, true, true }
	for i, k := range d.whom {
		ask(k)
		if by := ins[i].By; !by.Backend() {
			ask(memberKey{k.team, by.User})
		}
	}
	var memberTeams, memberUsers []string
	for k := range asked {
		memberTeams, memberUsers = append(memberTeams, k.team), append(memberUsers, k.user)
	}
	books, sequences := ledger.RefColumns(settled.refs)
	d.teams, d.users, d.members = map[string]*Team{}, map[string]*User{}, map[memberKey]*Member{}
	batch.Queue(`
		SELECT t.* FROM unnest($1::text[]) AS w (id)
		CROSS JOIN LATERAL (SELECT `+teamColumns+` FROM teams WHERE id = w.id LIMIT 1) t`, slices.Collect(maps.Keys(teams)),
	).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[Team])
		for _, t := range list {
			d.teams[t.ID] = t
		}
		return err
	})
	batch.Queue(`
		SELECT u.* FROM (
			SELECT unnest($1::text[]) AS id
			UNION ALL
			SELECT `+ledger.HolderSQL("w.book_id", "w.sequence")+` FROM unnest($2::bigint[], $3::bigint[]) AS w (book_id, sequence)) w
		CROSS JOIN LATERAL (SELECT `+userColumns+` FROM users WHERE id = w.id LIMIT 1) u`,
		slices.Collect(maps.Keys(users)), books, sequences,
	).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[User])
		for _, u := range list {
			d.users[u.ID] = u
		}
		return err
	})
	batch.Queue(`
		SELECT m.* FROM (
			SELECT team_id, user_id FROM unnest($1::text[], $2::text[]) AS w (team_id, user_id)
			UNION ALL
			SELECT w.team_id, `+ledger.HolderSQL("w.book_id", "w.sequence")+`
			FROM unnest($3::text[], $4::bigint[], $5::bigint[]) AS w (team_id, book_id, sequence)) w
		CROSS JOIN LATERAL (SELECT `+memberColumns+` FROM members WHERE team_id = w.team_id AND user_id = w.user_id LIMIT 1) m`,
		memberTeams, memberUsers, settled.teams, books, sequences,
	).Query(func(rows pgx.Rows) error {
		list, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[Member])
		for _, m := range list {
			d.members[memberKey{m.TeamID, m.UserID}] = m
		}
		return err
	})
}

// queueTaken finds which keys were used for other kinds of write. A place keeps its book,
// so that it may be asked by what was read before the lock.
func (d *desk) queueTaken(batch *pgx.Batch, ins []SpendIn) {
	var books []int64
	var keys []string
	for _, in := range ins {
		if t, err := d.place(in); err == nil {
			books, keys = append(books, t.BookID), append(keys, in.Key)
		}
	}
	queueTaken(batch, books, keys, d.at, d.taken)
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
		switch {
		case whom.user != "":
			w.Drawn = append(w.Drawn, whom.user)
		case in.settlesOfTeam():
			w.DrawnOf = append(w.DrawnOf, in.Of.Sequence)
		}
		if m, ok := d.members[whom]; ok && (m.Access == PersonalAccess || team.FallBack) && d.users[m.UserID] != nil {
			want(d.users[m.UserID].BookID)
		}
		if in.Of.Sequence != 0 && d.mayHold(team, whom.user, in.Of.Book) {
			w := want(in.Of.Book)
			if in.Op == OpReverse {
				w.Undo = append(w.Undo, in.Of.Sequence)
			} else {
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
