package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// Notice is something that somebody should hear of.
type Notice struct {
	ID     string         `json:"id"`
	Kind   string         `json:"kind" doc:"What is told" example:"limit.reached"`
	TeamID string         `json:"team_id,omitempty" doc:"Absent of a personal account"`
	UserID string         `json:"user_id,omitempty" doc:"The member whom it concerns, or the user of a personal account; absent: those who manage the team"`
	At     time.Time      `json:"at"`
	Data   map[string]any `json:"data" doc:"The particulars, by kind"`
}

func viewNotice(n teams.Notice) Notice {
	return Notice{ID: noticeID(n), Kind: string(n.Kind), TeamID: n.TeamID, UserID: n.UserID, At: n.At.UTC(), Data: n.Data}
}

const noticePrefix = "ntc_"

func noticeID(n teams.Notice) string { return noticePrefix + strconv.FormatInt(n.ID, 10) }

// ParseNotice reads a notice's id; one that can't be names none.
func ParseNotice(id string) (int64, bool) {
	number, ok := strings.CutPrefix(id, noticePrefix)
	n, err := strconv.ParseInt(number, 10, 64)
	return n, ok && err == nil && n > 0
}

func noticesPage(ctx context.Context, tx pgx.Tx, c *call, p Paging, teamID, userID string) (Page[Notice], error) {
	last, err := p.after("notices")
	if err != nil {
		return Page[Notice]{}, err
	}
	after, ok := ParseNotice(last)
	if last != "" && !ok {
		return Page[Notice]{}, problem("cursor_invalid", "")
	}
	rows, err := teams.Notices(ctx, tx, teamID, userID, c.by, after, p.Limit+1)
	return page("notices", p, rows, noticeID, viewNotice), err
}

func (s *Server) registerNotices() {
	sp := spec{method: http.MethodGet, scopes: reads, refusals: []int{http.StatusNotFound}}
	sp.id, sp.path, sp.tag, sp.summary = "list-team-notices", "/v1/teams/{team}/notices", "Teams", "List what was told of a team, the oldest first"
	sp.doc = "Each is written in the transaction that made it so. Whoever manages the team sees all; a member sees those that concern the member."
	read(s, sp, func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
		Reading
		TeamPath
		Paging
	},
	) (Page[Notice], error) {
		return noticesPage(ctx, tx, c, in.Paging, in.TeamID, "")
	})
	sp.id, sp.path, sp.tag, sp.summary = "list-user-notices", "/v1/users/{user}/notices", "Users", "List what was told of a personal account, the oldest first"
	sp.doc = "Each is written in the transaction that made it so."
	read(s, sp, func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
		Reading
		UserPath
		Paging
	},
	) (Page[Notice], error) {
		return noticesPage(ctx, tx, c, in.Paging, "", in.UserID)
	})
}
