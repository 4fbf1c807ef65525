package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"purser/teams"
)

// metadataMax bounds a spend's metadata (S5).
const metadataMax = 16 << 10

// Note is what a spend may carry for its history.
type Note struct {
	Reference string         `json:"reference,omitempty" maxLength:"200" doc:"Yours; entries can be found by it"`
	Memo      string         `json:"memo,omitempty" maxLength:"500"`
	Metadata  map[string]any `json:"metadata,omitempty" doc:"Yours; at most 16 KiB"`
}

func (n Note) into(in *teams.SpendIn) error {
	in.Reference, in.Memo = n.Reference, n.Memo
	if n.Metadata == nil {
		return nil
	}
	raw, err := json.Marshal(n.Metadata)
	if err != nil || len(raw) > metadataMax {
		return problem("metadata_invalid", "")
	}
	in.Metadata = raw
	return nil
}

// HoldPath names a hold.
type HoldPath struct {
	HoldID string `path:"hold" maxLength:"100" doc:"The hold's id"`
}

// SpendPath names a spend.
type SpendPath struct {
	SpendID string `path:"spend" maxLength:"100" doc:"The id of a spend or a capture"`
}

// SpendIn spends a member's credits.
type SpendIn struct {
	Writing
	TeamPath
	Body struct {
		UserID  string `json:"user_id" minLength:"1" maxLength:"200" doc:"The member"`
		Credits int64  `json:"credits" doc:"1 to 1,000,000,000,000"`
		Note
	}
}

// HoldIn holds a member's credits for a while.
type HoldIn struct {
	Writing
	TeamPath
	Body struct {
		UserID    string `json:"user_id" minLength:"1" maxLength:"200" doc:"The member"`
		Credits   int64  `json:"credits" doc:"1 to 1,000,000,000,000"`
		ExpiresIn int64  `json:"expires_in,omitempty" minimum:"0" maximum:"86400" doc:"Seconds after which the hold ends by itself; 900 if left out"`
		Note
	}
}

// CaptureIn uses a hold.
type CaptureIn struct {
	Writing
	TeamPath
	HoldPath
	Body *CaptureBody `doc:"May be left out: all that is held is captured"`
}

// CaptureBody says how much is captured.
type CaptureBody struct {
	Credits *int64 `json:"credits,omitempty" minimum:"0" doc:"Left out: all that is held. The rest is released; 0 releases all"`
	Memo    string `json:"memo,omitempty" maxLength:"500"`
}

// ReleaseIn gives a hold back.
type ReleaseIn struct {
	Writing
	TeamPath
	HoldPath
}

// ReverseIn gives a spend back.
type ReverseIn struct {
	Writing
	TeamPath
	SpendPath
	Body *ReverseBody `doc:"May be left out: all that wasn't reversed yet is given back"`
}

// ReverseBody says how much is given back.
type ReverseBody struct {
	Credits *int64 `json:"credits,omitempty" doc:"Left out: all that wasn't reversed yet"`
	Memo    string `json:"memo,omitempty" maxLength:"500"`
}

// Spend is a spend, as its first answer says it.
type Spend struct {
	ID        string    `json:"id"`
	TeamID    string    `json:"team_id,omitempty" doc:"Absent of a spend outside any team"`
	UserID    string    `json:"user_id"`
	Credits   int64     `json:"credits"`
	At        time.Time `json:"at"`
	PaidFrom  []Paid    `json:"paid_from" doc:"The accounts that paid, in order"`
	Available int64     `json:"available" doc:"What the member or user could draw afterwards"`
	FellBack  bool      `json:"fell_back" doc:"The member was out of the team's credits, and is now on personal access"`
}

// Hold is a hold, as its first answer says it.
type Hold struct {
	Spend
	ExpiresAt *time.Time `json:"expires_at" doc:"When it ends by itself"`
}

// Capture is a hold's use, as its first answer says it.
type Capture struct {
	Spend
	HoldID   string `json:"hold_id"`
	Released int64  `json:"released" doc:"What went back to where it was held from"`
}

