package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"purser/internal/pgtest"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	t.Run("EveryFigureIsWhatTheRulesSay", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		if err := runDemo(t.Context(), &out, demoOptions{DatabaseURL: pgtest.URL(t), Logger: quiet()}); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if !strings.HasSuffix(out.String(), "\naudit: 0 differences\n") {
			t.Errorf("the last line is not the audit's:\n%s", out.String())
		}
	})
	t.Run("JSONIsOneObjectAStepAndTheAuditLast", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		if err := runDemo(t.Context(), &out, demoOptions{JSON: true, DatabaseURL: pgtest.URL(t), Logger: quiet()}); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != len(story)+1 {
			t.Fatalf("%d lines for %d steps and the audit", len(lines), len(story))
		}
		for i, c := range story {
			var step struct {
				Step  string
				Seats int64
				Pool  map[string]int64
				Debt  *int64
			}
			if err := json.Unmarshal([]byte(lines[i]), &step); err != nil {
				t.Fatalf("%s: %v", lines[i], err)
			}
			p := step.Pool
			if step.Step != c.name || step.Debt == nil || len(p) != 11 {
				t.Errorf("step %d is %s", i+1, lines[i])
			}
			if p["total"] != p["used"]+p["held"]+p["allocated"]+p["frozen"]+p["available"] ||
				p["total"] != p["monthly"]+p["purchased"]+p["rollover"]+p["bonus"]+p["contributed"] {
				t.Errorf("B12: %s does not add up: %s", c.name, lines[i])
			}
		}
		var last struct{ Audit struct{ Differences *int64 } }
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Audit.Differences == nil || *last.Audit.Differences != 0 {
			t.Errorf("the last line is %s", lines[len(lines)-1])
		}
	})
}

func TestDemoNotesAnswersThatAreNotWhatTheRulesSay(t *testing.T) {
	t.Parallel()
	a := newActed(t)
	right := request{user: "olga", path: "/v1/teams", body: `{"id": "acme", "owner_id": "olga", "name": "Acme"}`, status: http.StatusCreated}
	tell := &telling{stage: a.stage, out: io.Discard}
	if _, err := tell.ask(t.Context(), right); err != nil || tell.wrong != nil {
		t.Fatalf("%v %v", err, tell.wrong)
	}
	empty := request{user: "olga", path: "/v1/teams/acme/spends", body: `{"user_id": "olga", "credits": 1}`}
	for _, r := range []request{
		{status: http.StatusCreated, code: "pool_empty"},
		{status: http.StatusPaymentRequired, code: "limit_reached"},
		{status: http.StatusPaymentRequired, code: "pool_empty", left: 1},
	} {
		r.user, r.path, r.body = empty.user, empty.path, empty.body
		before := len(tell.wrong)
		if _, err := tell.ask(t.Context(), r); err != nil || len(tell.wrong) != before+1 {
			t.Errorf("%+v: %v %v", r, err, tell.wrong)
		}
	}
}

// quiet logs warnings only, where a failing test shows them.
func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
