package teams

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// bulkMax bounds one bulk change.
const bulkMax = 1000

// Change is what an admin changes of one member. Nil fields stay as they are.
type Change struct {
	UserID string
	Role   *Role
	Access *Access
	Limit  *Limit
	Remove bool
}

// ChangeResult is what became of one row of a bulk change.
type ChangeResult struct {
	UserID string
	Member *Member // nil once removed
	Err    error
}

// ChangeMembers changes members, all or nothing, with a result for each row (T4). When a
// row is refused ok is false, nothing may be committed, and the results say why. Rows see
// each other: seats that one gives up another may take.
func ChangeMembers(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID string, changes []Change, by Actor, at instant) (results []ChangeResult, ok bool, err error) {
	if len(changes) < 1 || len(changes) > bulkMax {
		return nil, false, refuseField("bulk_size", "changes", "between 1 and %d rows at once", bulkMax)
	}
	r, err := openRoom(ctx, tx, c, teamID, by, at)
	if err != nil {
		return nil, false, err
	}
	// Members may leave by themselves; everything else is the admins'.
	leaving := len(changes) == 1 && changes[0].Remove && changes[0].UserID == by.User
	if err := r.may(r.role.Manages() || leaving, "change members"); err != nil {
		return nil, false, err
	}
	list, err := readRoster(ctx, tx, teamID, at)
	if err != nil {
		return nil, false, err
	}
	m := &managing{room: r, list: list, rules: r.plan(at), by: by, at: at, seats: map[string]bool{}, before: map[string]Member{}}
	for _, change := range changes {
		result := ChangeResult{UserID: change.UserID}
		result.Member, result.Err = m.change(change)
		results = append(results, result)
	}
	m.checkSeats(results)
	for _, result := range results {
		if result.Err != nil {
			return results, false, nil
		}
	}
	return results, true, m.save(ctx, tx)
}

// managing is a change of several members, decided in memory.
type managing struct {
	*room
	list    *roster
	rules   planRules
	by      Actor
	at      instant
	changed []string
	removed []string
	seats   map[string]bool // who is to get one
	before  map[string]Member
}

func (m *managing) change(change Change) (*Member, error) {
	member := m.list.find(change.UserID)
	if member == nil {
		return nil, refuse(NotFound, "member_not_found", "%q is not a member of the team", change.UserID)
	}
	if _, again := m.before[change.UserID]; !again {
		m.before[change.UserID] = *member
	}
	if change.Remove {
		return nil, m.remove(member)
	}
	if change.Role != nil {
		if err := m.setRole(member, *change.Role); err != nil {
			return nil, err
		}
	}
	if change.Limit != nil {
		if err := checkLimit(*change.Limit); err != nil {
			return nil, err
		}
		member.LimitKind, member.LimitAmount = change.Limit.Kind, change.Limit.Credits
	}
	if change.Access != nil {
		if err := m.setAccess(member, *change.Access); err != nil {
			return nil, err
		}
	}
	m.changed = append(m.changed, member.UserID)
	after := *member
	return &after, nil
}

func (m *managing) setRole(member *Member, role Role) error {
	switch {
	case role != Admin && role != Plain:
		return refuseField("role_invalid", "role", "a role is admin or member; ownership is handed over")
	case member.Role == Owner:
		return refuse(Rule, "owner_stays", "the owner's role changes only when ownership is handed over")
	}
	member.Role = role
	return nil
}

// setAccess gives an access type. Seats are counted once all rows are done.
func (m *managing) setAccess(member *Member, access Access) error {
	if !access.Valid() {
		return refuseField("access_invalid", "access", "access is seat, credits or personal")
	}
	if access == SeatAccess && member.SeatAt != nil {
		return nil
	}
	if access == SeatAccess && m.rules.seats == 0 {
		return refuse(Rule, "no_seats", "the team has no subscription with seats")
	}
	member.give(access, m.at)
	m.seats[member.UserID] = access == SeatAccess
	return nil
}

// checkSeats refuses the last of the rows that would assign more seats than were bought
// (T4).
func (m *managing) checkSeats(results []ChangeResult) {
	s := m.list.seats(m.rules.seats)
	over := -s.free()
	for i := len(results) - 1; i >= 0 && over > 0; i-- {
		r := &results[i]
		if r.Member != nil && m.seats[r.UserID] {
			m.seats[r.UserID] = false // of several rows about one member the last is refused
			r.Member, r.Err = nil, refuse(Conflict, "no_seat_free", "%d seats were bought, %d would be assigned or reserved", s.Bought, s.Assigned+s.Reserved)
			over--
		}
	}
}

