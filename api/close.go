package api

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// Closing is what becomes of a team that is closed.
type Closing struct {
	Team          Team           `json:"team"`
	Expires       int64          `json:"expires" doc:"Credits that will expire, or have: closing needs this very figure"`
	Expiring      []ClosingLot   `json:"expiring" doc:"Of which lots"`
	Homeward      []Homeward     `json:"homeward" doc:"What goes to personal accounts: with its subscriptions, what was granted for them; what their owners and the team's owner bought or put in"`
	Contributions []Contribution `json:"contributions" doc:"Who has put how much into the pool"`
	Following     int64          `json:"following" doc:"What a hold gave back for a subscription that left before; it follows by itself"`
	Debt          int64          `json:"debt" doc:"What stays owed, since what caused it stays"`
	OpenHolds     int64          `json:"open_holds" doc:"They forbid closing"`
	Held          int64          `json:"held" doc:"By open holds, those that members pay themselves included"`
	Invitations   int            `json:"invitations" doc:"Pending ones, which are revoked"`
	Purchases     int            `json:"purchases" doc:"Open ones: if they are paid later, the credits go to the buyer's personal account"`
}

// Homeward is what goes to one user's personal account.
type Homeward struct {
	UserID        string       `json:"user_id"`
	Subscriptions []string     `json:"subscriptions"`
	Credits       int64        `json:"credits"`
	Debt          int64        `json:"debt" doc:"It follows what caused it"`
	Lots          []ClosingLot `json:"lots"`
}

// ClosingLot is what the team has left of one lot.
type ClosingLot struct {
	Source        string     `json:"source" enum:"monthly,purchased,rollover,bonus,contributed"`
	Credits       int64      `json:"credits"`
	ExpiresAt     *time.Time `json:"expires_at" doc:"null: never"`
	ContributedBy string     `json:"contributed_by,omitempty"`
	PaidBy        string     `json:"paid_by,omitempty" doc:"The customer at Stripe"`
	Frozen        bool       `json:"frozen" doc:"Disputed: what is to expire does as soon as the dispute has ended"`
}

// Contribution is what one person has put into a team.
type Contribution struct {
	UserID string `json:"user_id"`
	PutIn  int64  `json:"put_in" doc:"Ever"`
	Left   int64  `json:"left" doc:"Of it, before closing: what was drawn first is gone"`
}

func viewClosing(c *teams.Closing) Closing {
	return Closing{
		Team: viewTeam(c.Team), Expires: c.Credits.Ends, Expiring: mapped(c.Credits.Ending, viewClosingLot),
		Homeward: mapped(c.Credits.Homeward, func(h billing.Homeward) Homeward {
			return Homeward{
				UserID: h.UserID, Subscriptions: append([]string{}, h.Subscriptions...), Credits: h.Credits, Debt: h.Debt,
				Lots: mapped(h.Parts, viewClosingLot),
			}
		}),
		Contributions: mapped(c.Contributions, func(p teams.Contribution) Contribution { return Contribution(p) }),
		Following:     c.Credits.Following, Debt: c.Credits.Debt, OpenHolds: c.Holds, Held: c.HeldCredits,
		Invitations: c.Invitations, Purchases: c.Credits.Purchases,
	}
}

func viewClosingLot(p billing.Part) ClosingLot {
	return ClosingLot{
		Source: string(p.Source), Credits: p.Credits, ExpiresAt: utcOrNil(p.ExpiresAt), ContributedBy: p.Contributor, PaidBy: p.Payer, Frozen: p.Frozen,
	}
}

// CloseIn closes a team.
type CloseIn struct {
	Writing
	TeamPath
	Body struct {
		Expires int64 `json:"expires" minimum:"0" doc:"The credits that will expire by it, as the preview says: exactly so many are given up"`
	}
}

func (s *Server) registerClosing() {
	sp := spec{tag: "Teams", refusals: []int{http.StatusNotFound, http.StatusConflict}}
	sp.id, sp.method, sp.path, sp.scopes = "preview-close-team", http.MethodGet, "/v1/teams/{team}/close/preview", manage
	sp.summary, sp.doc = "Close a team: preview", "Answers what would become of its credits, and changes nothing."
	read(s, sp, func(ctx context.Context, tx pgx.Tx, c *call, in *teamRead) (Closing, error) {
		closing, err := teams.PreviewClose(ctx, tx, s.cfg.Catalog, in.TeamID, c.by, c.at)
		if err != nil {
			return Closing{}, err
		}
		return viewClosing(closing), nil
	})
	sp.id, sp.method, sp.path = "close-team", http.MethodPost, "/v1/teams/{team}/close"
	sp.summary = "Close a team for good"
	sp.doc = "Its owner may, if its subscription is the owner's own, or the backend; open holds forbid it. The subscription and what was granted for it go to its " +
		"owner's personal account, and what its owner and the team's owner bought or put in; the rest expires. Members and history can still be read."
	write(s, sp, teamPlace[CloseIn], func(ctx context.Context, tx pgx.Tx, c *call, in *CloseIn) (Closing, error) {
		closing, err := teams.Close(ctx, tx, s.cfg.Catalog, teams.CloseIn{TeamID: in.TeamID, By: c.by, Expires: in.Body.Expires}, c.at)
		if err != nil {
			return Closing{}, err
		}
		return viewClosing(closing), nil
	})
}
