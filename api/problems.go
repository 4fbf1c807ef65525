package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5/pgconn"

	"purser/billing"
	"purser/internal/gather"
	"purser/ledger"
	"purser/teams"
)

// Problem says why a request isn't answered as it wished (RFC 9457).
type Problem struct {
	Type      string       `json:"type" format:"uri-reference" doc:"Where the code is explained: /problems#code"`
	Title     string       `json:"title" doc:"What the code means, the same every time"`
	Status    int          `json:"status" doc:"The HTTP status"`
	Code      string       `json:"code" doc:"A stable name that programs may branch on" example:"pool_empty"`
	Detail    string       `json:"detail" doc:"What is wrong this time, for people"`
	RequestID string       `json:"request_id,omitempty" doc:"The request's id, as in the log"`
	Errors    []FieldError `json:"errors,omitempty" doc:"The places in the request that are wrong"`
	Available *int64       `json:"available,omitempty" doc:"Of a refusal for want of credits: how many there are"`
	Limit     *LimitState  `json:"limit,omitempty" doc:"Of a refusal because of a limit: how it stands"`
	Helps     []string     `json:"helps,omitempty" doc:"What would help" example:"buy_pack"`
	Expires   *int64       `json:"expires,omitempty" doc:"Of a refusal to close a team: how many credits will expire"`
	Rows      []RowProblem `json:"rows,omitempty" doc:"Of a bulk change: what became of each row"`

	retry time.Duration
	cause error // for the log
}

// FieldError names one place in the request that is wrong.
type FieldError struct {
	Location string `json:"location,omitempty" doc:"Where, as body.credits or query.limit"`
	Message  string `json:"message" doc:"What is wrong there"`
}

// RowProblem is what is wrong with one row of a bulk change.
type RowProblem struct {
	UserID string `json:"user_id"`
	Code   string `json:"code,omitempty" doc:"Empty if this row alone would be fine"`
	Detail string `json:"detail,omitempty"`
}

func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus gives the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType makes it problem+json.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders says when to try again, if that makes sense.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retry > 0 {
		h.Set("Retry-After", seconds(p.retry))
	}
	return h
}

// retryAfter is how long to wait when this process can't know how long it takes.
const retryAfter = time.Second

// problem makes one of a code.
func problem(name, detail string) *Problem {
	c, ok := codeOf[name]
	if !ok {
		c = codeOf["internal"]
	}
	if detail == "" {
		detail = c.Title
	}
	p := &Problem{Type: "/problems#" + c.Name, Title: c.Title, Status: c.Status, Code: c.Name, Detail: detail}
	if c.Status == http.StatusServiceUnavailable {
		p.retry = retryAfter
	}
	return p
}

// problemOf is the one map from domain errors to what HTTP says.
func problemOf(err error) *Problem {
	var done *Problem
	var refusal *teams.Refusal
	var field *teams.FieldError
	var amount *ledger.AmountError
	var short *ledger.InsufficientError
	switch {
	case errors.As(err, &done):
		return done
	case errors.As(err, &refusal):
		return refused(refusal)
	case errors.As(err, &field):
		p := problem("request_invalid", field.Error())
		p.Errors = []FieldError{{Location: "body." + field.Field, Message: field.Rule}}
		return p
	case errors.As(err, &amount):
		return problem("amount_invalid", amount.Error())
	case errors.As(err, &short):
		p := problem("too_few_credits", "")
		p.Available = &short.Available
		return p
	}
	for _, known := range knownErrors {
		if errors.Is(err, known.err) {
			p := problem(known.code, "")
			p.cause = err
			return p
		}
	}
	p := problem("internal", "")
	if databaseAway(err) {
		p = problem("database_away", "")
	}
	p.cause = err
	return p
}