// remove takes a member out: what is unspent of the allocation goes back to the pool, and
// what open holds give back later goes there too (T12).
func (m *managing) remove(member *Member) error {
	if member.Role == Owner {
		return refuse(Rule, "owner_stays", "the owner can't be removed; hand the ownership over first")
	}
	book, returned := m.state.Book, int64(0)
	if allocation, ok := book.AllocationOf(member.UserID); ok {
		pool, _ := book.Account(ledger.Main)
		for free := allocation.Available(m.at); free > 0; free = allocation.Available(m.at) {
			_, err := book.Move(ledger.Request{
				Key: fmt.Sprintf("removal:%s:%d", member.UserID, book.NextNumber()), Actor: m.by.Name(), At: m.at,
				Holder: member.UserID, Memo: "left the team",
			}, ledger.MoveIn{Kind: ledger.KindReclaim, From: allocation, To: pool, Credits: min(free, ledger.CreditsMax)})
			if err != nil {
				return fmt.Errorf("returning the allocation: %w", err)
			}
			returned += min(free, ledger.CreditsMax)
		}
		book.CloseAllocation(allocation)
	}
	id := member.UserID
	m.removed = append(m.removed, id)
	m.state.Tell(billing.NoticeRemoved, id, billing.NoticeData{"by": m.by.Name(), "returned": returned})
	m.changed = slices.DeleteFunc(m.changed, func(changed string) bool { return changed == id })
	m.list.members = slices.DeleteFunc(m.list.members, func(listed Member) bool { return listed.UserID == id })
	return nil
}

func (m *managing) save(ctx context.Context, tx pgx.Tx) error {
	for _, id := range m.changed {
		after := *m.list.find(id)
		if err := storeMember(ctx, tx, after); err != nil {
			return err
		}
		for _, n := range m.team.changed(m.before[id], after, m.by.Name(), m.at) {
			m.state.Tell(n.Kind, n.UserID, n.Data)
		}
		m.before[id] = after // several rows may have changed one member: told once
	}
	if len(m.removed) > 0 {
		if _, err := tx.Exec(ctx, `DELETE FROM members WHERE team_id = $1 AND user_id = ANY($2)`, m.team.ID, m.removed); err != nil {
			return fmt.Errorf("removing members: %w", err)
		}
	}
	if err := m.state.Settle(m.at); err != nil {
		return err
	}
	return billing.Save(ctx, tx, m.state)
}

// GoPersonal lets a member pay for themselves from now on (T7).
func GoPersonal(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID, userID string, by Actor, at instant) (Member, error) {
	return switchAccess(ctx, tx, c, teamID, userID, by, at, func(r *room, m *Member, _ *roster) error {
		if m.Access == PersonalAccess {
			return refuse(Conflict, "personal_already", "the member's access is personal already")
		}
		switch {
		case by.User == userID || by.Backend():
			m.goPersonal(bySelf)
		default:
			m.give(PersonalAccess, at)
		}
		return nil
	})
}

// GoBack lets a member return to the access type that an admin last gave (T7).
func GoBack(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID, userID string, by Actor, at instant) (Member, error) {
	return switchAccess(ctx, tx, c, teamID, userID, by, at, func(r *room, m *Member, list *roster) error {
		if refusal := mayGoBack(*m, list.seats(r.plan(at).seats)); refusal != nil {
			return refusal
		}
		m.give(m.AccessGiven, at)
		return nil
	})
}

func switchAccess(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID, userID string, by Actor, at instant, do func(*room, *Member, *roster) error) (Member, error) {
	r, err := openRoom(ctx, tx, c, teamID, by, at)
	if err != nil {
		return Member{}, err
	}
	list, err := readRoster(ctx, tx, teamID, at)
	if err != nil {
		return Member{}, err
	}
	m := list.find(userID)
	if m == nil {
		return Member{}, refuse(NotFound, "member_not_found", "%q is not a member of the team", userID)
	}
	if err := r.may(r.role.Manages() || by.User == userID, "change another member's access"); err != nil {
		return Member{}, err
	}
	before := *m
	if err := do(r, m, list); err != nil {
		return Member{}, err
	}
	if err := storeMember(ctx, tx, *m); err != nil {
		return Member{}, err
	}
	return *m, billing.Tell(ctx, tx, r.team.changed(before, *m, by.Name(), at)...)
}

// HandOver makes another member the owner; the old one becomes an admin (T3).
func HandOver(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID, userID string, by Actor, at instant) error {
	r, err := openRoom(ctx, tx, c, teamID, by, at)
	if err != nil {
		return err
	}
	list, err := readRoster(ctx, tx, teamID, at)
	if err != nil {
		return err
	}
	next, owner := list.find(userID), list.find(r.team.OwnerID)
	if next == nil {
		return refuse(NotFound, "member_not_found", "%q is not a member of the team", userID)
	}
	if err := r.may(r.role == Owner, "hand the ownership over"); err != nil {
		return err
	}
	if next.Role == Owner {
		return refuse(Conflict, "owner_already", "%q is the owner already", userID)
	}
	owner.Role, next.Role = Admin, Owner
	// The old owner first: a team has one owner at any time.
	for _, m := range []*Member{owner, next} {
		if err := storeMember(ctx, tx, *m); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, `UPDATE teams SET owner_id = $2 WHERE id = $1`, teamID, userID); err != nil {
		return fmt.Errorf("handing the team over: %w", err)
	}
	told := billing.NoticeData{"from": r.team.OwnerID, "by": by.Name()}
	return billing.Tell(ctx, tx, r.team.notice(billing.NoticeOwner, userID, at, told))
}
