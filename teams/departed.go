package teams

import (
	"context"
	"errors"

	"purser/billing"
)

// Departed says that somebody was in a team and isn't any more.
type Departed struct {
	Team Team
	Left bool // of the own accord; otherwise somebody else removed the member
}

func (d *Departed) Error() string { return "no longer in the team " + d.Team.ID }

// CheckDeparted is a *Departed for somebody who was in a team and isn't any more, and nil
// for everybody else: to who was never there the team doesn't exist.
func CheckDeparted(ctx context.Context, db billing.DB, teamID, userID string) error {
	_, err := GetMember(ctx, db, teamID, userID)
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return err // nil for a member
	}
	team, err := GetTeam(ctx, db, teamID)
	if errors.Is(err, ErrTeamUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	n, err := billing.LastNotice(ctx, db, team.BookID, billing.NoticeRemoved, userID)
	if err != nil || n == nil {
		return err
	}
	return &Departed{Team: team, Left: n.Data["by"] == userID}
}
