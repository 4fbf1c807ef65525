package api

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// Pool is a pool or a personal account at one instant, for the current period:
// total = used + held + allocated + frozen + available, and also the sum of the five
// lines by source.
type Pool struct {
	At          time.Time `json:"at" doc:"When this was true"`
	PeriodStart time.Time `json:"period_start"`
	PeriodEnd   time.Time `json:"period_end"`

	Plan           string `json:"plan" doc:"The plan's name; empty without a subscription"`
	Status         string `json:"status" doc:"The subscription's status at Stripe"`
	Seats          int64  `json:"seats" doc:"Seats bought"`
	MonthlyPerSeat int64  `json:"monthly_per_seat"`

	Total       int64 `json:"total" doc:"used + held + allocated + frozen + available"`
	Monthly     int64 `json:"monthly"`
	Purchased   int64 `json:"purchased"`
	Rollover    int64 `json:"rollover"`
	Bonus       int64 `json:"bonus"`
	Contributed int64 `json:"contributed" doc:"Put in by people, whatever its source was"`

	Used      int64 `json:"used"`
	Held      int64 `json:"held"`
	Allocated int64 `json:"allocated" doc:"Set aside for members"`
	Frozen    int64 `json:"frozen" doc:"Disputed"`
	Available int64 `json:"available"`

	Debt     int64 `json:"debt" doc:"What a refund took back and nobody had; in no other figure"`
	Upcoming int64 `json:"upcoming" doc:"Granted, but not yet effective; in no other figure"`
}

func (p Pool) withoutAt() any { p.At = time.Time{}; return p }

func viewPool(p billing.Pool) Pool {
	return Pool{
		At: p.At.UTC(), PeriodStart: p.PeriodStart.UTC(), PeriodEnd: p.PeriodEnd.UTC(), Plan: p.Plan, Status: string(p.Status),
		Seats: p.Seats, MonthlyPerSeat: p.MonthlyPerSeat, Total: p.Total, Monthly: p.Monthly, Purchased: p.Purchased,
		Rollover: p.Rollover, Bonus: p.Bonus, Contributed: p.Contributed, Used: p.Used, Held: p.Held, Allocated: p.Allocated,
		Frozen: p.Frozen, Available: p.Available, Debt: p.Debt, Upcoming: p.Upcoming,
	}
}

// Lot is credits that were granted together and end together.
type Lot struct {
	ID          string     `json:"id"`
	Source      string     `json:"source" enum:"monthly,purchased,rollover,bonus,contributed"`
	Granted     int64      `json:"granted"`
	Remaining   int64      `json:"remaining" doc:"In the pool and in allocations, held ones included"`
	Held        int64      `json:"held"`
	EffectiveAt time.Time  `json:"effective_at"`
	ExpiresAt   *time.Time `json:"expires_at" doc:"null: never"`
	Frozen      bool       `json:"frozen" doc:"Disputed"`
}

func viewLots(book int64, lots []billing.LotView) Lots {
	return Lots{Items: mapped(lots, func(l billing.LotView) Lot {
		return Lot{
			ID: refID("lot", book, l.Lot), Source: l.Source, Granted: l.Granted, Remaining: l.Remaining, Held: l.Held,
			EffectiveAt: l.EffectiveAt.UTC(), ExpiresAt: utcOrNil(l.ExpiresAt), Frozen: l.Frozen,
		}
	})}
}

// Lots are all lots of which something is left.
type Lots struct {
	Items []Lot `json:"items"`
}

// teamRead is a read that names a team and nothing else.
type teamRead struct {
	Reading
	TeamPath
}

// userRead is a read that names a user and nothing else.
type userRead struct {
	Reading
	UserPath
}

// account is a pool or a personal account that somebody may see.
type account struct {
	book int64
	pool billing.Pool
}

func (s *Server) teamAccount(ctx context.Context, tx pgx.Tx, c *call, teamID string) (a account, err error) {
	team, _, err := teams.Look(ctx, tx, teamID, c.by)
	if err != nil {
		return a, err
	}
	a.book = team.BookID
	a.pool, err = billing.ReadPool(ctx, tx, s.cfg.Catalog, a.book, c.at)
	return a, err
}

func (s *Server) userAccount(ctx context.Context, tx pgx.Tx, c *call, userID string) (a account, err error) {
	if err := c.onlySelf(userID); err != nil {
		return a, err
	}
	user, err := teams.GetUser(ctx, tx, userID)
	if err != nil {
		return a, err
	}
	a.book = user.BookID
	a.pool, err = billing.ReadPool(ctx, tx, s.cfg.Catalog, a.book, c.at)
	return a, err
}

func (s *Server) registerPool() {
	notFound := []int{http.StatusNotFound}
	read(s, spec{
		id: "get-team-pool", method: http.MethodGet, path: "/v1/teams/{team}/pool", tag: "Credits", scopes: reads, refusals: notFound,
		summary: "Get a team's pool", doc: "What is due counts as done, whether or not a worker ran.",
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *teamRead) (Pool, error) {
		a, err := s.teamAccount(ctx, tx, c, in.TeamID)
		return viewPool(a.pool), err
	})
	read(s, spec{
		id: "list-team-lots", method: http.MethodGet, path: "/v1/teams/{team}/lots", tag: "Credits", scopes: reads, refusals: notFound,
		summary: "List the lots of which a team has something left",
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *teamRead) (Lots, error) {
		a, err := s.teamAccount(ctx, tx, c, in.TeamID)
		return viewLots(a.book, a.pool.Lots), err
	})
	read(s, spec{
		id: "get-user-account", method: http.MethodGet, path: "/v1/users/{user}/account", tag: "Credits", scopes: reads, refusals: notFound,
		summary: "Get a user's personal account",
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *userRead) (Pool, error) {
		a, err := s.userAccount(ctx, tx, c, in.UserID)
		return viewPool(a.pool), err
	})
	read(s, spec{
		id: "list-user-lots", method: http.MethodGet, path: "/v1/users/{user}/lots", tag: "Credits", scopes: reads, refusals: notFound,
		summary: "List the lots of which a personal account has something left",
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *userRead) (Lots, error) {
		a, err := s.userAccount(ctx, tx, c, in.UserID)
		return viewLots(a.book, a.pool.Lots), err
	})
}
