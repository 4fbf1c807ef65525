package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// Limit caps what a member draws from the pool.
type Limit struct {
	Kind    string `json:"kind" enum:"none,period,total" doc:"none, or for each period, or in all"`
	Credits int64  `json:"credits,omitempty" minimum:"0" maximum:"1000000000000" doc:"The cap; 0 blocks"`
}

func (l *Limit) in() teams.Limit {
	if l == nil {
		return teams.Limit{Kind: teams.LimitNone}
	}
	return teams.Limit{Kind: l.Kind, Credits: l.Credits}
}

// Settings are what is set of a member.
type Settings struct {
	UserID   string     `json:"user_id"`
	Role     string     `json:"role" enum:"owner,admin,member"`
	Access   string     `json:"access" enum:"seat,credits,personal" doc:"seat: the team plan's features and the team's credits; credits: one's own features and the team's credits; personal: one's own of both"`
	Limit    Limit      `json:"limit" doc:"On what is drawn from the pool"`
	SeatAt   *time.Time `json:"seat_at" doc:"Since when a seat is assigned; null: none is"`
	JoinedAt time.Time  `json:"joined_at"`
}

func viewSettings(m teams.Member) Settings {
	return Settings{
		UserID: m.UserID, Role: string(m.Role), Access: string(m.Access), Limit: Limit{Kind: m.LimitKind, Credits: m.LimitAmount},
		SeatAt: utcOrNil(m.SeatAt), JoinedAt: m.JoinedAt.UTC(),
	}
}

// Member is a member with the figures of the current period.
type Member struct {
	Settings
	Allocated       int64       `json:"allocated" doc:"In the member's allocation in the current period, in all: what it had when the period began and what was moved there since, less what left it unspent. It is allocated_used + allocated_held + allocated_frozen + remaining"`
	Remaining       int64       `json:"remaining" doc:"Free in the member's allocation"`
	AllocatedUsed   int64       `json:"allocated_used" doc:"Used of the allocation in the current period, less what was given back of it"`
	AllocatedHeld   int64       `json:"allocated_held" doc:"By open holds on the allocation"`
	AllocatedFrozen int64       `json:"allocated_frozen" doc:"Disputed, in the allocation"`
	Used            int64       `json:"used" doc:"In the current period, from pool and allocation"`
	Held            int64       `json:"held" doc:"By open holds on pool and allocation"`
	Available       int64       `json:"available" doc:"What the member could draw of the team's credits now; 0 with personal access"`
	LimitState      *LimitState `json:"limit_state,omitempty" doc:"How the limit stands; absent: there is none"`
}

func viewMember(m teams.MemberView) Member {
	return Member{
		Settings: viewSettings(m.Member), Allocated: m.Allocation.All, Remaining: m.Allocation.Remaining, AllocatedUsed: m.Allocation.Used, AllocatedHeld: m.Allocation.Held,
		AllocatedFrozen: m.Allocation.Frozen, Used: m.Used, Held: m.Held,
		Available: m.Available, LimitState: viewLimit(m.Limit),
	}
}

// MemberPath names a member of a team.
type MemberPath struct {
	TeamPath
	UserID string `path:"user" minLength:"1" maxLength:"200" doc:"The user's id in your product"`
}

// AccessView answers which features and which credits a member has.
type AccessView struct {
	UserID     string      `json:"user_id"`
	Access     string      `json:"access" enum:"seat,credits,personal"`
	Features   []string    `json:"features"`
	Plan       string      `json:"plan" doc:"Whose features they are; empty: of no subscription"`
	FeaturesOf string      `json:"features_of" enum:"team,user"`
	CreditsOf  string      `json:"credits_of" enum:"team,user"`
	Available  int64       `json:"available" doc:"What the member could draw now"`
	LimitState *LimitState `json:"limit_state,omitempty" doc:"How the limit stands; absent: there is none"`
	MaySpend   bool        `json:"may_spend" doc:"Whether a spend of one credit would go through now"`
	Refusal    string      `json:"refusal,omitempty" doc:"The code with which it would be refused"`
	Helps      []string    `json:"helps,omitempty" doc:"What would help"`
}

