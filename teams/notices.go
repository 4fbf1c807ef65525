package teams

import "purser/billing"

// byPurser is who is told to have done what the rules themselves do.
const byPurser = "purser"

// notice is what somebody should hear of in the team (N1): the user whom it concerns, or
// those who manage the team.
func (t Team) notice(kind billing.NoticeKind, userID string, at instant, data billing.NoticeData) billing.Notice {
	return billing.Notice{BookID: t.BookID, Kind: kind, UserID: userID, At: at, Data: data}
}

// changed is what is told of a changed member: nothing if all is as it was.
func (t Team) changed(before, after Member, by string, at instant) []billing.Notice {
	data := billing.NoticeData{}
	compare := func(what string, from, to any) {
		if from != to {
			data[what] = billing.NoticeData{"from": from, "to": to}
		}
	}
	compare("role", before.Role, after.Role)
	compare("access", before.Access, after.Access)
	compare("limit", before.Limit(), after.Limit())
	if len(data) == 0 {
		return nil
	}
	data["by"] = by
	return []billing.Notice{t.notice(billing.NoticeChanged, after.UserID, at, data)}
}

// fellBack is what is told of a member who is about to become personal without having
// chosen so.
func fellBack(m Member, cause string) billing.NoticeData {
	return billing.NoticeData{"cause": cause, "from": m.Access}
}

// told is what is told of an invitation.
func (i *Invitation) told() billing.NoticeData {
	return billing.NoticeData{"invitation_id": i.ID, "email": i.Email, "role": i.Role, "access": i.Access, "invited_by": i.InvitedBy}
}

// tell tells the recipient of a move: a member, or of the pool those who manage it (T10).
func (m *move) tell(out *MoveOut) {
	data := billing.NoticeData{"kind": out.Kind, "credits": out.Credits, "from": out.From, "to": out.To, "by": m.in.By.Name()}
	if out.Reason != "" {
		data["reason"] = out.Reason
	}
	whom := ""
	if m.in.To.Kind == PlaceMember {
		whom = m.in.To.User
	}
	m.state.Tell(billing.NoticeMoved, whom, data)
}

// tellLimit tells a member who has just drawn the rest of a limit. It looks at what a draw
// did, so that it is told on the crossing only and never by a refusal.
func (d *desk) tellLimit(team *Team, m *Member, before payment) {
	if before.limit == nil || before.limit.Left == 0 {
		return
	}
	if now := d.payment(team, *m).limit; now.Left == 0 {
		data := billing.NoticeData{"limit": now.Limit, "used": now.Used}
		if now.ResetsAt != nil {
			data["resets_at"] = now.ResetsAt.UTC()
		}
		d.states[team.BookID].Tell(billing.NoticeLimitReached, m.UserID, data)
	}
}
