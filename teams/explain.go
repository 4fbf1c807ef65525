package teams

import (
	"context"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// MemberExplanation says why a member has what a member has, and what comes next (N2).
type MemberExplanation struct {
	View   MemberView
	Access *AccessAnswer
	Why    billing.Sayings
	Next   []billing.Forecast // of the member's allocation and holds
	Stays  *Refusal           // why a member with personal access can't go back alone (T7)
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
	if e.View.Access == PersonalAccess {
		e.Stays = mayGoBack(e.View.Member, seats{Bought: view.Seats.Bought, Assigned: view.Seats.Assigned, Reserved: view.Seats.Reserved})
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
func (e *MemberExplanation) why(view *TeamView) billing.Sayings {
	said := billing.Sayings{e.accessed()}
	say := func(code, english string, args ...any) {
		said = append(said, billing.NewSaying(code, english, args...))
	}
	m := e.View
	if a := m.Allocation; a.Remaining+a.Held > 0 {
		say("member.allocation", "%d credits are set aside for the member, %d of them held.", a.Remaining+a.Held, a.Held)
	} else {
		say("member.no_allocation", "No credits are set aside for the member.")
	}
	switch {
	case m.Personal:
	case view.Team.Sharing == SharingBalances:
		say("member.balances", "In this team members draw on what is set aside for them, and not on the pool.")
	default:
		say("member.pool", "After that the member draws on the pool, which has %d free.", view.Pool.Available)
	}
	switch l := m.Limit; {
	case l == nil:
	case l.ResetsAt != nil:
		say("member.limit_until", "A limit lets the member draw %d from the pool until %[4]s: %[2]d are drawn, %[3]d are left.", l.Credits, l.Used, l.Left, *l.ResetsAt)
	default:
		say("member.limit", "A limit lets the member draw %d from the pool: %d are drawn, %d are left.", l.Credits, l.Used, l.Left)
	}
	say("member.used", "The member has used %d of the team's credits in this period and holds %d; %d can be drawn now.", m.Used, m.Held, e.Access.Available)
	if r := e.Access.Refused; r != nil {
		say("member.refused", "A spend would be refused now: %[1]s (%[2]s).", r, r.Code)
	}
	return said
}

// accessed says whose features and credits the member has, and why.
func (e *MemberExplanation) accessed() billing.Saying {
	switch e.View.Access {
	case SeatAccess:
		return billing.NewSaying("member.seat", "The member has a seat: the features of the team's plan and the team's credits.")
	case CreditsAccess:
		return billing.NewSaying("member.credits", "The member has the team's credits and features of one's own.")
	}
	switch e.View.PersonalBy {
	case bySelf:
		return billing.NewSaying("member.personal_self", "The member pays with credits of one's own, by the member's own choice.")
	case byFallback:
		return billing.NewSaying("member.personal_fallback", "The member pays with credits of one's own, since the team's credits ran out for the member.")
	case bySeats:
		return billing.NewSaying("member.personal_seats", "The member pays with credits of one's own, since fewer seats were bought than were assigned.")
	case byUnassigned:
		return billing.NewSaying("member.personal_unassigned", "The member pays with credits of one's own, since the subscription left the team.")
	}
	return billing.NewSaying("member.personal_admin", "The member pays with credits of one's own, as an admin has set it.")
}
