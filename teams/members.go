package teams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// Role says what a member may do in a team (T1).
type Role string

// The roles.
const (
	Owner  Role = "owner"
	Admin  Role = "admin"
	Plain  Role = "member"
	NoRole Role = "" // not a member
)

// Manages tells whether the role manages members and credits.
func (r Role) Manages() bool { return r == Owner || r == Admin }

// Access says whose features and whose credits a member has (T4).
type Access string

// The access types.
const (
	SeatAccess     Access = "seat"     // the team plan's features and the team's credits
	CreditsAccess  Access = "credits"  // one's own features and the team's credits
	PersonalAccess Access = "personal" // one's own features and one's own credits
)

// Valid tells whether it is one of the three.
func (a Access) Valid() bool { return a == SeatAccess || a == CreditsAccess || a == PersonalAccess }

// Limit caps what a member draws from the pool (T6). None is not the same as 0.
type Limit struct {
	Kind    string `db:"limit_kind" json:"kind"` // none, period, total
	Credits int64  `db:"limit_credits" json:"credits"`
}

// The kinds of limit.
const (
	LimitNone   = "none"
	LimitPeriod = "period"
	LimitTotal  = "total"
)

// Who made a member personal.
const (
	bySelf       = "self"
	byFallback   = "fallback"
	byAdmin      = "admin"
	bySeats      = "seats"
	byUnassigned = "unassigned"
)

// Member is a user in a team.
type Member struct {
	TeamID      string     `db:"team_id"`
	UserID      string     `db:"user_id"`
	Role        Role       `db:"role"`
	Access      Access     `db:"access"`
	AccessGiven Access     `db:"access_given"`
	PersonalBy  string     `db:"personal_by"`
	LimitKind   string     `db:"limit_kind"`
	LimitAmount int64      `db:"limit_credits"`
	SeatAt      *time.Time `db:"seat_at"`
	JoinedAt    time.Time  `db:"joined_at"`
}

// Limit gives the member's limit.
func (m *Member) Limit() Limit { return Limit{Kind: m.LimitKind, Credits: m.LimitAmount} }

const memberColumns = `team_id, user_id, role, access, access_given, personal_by, limit_kind, limit_credits, seat_at, joined_at`

// GetMember gives a member of a team.
func GetMember(ctx context.Context, db billing.DB, teamID, userID string) (Member, error) {
	rows, err := db.Query(ctx, `SELECT `+memberColumns+` FROM members WHERE team_id = $1 AND user_id = $2`, teamID, userID)
	if err != nil {
		return Member{}, fmt.Errorf("reading member %q: %w", userID, err)
	}
	m, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Member])
	if errors.Is(err, pgx.ErrNoRows) {
		return Member{}, refuse(NotFound, "member_not_found", "%q is not a member of the team", userID)
	}
	if err != nil {
		return Member{}, fmt.Errorf("reading member %q: %w", userID, err)
	}
	return m, nil
}

// Members gives all members of a team, in the order in which they joined.
func Members(ctx context.Context, db billing.DB, teamID string) ([]Member, error) {
	rows, err := db.Query(ctx, `SELECT `+memberColumns+` FROM members WHERE team_id = $1 ORDER BY joined_at, user_id`, teamID)
	if err != nil {
		return nil, fmt.Errorf("listing members: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Member])
	if err != nil {
		return nil, fmt.Errorf("listing members: %w", err)
	}
	return list, nil
}

// CountMembers counts a team's members, its owner among them.
func CountMembers(ctx context.Context, db billing.DB, teamID string) (n int64, err error) {
	err = db.QueryRow(ctx, `SELECT count(*) FROM members WHERE team_id = $1`, teamID).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("counting members: %w", err)
	}
	return n, nil
}

func storeMember(ctx context.Context, tx pgx.Tx, m Member) error {
	var batch pgx.Batch
	queueMember(&batch, m)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("storing member %q: %w", m.UserID, err)
	}
	return nil
}

func queueMember(batch *pgx.Batch, m Member) {
	batch.Queue(`
		INSERT INTO members (team_id, user_id, role, access, access_given, personal_by, limit_kind, limit_credits, seat_at, joined_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (team_id, user_id) DO UPDATE SET role = EXCLUDED.role, access = EXCLUDED.access,
			access_given = EXCLUDED.access_given, personal_by = EXCLUDED.personal_by, limit_kind = EXCLUDED.limit_kind,
			limit_credits = EXCLUDED.limit_credits, seat_at = EXCLUDED.seat_at`,
		m.TeamID, m.UserID, m.Role, m.Access, m.AccessGiven, m.PersonalBy, m.LimitKind, m.LimitAmount, m.SeatAt, m.JoinedAt)
}

// goPersonal makes the member personal, and remembers who did so.
func (m *Member) goPersonal(by string) {
	m.Access, m.PersonalBy, m.SeatAt = PersonalAccess, by, nil
}

// give gives the member an access type, as an admin does.
func (m *Member) give(access Access, at time.Time) {
	m.Access, m.AccessGiven, m.PersonalBy, m.SeatAt = access, access, "", nil
	switch access {
	case SeatAccess:
		m.SeatAt = &at
	case PersonalAccess:
		m.PersonalBy = byAdmin
	}
}
