package api

import (
	"time"

	"purser/teams"
)

// OwnSpendIn spends a user's own credits, outside any team.
type OwnSpendIn struct {
	Writing
	UserPath
	Body struct {
		Credits int64 `json:"credits" doc:"1 to 1,000,000,000,000"`
		Note
	}
}

// OwnHoldIn holds a user's own credits for a while.
type OwnHoldIn struct {
	Writing
	UserPath
	Body struct {
		Credits   int64 `json:"credits" doc:"1 to 1,000,000,000,000"`
		ExpiresIn int64 `json:"expires_in,omitempty" minimum:"0" maximum:"86400" doc:"Seconds after which the hold ends by itself; 900 if left out"`
		Note
	}
}

// OwnCaptureIn uses a hold of a user's own credits.
type OwnCaptureIn struct {
	Writing
	UserPath
	HoldPath
	Body *CaptureBody `doc:"May be left out: all that is held is captured"`
}

// OwnReleaseIn gives a hold of a user's own credits back.
type OwnReleaseIn struct {
	Writing
	UserPath
	HoldPath
}

// OwnReverseIn gives a spend of a user's own credits back.
type OwnReverseIn struct {
	Writing
	UserPath
	SpendPath
	Body *ReverseBody `doc:"May be left out: all that wasn't reversed yet is given back"`
}

// registerOwnSpends registers what registerSpends does for a user's personal account. Only
// that user and the backend may ask.
func (s *Server) registerOwnSpends() {
	spending(s, spec{
		id: "create-user-spend", path: "/v1/users/{user}/spends", summary: "Spend a user's own credits, outside any team",
		doc: "All or nothing. The personal account pays.",
	}, func(in *OwnSpendIn) (teams.SpendIn, error) {
		r := teams.SpendIn{Op: teams.OpSpend, UserID: in.UserID, Credits: in.Body.Credits}
		err := in.Body.into(&r)
		return r, err
	}, func(_ *OwnSpendIn, out *teams.SpendOut) Spend { return viewSpend("ent", out) })
	spending(s, spec{
		id: "create-user-hold", path: "/v1/users/{user}/holds", summary: "Hold a user's own credits, outside any team",
		doc: "What is held can't be spent otherwise until it is captured or released, or the hold ends by itself.",
	}, func(in *OwnHoldIn) (teams.SpendIn, error) {
		r := teams.SpendIn{Op: teams.OpHold, UserID: in.UserID, Credits: in.Body.Credits, TTL: time.Duration(in.Body.ExpiresIn) * time.Second}
		err := in.Body.into(&r)
		return r, err
	}, func(_ *OwnHoldIn, out *teams.SpendOut) Hold { return viewHold(out) })
	s.registerOwnSettling()
}

func (s *Server) registerOwnSettling() {
	const elsewhere = " What was asked for in a team is settled there."
	spending(s, spec{
		id: "capture-user-hold", path: "/v1/users/{user}/holds/{hold}/capture", summary: "Use a hold of a user's own credits, whole or in part",
		doc: "The rest is released." + elsewhere,
	}, func(in *OwnCaptureIn) (teams.SpendIn, error) {
		body := given(in.Body)
		r, err := settling(teams.OpCapture, "hold", in.HoldID, body.Credits, body.Memo)
		r.UserID = in.UserID
		return r, err
	}, func(in *OwnCaptureIn, out *teams.SpendOut) Capture { return viewCapture(in.HoldID, out) })
	spending(s, spec{
		id: "release-user-hold", path: "/v1/users/{user}/holds/{hold}/release", summary: "Give a hold of a user's own credits back",
		doc: elsewhere[1:],
	}, func(in *OwnReleaseIn) (teams.SpendIn, error) {
		r, err := settling(teams.OpRelease, "hold", in.HoldID, nil, "")
		r.UserID = in.UserID
		return r, err
	}, func(in *OwnReleaseIn, out *teams.SpendOut) Release { return viewRelease(in.HoldID, out) })
	spending(s, spec{
		id: "reverse-user-spend", path: "/v1/users/{user}/spends/{spend}/reversals", summary: "Give a spend of a user's own credits back, whole or in part",
		doc: "At most once its amount; its lots get it back. Only the backend may." + elsewhere,
	}, func(in *OwnReverseIn) (teams.SpendIn, error) {
		body := given(in.Body)
		r, err := settling(teams.OpReverse, "ent", in.SpendID, body.Credits, body.Memo)
		r.UserID = in.UserID
		return r, err
	}, func(in *OwnReverseIn, out *teams.SpendOut) Reversal { return viewReversal(in.SpendID, out) })
}
