package teams

import "time"

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
