package api

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// BonusBody grants bonus credits.
type BonusBody struct {
	Credits   int64      `json:"credits" doc:"1 to 1,000,000,000,000"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"Left out: they never end"`
	Memo      string     `json:"memo" minLength:"1" maxLength:"500" doc:"Why"`
}

// BonusTakeBody takes unspent bonus credits back.
type BonusTakeBody struct {
	Credits int64  `json:"credits" doc:"1 to 1,000,000,000,000"`
	Grant   string `json:"grant,omitempty" maxLength:"255" doc:"The idempotency key of the grant to take from, wherever its credits lie; left out: any bonus in the account"`
	Memo    string `json:"memo" minLength:"1" maxLength:"500" doc:"Why"`
}

// ForMember names a member's allocation.
type ForMember struct {
	UserID string `json:"user_id,omitempty" maxLength:"200" doc:"The allocation of this member instead of the pool"`
}

// Bonus is what was granted or taken.
type Bonus struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind" enum:"grant,take_back"`
	Credits int64     `json:"credits"`
	At      time.Time `json:"at"`
	Memo    string    `json:"memo"`
}

func viewBonus(e *ledger.Entry) Bonus {
	return Bonus{ID: refID("ent", e.Book, e.Sequence), Kind: string(e.Kind), Credits: e.Credits, At: e.At.UTC(), Memo: e.Memo}
}

// giving does one of billing's two.
type giving func(context.Context, pgx.Tx, *billing.Catalog, billing.BonusIn, time.Time) (*ledger.Entry, error)

// give grants or takes. The book of an allocation is locked first: a member who leaves
// meanwhile has none.
func (s *Server) give(ctx context.Context, tx pgx.Tx, c *call, do giving, in billing.BonusIn, teamID string) (Bonus, error) {
	in.Key, in.Actor = c.key, c.by.Name()
	if in.Holder != "" {
		if err := ledger.Lock(ctx, tx, in.Book); err != nil {
			return Bonus{}, err
		}
		if _, err := teams.GetMember(ctx, tx, teamID, in.Holder); err != nil {
			return Bonus{}, err
		}
	}
	e, err := do(ctx, tx, s.cfg.Catalog, in, c.at)
	if err != nil {
		return Bonus{}, err
	}
	return viewBonus(e), nil
}

type teamBonus struct {
	Writing
	TeamPath
	Body struct {
		BonusBody
		ForMember
	}
}

type teamBonusTake struct {
	Writing
	TeamPath
	Body struct {
		BonusTakeBody
		ForMember
	}
}

type userBonus struct {
	Writing
	UserPath
	Body BonusBody
}

type userBonusTake struct {
	Writing
	UserPath
	Body BonusTakeBody
}

func (s *Server) registerBonus() {
	sp := spec{method: http.MethodPost, tag: "Operator", scopes: operate, status: http.StatusCreated, refusals: []int{http.StatusNotFound, http.StatusPaymentRequired}}
	named := func(id, path, summary string) spec {
		named := sp
		named.id, named.path, named.summary = id, path, summary
		return named
	}
	ofTeam := func(ctx context.Context, tx pgx.Tx, c *call, teamID string, in billing.BonusIn, do giving) (Bonus, error) {
		if err := c.onlyBackend(); err != nil {
			return Bonus{}, err
		}
		team, err := teams.GetTeam(ctx, tx, teamID)
		if err != nil {
			return Bonus{}, err
		}
		in.Book = team.BookID
		return s.give(ctx, tx, c, do, in, teamID)
	}
	ofUser := func(ctx context.Context, tx pgx.Tx, c *call, userID string, in billing.BonusIn, do giving) (Bonus, error) {
		if err := c.onlyBackend(); err != nil {
			return Bonus{}, err
		}
		user, err := teams.GetUser(ctx, tx, userID)
		if err != nil {
			return Bonus{}, err
		}
		in.Book = user.BookID
		return s.give(ctx, tx, c, do, in, "")
	}
	write(s, named("grant-team-bonus", "/v1/teams/{team}/bonus", "Grant bonus credits to a pool or a member's allocation"), teamPlace[teamBonus],
		func(ctx context.Context, tx pgx.Tx, c *call, in *teamBonus) (Bonus, error) {
			b := in.Body
			return ofTeam(ctx, tx, c, in.TeamID, billing.BonusIn{Holder: b.UserID, Credits: b.Credits, Memo: b.Memo, ExpiresAt: b.ExpiresAt}, billing.GrantBonus)
		})
	write(s, named("take-team-bonus", "/v1/teams/{team}/bonus/take", "Take unspent bonus credits back"), teamPlace[teamBonusTake],
		func(ctx context.Context, tx pgx.Tx, c *call, in *teamBonusTake) (Bonus, error) {
			b := in.Body
			return ofTeam(ctx, tx, c, in.TeamID, billing.BonusIn{Holder: b.UserID, Credits: b.Credits, Memo: b.Memo, Grant: b.Grant}, billing.TakeBonus)
		})
	write(s, named("grant-user-bonus", "/v1/users/{user}/bonus", "Grant bonus credits to a personal account"), userPlace[userBonus],
		func(ctx context.Context, tx pgx.Tx, c *call, in *userBonus) (Bonus, error) {
			b := in.Body
			return ofUser(ctx, tx, c, in.UserID, billing.BonusIn{Credits: b.Credits, Memo: b.Memo, ExpiresAt: b.ExpiresAt}, billing.GrantBonus)
		})
	write(s, named("take-user-bonus", "/v1/users/{user}/bonus/take", "Take unspent bonus credits back"), userPlace[userBonusTake],
		func(ctx context.Context, tx pgx.Tx, c *call, in *userBonusTake) (Bonus, error) {
			b := in.Body
			return ofUser(ctx, tx, c, in.UserID, billing.BonusIn{Credits: b.Credits, Memo: b.Memo, Grant: b.Grant}, billing.TakeBonus)
		})
}

type teamWrite struct {
	Writing
	TeamPath
}

type userWrite struct {
	Writing
	UserPath
}

func (s *Server) registerSuspensions() {
	for word, suspended := range map[string]bool{"suspend": true, "resume": false} {
		summary := map[bool]string{true: "Stop all spending; nothing is lost", false: "Let spending go on"}[suspended]
		write(s, spec{
			id: word + "-team", method: http.MethodPost, path: "/v1/teams/{team}/" + word, tag: "Operator", scopes: operate, summary: summary,
			refusals: []int{http.StatusNotFound},
		}, teamPlace[teamWrite], func(ctx context.Context, tx pgx.Tx, c *call, in *teamWrite) (Team, error) {
			if err := c.onlyBackend(); err != nil {
				return Team{}, err
			}
			if err := teams.SuspendTeam(ctx, tx, in.TeamID, suspended, c.at); err != nil {
				return Team{}, err
			}
			t, err := teams.GetTeam(ctx, tx, in.TeamID)
			return viewTeam(t), err
		})
		write(s, spec{
			id: word + "-user", method: http.MethodPost, path: "/v1/users/{user}/" + word, tag: "Operator", scopes: operate, summary: summary,
			refusals: []int{http.StatusNotFound},
		}, userPlace[userWrite], func(ctx context.Context, tx pgx.Tx, c *call, in *userWrite) (User, error) {
			if err := c.onlyBackend(); err != nil {
				return User{}, err
			}
			if err := teams.SuspendUser(ctx, tx, in.UserID, suspended, c.at); err != nil {
				return User{}, err
			}
			u, err := teams.GetUser(ctx, tx, in.UserID)
			return viewUser(u), err
		})
	}
}
