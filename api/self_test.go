package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// ownSample is a body with which an operation on a user could go through.
func ownSample(id string) any {
	switch id {
	case "create-user-spend", "create-user-hold":
		return object{"credits": 1}
	case "put-user":
		return object{"name": "Eve"}
	}
	// What one asks for a team one asks for a user with the same body.
	for _, of := range []string{id, strings.Replace(id, "-user-", "-team-", 1)} {
		if body := sample(of, "bob"); body != nil {
			return body
		}
	}
	return nil
}

// To everybody else a user doesn't exist: each route of a user, as generated from the
// document, so that none is forgotten.
func TestSelf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Grant(w.User("bob").BookID, 100)
	w.User("eve")
	hold := w.post("/v1/users/bob/holds", object{"credits": 1}).ok(201)["id"].(string)
	spend := w.post("/v1/users/bob/spends", object{"credits": 1}).ok(201)["id"].(string)
	everyOperation(documentOf(t, w.api), func(method, path string, op *openapi3.Operation) {
		if !strings.HasPrefix(path, "/v1/users/{user}") {
			return
		}
		w.run(op.OperationID, func(t *testing.T) {
			body := ownSample(op.OperationID)
			if op.RequestBody != nil && op.RequestBody.Value.Required && body == nil {
				t.Fatal("the test has no body for it")
			}
			key := ""
			if op.Parameters.GetByInAndName("header", "Idempotency-Key") == nil {
				key = "-"
			}
			path := strings.NewReplacer("{user}", "bob", "{hold}", hold, "{spend}", spend).Replace(path)
			r := w.do(request{method: method, path: path, body: body, user: "eve", key: key})
			code := ""
			if r.status >= 400 {
				code = fmt.Sprint(r.ok(r.status)["code"])
			}
			if code != "user_not_found" && code != "backend_only" {
				t.Errorf("eve: %d %s", r.status, code)
			}
		})
	})
	if p := w.account("bob"); p.Held != 1 || p.Used != 1 || p.Available != 98 {
		t.Errorf("eve did something: %+v", p)
	}
}