// Release is a hold's release, as its first answer says it.
type Release struct {
	ID        string    `json:"id"`
	HoldID    string    `json:"hold_id"`
	TeamID    string    `json:"team_id,omitempty" doc:"Absent outside any team"`
	UserID    string    `json:"user_id"`
	Credits   int64     `json:"credits" doc:"What was held"`
	At        time.Time `json:"at"`
	Available int64     `json:"available" doc:"What the member or user could draw afterwards"`
}

// Reversal is a spend given back, as its first answer says it.
type Reversal struct {
	ID        string    `json:"id"`
	SpendID   string    `json:"spend_id"`
	TeamID    string    `json:"team_id,omitempty" doc:"Absent outside any team"`
	UserID    string    `json:"user_id"`
	Credits   int64     `json:"credits"`
	At        time.Time `json:"at"`
	Available int64     `json:"available" doc:"What the member or user could draw afterwards"`
}

// Paid is what one account paid.
type Paid struct {
	Account string    `json:"account" enum:"pool,allocation,personal"`
	Credits int64     `json:"credits"`
	Lots    []PaidLot `json:"lots"`
}

// PaidLot is a part of one lot.
type PaidLot struct {
	ID      string `json:"id"`
	Source  string `json:"source" enum:"monthly,rollover,purchase,bonus"`
	Credits int64  `json:"credits"`
}

func viewSpend(kind string, out *teams.SpendOut) Spend {
	a := out.Answer
	return Spend{
		ID: refID(kind, a.Entry.Book, a.Entry.Sequence), TeamID: out.Team, UserID: a.User, Credits: a.Credits, At: a.At.UTC(),
		Available: a.Available, FellBack: a.FellBack,
		PaidFrom: mapped(a.Paid, func(p teams.PaidFrom) Paid {
			return Paid{Account: p.Account, Credits: p.Credits, Lots: mapped(p.Lots, func(l teams.Lot) PaidLot {
				return PaidLot{ID: refID("lot", a.Entry.Book, l.Lot), Source: string(l.Source), Credits: l.Credits}
			})}
		}),
	}
}

// spending registers an operation that the lanes serve.
func spending[I, T any](s *Server, sp spec, ask func(*I) (teams.SpendIn, error), view func(*I, *teams.SpendOut) T) {
	sp.gathered = true
	sp.status, sp.tag, sp.method, sp.scopes = http.StatusCreated, "Spending", http.MethodPost, spends
	sp.refusals = []int{http.StatusPaymentRequired, http.StatusNotFound, http.StatusConflict}
	huma.Register(s.huma, sp.operation(), func(ctx context.Context, in *I) (*written[T], error) {
		c := callOf(ctx)
		request, err := ask(in)
		if err != nil {
			return nil, fail(c, err)
		}
		request.By, request.Key, request.Hash = c.by, c.key, c.hash
		out, err := s.lanes.do(ctx, request)
		if err != nil {
			return nil, fail(c, err)
		}
		raw, err := encode(view(in, out))
		if err != nil {
			return nil, fail(c, err)
		}
		return wrote[T](sp.status, raw, out.Replayed), nil
	})
}

// settling asks for a hold or a spend to be settled: whole, unless an amount is named. An
// id that can't be one names nothing.
func settling(op teams.Op, kind, id string, credits *int64, memo string) (teams.SpendIn, error) {
	in := teams.SpendIn{Op: op, Memo: memo, Whole: credits == nil}
	if credits != nil {
		in.Credits = *credits
	}
	var ok bool
	if in.Of, ok = parseRef(kind, id); !ok {
		return in, problem(map[string]string{"hold": "hold_not_found", "ent": "spend_not_found"}[kind], "")
	}
	return in, nil
}

// given is a body that may be left out.
func given[T any](body *T) T {
	if body == nil {
		return *new(T)
	}
	return *body
}

