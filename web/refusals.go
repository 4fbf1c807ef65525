package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// refusal is why something isn't done, for people.
type refusal struct {
	Status int
	Code   string
	Title  string // "": the code's
	Text   string
	Field  string
	Helps  []string
	Rows   []row
	Back   string // where to go on; "": to the session's return URL
	Teams  bool   // the user's other teams are a way to go on
}

// classStatus is what HTTP says of each class of refusal.
var classStatus = map[teams.Class]int{
	teams.NotFound: http.StatusNotFound, teams.Suspended: http.StatusForbidden, teams.Forbidden: http.StatusForbidden,
	teams.Conflict: http.StatusConflict, teams.Rule: http.StatusUnprocessableEntity, teams.Short: http.StatusPaymentRequired,
}

// knownErrors are the errors without particulars.
var knownErrors = []struct {
	err    error
	status int
	code   string
}{
	{teams.ErrTeamUnknown, http.StatusNotFound, "page_unknown"},
	{teams.ErrUserUnknown, http.StatusNotFound, "page_unknown"},
	{teams.ErrTeamExists, http.StatusConflict, "team_exists"},
	{billing.ErrPurchaseUnknown, http.StatusNotFound, "page_unknown"},
	{billing.ErrPackUnknown, http.StatusNotFound, "pack_not_found"},
	{billing.ErrStripeUnavailable, http.StatusServiceUnavailable, "stripe_away"},
	{billing.ErrStripeGone, http.StatusBadGateway, "stripe_refused"},
	{billing.ErrStripeRefused, http.StatusBadGateway, "stripe_refused"},
	{ledger.ErrKeyReused, http.StatusConflict, "key_reused"},
	{ledger.ErrBookFull, http.StatusUnprocessableEntity, "book_full"},
	{ledger.ErrAccountNotFound, http.StatusUnprocessableEntity, "nothing_allocated"},
	{errBusy, http.StatusServiceUnavailable, "busy"},
	{teams.ErrAgain, http.StatusServiceUnavailable, "busy"},
	{errSealed, http.StatusConflict, "key_reused"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "busy"},
}

// refusalOf is the one map from domain errors to what the page says.
func (v *visit) refusalOf(err error) refusal {
	var whole *rowsRefused
	var refused *teams.Refusal
	var departed *teams.Departed
	var field *teams.FieldError
	var amount *ledger.AmountError
	switch {
	case errors.As(err, &whole):
		return refusal{Status: http.StatusUnprocessableEntity, Code: "rows_refused", Text: v.T("refused.rows_refused"), Rows: whole.rows}
	case errors.As(err, &departed):
		return v.departed(departed)
	case errors.As(err, &refused):
		return refusal{
			Status: classStatus[refused.Class], Code: refused.Code, Text: v.why(refused.Code, refused), Field: refused.Field, Helps: v.helps(refused.Helps),
		}
	case errors.As(err, &field):
		return refusal{Status: http.StatusUnprocessableEntity, Code: "request_invalid", Text: v.T("refused.field", v.Word("field", field.Field), field.Rule), Field: field.Field}
	case errors.As(err, &amount):
		return refusal{Status: http.StatusUnprocessableEntity, Code: "amount_invalid", Text: v.T("refused.amount_invalid"), Field: "credits"}
	}
	for _, known := range knownErrors {
		if errors.Is(err, known.err) {
			return refusal{Status: known.status, Code: known.code, Text: v.T("refused." + known.code)}
		}
	}
	return refusal{Status: http.StatusInternalServerError, Code: "internal", Text: v.T("refused.internal")}
}

// departed says that somebody isn't in a team any more, by whose doing, and where to go on.
func (v *visit) departed(d *teams.Departed) refusal {
	said := refusal{Status: http.StatusGone, Title: v.T("leaving.removed", d.Team.Name), Text: v.T("leaving.removed_back"), Teams: v.OwnPage()}
	if d.Left {
		said.Title, said.Text = v.T("leaving.done", d.Team.Name), v.T("leaving.back")
	}
	return said
}

// why is the text of a code, or what the rule itself says for who reads English.
func (v *visit) why(code string, r *teams.Refusal) string {
	if v.Has("refused." + code) {
		return v.T("refused."+code, r.Available)
	}
	return v.T("refused.other", r.Detail)
}

func (v *visit) helps(codes []string) []string {
	var said []string
	for _, code := range codes {
		if v.Has("help." + code) {
			said = append(said, v.T("help."+code))
		}
	}
	return said
}

// rowsRefused says that a change of several is refused, since some are.
type rowsRefused struct{ rows []row }

func (*rowsRefused) Error() string { return "some rows are refused" }

// calm is a page that says one thing.
type calm struct {
	Text   string
	Back   string
	On     string // where it goes on
	OnText string
}

// refuse answers with a calm page that says what is the matter and leads back. v is nil
// where nobody is known to be there.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, v *visit, why refusal) {
	if v == nil {
		v = &visit{s: s, r: r, speech: s.speechFor(r, "", "")}
	}
	if why.Text == "" {
		why.Text = v.T("refused." + why.Code)
	}
	if why.Back == "" {
		why.Back = v.session.ReturnURL
	}
	title := v.T("refused.title")
	if v.Has("refused." + why.Code + ".title") {
		title = v.T("refused." + why.Code + ".title")
	}
	title = cmp.Or(why.Title, title)
	said := calm{Text: why.Text, Back: why.Back}
	if why.Teams {
		said.On, said.OnText = Root+"/teams", v.T("your_teams")
	}
	v.Team, v.Person = nil, teams.User{} // nothing of the place is shown
	v.render(w, why.Status, view{Screen: "message", Title: title, Data: said})
}

// Refused says why something would be refused.
func (v *visit) Refused(r *teams.Refusal) string { return v.why(r.Code, r) }
