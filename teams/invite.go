package teams

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

const invitationColumns = `id, team_id, email, role, access, limit_kind, limit_credits, state, invited_by, created_at, expires_at, settled_at, user_id`

// InviteIn asks for somebody to be invited. The token goes into the link that the
// product mails; only its hash is kept.
type InviteIn struct {
	ID        string
	TeamID    string
	By        Actor
	Email     string
	Role      Role
	Access    Access // "": credits
	Limit     Limit
	TokenHash []byte
}

func pendingInvitations(ctx context.Context, db billing.DB, teamID string, at instant) ([]Invitation, error) {
	rows, err := db.Query(ctx, `
		SELECT `+invitationColumns+` FROM invitations
		WHERE team_id = $1 AND state = 'pending' AND expires_at > $2 ORDER BY created_at, id`, teamID, at)
	if err != nil {
		return nil, fmt.Errorf("listing invitations: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Invitation])
	if err != nil {
		return nil, fmt.Errorf("listing invitations: %w", err)
	}
	return list, nil
}

// Invitations lists a team's invitations for somebody who manages it, the newest first,
// those after a given one.
func Invitations(ctx context.Context, db billing.DB, teamID string, by Actor, after string, limit int) ([]Invitation, error) {
	_, role, err := Look(ctx, db, teamID, by)
	if err != nil {
		return nil, err
	}
	if !role.Manages() {
		return nil, refuse(Forbidden, "role_forbids", "a %s may not see invitations", role)
	}
	rows, err := db.Query(ctx, `
		SELECT `+invitationColumns+` FROM invitations WHERE team_id = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3`, teamID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("listing invitations: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Invitation])
	if err != nil {
		return nil, fmt.Errorf("listing invitations: %w", err)
	}
	return list, nil
}

// Invite asks somebody by e-mail to join (T3). A place of members_max and, for a seat, a
// seat are reserved until it is settled or expires.
func Invite(ctx context.Context, tx pgx.Tx, c *billing.Catalog, in InviteIn, at instant) (Invitation, error) {
	r, err := openRoom(ctx, tx, c, in.TeamID, in.By, at)
	if err != nil {
		return Invitation{}, err
	}
	if err := r.may(r.role.Manages(), "invite members"); err != nil {
		return Invitation{}, err
	}
	list, err := readRoster(ctx, tx, in.TeamID, at)
	if err != nil {
		return Invitation{}, err
	}
	if in.Access == "" {
		in.Access = CreditsAccess
	}
	if err := r.mayInvite(ctx, tx, list, in, at); err != nil {
		return Invitation{}, err
	}
	// One that has expired makes room for the new one.
	if _, err := tx.Exec(ctx, `
		UPDATE invitations SET state = 'revoked', settled_at = $3
		WHERE team_id = $1 AND lower(email) = lower($2) AND state = 'pending' AND expires_at <= $3`, in.TeamID, in.Email, at); err != nil {
		return Invitation{}, fmt.Errorf("clearing an expired invitation: %w", err)
	}
	i := Invitation{
		ID: in.ID, TeamID: in.TeamID, Email: in.Email, Role: in.Role, Access: in.Access, LimitKind: in.Limit.Kind,
		LimitAmount: in.Limit.Credits, State: "pending", InvitedBy: in.By.Name(), CreatedAt: at, ExpiresAt: at.Add(invitationLife),
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO invitations (id, team_id, email, role, access, limit_kind, limit_credits, token_hash, state, invited_by, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $10, $11)`,
		i.ID, i.TeamID, i.Email, i.Role, i.Access, i.LimitKind, i.LimitAmount, in.TokenHash, i.InvitedBy, i.CreatedAt, i.ExpiresAt)
	if err != nil {
		return Invitation{}, fmt.Errorf("writing the invitation: %w", err)
	}
	return i, billing.Tell(ctx, tx, r.team.notice(billing.NoticeInvited, "", at, i.told()))
}

func (r *room) mayInvite(ctx context.Context, tx pgx.Tx, list *roster, in InviteIn, at instant) error {
	rules := r.plan(at)
	switch {
	case !strings.Contains(in.Email, "@") || len(in.Email) > 320:
		return refuseField("email_invalid", "email", "an e-mail address is needed")
	case in.Role != Admin && in.Role != Plain:
		return refuseField("role_invalid", "role", "one is invited as admin or member")
	case !in.Access.Valid():
		return refuseField("access_invalid", "access", "access is seat, credits or personal")
	}
	if err := checkLimit(in.Limit); err != nil {
		return err
	}
	if !rules.teams {
		return refuse(Rule, "plan_without_teams", "the team's plan doesn't allow members")
	}
	for _, p := range list.pending {
		if strings.EqualFold(p.Email, in.Email) {
			return refuse(Conflict, "already_invited", "%s is invited already", in.Email)
		}
	}
	taken, err := isMember(ctx, tx, in.TeamID, in.Email)
	if err != nil {
		return err
	}
	if taken {
		return refuse(Conflict, "already_member", "%s is a member already", in.Email)
	}
	if membersRoom(rules.membersMax, int64(len(list.members)), int64(len(list.pending))) < 1 {
		return refuse(Rule, "team_full", "the plan allows %d members, the owner and invitations included", rules.membersMax)
	}
	if in.Access == SeatAccess && list.seats(rules.seats).free() < 1 {
		return refuse(Conflict, "no_seat_free", "all %d seats are assigned or reserved", rules.seats)
	}
	return nil
}

func isMember(ctx context.Context, tx pgx.Tx, teamID, email string) (bool, error) {
	var found bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM members m JOIN users u ON u.id = m.user_id WHERE m.team_id = $1 AND lower(u.email) = lower($2))`,
		teamID, email).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("looking for the member: %w", err)
	}
	return found, nil
}

// checkLimit refuses limits that make no sense.
func checkLimit(l Limit) error {
	switch l.Kind {
	case LimitNone:
		if l.Credits != 0 {
			return refuseField("limit_invalid", "limit", "no limit has no credits")
		}
	case LimitPeriod, LimitTotal:
		if l.Credits < 0 || l.Credits > ledger.CreditsMax {
			return refuseField("limit_invalid", "limit", "a limit is between 0 and %d credits", int64(ledger.CreditsMax))
		}
	default:
		return refuseField("limit_invalid", "limit", "a limit is none, period or total")
	}
	return nil
}

// Accept lets a user into the team with the token of an invitation. The backend says who
// accepts, since only it knows who follows the link.
func Accept(ctx context.Context, tx pgx.Tx, c *billing.Catalog, tokenHash []byte, userID string, at instant) (Member, error) {
	i, err := invitationBy(ctx, tx, `token_hash = $1`, tokenHash)
	if err != nil {
		return Member{}, err
	}
	if _, err := EnsureUser(ctx, tx, userID, at); err != nil {
		return Member{}, err
	}
	r, err := openRoom(ctx, tx, c, i.TeamID, Actor{}, at)
	if err != nil {
		return Member{}, err
	}
	if err := r.may(true, ""); err != nil {
		return Member{}, err
	}
	// Read again under the lock: it may have been revoked meanwhile.
	if i, err = invitationBy(ctx, tx, `token_hash = $1`, tokenHash); err != nil {
		return Member{}, err
	}
	if err := i.open(at); err != nil {
		return Member{}, err
	}
	if _, err := GetMember(ctx, tx, i.TeamID, userID); err == nil {
		return Member{}, refuse(Conflict, "already_member", "%q is a member already", userID)
	}
	access, err := r.mayJoin(ctx, tx, i, at)
	if err != nil {
		return Member{}, err
	}
	m := Member{TeamID: i.TeamID, UserID: userID, Role: i.Role, LimitKind: i.LimitKind, LimitAmount: i.LimitAmount, JoinedAt: at}
	m.give(access, at)
	if err := storeMember(ctx, tx, m); err != nil {
		return Member{}, err
	}
	told := i.told()
	told["access"] = access
	if err := billing.Tell(ctx, tx, r.team.notice(billing.NoticeJoined, userID, at, told)); err != nil {
		return Member{}, err
	}
	return m, settleInvitation(ctx, tx, i.ID, "accepted", userID, at)
}

// mayJoin looks again at what was promised when the invitation went out, since seats may
// have fallen or the plan changed: nobody new comes into a team that is over its maximum
// (B13), and a reserved seat that is gone is not taken (T5). It gives the access to join
// with.
func (r *room) mayJoin(ctx context.Context, tx pgx.Tx, i Invitation, at instant) (Access, error) {
	list, err := readRoster(ctx, tx, i.TeamID, at)
	if err != nil {
		return "", err
	}
	rules := r.plan(at)
	if len(list.members) >= rules.membersMax {
		return "", refuse(Rule, "team_full", "the plan allows %d members", rules.membersMax)
	}
	gone, _ := fallingSeats(list.seats(rules.seats), list.reserving(), nil)
	if slices.ContainsFunc(gone, func(g Invitation) bool { return g.ID == i.ID }) {
		return CreditsAccess, nil
	}
	return i.Access, nil
}

// Decline says no to an invitation, with its token.
func Decline(ctx context.Context, tx pgx.Tx, tokenHash []byte, at instant) error {
	i, err := invitationBy(ctx, tx, `token_hash = $1`, tokenHash)
	if err != nil {
		return err
	}
	team, err := GetTeam(ctx, tx, i.TeamID)
	if err != nil {
		return err
	}
	// Under the team's lock, so that it isn't accepted at the same time.
	if err := ledger.Lock(ctx, tx, team.BookID); err != nil {
		return err
	}
	if i, err = invitationBy(ctx, tx, `token_hash = $1`, tokenHash); err != nil {
		return err
	}
	if err := i.open(at); err != nil {
		return err
	}
	if err := billing.Tell(ctx, tx, team.notice(billing.NoticeDeclined, "", at, i.told())); err != nil {
		return err
	}
	return settleInvitation(ctx, tx, i.ID, "declined", "", at)
}

// Revoke takes an invitation back.
func Revoke(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID, id string, by Actor, at instant) error {
	i, err := managedInvitation(ctx, tx, c, teamID, id, by, at)
	if err != nil {
		return err
	}
	return settleInvitation(ctx, tx, i.ID, "revoked", "", at)
}

// Resend gives an invitation a new token and a new week.
func Resend(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID, id string, tokenHash []byte, by Actor, at instant) (Invitation, error) {
	i, err := managedInvitation(ctx, tx, c, teamID, id, by, at)
	if err != nil {
		return Invitation{}, err
	}
	i.ExpiresAt = at.Add(invitationLife)
	if _, err := tx.Exec(ctx, `UPDATE invitations SET token_hash = $2, expires_at = $3 WHERE id = $1`, i.ID, tokenHash, i.ExpiresAt); err != nil {
		return Invitation{}, fmt.Errorf("renewing the invitation: %w", err)
	}
	return i, nil
}

// managedInvitation gives an open invitation to somebody who may manage it.
func managedInvitation(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID, id string, by Actor, at instant) (Invitation, error) {
	r, err := openRoom(ctx, tx, c, teamID, by, at)
	if err != nil {
		return Invitation{}, err
	}
	i, err := invitationBy(ctx, tx, `id = $1`, id)
	if err != nil {
		return Invitation{}, err
	}
	if i.TeamID != teamID {
		return Invitation{}, errInvitationUnknown()
	}
	if err := r.may(r.role.Manages(), "manage invitations"); err != nil {
		return Invitation{}, err
	}
	return i, i.open(at)
}
