package api

import (
	"context"
	"net/http"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// Membership is a team that a user owns or belongs to, with what the user has there.
type Membership struct {
	Team      Team   `json:"team"`
	Role      string `json:"role" enum:"owner,admin,member"`
	Access    string `json:"access" enum:"seat,credits,personal"`
	Allocated int64  `json:"allocated" doc:"In the user's allocation in the current period, in all: used, held or remaining"`
	Remaining int64  `json:"remaining" doc:"Free in the user's allocation"`
}

func viewMembership(m teams.Membership) Membership {
	return Membership{
		Team: viewTeam(m.Team), Role: string(m.Member.Role), Access: string(m.Member.Access), Allocated: m.Allocation.All, Remaining: m.Allocation.Remaining,
	}
}

func (s *Server) registerMemberships() {
	read(s, spec{
		id: "list-user-teams", method: http.MethodGet, path: "/v1/users/{user}/teams", tag: "Users", scopes: reads,
		summary: "List the teams that a user owns or belongs to, by id", refusals: []int{http.StatusNotFound},
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
		Reading
		UserPath
		Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many at most"`
		Cursor string `query:"cursor" maxLength:"2000" doc:"next of the page before"`
	},
	) (Page[Membership], error) {
		paging := Paging{Limit: in.Limit, Cursor: in.Cursor}
		after, err := paging.after("memberships")
		if err != nil {
			return Page[Membership]{}, err
		}
		if err := c.onlySelf(in.UserID); err != nil {
			return Page[Membership]{}, err
		}
		if _, err := teams.GetUser(ctx, tx, in.UserID); err != nil {
			return Page[Membership]{}, err
		}
		rows, err := teams.Memberships(ctx, tx, s.cfg.Catalog, in.UserID, after, in.Limit+1, c.at)
		return page("memberships", paging, rows, func(m teams.Membership) string { return m.Team.ID }, viewMembership), err
	})
}
