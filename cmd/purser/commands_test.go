package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// testPassword is the one in the database addresses of these tests.
const testPassword = "p4ss-Ww-or-D9"

func TestCommandLine(t *testing.T) {
	t.Parallel()

	t.Run("WrongUsageExitsWithTwoAndNamesTheHelp", func(t *testing.T) {
		t.Parallel()
		c := bare(t)
		c.fails(exitUsage, []string{"expected one of", "purser help"})
		c.fails(exitUsage, []string{"unexpected argument nonsense"}, "nonsense")
		c.fails(exitUsage, []string{"unknown flag --colour", "purser team list --help"}, "team", "list", "--colour")
		c.fails(exitUsage, []string{"<id>", "purser user set --help"}, "user", "set")
		c.fails(exitUsage, []string{"--limit", "500"}, "user", "list", "--limit", "501")
		c.fails(exitUsage, []string{"--limit"}, "user", "list", "--limit", "0")
		c.fails(exitUsage, []string{"--since"}, "events", "list", "--since", "yesterday")
		c.fails(exitUsage, []string{"--state"}, "events", "list", "--state", "lost")
	})
	t.Run("AVariableCountsLikeItsFlagAndTheFlagWins", func(t *testing.T) {
		t.Parallel()
		c := bare(t).with("PURSER_CATALOG", "nowhere.yaml")
		c.fails(exitFailed, []string{"nowhere.yaml"}, "catalog", "check")
		c.ok("catalog", "check", "--catalog", "demo")
		c.ok("catalog", "check", "demo")
	})
	t.Run("AWrongVariableIsNamed", func(t *testing.T) {
		t.Parallel()
		bare(t).with("PURSER_ROLE", "boss").fails(exitUsage, []string{"--role (PURSER_ROLE)", "boss"}, "serve")
		bare(t).with("PURSER_EVENT_WORKERS", "many").fails(exitUsage, []string{"--event-workers (PURSER_EVENT_WORKERS)", "many"}, "serve")
	})
	t.Run("AnEmptyVariableIsNotSet", func(t *testing.T) {
		t.Parallel()
		bare(t).with("PURSER_CATALOG", "").fails(exitUsage, []string{"set PURSER_CATALOG"}, "catalog", "check")
	})
	t.Run("EveryCommandHasHelpAndShowsIt", func(t *testing.T) {
		t.Parallel()
		c := bare(t)
		line, err := newCommandLine(&bytes.Buffer{}, func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		for _, leaf := range line.parser.Model.Leaves(true) {
			words := strings.Fields(leaf.Path())
			if leaf.Help == "" {
				t.Errorf("%s has no help", leaf.Path())
			}
			shows(t, c.ok(append(words, "--help")...), "^Usage: purser "+leaf.Path())
			for _, f := range leaf.Flags {
				if f.Help == "" {
					t.Errorf("--%s of %s has no help", f.Name, leaf.Path())
				}
			}
		}
		shows(t, c.ok("help", "user", "set"), "^Usage: purser user set")
		if r := c.run("help", "nonsense"); r.code != exitFailed {
			t.Errorf("help on nonsense exits with %d", r.code)
		}
	})
}

// It isn't parallel, since it sets the process's environment.
func TestTheEnvironmentIsTheOneThatRunWasGiven(t *testing.T) {
	t.Setenv("PURSER_CATALOG", "demo")
	bare(t).fails(exitUsage, []string{"set PURSER_CATALOG"}, "catalog", "check")
}

func TestMissingSettingsAreAllNamedAtOnce(t *testing.T) {
	t.Parallel()
	bare(t).fails(exitUsage, []string{"set PURSER_STRIPE_KEY", "set PURSER_STRIPE_WEBHOOK_SECRETS", "set PURSER_CATALOG"}, "serve")
	c := newCLI(t)
	c.with("PURSER_SCHEDULE_SETTLE", "often").with("PURSER_SCHEDULE_EVENTS", "0 0 31 2 *").
		fails(exitUsage, []string{"PURSER_SCHEDULE_SETTLE", "PURSER_SCHEDULE_EVENTS", "cron"}, "serve")
	c.with("PURSER_EVENT_WORKERS", "0").with("PURSER_STRIPE_WEBHOOK_SECRETS", "we_123").
		fails(exitUsage, []string{"PURSER_EVENT_WORKERS", "whsec_"}, "serve")
	c.with("PURSER_EVENTS_KEEP", "1").fails(exitUsage, []string{"PURSER_EVENTS_KEEP", "for ever"}, "serve")
	c.with("PURSER_STRIPE_WEBHOOK_SECRETS", " , ").fails(exitUsage, []string{"set PURSER_STRIPE_WEBHOOK_SECRETS"}, "serve")
	c.with("PURSER_STRIPE_KEY", "pk_test_123").fails(exitUsage, []string{"PURSER_STRIPE_KEY", "publishable"}, "serve")
	c.with("PURSER_STRIPE_URL", "not a url").fails(exitUsage, []string{"PURSER_STRIPE_URL"}, "serve")
	c.with("PURSER_STRIPE_KEY", "").fails(exitUsage, []string{"set PURSER_STRIPE_KEY", "set PURSER_RETURN_URL"},
		"pool", "buy", "--team", "acme", "--pack", "pack_1000")
}

func TestALiveKeyIsNeverSentToALocalStripe(t *testing.T) {
	t.Parallel()
	c := newCLI(t).with("PURSER_STRIPE_KEY", liveKey).with("PURSER_STRIPE_URL", "https://127.0.0.1:1")
	c.fails(exitUsage, []string{"unset PURSER_STRIPE_URL"}, "serve")
	c.fails(exitUsage, []string{"unset PURSER_STRIPE_URL"}, "pool", "buy", "--team", "acme", "--pack", "pack_1000", "--return-url", "https://x.example")
}

func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()

	t.Run("HoweverTheyArePrinted", func(t *testing.T) {
		t.Parallel()
		held := struct {
			Key  secret
			Many []secret
		}{testKey, []secret{testSecret}}
		var b bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			fmt.Fprintf(&b, verb+"\n", held)
			fmt.Fprintf(&b, verb+"\n", held.Key)
			fmt.Fprintf(&b, verb+"\n", &held.Key)
		}
		if err := json.NewEncoder(&b).Encode(held); err != nil {
			t.Fatal(err)
		}
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "key", held.Key, "all", held)
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "key", held.Key, "all", held)
		if text := b.String(); strings.Contains(text, testKey) || strings.Contains(text, testSecret) {
			t.Errorf("printed: %s", text)
		}
		if held.Key.reveal() != testKey || secret("").String() != "" {
			t.Error("reveal doesn't give the text, or nothing reads as something")
		}
	})
	t.Run("InHelpAndErrorsOfEveryCommand", func(t *testing.T) {
		t.Parallel()
		c := bare(t)
		for name, value := range map[string]string{
			"PURSER_STRIPE_KEY": testKey, "PURSER_STRIPE_WEBHOOK_SECRETS": testSecret + "," + testSecret, "PURSER_CATALOG": "demo",
			"PURSER_DATABASE_URL": "postgres://me:" + testPassword + "@127.0.0.1:1/x",
		} {
			c = c.with(name, value)
		}
		// run looks at each output by itself.
		line, err := newCommandLine(&bytes.Buffer{}, func(name string) string { return c.env[name] })
		if err != nil {
			t.Fatal(err)
		}
		for _, leaf := range line.parser.Model.Leaves(true) {
			words := strings.Fields(leaf.Path())
			c.run(append(words, "--help")...)
			c.run(append(words, "--no-such-flag="+testKey)...)
		}
		c.run("help")
		c.fails(exitFailed, []string{"reaching the database", "PURSER_DATABASE_URL"}, "user", "list")
		c.fails(exitFailed, []string{"reaching the database"}, "serve", "--listen", "127.0.0.1:0", "--log-level", "error")
	})
	t.Run("EvenInAnErrorThatQuotesThem", func(t *testing.T) {
		t.Parallel()
		env := map[string]string{
			"PURSER_STRIPE_KEY": testKey, "PURSER_STRIPE_WEBHOOK_SECRETS": liveKey + "," + testSecret, "PURSER_CATALOG": "demo",
			"PURSER_DATABASE_URL": "postgres://me:" + testPassword + "@127.0.0.1:1/x", "PURSER_EVENT_WORKERS": "0",
		}
		line, err := newCommandLine(&bytes.Buffer{}, func(name string) string { return env[name] })
		if err != nil {
			t.Fatal(err)
		}
		// Before anything was read, its variables are known, as its flags are afterwards.
		if early := line.hide(fmt.Errorf("%s %s", testKey, testSecret)); early.Error() != "[hidden] [hidden]" {
			t.Errorf("shows %q", early)
		}
		if _, err := line.parser.Parse([]string{"serve", "--stripe-key", "sk_test_ofTheFlag"}); err != nil {
			t.Fatal(err)
		}
		if late := line.hide(errors.New("sk_test_ofTheFlag")); late.Error() != "[hidden]" {
			t.Errorf("shows %q", late)
		}
		quoted := fmt.Errorf("a library says: %s, %s and %s: %w", testKey, testSecret, testPassword, errFound)
		clean := line.hide(quoted)
		if want := "a library says: [hidden], [hidden] and [hidden]: " + errFound.Error(); clean.Error() != want {
			t.Errorf("shows %q", clean)
		}
		if !errors.Is(clean, errFound) {
			t.Error("the error isn't what it was")
		}
		if err := line.hide(errFound); err != errFound { //nolint:errorlint // the very same
			t.Errorf("an error without secrets became %v", err)
		}
	})
	t.Run("InAnAddressThatCannotBeRead", func(t *testing.T) {
		t.Parallel()
		for _, url := range []string{
			"postgres://me:" + testPassword + "%zz@host/x", "host=a password=" + testPassword + " port=x", testPassword,
			"postgres://me:" + testPassword + "@host:port/x", "mysql://me:" + testPassword + "@host/x",
		} {
			bare(t).with("PURSER_DATABASE_URL", url).fails(exitFailed, []string{"PURSER_DATABASE_URL"}, "user", "list")
		}
	})
}
