package api

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// Explanation says why a pool or a personal account is what it is, and what comes next.
type Explanation struct {
	Pool      Pool            `json:"pool"`
	Why       []string        `json:"why" doc:"How the figures came about, for people"`
	AutoTopUp *ExplainedTopUp `json:"auto_top_up,omitempty" doc:"Why it did or did not buy. Of a team only for those who manage it"`
	Next      []Forecast      `json:"next" doc:"What happens by itself if nobody does anything before, the soonest first"`
	Sentences []string        `json:"sentences" doc:"All of it, for people"`
}

// ExplainedTopUp is an automatic top-up with the last purchase that it made.
type ExplainedTopUp struct {
	AutoTopUp
	Why  []string  `json:"why" doc:"Why it did or did not buy, for people"`
	Last *Purchase `json:"last_purchase,omitempty" doc:"The last that it began"`
}

func viewExplainedTopUp(e *billing.TopUpExplanation, teamID, userID string) *ExplainedTopUp {
	v := &ExplainedTopUp{AutoTopUp: viewAutoTopUp(e.Setting), Why: e.Why.Strings()}
	v.TeamID, v.UserID = teamID, userID // also where nobody ever chose one
	if e.Last != nil {
		last := viewPurchase(*e.Last)
		v.Last = &last
	}
	return v
}

func (e Explanation) withoutAt() any { e.Pool.At = time.Time{}; return e }

// Forecast is one thing that will happen by itself.
type Forecast struct {
	At       time.Time `json:"at"`
	Kind     string    `json:"kind" doc:"As the entry will be: grant, rollover, expiry, hold_expiry"`
	Credits  int64     `json:"credits"`
	If       string    `json:"if,omitempty" doc:"What has to come true"`
	Sentence string    `json:"sentence"`
}

func viewForecast(f billing.Forecast) Forecast {
	return Forecast{At: f.At.UTC(), Kind: string(f.Kind), Credits: f.Credits, If: f.If, Sentence: f.Sentence.String()}
}

// MemberExplanation says why a member has what a member has, and what comes next.
type MemberExplanation struct {
	Member    Member     `json:"member"`
	Access    AccessView `json:"access"`
	Why       []string   `json:"why" doc:"How the figures came about, for people"`
	Next      []Forecast `json:"next" doc:"What happens by itself to the member's allocation and holds, the soonest first"`
	Sentences []string   `json:"sentences" doc:"All of it, for people"`
}

func (s *Server) explanation(ctx context.Context, tx pgx.Tx, c *call, book int64) (Explanation, *billing.Explanation, error) {
	e, err := billing.Explain(ctx, tx, s.cfg.Catalog, book, c.at)
	if err != nil {
		return Explanation{}, nil, err
	}
	return Explanation{Pool: viewPool(e.Pool), Why: e.Why.Strings(), Next: mapped(e.Next, viewForecast), Sentences: e.Sentences}, e, nil
}

func (s *Server) registerExplain() {
	sp := spec{method: http.MethodGet, tag: "Credits", scopes: reads, refusals: []int{http.StatusNotFound}}
	sp.id, sp.path, sp.summary = "explain-team", "/v1/teams/{team}/explain", "Say why a pool is what it is and what comes next"
	sp.doc = "The forecast is worked out by what will do the thing, as if nobody did anything before and the renewal were paid."
	read(s, sp, func(ctx context.Context, tx pgx.Tx, c *call, in *teamRead) (Explanation, error) {
		team, role, err := teams.Look(ctx, tx, in.TeamID, c.by)
		if err != nil {
			return Explanation{}, err
		}
		v, e, err := s.explanation(ctx, tx, c, team.BookID)
		switch {
		case err != nil:
			return Explanation{}, err
		case role.Manages():
			v.AutoTopUp = viewExplainedTopUp(e.TopUp, team.ID, "")
		default:
			v.Sentences = billing.Sentences(e.Why, e.Next)
		}
		return v, nil
	})
	sp.id, sp.path, sp.summary = "explain-user", "/v1/users/{user}/explain", "Say why a personal account is what it is and what comes next"
	read(s, sp, func(ctx context.Context, tx pgx.Tx, c *call, in *userRead) (Explanation, error) {
		if err := c.onlySelf(in.UserID); err != nil {
			return Explanation{}, err
		}
		user, err := teams.GetUser(ctx, tx, in.UserID)
		if err != nil {
			return Explanation{}, err
		}
		v, e, err := s.explanation(ctx, tx, c, user.BookID)
		if err != nil {
			return Explanation{}, err
		}
		v.AutoTopUp = viewExplainedTopUp(e.TopUp, "", user.ID)
		return v, nil
	})
	sp.id, sp.path, sp.tag = "explain-member", "/v1/teams/{team}/members/{user}/explain", "Members"
	sp.summary, sp.doc = "Say why a member has what a member has and what comes next", "Members see their own; those who manage the team see all."
	read(s, sp, func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
		Reading
		MemberPath
	},
	) (MemberExplanation, error) {
		e, err := teams.ExplainMember(ctx, tx, s.cfg.Catalog, in.TeamID, in.UserID, c.by, c.at)
		if err != nil {
			return MemberExplanation{}, err
		}
		return MemberExplanation{
			Member: viewMember(e.View), Access: viewAccess(e.Access), Why: e.Why.Strings(), Next: mapped(e.Next, viewForecast),
			Sentences: billing.Sentences(e.Why, e.Next),
		}, nil
	})
}
