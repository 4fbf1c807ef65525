package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"purser/billing"
	"purser/internal/gather"
	"purser/ledger"
	"purser/teams"
)

// Each error of the packages below has its code and status, however it is wrapped, and
// none of ours tells what happened inside.
func TestErrorMap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{teams.ErrTeamUnknown, 404, "team_not_found"},
		{teams.ErrUserUnknown, 404, "user_not_found"},
		{teams.ErrTeamExists, 409, "team_exists"},
		{teams.ErrEmailTaken, 409, "email_taken"},
		{billing.ErrCustomerTaken, 409, "customer_taken"},
		{ledger.ErrKeyReused, 409, "key_reused"},
		{ledger.ErrAccountClosed, 409, "account_closed"},
		{ledger.ErrBookFull, 422, "book_full"},
		{&ledger.AmountError{Credits: 0}, 422, "amount_invalid"},
		{&ledger.InsufficientError{Wanted: 2, Available: 1}, 402, "too_few_credits"},
		{&teams.FieldError{Field: "name", Rule: "is required"}, 422, "request_invalid"},
		{&teams.Refusal{Class: teams.Suspended, Code: "team_suspended", Detail: "d"}, 403, "team_suspended"},
		{&teams.Refusal{Class: teams.Conflict, Code: "a_code_to_come", Detail: "d"}, 409, "a_code_to_come"},
		{gather.ErrFull, 503, "overloaded"},
		{gather.ErrBusy, 503, "busy"},
		{gather.ErrClosed, 503, "stopping"},
		{teams.ErrAgain, 503, "busy"},
		{context.DeadlineExceeded, 503, "overloaded"},
		{billing.ErrStripeUnavailable, 503, "stripe_away"},
		{&pgconn.PgError{Code: "57P01"}, 503, "database_away"},
		{&pgconn.PgError{Code: "25006"}, 503, "database_away"},
		{&pgconn.PgError{Code: "08006"}, 503, "database_away"},
		{io.ErrUnexpectedEOF, 503, "database_away"},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, 503, "database_away"},
		{&pgconn.PgError{Code: "42601", Message: "syntax error"}, 500, "internal"},
		{errors.New("something inside"), 500, "internal"},
	} {
		p := problemOf(fmt.Errorf("doing a thing to secret 7: %w", c.err))
		if p.Status != c.status || p.Code != c.code {
			t.Errorf("%v: %d %s, want %d %s", c.err, p.Status, p.Code, c.status, c.code)
		}
		body, err := encode(p)
		if err != nil || strings.Contains(string(body), "secret 7") || strings.Contains(string(body), "inside") {
			t.Errorf("%v: %v: it tells too much: %s", c.err, err, body)
		}
		if again := p.GetHeaders().Get("Retry-After"); (c.status == http.StatusServiceUnavailable) != (again != "") {
			t.Errorf("%v: Retry-After %q", c.err, again)
		}
		if c.status >= 500 && p.cause == nil {
			t.Errorf("%v: the log learns nothing of it", c.err)
		}
	}
}

// The table is what clients may rely on.
func TestCodes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range codes {
		if seen[c.Name] || c.Title == "" || c.Remedy == "" || c.Status < 400 || http.StatusText(c.Status) == "" {
			t.Errorf("%+v", c)
		}
		seen[c.Name] = true
	}
	for _, known := range knownErrors {
		if !seen[known.code] {
			t.Errorf("%v has the code %s, which isn't in the table", known.err, known.code)
		}
	}
	for status, name := range humaCodes {
		if codeOf[name].Status != status {
			t.Errorf("%s has status %d, huma says %d", name, codeOf[name].Status, status)
		}
	}
}

// What means the same has one hash, and what differs has another.
func TestCanonical(t *testing.T) {
	t.Parallel()
	hash := func(body string) string {
		plain, err := canonical([]byte(body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return string(hashOf("op", "/p", plain, ""))
	}
	if hash(`{"a":1,"b":[{"c":"ä","d":null}]}`) != hash(" {\n\"b\" : [{\"d\":null, \"c\":\"\\u00e4\"}], \"a\":1 }") {
		t.Error("blanks, order or escapes make a difference")
	}
	if hash("") != hash(" \n") {
		t.Error("blanks make a body")
	}
	different := []string{`{"a":1}`, `{"a":"1"}`, `{"a":[1]}`, `{"a":1,"b":2}`, `{"b":1}`, `{}`, `[]`, "", `{"a":9007199254740993}`, `{"a":9007199254740992}`}
	for i, a := range different {
		for _, b := range different[:i] {
			if hash(a) == hash(b) {
				t.Errorf("%s and %s have one hash", a, b)
			}
		}
	}
	if string(hashOf("op", "/p", nil, "ab")) == string(hashOf("op", "/pa", nil, "b")) {
		t.Error("parts run into each other")
	}
}