func viewAccess(a *teams.AccessAnswer) AccessView {
	of := map[bool]string{true: "team", false: "user"}
	v := AccessView{
		UserID: a.Member.UserID, Access: string(a.Member.Access), Features: slices.Clone(a.Features), Plan: a.Plan, FeaturesOf: of[a.OfTeam],
		CreditsOf: of[!a.Personal], Available: a.Available, LimitState: viewLimit(a.Limit), MaySpend: a.Refused == nil,
	}
	if v.Features == nil {
		v.Features = []string{}
	}
	if a.Refused != nil {
		v.Refusal, v.Helps = a.Refused.Code, a.Refused.Helps
	}
	return v
}

// ChangeMembersIn changes members, all or nothing.
type ChangeMembersIn struct {
	Writing
	TeamPath
	Body struct {
		Changes []MemberChange `json:"changes" minItems:"1" maxItems:"1000" doc:"They see each other: a seat that one gives up another may take"`
	}
}

// MemberChange is what changes of one member.
type MemberChange struct {
	UserID string  `json:"user_id" minLength:"1" maxLength:"200"`
	Role   *string `json:"role,omitempty" enum:"admin,member" doc:"Left out, it stays as it is"`
	Access *string `json:"access,omitempty" enum:"seat,credits,personal" doc:"Left out, it stays as it is"`
	Limit  *Limit  `json:"limit,omitempty" doc:"Left out, it stays as it is. Changing it never resets what was used"`
	Remove bool    `json:"remove,omitempty" doc:"Out of the team; what is unspent of the allocation returns to the pool"`
}

// ChangedMembers says what became of each row.
type ChangedMembers struct {
	Results []ChangedMember `json:"results"`
}

// ChangedMember is what became of one row.
type ChangedMember struct {
	UserID string    `json:"user_id"`
	Member *Settings `json:"member,omitempty" doc:"Absent: removed"`
}

func viewChanged(results []teams.ChangeResult) ChangedMembers {
	return ChangedMembers{Results: mapped(results, func(r teams.ChangeResult) ChangedMember {
		v := ChangedMember{UserID: r.UserID}
		if r.Member != nil {
			m := viewSettings(*r.Member)
			v.Member = &m
		}
		return v
	})}
}

func changes(rows []MemberChange) []teams.Change {
	return mapped(rows, func(r MemberChange) teams.Change {
		c := teams.Change{UserID: r.UserID, Remove: r.Remove}
		if r.Role != nil {
			role := teams.Role(*r.Role)
			c.Role = &role
		}
		if r.Access != nil {
			access := teams.Access(*r.Access)
			c.Access = &access
		}
		if r.Limit != nil {
			limit := r.Limit.in()
			c.Limit = &limit
		}
		return c
	})
}

// rowsRefused is a bulk change of which some rows are refused: its code is that of the row
// which S4 puts first.
func rowsRefused(results []teams.ChangeResult) error {
	var first *Problem
	rows := mapped(results, func(r teams.ChangeResult) RowProblem {
		if r.Err == nil {
			return RowProblem{UserID: r.UserID}
		}
		p := problemOf(r.Err)
		if first == nil || rank(p.Status) < rank(first.Status) {
			first = p
		}
		return RowProblem{UserID: r.UserID, Code: p.Code, Detail: p.Detail}
	})
	first.Rows, first.Errors = rows, nil
	return first
}

// rank orders statuses as S4 does; what isn't there is a fault of ours and comes first.
func rank(status int) int {
	return slices.Index([]int{http.StatusNotFound, http.StatusForbidden, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusPaymentRequired}, status)
}

// MemberWrite is a write about one member that needs no body.
type MemberWrite struct {
	Writing
	MemberPath
}

// HandOverIn hands a team over.
type HandOverIn struct {
	Writing
	TeamPath
	Body struct {
		UserID string `json:"user_id" minLength:"1" maxLength:"200" doc:"The member who becomes the owner; the old one becomes an admin"`
	}
}

