package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
	"purser/teams"
)

// Noted is what was said when something was spent or held.
type Noted struct {
	Actor     string          `json:"actor" doc:"Who asked: a user, or backend"`
	CreatedAt time.Time       `json:"created_at" doc:"When it was written"`
	Reference string          `json:"reference,omitempty"`
	Memo      string          `json:"memo,omitempty"`
	Metadata  json.RawMessage `json:"metadata,omitempty"`
}

func viewNoted(l ledger.LineDetail) Noted {
	return Noted{Actor: l.Actor, CreatedAt: l.CreatedAt.UTC(), Reference: l.Reference, Memo: l.Memo, Metadata: l.Metadata}
}

// SpendState is a spend, or a hold's capture, as it stands.
type SpendState struct {
	ID       string    `json:"id"`
	TeamID   string    `json:"team_id,omitempty" doc:"Where it was asked for; absent outside any team"`
	UserID   string    `json:"user_id"`
	Credits  int64     `json:"credits"`
	Reversed int64     `json:"reversed" doc:"Given back so far"`
	At       time.Time `json:"at" doc:"When it counts"`
	HoldID   string    `json:"hold_id,omitempty" doc:"Of a capture"`
	PaidFrom []Paid    `json:"paid_from" doc:"The accounts that paid, in order"`
	Noted
}

func viewSpendState(s teams.SpendSeen) SpendState {
	v := SpendState{
		ID: refID("ent", s.Book, s.Sequence), TeamID: s.TeamID, UserID: s.Holder, Credits: s.Credits, Reversed: s.Reversed, At: s.At.UTC(),
		PaidFrom: paidBy(s.Book, s.Postings, "spent"), Noted: viewNoted(s.LineDetail),
	}
	if s.Kind == ledger.KindCapture {
		v.HoldID = refID("hold", s.Book, s.Undoes)
	}
	return v
}

// HoldState is a hold as it stands.
type HoldState struct {
	ID        string     `json:"id"`
	TeamID    string     `json:"team_id,omitempty" doc:"Where it was asked for; absent outside any team"`
	UserID    string     `json:"user_id"`
	Credits   int64      `json:"credits"`
	State     string     `json:"state" enum:"open,captured,released,expired"`
	Captured  int64      `json:"captured" doc:"What was used of it"`
	Released  int64      `json:"released" doc:"What went back to where it was held from"`
	At        time.Time  `json:"at" doc:"When it counts"`
	ExpiresAt time.Time  `json:"expires_at" doc:"When it ends, or would have ended, by itself"`
	SettledAt *time.Time `json:"settled_at" doc:"When it was captured or released, or ended; null: it is open"`
	SpendID   string     `json:"spend_id,omitempty" doc:"The capture, which can be reversed"`
	HeldFrom  []Paid     `json:"held_from" doc:"The accounts whose credits it took, in order"`
	Noted
}

func viewHoldState(h teams.HoldSeen) HoldState {
	v := HoldState{
		ID: refID("hold", h.Book, h.Sequence), TeamID: h.TeamID, UserID: h.Holder, Credits: h.Credits, State: string(h.Status),
		Captured: h.Captured, At: h.At.UTC(), ExpiresAt: h.ExpiresAt.UTC(), SettledAt: utcOrNil(h.SettledAt),
		HeldFrom: paidBy(h.Book, h.Postings, "held"), Noted: viewNoted(h.LineDetail),
	}
	if h.Status != ledger.HoldOpen {
		v.Released = h.Credits - h.Captured
	}
	if h.Capture != 0 {
		v.SpendID = refID("ent", h.Book, h.Capture)
	}
	return v
}

// paidBy lists what went from each account to one place.
func paidBy(book int64, postings []ledger.LinePosting, to string) []Paid {
	paid := []Paid{}
	for _, p := range postings {
		if p.To != to {
			continue
		}
		if n := len(paid); n == 0 || paid[n-1].Account != p.From {
			paid = append(paid, Paid{Account: p.From})
		}
		last := &paid[len(paid)-1]
		last.Credits += p.Credits
		last.Lots = append(last.Lots, PaidLot{ID: refID("lot", book, p.Lot), Source: string(p.Source), Credits: p.Credits})
	}
	return paid
}

// HoldsFilter chooses open holds.
type HoldsFilter struct {
	Paging
	Holder string `query:"user_id" maxLength:"200" doc:"Only this member's"`
}

