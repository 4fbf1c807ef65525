package teams

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// roster is who is in a team and who was asked to be, read under the team's lock.
type roster struct {
	members []Member
	pending []Invitation // that have not expired
}

func readRoster(ctx context.Context, db billing.DB, teamID string, at instant) (*roster, error) {
	members, err := Members(ctx, db, teamID)
	if err != nil {
		return nil, err
	}
	pending, err := pendingInvitations(ctx, db, teamID, at)
	return &roster{members: members, pending: pending}, err
}

func (r *roster) find(userID string) *Member {
	i := slices.IndexFunc(r.members, func(m Member) bool { return m.UserID == userID })
	if i < 0 {
		return nil
	}
	return &r.members[i]
}

// seats counts the seats bought, assigned and reserved.
func (r *roster) seats(bought int64) seats {
	return seats{Bought: bought, Assigned: int64(len(r.seated())), Reserved: int64(len(r.reserving()))}
}

// seated are the members who have a seat, the longest first.
func (r *roster) seated() []Member {
	var out []Member
	for _, m := range r.members {
		if m.SeatAt != nil {
			out = append(out, m)
		}
	}
	slices.SortStableFunc(out, func(a, b Member) int { return a.SeatAt.Compare(*b.SeatAt) })
	return out
}

func (r *roster) reserving() []Invitation {
	var out []Invitation
	for _, i := range r.pending {
		if i.Access == SeatAccess {
			out = append(out, i)
		}
	}
	return out
}

// FollowSubscription lets a team follow its subscription after it was fetched: one that
// has just been placed gives the owner a seat, if there is one (T4), and fewer seats than
// are taken make room (T5). It reports who lost a seat. Mostly there is nothing to do,
// which one count tells. If it was placed in a team that has closed meanwhile, it is
// billing.ErrMoved: trying again finds another place.
func FollowSubscription(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID string, bought int64, placed bool, at instant) ([]string, error) {
	if placed {
		err := seatOwner(ctx, tx, c, teamID, at)
		var refusal *Refusal
		if errors.As(err, &refusal) && refusal.Code == errTeamClosed().Code {
			return nil, fmt.Errorf("team %q was closed: %w", teamID, billing.ErrMoved)
		}
		if err != nil {
			return nil, err
		}
	}
	crowded, err := Crowded(ctx, tx, map[string]int64{teamID: bought}, at)
	if err != nil || !crowded[teamID] {
		return nil, err
	}
	return FollowSeats(ctx, tx, c, teamID, at)
}

// Crowded gives those of the teams in which more seats are taken, or reserved, than were
// bought.
func Crowded(ctx context.Context, tx pgx.Tx, bought map[string]int64, at instant) (map[string]bool, error) {
	if len(bought) == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `
		SELECT t.id, (SELECT count(*) FROM members WHERE team_id = t.id AND seat_at IS NOT NULL)
		           + (SELECT count(*) FROM invitations WHERE team_id = t.id AND state = 'pending' AND access = 'seat' AND expires_at > $2)
		FROM unnest($1::text[]) AS t (id)`, slices.Collect(maps.Keys(bought)), at)
	if err != nil {
		return nil, fmt.Errorf("counting seats taken: %w", err)
	}
	crowded := map[string]bool{}
	var id string
	var taken int64
	_, err = pgx.ForEachRow(rows, []any{&id, &taken}, func() error {
		crowded[id] = taken > bought[id]
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("counting seats taken: %w", err)
	}
	return crowded, nil
}

// FollowSeats lets a team follow its subscription after seats were bought or given up
// elsewhere, in Stripe's portal say: when fewer are left than are taken, reservations go
// first, then the members who got theirs last become personal (T5). It reports whom.
func FollowSeats(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID string, at instant) ([]string, error) {
	r, err := openRoom(ctx, tx, c, teamID, Actor{}, at)
	if err != nil {
		return nil, err
	}
	list, err := readRoster(ctx, tx, teamID, at)
	if err != nil {
		return nil, err
	}
	invitations, members := fallingSeats(list.seats(r.plan(at).seats), list.reserving(), list.seated())
	var fell []string
	for _, m := range members {
		fell = append(fell, m.UserID)
	}
	return fell, r.team.takeSeats(ctx, tx, invitations, members, bySeats, at)
}

// takeSeats takes seats from invitations that reserve one and from members, who become
// personal, and tells so.
func (t Team) takeSeats(ctx context.Context, tx pgx.Tx, invitations []Invitation, members []Member, cause string, at instant) error {
	var told []billing.Notice
	for _, i := range invitations {
		if _, err := tx.Exec(ctx, `UPDATE invitations SET access = 'credits' WHERE id = $1`, i.ID); err != nil {
			return fmt.Errorf("giving up a reserved seat: %w", err)
		}
		data := i.told()
		data["cause"] = cause
		told = append(told, t.notice(billing.NoticeSeatLost, "", at, data))
	}
	for _, m := range members {
		told = append(told, t.notice(billing.NoticeFellBack, m.UserID, at, fellBack(m, cause)))
		m.goPersonal(cause)
		if err := storeMember(ctx, tx, m); err != nil {
			return err
		}
	}
	return billing.Tell(ctx, tx, told...)
}
