package teams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// invitationLife is how long an invitation may be accepted (T3).
const invitationLife = 7 * 24 * time.Hour

// Invitation asks somebody by e-mail to join a team (T3).
type Invitation struct {
	ID          string     `db:"id"`
	TeamID      string     `db:"team_id"`
	Email       string     `db:"email"`
	Role        Role       `db:"role"`
	Access      Access     `db:"access"`
	LimitKind   string     `db:"limit_kind"`
	LimitAmount int64      `db:"limit_credits"`
	State       string     `db:"state"`
	InvitedBy   string     `db:"invited_by"`
	CreatedAt   time.Time  `db:"created_at"`
	ExpiresAt   time.Time  `db:"expires_at"`
	SettledAt   *time.Time `db:"settled_at"`
	UserID      string     `db:"user_id"`
}

// StateAt is where the invitation stands: one whose time is over has expired, whether or
// not anybody looked since.
func (i *Invitation) StateAt(at time.Time) string {
	if i.State == "pending" && !i.ExpiresAt.After(at) {
		return "expired"
	}
	return i.State
}

func errInvitationUnknown() *Refusal {
	return refuse(NotFound, "invitation_not_found", "there is no such invitation")
}

func invitationBy(ctx context.Context, db billing.DB, where string, arg any) (Invitation, error) {
	rows, err := db.Query(ctx, `SELECT `+invitationColumns+` FROM invitations WHERE `+where, arg)
	if err != nil {
		return Invitation{}, fmt.Errorf("reading the invitation: %w", err)
	}
	i, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Invitation])
	if errors.Is(err, pgx.ErrNoRows) {
		return Invitation{}, errInvitationUnknown()
	}
	if err != nil {
		return Invitation{}, fmt.Errorf("reading the invitation: %w", err)
	}
	return i, nil
}

func (i *Invitation) open(at instant) error {
	switch i.StateAt(at) {
	case "pending":
		return nil
	case "expired":
		return refuse(Conflict, "invitation_expired", "the invitation has expired")
	}
	return refuse(Conflict, "invitation_settled", "the invitation is %s already", i.State)
}

func settleInvitation(ctx context.Context, tx pgx.Tx, id, state, userID string, at instant) error {
	_, err := tx.Exec(ctx, `UPDATE invitations SET state = $2, user_id = $3, settled_at = $4 WHERE id = $1`, id, state, userID, at)
	if err != nil {
		return fmt.Errorf("settling the invitation: %w", err)
	}
	return nil
}
