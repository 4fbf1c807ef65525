package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"purser/api"
	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// usageError says that the command line or a setting is wrong. It exits with 2.
type usageError struct {
	what string
	see  string // the command that says more
}

func (e *usageError) Error() string { return e.what }

func usage(format string, args ...any) error { return &usageError{what: fmt.Sprintf(format, args...)} }

// errFound ends a check that has printed what it found: exit 1, and nothing more to say.
var errFound = errors.New("the check found something")

// errLacks ends a look at the Stripe account that has printed what is missing or
// different there: another exit code than that of a look that failed.
var errLacks = errors.New("the Stripe account lacks something")

// report prints an error as one line that says what was being done and what to do, and
// gives the exit code.
func report(stderr io.Writer, err error) int {
	var wrong *usageError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errFound):
		return exitFailed
	case errors.Is(err, errLacks):
		return exitLacks
	case errors.As(err, &wrong):
		see := wrong.see
		if see == "" {
			see = "purser help"
		}
		_, _ = fmt.Fprintf(stderr, "purser: %s; see: %s\n", oneLine(err.Error()), see)
		return exitUsage
	case errors.Is(err, context.Canceled):
		_, _ = fmt.Fprintln(stderr, "purser: stopped before it was done; nothing is half done")
		return exitFailed
	}
	if broken := billing.CatalogErrors(err); len(broken) > 0 {
		for _, one := range broken {
			_, _ = fmt.Fprintln(stderr, one)
		}
		_, _ = fmt.Fprintf(stderr, "purser: reading the catalogue: %s; see: purser catalog check\n", count(len(broken), "error", "errors"))
		return exitFailed
	}
	text := "purser: " + oneLine(err.Error()) + stable(err)
	if todo := remedy(err); todo != "" {
		text += "; " + todo
	}
	_, _ = fmt.Fprintln(stderr, text)
	return exitFailed
}

// remedies say what to do about errors that an operator can do something about.
var remedies = []struct {
	err  error
	todo string
}{
	{teams.ErrUserUnknown, "make the user with: purser user set ID"},
	{teams.ErrTeamUnknown, "see which there are with: purser team list"},
	{teams.ErrTeamExists, "choose another id, or look at it with: purser team show ID"},
	{teams.ErrEmailTaken, "find the other user with: purser user list"},
	{billing.ErrCustomerTaken, "a customer belongs to one user for good"},
	{billing.ErrEventUnknown, "see which there are with: purser events list"},
	{billing.ErrStripeGone, "look whether PURSER_STRIPE_KEY is of the account and mode that has it"},
	{billing.ErrStripeUnavailable, "try again in a minute"},
	{teams.ErrKeyRaced, "run it again with the same --key: it gives the first answer"},
	{ledger.ErrKeyReused, "choose another --key for another request"},
	{ledger.ErrAccountNotFound, "nothing was ever allocated to that member"},
	{ledger.ErrAccountClosed, "the member has left the team"},
}

// stable is the code of a refusal, on which programs may branch.
func stable(err error) string {
	var refusal *teams.Refusal
	if !errors.As(err, &refusal) {
		return ""
	}
	if refusal.Class == teams.Short {
		return fmt.Sprintf(" (%s; %s available)", refusal.Code, thousands(refusal.Available))
	}
	return " (" + refusal.Code + ")"
}

func remedy(err error) string {
	var refusal *teams.Refusal
	if errors.As(err, &refusal) {
		if len(refusal.Helps) > 0 {
			return "what would help: " + strings.Join(refusal.Helps, ", ")
		}
		return strings.TrimSuffix(api.Remedy(refusal.Code), ".")
	}
	for _, r := range remedies {
		if errors.Is(err, r.err) {
			return r.todo
		}
	}
	var away *pgconn.ConnectError
	if errors.As(err, &away) {
		return "look whether PostgreSQL runs there and PURSER_DATABASE_URL is right"
	}
	return ""
}

// oneLine folds an error of several lines, as joined ones are.
func oneLine(text string) string {
	var parts []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, plain(line))
		}
	}
	return strings.Join(parts, "; ")
}

// secretsIn gives what must not be seen of a setting and of its variable, which may not
// have been read yet. Of an address that is its password too: libraries quote addresses
// in parts.
func secretsIn(setting any, variable string) []string {
	var all []string
	add := func(s secret) {
		all = append(all, s.reveal())
		if u, err := url.Parse(s.reveal()); err == nil && u.User != nil {
			if password, ok := u.User.Password(); ok {
				all = append(all, password, url.QueryEscape(password))
			}
		}
	}
	switch s := setting.(type) {
	case secret:
		add(s)
		add(secret(variable))
	case []secret:
		for _, one := range s {
			add(one)
		}
		for one := range strings.SplitSeq(variable, ",") {
			add(secret(strings.TrimSpace(one)))
		}
	}
	return all
}

// blot replaces a secret in a text. One of a few letters could be any word of it, and
// hides nothing.
func blot(text, secret string) string {
	if len(secret) < 4 {
		return text
	}
	return strings.ReplaceAll(text, secret, hidden)
}

// count writes a number with its noun.
func count[N int | int64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(int64(n)) + " " + many
}
