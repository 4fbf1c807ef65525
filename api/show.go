package api

import (
	"encoding/csv"
	"fmt"
	"io"
	"time"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// The command line shows what it did as the API answers it, so that whoever knows the one
// knows the other. These are the API's views for it.

// ShowTeam is a team as it is answered.
func ShowTeam(t teams.Team) Team { return viewTeam(t) }

// ShowClosing is what becomes of a team that closes as it is answered.
func ShowClosing(c *teams.Closing) Closing { return viewClosing(c) }

// ShowSettings is what is set of a member as it is answered.
func ShowSettings(m teams.Member) Settings { return viewSettings(m) }

// ShowJoined is a new member as the API answers it.
func ShowJoined(m teams.Member) Joined { return Joined{TeamID: m.TeamID, Settings: viewSettings(m)} }

// ShowMember is a member with figures as it is answered.
func ShowMember(m teams.MemberView) Member { return viewMember(m) }

// ShowChanged is what became of each row of a bulk change as it is answered.
func ShowChanged(results []teams.ChangeResult) ChangedMembers { return viewChanged(results) }

// ShowAccess is a member's access as it is answered.
func ShowAccess(a *teams.AccessAnswer) AccessView { return viewAccess(a) }

// ShowInvitation is an invitation as it stands at an instant.
func ShowInvitation(i teams.Invitation, at time.Time) Invitation { return viewInvitation(at)(i) }

// ShowMove is a move or its preview as it is answered.
func ShowMove(teamID string, m *teams.MoveOut) Move { return viewMove(teamID, m) }

// ShowSubscription is a subscription as it is answered.
func ShowSubscription(r billing.SubscriptionRow) Subscription { return viewSubscription(r) }

// ShowAutoTopUp is an automatic top-up as it is answered.
func ShowAutoTopUp(s billing.AutoTopUp) AutoTopUp { return viewAutoTopUp(s) }

// ShowPurchase is a purchase as it is answered.
func ShowPurchase(p billing.Purchase) Purchase { return viewPurchase(p) }

// ShowNotice is a notice as it is answered.
func ShowNotice(n teams.Notice) Notice { return viewNotice(n) }

// ShowUsage is what a member used as it is answered.
func ShowUsage(u ledger.Usage) MemberUsage { return viewUsage(u) }

// ShowEntries are entries of a book as they are answered.
func ShowEntries(book int64, rows []ledger.LineDetail) []Entry { return mapped(rows, viewEntry(book)) }

// WriteCSV writes entries as the API's file has them; head says whether to begin with the
// names of the columns.
func WriteCSV(w io.Writer, head bool, entries []Entry) error {
	out := csv.NewWriter(w)
	if head {
		_ = out.Write(csvHead)
	}
	for _, e := range entries {
		_ = out.Write(csvRow(e))
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("writing entries: %w", err)
	}
	return nil
}

// ShowSpend is what became of a spend, a hold, a capture, a release or a reversal. Of the
// last three, of is the id of what they settle.
func ShowSpend(op teams.Op, of string, out *teams.SpendOut) any {
	v := viewSpend("ent", out)
	switch op {
	case teams.OpHold:
		return Hold{Spend: viewSpend("hold", out), ExpiresAt: utcOrNil(out.Answer.ExpiresAt)}
	case teams.OpCapture:
		return Capture{Spend: v, HoldID: of, Released: out.Answer.Released}
	case teams.OpRelease:
		return Release{ID: v.ID, HoldID: of, TeamID: v.TeamID, UserID: v.UserID, Credits: v.Credits, At: v.At, Available: v.Available}
	case teams.OpReverse:
		return Reversal{ID: v.ID, SpendID: of, TeamID: v.TeamID, UserID: v.UserID, Credits: v.Credits, At: v.At, Available: v.Available}
	}
	return v
}

// ShowHold is a hold as it stands.
func ShowHold(h teams.HoldSeen) HoldState { return viewHoldState(h) }

// ParseHold reads a hold's id; one that can't be names none.
func ParseHold(id string) (ledger.EntryRef, bool) { return parseRef("hold", id) }

// ParseSpend reads a spend's id; one that can't be names none.
func ParseSpend(id string) (ledger.EntryRef, bool) { return parseRef("ent", id) }

// ParseEntry reads the id of any entry in a history.
func ParseEntry(id string) (ledger.EntryRef, bool) {
	if ref, ok := ParseHold(id); ok {
		return ref, true
	}
	return ParseSpend(id)
}

// Remedy is what can be done about a refusal, by its code; "" of a code that isn't in the
// table.
func Remedy(name string) string { return codeOf[name].Remedy }
