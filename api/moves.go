package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// Place is where credits lie.
type Place struct {
	Kind   string `json:"kind" enum:"pool,member,personal" doc:"The team's pool, a member's allocation, or a user's personal account"`
	UserID string `json:"user_id,omitempty" maxLength:"200" doc:"Of a member's allocation or a personal account"`
	TeamID string `json:"team_id,omitempty" maxLength:"200" doc:"Another team; refused: credits stay in their team"`
}

func (p Place) in() teams.Place { return teams.Place{Kind: p.Kind, User: p.UserID, Team: p.TeamID} }

func viewPlace(p teams.Place) Place { return Place{Kind: p.Kind, UserID: p.User, TeamID: p.Team} }

// Balances are what is free in the two places of a move.
type Balances struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// MovedLot is a part of a lot that moves; it keeps source and end.
type MovedLot struct {
	Source    string     `json:"source" enum:"monthly,rollover,purchase,bonus"`
	Credits   int64      `json:"credits"`
	ExpiresAt *time.Time `json:"expires_at" doc:"null: never"`
}

// Move says what a move did, or would do.
type Move struct {
	ID      string     `json:"id,omitempty" doc:"Absent of a preview"`
	TeamID  string     `json:"team_id"`
	Kind    string     `json:"kind" enum:"allocation,reclaim,transfer,contribution"`
	Credits int64      `json:"credits"`
	From    Place      `json:"from"`
	To      Place      `json:"to"`
	Reason  string     `json:"reason"`
	At      time.Time  `json:"at"`
	Before  Balances   `json:"before"`
	After   Balances   `json:"after"`
	Lots    []MovedLot `json:"lots"`
}

func viewMove(teamID string, m *teams.MoveOut) Move {
	v := Move{
		TeamID: teamID, Kind: m.Kind, Credits: m.Credits, From: viewPlace(m.From), To: viewPlace(m.To), Reason: m.Reason, At: m.At.UTC(),
		Before: Balances(m.Before), After: Balances(m.After),
		Lots: mapped(m.Lots, func(l teams.MovedLot) MovedLot {
			return MovedLot{Source: string(l.Source), Credits: l.Credits, ExpiresAt: utcOrNil(l.ExpiresAt)}
		}),
	}
	if m.Entry != nil {
		v.ID = refID("ent", m.Entry.Book, m.Entry.Sequence)
	}
	return v
}

// AllocateBody sets credits of the pool aside for a member.
type AllocateBody struct {
	UserID  string `json:"user_id" minLength:"1" maxLength:"200" doc:"The member"`
	Credits int64  `json:"credits" doc:"1 to 1,000,000,000,000"`
	Reason  string `json:"reason,omitempty" doc:"At most 500 characters"`
}

func (b AllocateBody) move() teams.MoveIn {
	return teams.MoveIn{From: teams.Place{Kind: teams.PlacePool}, To: teams.Place{Kind: teams.PlaceMember, User: b.UserID}, Credits: b.Credits, Reason: b.Reason}
}

// ReclaimBody takes a member's unspent allocation back into the pool.
type ReclaimBody struct {
	UserID  string `json:"user_id" minLength:"1" maxLength:"200" doc:"The member"`
	Credits *int64 `json:"credits,omitempty" doc:"Left out: all that is free"`
	Reason  string `json:"reason,omitempty" doc:"At most 500 characters"`
}

func (b ReclaimBody) move() teams.MoveIn {
	in := teams.MoveIn{From: teams.Place{Kind: teams.PlaceMember, User: b.UserID}, To: teams.Place{Kind: teams.PlacePool}, Reason: b.Reason}
	if in.All = b.Credits == nil; !in.All {
		in.Credits = *b.Credits
	}
	return in
}

// TransferBody moves credits from any member's allocation, or the pool, to a member's.
type TransferBody struct {
	From    Place  `json:"from"`
	To      Place  `json:"to"`
	Credits int64  `json:"credits" doc:"1 to 1,000,000,000,000"`
	Reason  string `json:"reason,omitempty" doc:"At most 500 characters"`
}