// holdsOf lists the open holds of one place.
func holdsOf(ctx context.Context, tx pgx.Tx, c *call, of teams.Spender, f HoldsFilter) (Page[HoldState], error) {
	after, err := f.place()
	if err != nil {
		return Page[HoldState]{}, err
	}
	list, err := teams.ListHolds(ctx, tx, of, c.by, ledger.OpenHoldsFilter{Holder: f.Holder, At: c.at, After: after, Limit: f.Limit + 1})
	return page("holds", f.Paging, list, func(h teams.HoldSeen) string {
		return h.ExpiresAt.UTC().Format(time.RFC3339Nano) + " " + strconv.FormatInt(h.Sequence, 10)
	}, viewHoldState), err
}

// place reads where the page before ended.
func (f HoldsFilter) place() (p ledger.HoldPlace, err error) {
	last, err := f.after("holds")
	if err != nil || last == "" {
		return p, err
	}
	at, id, _ := strings.Cut(last, " ")
	var err1, err2 error
	p.ExpiresAt, err1 = time.Parse(time.RFC3339Nano, at)
	p.ID, err2 = strconv.ParseInt(id, 10, 64)
	if err1 != nil || err2 != nil {
		return p, problem("cursor_invalid", "")
	}
	return p, nil
}

// looking is a read of spends or holds, which whoever spends needs too.
func looking(id, path, summary, doc string) spec {
	return spec{
		id: id, method: http.MethodGet, path: path, tag: "Spending", scopes: []teams.Scope{teams.ScopeSpend, teams.ScopeRead},
		refusals: []int{http.StatusNotFound}, summary: summary, doc: doc,
	}
}

func spendOf(ctx context.Context, tx pgx.Tx, c *call, of teams.Spender, id string) (SpendState, error) {
	ref, _ := parseRef("ent", id) // one that can't be names none
	spend, err := teams.GetSpend(ctx, tx, of, c.by, ref)
	return viewSpendState(spend), err
}

func holdOf(ctx context.Context, tx pgx.Tx, c *call, of teams.Spender, id string) (HoldState, error) {
	ref, _ := parseRef("hold", id) // one that can't be names none
	hold, err := teams.GetHold(ctx, tx, of, c.by, ref, c.at)
	return viewHoldState(hold), err
}

func (s *Server) registerSpendReads() {
	const own = "A plain member sees one's own."
	read(s, looking("get-spend", "/v1/teams/{team}/spends/{spend}", "Get a spend or a capture as it stands", own),
		func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
			Reading
			TeamPath
			SpendPath
		},
		) (SpendState, error) {
			return spendOf(ctx, tx, c, teams.Spender{TeamID: in.TeamID}, in.SpendID)
		})
	read(s, looking("get-hold", "/v1/teams/{team}/holds/{hold}", "Get a hold as it stands", own),
		func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
			Reading
			TeamPath
			HoldPath
		},
		) (HoldState, error) {
			return holdOf(ctx, tx, c, teams.Spender{TeamID: in.TeamID}, in.HoldID)
		})
	read(s, looking("list-holds", "/v1/teams/{team}/holds", "List the open holds on a team's credits, those that end first first",
		own+" What members hold of their personal accounts is in the user's list."),
		func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
			Reading
			TeamPath
			HoldsFilter
		},
		) (Page[HoldState], error) {
			return holdsOf(ctx, tx, c, teams.Spender{TeamID: in.TeamID}, in.HoldsFilter)
		})
	s.registerOwnSpendReads()
}

func (s *Server) registerOwnSpendReads() {
	const all = "Also what was asked for in a team, if the personal account paid."
	read(s, looking("get-user-spend", "/v1/users/{user}/spends/{spend}", "Get a spend or a capture of a user's own credits as it stands", all),
		func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
			Reading
			UserPath
			SpendPath
		},
		) (SpendState, error) {
			return spendOf(ctx, tx, c, teams.Spender{UserID: in.UserID}, in.SpendID)
		})
	read(s, looking("get-user-hold", "/v1/users/{user}/holds/{hold}", "Get a hold of a user's own credits as it stands", all),
		func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
			Reading
			UserPath
			HoldPath
		},
		) (HoldState, error) {
			return holdOf(ctx, tx, c, teams.Spender{UserID: in.UserID}, in.HoldID)
		})
	read(s, looking("list-user-holds", "/v1/users/{user}/holds", "List the open holds on a user's own credits, those that end first first", all),
		func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
			Reading
			UserPath
			Paging
		},
		) (Page[HoldState], error) {
			return holdsOf(ctx, tx, c, teams.Spender{UserID: in.UserID}, HoldsFilter{Paging: in.Paging})
		})
}
