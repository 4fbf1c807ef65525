package teams

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// TeamChange changes a team's attributes. Nil fields stay as they are.
type TeamChange struct {
	Name        *string
	Description *string
	Sharing     *string
	FallBack    *bool
}

// ChangeTeam changes a team's attributes.
func ChangeTeam(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID string, change TeamChange, by Actor, at instant) (Team, error) {
	r, err := openRoom(ctx, tx, c, teamID, by, at)
	if err != nil {
		return Team{}, err
	}
	if err := r.may(r.role.Manages(), "change the team"); err != nil {
		return Team{}, err
	}
	t := r.team
	set(&t.Name, change.Name)
	set(&t.Description, change.Description)
	set(&t.Sharing, change.Sharing)
	set(&t.FallBack, change.FallBack)
	switch {
	case t.Name == "" || len([]rune(t.Name)) > nameLengthMax:
		return Team{}, refuseField("name_invalid", "name", "a name has between 1 and %d characters", nameLengthMax)
	case len([]rune(t.Description)) > descriptionLengthMax:
		return Team{}, refuseField("description_invalid", "description", "a description has at most %d characters", descriptionLengthMax)
	case t.Sharing != SharingPool && t.Sharing != SharingBalances:
		return Team{}, refuseField("sharing_invalid", "sharing", "sharing is pool or balances")
	}
	_, err = tx.Exec(ctx, `UPDATE teams SET name = $2, description = $3, sharing = $4, fall_back = $5 WHERE id = $1`,
		t.ID, t.Name, t.Description, t.Sharing, t.FallBack)
	if err != nil {
		return Team{}, fmt.Errorf("changing the team: %w", err)
	}
	return t, nil
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}

// SuspendTeam stops or resumes all spending of a team; nothing is lost (T16). It is the
// operator's, so it asks for no role.
func SuspendTeam(ctx context.Context, tx pgx.Tx, teamID string, suspended bool, at instant) error {
	team, err := GetTeam(ctx, tx, teamID)
	if errors.Is(err, ErrTeamUnknown) {
		return errTeamUnknown(teamID)
	}
	if err != nil {
		return err
	}
	kind := billing.NoticeSuspended
	if !suspended {
		kind = billing.NoticeResumed
	}
	return suspend(ctx, tx, `UPDATE teams SET suspended_at = CASE WHEN $2 THEN $3::timestamptz END WHERE id = $1 AND (suspended_at IS NOT NULL) <> $2`,
		teamID, suspended, billing.Notice{BookID: team.BookID, Kind: kind, At: at})
}

// SuspendUser stops or resumes all spending of a user.
func SuspendUser(ctx context.Context, tx pgx.Tx, userID string, suspended bool, at instant) error {
	user, err := GetUser(ctx, tx, userID)
	if errors.Is(err, ErrUserUnknown) {
		return errUserUnknown(userID)
	}
	if err != nil {
		return err
	}
	kind := billing.NoticeUserStopped
	if !suspended {
		kind = billing.NoticeUserResumed
	}
	return suspend(ctx, tx, `UPDATE users SET suspended_at = CASE WHEN $2 THEN $3::timestamptz END WHERE id = $1 AND (suspended_at IS NOT NULL) <> $2`,
		userID, suspended, billing.Notice{BookID: user.BookID, Kind: kind, At: at})
}

// suspend stops or resumes under the book's lock, and tells so unless it was so already.
func suspend(ctx context.Context, tx pgx.Tx, sql, id string, suspended bool, told billing.Notice) error {
	if err := ledger.Lock(ctx, tx, told.BookID); err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, sql, id, suspended, told.At)
	if err != nil {
		return fmt.Errorf("suspending %q: %w", id, err)
	}
	if tag.RowsAffected() == 0 {
		return nil
	}
	return billing.Tell(ctx, tx, told)
}