func (b TransferBody) move() teams.MoveIn {
	return teams.MoveIn{From: b.From.in(), To: b.To.in(), Credits: b.Credits, Reason: b.Reason}
}

// ContributeBody puts a user's own credits into the pool of a team that the user owns or
// administers.
type ContributeBody struct {
	UserID  string `json:"user_id" minLength:"1" maxLength:"200" doc:"Whose credits"`
	Credits int64  `json:"credits" doc:"1 to 1,000,000,000,000"`
	Reason  string `json:"reason,omitempty" doc:"At most 500 characters"`
}

func (b ContributeBody) move() teams.MoveIn {
	return teams.MoveIn{From: teams.Place{Kind: teams.PlacePersonal, User: b.UserID}, To: teams.Place{Kind: teams.PlacePool}, Credits: b.Credits, Reason: b.Reason}
}

// MoveIn asks for a move.
type MoveIn[B any] struct {
	Writing
	TeamPath
	Body B
}

// PreviewIn asks what a move would do.
type PreviewIn[B any] struct {
	Who
	TeamPath
	Body B
}

// moving registers a kind of move with its preview.
func moving[B interface{ move() teams.MoveIn }](s *Server, sp spec) {
	sp.method, sp.tag, sp.scopes = http.MethodPost, "Moves", manage
	sp.refusals = []int{http.StatusPaymentRequired, http.StatusNotFound}
	posting := sp
	posting.status = http.StatusCreated
	write(s, posting, teamPlace[MoveIn[B]], func(ctx context.Context, tx pgx.Tx, c *call, in *MoveIn[B]) (Move, error) {
		ask := in.Body.move()
		ask.TeamID, ask.By, ask.Key, ask.Hash = in.TeamID, c.by, c.key, c.hash
		out, err := teams.Move(ctx, tx, s.cfg.Catalog, ask, c.at)
		if err != nil {
			return Move{}, err
		}
		return viewMove(in.TeamID, out), nil
	})
	sp.id, sp.path, sp.keyless = "preview-"+sp.id, sp.path+"/preview", true
	sp.summary, sp.doc = sp.summary+": preview", "Answers what it would do, and posts nothing."
	sp.refusals = append(sp.refusals, http.StatusConflict)
	huma.Register(s.huma, sp.operation(), func(ctx context.Context, in *PreviewIn[B]) (*written[Move], error) {
		c := callOf(ctx)
		ask := in.Body.move()
		ask.TeamID, ask.By = in.TeamID, c.by
		v, err := s.preview(ctx, c, ask)
		if err != nil {
			return nil, fail(c, err)
		}
		raw, err := encode(v)
		if err != nil {
			return nil, fail(c, err)
		}
		return wrote[Move](http.StatusOK, raw, false), nil
	})
}

// preview decides a move under its locks and takes it back.
func (s *Server) preview(ctx context.Context, c *call, ask teams.MoveIn) (v Move, err error) {
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error {
		out, err := teams.Preview(ctx, tx, s.cfg.Catalog, ask, c.at)
		if err != nil {
			return err
		}
		v = viewMove(ask.TeamID, out)
		return errOnlyTried
	})
	if errors.Is(err, errOnlyTried) {
		err = nil
	}
	return v, err
}

func (s *Server) registerMoves() {
	moving[AllocateBody](s, spec{id: "allocate", path: "/v1/teams/{team}/allocations", summary: "Set credits of the pool aside for a member"})
	moving[ReclaimBody](s, spec{
		id: "reclaim", path: "/v1/teams/{team}/reclaims", summary: "Take a member's unspent allocation back into the pool",
	})
	moving[TransferBody](s, spec{
		id: "transfer", path: "/v1/teams/{team}/transfers", summary: "Move credits from a member, or the pool, to a member",
	})
	moving[ContributeBody](s, spec{
		id: "contribute", path: "/v1/teams/{team}/contributions", summary: "Put a user's own credits into the pool",
		doc: "The user owns or administers the team. What is put in keeps its end, and nobody else's debt is paid with it.",
	})
}