func (s *Server) registerMembers() {
	notFound := []int{http.StatusNotFound}
	read(s, spec{
		id: "list-members", method: http.MethodGet, path: "/v1/teams/{team}/members", tag: "Members", scopes: reads, refusals: notFound,
		summary: "List members with their figures, by id", doc: "A plain member sees one's own row.",
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
		Reading
		TeamPath
		Paging
	},
	) (Page[Member], error) {
		after, err := in.after("members")
		if err != nil {
			return Page[Member]{}, err
		}
		view, err := teams.View(ctx, tx, s.cfg.Catalog, in.TeamID, c.by, c.at)
		if err != nil {
			return Page[Member]{}, err
		}
		rows := slices.DeleteFunc(view.Members, func(m teams.MemberView) bool { return m.UserID <= after })
		slices.SortFunc(rows, func(a, b teams.MemberView) int {
			if a.UserID < b.UserID {
				return -1
			}
			return 1
		})
		return page("members", in.Paging, rows, func(m teams.MemberView) string { return m.UserID }, viewMember), nil
	})
	read(s, spec{
		id: "get-access", method: http.MethodGet, path: "/v1/teams/{team}/members/{user}/access", tag: "Members", refusals: notFound,
		scopes: []teams.Scope{teams.ScopeSpend, teams.ScopeRead}, summary: "Ask which features and which credits a member has",
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
		Reading
		MemberPath
	},
	) (AccessView, error) {
		a, err := teams.Ask(ctx, tx, s.cfg.Catalog, in.TeamID, in.UserID, c.by, c.at)
		if err != nil {
			return AccessView{}, err
		}
		return viewAccess(a), nil
	})
	write(s, spec{
		id: "change-members", method: http.MethodPost, path: "/v1/teams/{team}/members/changes", tag: "Members", scopes: manage, refusals: notFound,
		summary: "Change members' roles, access and limits, or remove them",
		doc:     "All or nothing: refused, rows says what became of each. A member may remove oneself.",
	}, teamPlace[ChangeMembersIn], func(ctx context.Context, tx pgx.Tx, c *call, in *ChangeMembersIn) (ChangedMembers, error) {
		results, ok, err := teams.ChangeMembers(ctx, tx, s.cfg.Catalog, in.TeamID, changes(in.Body.Changes), c.by, c.at)
		if err != nil {
			return ChangedMembers{}, err
		}
		if !ok {
			return ChangedMembers{}, rowsRefused(results)
		}
		return viewChanged(results), nil
	})
	s.registerAccessChanges()
}

func (s *Server) registerAccessChanges() {
	notFound := []int{http.StatusNotFound}
	for _, one := range []struct {
		id, path, summary string
		do                func(context.Context, pgx.Tx, *billing.Catalog, string, string, teams.Actor, time.Time) (teams.Member, error)
	}{
		{"go-personal", "go-personal", "Let a member pay personally from now on", teams.GoPersonal},
		{"go-back", "go-back", "Let a member return to the access that an admin gave", teams.GoBack},
	} {
		write(s, spec{
			id: one.id, method: http.MethodPost, path: "/v1/teams/{team}/members/{user}/" + one.path, tag: "Members", scopes: manage, refusals: notFound, summary: one.summary,
		}, teamPlace[MemberWrite], func(ctx context.Context, tx pgx.Tx, c *call, in *MemberWrite) (Settings, error) {
			m, err := one.do(ctx, tx, s.cfg.Catalog, in.TeamID, in.UserID, c.by, c.at)
			return viewSettings(m), err
		})
	}
	write(s, spec{
		id: "hand-over", method: http.MethodPost, path: "/v1/teams/{team}/ownership", tag: "Teams", scopes: manage, refusals: notFound,
		summary: "Hand a team over to another member",
	}, teamPlace[HandOverIn], func(ctx context.Context, tx pgx.Tx, c *call, in *HandOverIn) (Team, error) {
		if err := teams.HandOver(ctx, tx, s.cfg.Catalog, in.TeamID, in.Body.UserID, c.by, c.at); err != nil {
			return Team{}, err
		}
		t, err := teams.GetTeam(ctx, tx, in.TeamID)
		return viewTeam(t), err
	})
}
