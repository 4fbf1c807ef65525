package api

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// The scopes that open operations.
var (
	reads   = []teams.Scope{teams.ScopeRead}
	spends  = []teams.Scope{teams.ScopeSpend}
	manage  = []teams.Scope{teams.ScopeManage}
	operate = []teams.Scope{teams.ScopeOperate}
)

// TeamPath names a team.
type TeamPath struct {
	TeamID string `path:"team" minLength:"1" maxLength:"200" doc:"The team's id in your product"`
}

// teamPlace is the place of requests that name a team.
func teamPlace[I interface{ team() string }](ctx context.Context, db billing.DB, in *I) (int64, error) {
	return teamBook(ctx, db, (*in).team())
}

func (p TeamPath) team() string { return p.TeamID }

// Team is a team of the product.
type Team struct {
	ID          string     `json:"id"`
	OwnerID     string     `json:"owner_id"`
	Name        string     `json:"name"`
	Description string     `json:"description"`
	Sharing     string     `json:"sharing" enum:"pool,balances" doc:"pool: members may draw from the pool; balances: only from their own allocation"`
	FallBack    bool       `json:"fall_back" doc:"Whether members who are out of credits go on with their own"`
	CreatedAt   time.Time  `json:"created_at"`
	SuspendedAt *time.Time `json:"suspended_at" doc:"Since when all spending is stopped; null: it isn't"`
	ClosedAt    *time.Time `json:"closed_at"`
}

func viewTeam(t teams.Team) Team {
	return Team{
		ID: t.ID, OwnerID: t.OwnerID, Name: t.Name, Description: t.Description, Sharing: t.Sharing, FallBack: t.FallBack,
		CreatedAt: t.CreatedAt.UTC(), SuspendedAt: utcOrNil(t.SuspendedAt), ClosedAt: utcOrNil(t.ClosedAt),
	}
}

// CreateTeamIn makes a team.
type CreateTeamIn struct {
	Writing
	Body struct {
		ID          string `json:"id" minLength:"1" maxLength:"200" doc:"The team's id in your product"`
		OwnerID     string `json:"owner_id" minLength:"1" maxLength:"200" doc:"Who owns it; with Purser-User only that user"`
		Name        string `json:"name" minLength:"1" maxLength:"200"`
		Description string `json:"description,omitempty" maxLength:"2000"`
	}
}

// PatchTeamIn changes a team's attributes.
type PatchTeamIn struct {
	Writing
	TeamPath
	Body struct {
		Name        *string `json:"name,omitempty" minLength:"1" maxLength:"200"`
		Description *string `json:"description,omitempty" maxLength:"2000"`
		Sharing     *string `json:"sharing,omitempty" enum:"pool,balances"`
		FallBack    *bool   `json:"fall_back,omitempty"`
	}
}

func (s *Server) registerTeams() {
	write(s, spec{
		id: "create-team", method: http.MethodPost, path: "/v1/teams", tag: "Teams", scopes: manage, status: http.StatusCreated,
		summary: "Make a team", doc: "The owner's oldest subscription that is on the personal account and whose plan allows teams comes along.",
	}, func(ctx context.Context, db billing.DB, in *CreateTeamIn) (int64, error) {
		return teamBook(ctx, db, in.Body.ID)
	},
		func(ctx context.Context, tx pgx.Tx, c *call, in *CreateTeamIn) (Team, error) {
			if !c.by.Backend() && c.by.User != in.Body.OwnerID {
				return Team{}, problem("role_forbids", "a user makes teams of one's own")
			}
			t, err := teams.CreateTeam(ctx, tx, s.cfg.Catalog, teams.TeamIn{
				ID: in.Body.ID, OwnerID: in.Body.OwnerID, Name: in.Body.Name, Description: in.Body.Description,
			}, c.at)
			return viewTeam(t), err
		})
	read(s, spec{
		id: "list-teams", method: http.MethodGet, path: "/v1/teams", tag: "Teams", scopes: reads, summary: "List teams, by id",
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
		Reading
		Paging
		OwnerID string `query:"owner_id" maxLength:"200" doc:"Only this user's own teams"`
	},
	) (Page[Team], error) {
		after, err := in.after("teams")
		if err != nil {
			return Page[Team]{}, err
		}
		if err := c.onlyBackend(); err != nil {
			return Page[Team]{}, err
		}
		list, err := teams.ListTeams(ctx, tx, in.OwnerID, after, in.Limit+1)
		return page("teams", in.Paging, list, func(t teams.Team) string { return t.ID }, viewTeam), err
	})
	read(s, spec{
		id: "get-team", method: http.MethodGet, path: "/v1/teams/{team}", tag: "Teams", scopes: reads, summary: "Get a team",
		refusals: []int{http.StatusNotFound},
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
		Reading
		TeamPath
	},
	) (Team, error) {
		t, _, err := teams.Look(ctx, tx, in.TeamID, c.by)
		return viewTeam(t), err
	})
	write(s, spec{
		id: "patch-team", method: http.MethodPatch, path: "/v1/teams/{team}", tag: "Teams", scopes: manage,
		summary: "Change a team's attributes", refusals: []int{http.StatusNotFound},
	}, teamPlace[PatchTeamIn], func(ctx context.Context, tx pgx.Tx, c *call, in *PatchTeamIn) (Team, error) {
		t, err := teams.ChangeTeam(ctx, tx, s.cfg.Catalog, in.TeamID, teams.TeamChange{
			Name: in.Body.Name, Description: in.Body.Description, Sharing: in.Body.Sharing, FallBack: in.Body.FallBack,
		}, c.by, c.at)
		return viewTeam(t), err
	})
}