// knownErrors are the errors without particulars.
var knownErrors = []struct {
	err  error
	code string
}{
	{teams.ErrUserUnknown, "user_not_found"},
	{teams.ErrTeamUnknown, "team_not_found"},
	{teams.ErrTeamExists, "team_exists"},
	{teams.ErrEmailTaken, "email_taken"},
	{billing.ErrCustomerUnknown, "customer_not_found"},
	{billing.ErrCustomerTaken, "customer_taken"},
	{billing.ErrPackUnknown, "pack_not_found"},
	{billing.ErrPurchaseUnknown, "purchase_not_found"},
	{billing.ErrBonusEnded, "bonus_ended"},
	{billing.ErrBonusUnknown, "grant_not_found"},
	{billing.ErrStripeUnavailable, "stripe_away"},
	{billing.ErrStripeGone, "stripe_refused"},
	{ledger.ErrKeyReused, "key_reused"},
	{ledger.ErrAccountNotFound, "nothing_allocated"},
	{ledger.ErrAccountClosed, "account_closed"},
	{ledger.ErrBookFull, "book_full"},
	{gather.ErrFull, "overloaded"},
	{gather.ErrBusy, "busy"},
	{gather.ErrClosed, "stopping"},
	{teams.ErrAgain, "busy"},
	{context.DeadlineExceeded, "overloaded"},
}

// classStatus stands in for a refusal whose code the table doesn't have: its class still
// has a status.
var classStatus = map[teams.Class]int{
	teams.NotFound: http.StatusNotFound, teams.Suspended: http.StatusForbidden, teams.Forbidden: http.StatusForbidden,
	teams.Conflict: http.StatusConflict, teams.Rule: http.StatusUnprocessableEntity, teams.Short: http.StatusPaymentRequired,
}

func refused(r *teams.Refusal) *Problem {
	p := problem(r.Code, r.Detail)
	if p.Code != r.Code {
		p = &Problem{Type: "/problems", Title: "Refused", Status: classStatus[r.Class], Code: r.Code, Detail: r.Detail}
	}
	if r.Field != "" {
		p.Errors = []FieldError{{Location: "body." + r.Field, Message: r.Detail}}
	}
	p.Expires = r.Expires
	if r.Class == teams.Short {
		p.Available, p.Helps, p.Limit = &r.Available, r.Helps, viewLimit(r.Limit)
	}
	return p
}

// databaseAway tells whether an error is the database's absence, not its refusal.
func databaseAway(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &connect):
		return true
	case errors.As(err, &pg):
		// Connection exceptions, too many of them, a server that stops or starts, one that takes
		// no writes: a standby, and one that gave a transaction up that stood still.
		return strings.HasPrefix(pg.Code, "08") || pg.Code == "53300" || strings.HasPrefix(pg.Code, "57P") || pg.Code == "25006" || pg.Code == "25P03"
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return true
	}
	return pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "closed pool")
}

// tryAgain tells whether the same transaction may go through when it is begun anew.
func tryAgain(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "40001", "40P01", "23505": // serialization, deadlock, and a row that somebody else was first with
			return true
		}
	}
	return errors.Is(err, teams.ErrKeyRaced) || errors.Is(err, billing.ErrMoved)
}

// humaCodes name what huma itself refuses.
var humaCodes = map[int]string{
	http.StatusBadRequest: "json_invalid", http.StatusRequestTimeout: "body_timeout",
	http.StatusRequestEntityTooLarge: "body_too_large", http.StatusUnsupportedMediaType: "content_type_unknown",
	http.StatusUnprocessableEntity: "request_invalid",
}

func init() {
	// huma's hooks for this are package variables.
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return humaProblem(status, message, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		p := humaProblem(status, message, errs)
		if c := callOf(ctx.Context()); c != nil {
			p.RequestID = c.requestID
			c.failed = errors.Join(c.failed, p.cause)
		}
		return p
	}
	huma.DefaultArrayNullable = false
}

// humaProblem says what huma found. It repeats no value of the request: one could be a
// secret.
func humaProblem(status int, message string, errs []error) *Problem {
	name, ok := humaCodes[status]
	if !ok {
		p := problem("internal", "")
		p.cause = errors.Join(append([]error{errors.New(message)}, errs...)...)
		return p
	}
	p := problem(name, message)
	for _, err := range errs {
		var detailed huma.ErrorDetailer
		if errors.As(err, &detailed) {
			d := detailed.ErrorDetail()
			p.Errors = append(p.Errors, FieldError{Location: d.Location, Message: d.Message})
		}
	}
	return p
}
