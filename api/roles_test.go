package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"purser/teams"
)

// least is whom an operation on a team needs at least: a member, an admin, the owner, or
// the backend itself, which has no user.
var least = map[string]string{
	"get-team": "member", "get-team-pool": "member", "list-team-lots": "member", "list-team-entries": "member",
	"list-usage-by-member": "member", "list-usage-by-day": "member", "list-members": "member", "get-access": "member",
	"explain-team": "member", "explain-member": "member", "list-team-notices": "member",
	"create-spend": "member", "create-hold": "member", "capture-hold": "member", "release-hold": "member",
	"go-personal": "member", "go-back": "member", "get-spend": "member", "get-hold": "member", "list-holds": "member",
	"reverse-spend": "admin", "patch-team": "admin", "change-members": "admin", "list-invitations": "admin",
	"create-invitation": "admin", "resend-invitation": "admin", "revoke-invitation": "admin",
	"allocate": "admin", "preview-allocate": "admin", "reclaim": "admin", "preview-reclaim": "admin",
	"transfer": "admin", "preview-transfer": "admin", "contribute": "admin", "preview-contribute": "admin",
	"create-team-checkout": "admin", "list-team-purchases": "admin",
	"hand-over": "owner", "assign-subscription": "owner", "unassign-subscription": "owner", "open-team-portal": "owner",
	"preview-close-team": "owner", "close-team": "owner",
	"get-team-auto-top-up": "admin", "set-team-auto-top-up": "admin",
	"grant-team-bonus": "backend", "take-team-bonus": "backend", "suspend-team": "backend", "resume-team": "backend",
}

// sample is a body with which an operation could go through for the user who asks.
func sample(id, user string) any {
	bob := object{"kind": "member", "user_id": "bob"}
	pack := object{"pack": "pack_1000", "success_url": "https://x.example", "cancel_url": "https://x.example"}
	switch strings.TrimPrefix(id, "preview-") {
	case "create-spend", "create-hold":
		return object{"user_id": user, "credits": 1}
	case "patch-team":
		return object{"description": "by " + user}
	case "change-members":
		return object{"changes": []object{{"user_id": "bob", "limit": object{"kind": "none"}}}}
	case "create-invitation":
		return object{"email": user + "-invites@example.com"}
	case "allocate", "contribute":
		return object{"user_id": "bob", "credits": 1}
	case "reclaim":
		return object{"user_id": "bob", "credits": 1}
	case "transfer":
		return object{"from": object{"kind": "pool"}, "to": bob, "credits": 1}
	case "create-team-checkout":
		return pack
	case "close-team":
		return object{"expires": 1} // so many won't: the team lives on
	case "open-team-portal":
		return object{"return_url": "https://x.example"}
	case "set-team-auto-top-up":
		return object{"on": false, "threshold": 0, "pack": "pack_1000", "credits_per_month_max": 1000, "amount_per_month_max": 1000}
	case "hand-over":
		return object{"user_id": "ann"} // who is the owner already
	case "grant-team-bonus", "take-team-bonus":
		return object{"credits": 1, "memo": "x"}
	}
	return nil
}

// Each route of a team with each role, as generated from the document, so that none is
// forgotten.
func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acme := w.Team("acme", "ann", 10_000)
	assigned := w.Subscribe(acme, 20)
	spare := w.Subscribe(acme, 1) // the place is taken, so it is on ann's personal account
	w.Join("acme", "bob", teams.Plain)
	w.Join("acme", "adm", teams.Admin)
	w.Grant(w.User("adm").BookID, 100)
	ranks := map[string]int{"eve": 0, "bob": 1, "adm": 2, "ann": 3}
	needs := map[string]int{"member": 1, "admin": 2, "owner": 3, "backend": 4}
	everyOperation(documentOf(t, w.api), func(method, path string, op *openapi3.Operation) {
		if !strings.HasPrefix(path, "/v1/teams/{team}") {
			return
		}
		w.run(op.OperationID, func(t *testing.T) {
			role, known := least[op.OperationID]
			if !known {
				t.Fatal("the test doesn't know who may")
			}
			for user, rank := range ranks {
				body := sample(op.OperationID, user)
				switch {
				case strings.HasSuffix(op.OperationID, "contribute"):
					body.(object)["user_id"] = user
				case op.OperationID == "assign-subscription":
					body = object{"subscription_id": spare}
				}
				if op.RequestBody != nil && op.RequestBody.Value.Required && body == nil {
					t.Fatal("the test has no body for it")
				}
				key := ""
				if op.Parameters.GetByInAndName("header", "Idempotency-Key") == nil {
					key = "-"
				}
				r := w.do(request{method: method, path: w.real(path), body: body, user: user, key: key})
				code := ""
				if r.status >= 400 {
					code = fmt.Sprint(r.ok(r.status)["code"])
				}
				switch {
				case role == "backend":
					if code != "backend_only" {
						t.Errorf("%s: %d %s, want backend_only", user, r.status, code)
					}
				case rank == 0:
					if r.status != http.StatusNotFound || code != "team_not_found" {
						t.Errorf("%s: %d %s, want team_not_found", user, r.status, code)
					}
				case rank < needs[role]:
					if code != "role_forbids" {
						t.Errorf("%s: %d %s, want role_forbids", user, r.status, code)
					}
				case r.status == http.StatusForbidden || r.status == http.StatusNotFound || r.status == http.StatusUnprocessableEntity:
					t.Errorf("%s: %d %s, though it needs %s only", user, r.status, code, role)
				}
			}
			if op.OperationID == "unassign-subscription" { // ann has done it: the others need it back
				w.post("/v1/teams/acme/subscription/assign", object{"subscription_id": assigned}).ok(200)
			}
		})
	})
	for id := range least {
		found := false
		everyOperation(documentOf(t, w.api), func(_, _ string, op *openapi3.Operation) { found = found || op.OperationID == id })
		if !found {
			t.Errorf("there is no operation %s", id)
		}
	}
}

// real fills a route's parameters with what is there for them: bob's hold, a spend of
// bob's, and so on, made anew for each call.
func (w *world) real(path string) string {
	w.T.Helper()
	made := func(what string, body object) string {
		return w.post("/v1/teams/acme/"+what, body).ok(201)["id"].(string)
	}
	path = strings.ReplaceAll(path, "{team}", "acme")
	path = strings.ReplaceAll(path, "{user}", "bob")
	if strings.Contains(path, "/go-") || strings.Contains(path, "{hold}") || strings.Contains(path, "{spend}") { // another operation may have left bob personal
		w.post("/v1/teams/acme/members/changes", object{"changes": []object{{"user_id": "bob", "access": "credits"}}}).ok(200)
	}
	if strings.Contains(path, "/go-back") {
		w.as("bob", "POST", "/v1/teams/acme/members/bob/go-personal", nil).ok(200)
	}
	if strings.Contains(path, "{hold}") {
		path = strings.ReplaceAll(path, "{hold}", made("holds", object{"user_id": "bob", "credits": 1}))
	}
	if strings.Contains(path, "{spend}") {
		path = strings.ReplaceAll(path, "{spend}", made("spends", object{"user_id": "bob", "credits": 1}))
	}
	if strings.Contains(path, "{invitation}") {
		path = strings.ReplaceAll(path, "{invitation}", made("invitations", object{"email": fmt.Sprintf("i%d@example.com", w.Made.Add(1))}))
	}
	if strings.Contains(path, "reclaims") {
		made("allocations", object{"user_id": "bob", "credits": 5})
	}
	return path
}
