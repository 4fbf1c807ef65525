package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// request is one write over purser's API, with what the rules say of its answer.
type request struct {
	user   string // who acts; "": the product's backend
	path   string
	body   string
	status int
	code   string // of a refusal
	left   int64  // what the member could draw afterwards, where the answer says it
}

// apiAnswer is what the story tells of an answer, whatever was asked for.
type apiAnswer struct {
	ID        string
	Code      string
	URL       string
	UserID    string `json:"user_id"`
	Access    string
	Token     string
	AcceptURL string `json:"accept_url"`
	Credits   int64
	Released  int64
	Available int64
	Helps     []string
	Limit     struct {
		ResetsAt *time.Time `json:"resets_at"`
	}
	PaidFrom []struct {
		Account string
		Credits int64
	} `json:"paid_from"`
	Before, After struct{ From, To int64 }
	Kind          string
}

// ask makes a request, notes it for the story, and notes as wrong what isn't as the rules
// say.
func (t *telling) ask(ctx context.Context, r request) (a apiAnswer, err error) {
	status, raw, err := t.product.call(ctx, r.user, http.MethodPost, r.path, r.body)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, fmt.Errorf("reading purser's answer for %s: %w", r.path, err)
	}
	if status != r.status || a.Code != r.code || a.Available != r.left {
		t.wrong = append(t.wrong, fmt.Sprintf("%s: the rules say %d %s and %d left, not: %d %s", r.path, r.status, r.code, r.left, status, raw))
	}
	who := r.user
	if who == "" {
		who = "backend"
	}
	t.calls = append(t.calls, fmt.Sprintf("%-7s POST %-42s %d  %s", who, short(r.path), status, a.tell()))
	return a, nil
}

// asks makes requests whose answers nobody needs.
func asks(all ...request) func(context.Context, *telling) error {
	return func(ctx context.Context, t *telling) error {
		for _, r := range all {
			if _, err := t.ask(ctx, r); err != nil {
				return err
			}
		}
		return nil
	}
}

// short leaves out of a path what every one begins with, and the middle of ids.
func short(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, "/v1"), "/")
	for i, part := range parts {
		if kind, _, ok := strings.Cut(part, "_"); ok {
			parts[i] = kind + "_…"
		}
	}
	return strings.Join(parts, "/")
}

// tell says in a few words what was answered.
func (a apiAnswer) tell() string {
	switch {
	case a.Code != "":
		text := fmt.Sprintf("%s; available %s", a.Code, thousands(a.Available))
		if a.Limit.ResetsAt != nil {
			text += ", resets " + a.Limit.ResetsAt.Format("2 Jan")
		}
		return text + "\n" + strings.Repeat(" ", 11) + "would help: " + strings.Join(a.Helps, ", ")
	case a.AcceptURL != "":
		return strings.TrimSuffix(a.AcceptURL, a.Token) + "…"
	case a.Access != "":
		return fmt.Sprintf("%s: access %s", a.UserID, a.Access)
	case a.PaidFrom != nil:
		return a.paid()
	case a.After.From+a.After.To > 0:
		return fmt.Sprintf("from %s → %s, to %s → %s", thousands(a.Before.From), thousands(a.After.From), thousands(a.Before.To), thousands(a.After.To))
	case a.URL != "":
		return "a page at Stripe"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s", a.Kind, thousands(a.Credits)))
}

func (a apiAnswer) paid() string {
	var parts []string
	for _, p := range a.PaidFrom {
		parts = append(parts, fmt.Sprintf("%s from %s", thousands(p.Credits), p.Account))
	}
	text := strings.Join(parts, ", ")
	if a.Released > 0 {
		text += fmt.Sprintf(", %s released", thousands(a.Released))
	}
	return fmt.Sprintf("%s; %s left to %s", text, thousands(a.Available), a.UserID)
}
