package teams

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// MemberExplanation says why a member has what a member has, and what comes next (N2).
type MemberExplanation struct {
	View   MemberView
	Access *AccessAnswer
	Why    []string
	Next   []billing.Forecast // of the member's allocation and holds
}

// ExplainMember explains a member to oneself, or to those who manage the team. It tells
// nothing of other members. The transaction should be REPEATABLE READ; nothing is written.
func ExplainMember(ctx context.Context, tx pgx.Tx, c *billing.Catalog, teamID, userID string, by Actor, at instant) (*MemberExplanation, error) {
	access, err := Ask(ctx, tx, c, teamID, userID, by, at)
	if err != nil {
		return nil, err
	}
	view, err := View(ctx, tx, c, teamID, by, at)
	if err != nil {
		return nil, err
	}
	e := &MemberExplanation{Access: access}
	for _, m := range view.Members {
		if m.UserID == userID {
			e.View = m
		}
	}
	e.Why = e.why(view)
	state, err := viewOf(ctx, tx, c, view.Team.BookID, at)
	if err != nil {
		return nil, err
	}
	e.Next, err = state.Forecast(at, userID)
	return e, err
}

// why tells how the member's figures came about.
func (e *MemberExplanation) why(view *TeamView) []string {
	said := []string{e.accessed()}
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	m := e.View
	if a := m.Allocation; a.Remaining+a.Held > 0 {
		say("%d credits are set aside for the member, %d of them held.", a.Remaining+a.Held, a.Held)
	} else {
		say("No credits are set aside for the member.")
	}
	switch {
	case m.Personal:
	case view.Team.Sharing == SharingBalances:
		say("In this team members draw on what is set aside for them, and not on the pool.")
	default:
		say("After that the member draws on the pool, which has %d free.", view.Pool.Available)
	}
	if l := m.Limit; l != nil {
		until := ""
		if l.ResetsAt != nil {
			until = fmt.Sprintf(" until %s", l.ResetsAt.UTC().Format("2006-01-02 15:04 UTC"))
		}
		say("A limit lets the member draw %d from the pool%s: %d are drawn, %d are left.", l.Credits, until, l.Used, l.Left)
	}
	say("The member has used %d of the team's credits in this period and holds %d; %d can be drawn now.", m.Used, m.Held, e.Access.Available)
	if r := e.Access.Refused; r != nil {
		say("A spend would be refused now: %s (%s).", r.Detail, r.Code)
	}
	return said
}

// accessed says whose features and credits the member has, and why.
func (e *MemberExplanation) accessed() string {
	switch e.View.Access {
	case SeatAccess:
		return "The member has a seat: the features of the team's plan and the team's credits."
	case CreditsAccess:
		return "The member has the team's credits and features of one's own."
	}
	why := map[string]string{
		bySelf:       "by the member's own choice",
		byFallback:   "since the team's credits ran out for the member",
		byAdmin:      "as an admin has set it",
		bySeats:      "since fewer seats were bought than were assigned",
		byUnassigned: "since the subscription left the team",
	}
	return "The member pays with credits of one's own, " + why[e.View.PersonalBy] + "."
}