func viewHold(out *teams.SpendOut) Hold {
	return Hold{Spend: viewSpend("hold", out), ExpiresAt: utcOrNil(out.Answer.ExpiresAt)}
}

func viewCapture(holdID string, out *teams.SpendOut) Capture {
	return Capture{Spend: viewSpend("ent", out), HoldID: holdID, Released: out.Answer.Released}
}

func viewRelease(holdID string, out *teams.SpendOut) Release {
	v := viewSpend("ent", out)
	return Release{ID: v.ID, HoldID: holdID, TeamID: v.TeamID, UserID: v.UserID, Credits: v.Credits, At: v.At, Available: v.Available}
}

func viewReversal(spendID string, out *teams.SpendOut) Reversal {
	v := viewSpend("ent", out)
	return Reversal{ID: v.ID, SpendID: spendID, TeamID: v.TeamID, UserID: v.UserID, Credits: v.Credits, At: v.At, Available: v.Available}
}

func (s *Server) registerSpends() {
	spending(s, spec{
		id: "create-spend", path: "/v1/teams/{team}/spends", summary: "Spend a member's credits",
		doc: "All or nothing. The member's access says who pays: one's own allocation first and then the pool within the limit, or the personal account.",
	}, func(in *SpendIn) (teams.SpendIn, error) {
		r := teams.SpendIn{Op: teams.OpSpend, TeamID: in.TeamID, UserID: in.Body.UserID, Credits: in.Body.Credits}
		err := in.Body.into(&r)
		return r, err
	}, func(_ *SpendIn, out *teams.SpendOut) Spend { return viewSpend("ent", out) })
	spending(s, spec{
		id: "create-hold", path: "/v1/teams/{team}/holds", summary: "Hold a member's credits",
		doc: "What is held can't be spent otherwise until it is captured or released, or the hold ends by itself.",
	}, func(in *HoldIn) (teams.SpendIn, error) {
		r := teams.SpendIn{
			Op: teams.OpHold, TeamID: in.TeamID, UserID: in.Body.UserID, Credits: in.Body.Credits, TTL: time.Duration(in.Body.ExpiresIn) * time.Second,
		}
		err := in.Body.into(&r)
		return r, err
	}, func(_ *HoldIn, out *teams.SpendOut) Hold { return viewHold(out) })
	spending(s, spec{
		id: "capture-hold", path: "/v1/teams/{team}/holds/{hold}/capture", summary: "Use a hold, whole or in part", doc: "The rest is released.",
	}, func(in *CaptureIn) (teams.SpendIn, error) {
		body := given(in.Body)
		r, err := settling(teams.OpCapture, "hold", in.HoldID, body.Credits, body.Memo)
		r.TeamID = in.TeamID
		return r, err
	}, func(in *CaptureIn, out *teams.SpendOut) Capture { return viewCapture(in.HoldID, out) })
	spending(s, spec{
		id: "release-hold", path: "/v1/teams/{team}/holds/{hold}/release", summary: "Give a hold back",
	}, func(in *ReleaseIn) (teams.SpendIn, error) {
		r, err := settling(teams.OpRelease, "hold", in.HoldID, nil, "")
		r.TeamID = in.TeamID
		return r, err
	}, func(in *ReleaseIn, out *teams.SpendOut) Release { return viewRelease(in.HoldID, out) })
	spending(s, spec{
		id: "reverse-spend", path: "/v1/teams/{team}/spends/{spend}/reversals", summary: "Give a spend back, whole or in part",
		doc: "At most once its amount. Its lots and the member's limit get it back.",
	}, func(in *ReverseIn) (teams.SpendIn, error) {
		body := given(in.Body)
		r, err := settling(teams.OpReverse, "ent", in.SpendID, body.Credits, body.Memo)
		r.TeamID = in.TeamID
		return r, err
	}, func(in *ReverseIn, out *teams.SpendOut) Reversal { return viewReversal(in.SpendID, out) })
	s.registerOwnSpends()
	s.registerSpendReads()
}
