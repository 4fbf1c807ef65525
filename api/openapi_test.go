package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"purser/teams"
)

var update = flag.Bool("update", false, "write openapi.yaml anew")

func TestDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := documentOf(t, w.api)
	w.run("IsCheckedIn", func(t *testing.T) {
		if *update {
			if err := os.WriteFile("openapi.yaml", doc.raw, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		kept, err := os.ReadFile("openapi.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(kept, doc.raw) {
			t.Error("openapi.yaml isn't what the server says; run: go test ./api -run TestDocument -update")
		}
	})
	w.run("IsServed", func(t *testing.T) {
		for path, kind := range map[string]string{"/openapi.json": "application/openapi+json", "/openapi.yaml": "application/openapi+yaml"} {
			r := w.do(request{method: "GET", path: path, auth: "-"})
			if r.status != 200 || r.header.Get("Content-Type") != kind || !bytes.Contains(r.raw, []byte("create-spend")) {
				t.Errorf("%s: %d %s", path, r.status, r.header.Get("Content-Type"))
			}
		}
	})
	w.run("IsOpenAPI31AndValid", func(t *testing.T) {
		if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
			t.Errorf("it is %s", doc.OpenAPI)
		}
		if err := doc.Validate(t.Context()); err != nil {
			t.Error(err)
		}
	})
	w.run("EveryWriteNeedsAKeyAndEveryOperationSaysHowItRefuses", func(t *testing.T) {
		everyOperation(doc, func(method, path string, op *openapi3.Operation) {
			keyed := op.Parameters.GetByInAndName("header", "Idempotency-Key") != nil
			if wants := method != http.MethodGet && !strings.HasSuffix(path, "/preview"); keyed != wants {
				t.Errorf("%s %s: idempotency key %v", method, path, keyed)
			}
			for _, status := range []string{"401", "403", "429", "503"} {
				if op.Responses.Value(status) == nil {
					t.Errorf("%s %s doesn't document %s", method, path, status)
				}
			}
			if op.Summary == "" || op.OperationID == "" || len(op.Tags) != 1 || len(*op.Security) == 0 {
				t.Errorf("%s %s isn't described", method, path)
			}
		})
	})
}

func everyOperation(doc *document, do func(method, path string, op *openapi3.Operation)) {
	for _, path := range doc.Paths.InMatchingOrder() {
		for method, op := range doc.Paths.Value(path).Operations() {
			do(method, path, op)
		}
	}
}

// scopesOf are the scopes that open an operation, as the document says.
func scopesOf(op *openapi3.Operation) []string {
	var all []string
	for _, one := range *op.Security {
		all = append(all, one["apiKey"]...)
	}
	return all
}

// Each route with each scope: as generated from the document, so that none is forgotten.
func TestScopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keys := map[string]string{}
	for _, s := range []teams.Scope{teams.ScopeSpend, teams.ScopeRead, teams.ScopeManage, teams.ScopeOperate} {
		keys[string(s)] = w.newKey(s)
	}
	everyOperation(documentOf(t, w.api), func(method, path string, op *openapi3.Operation) {
		w.run(method+" "+path, func(t *testing.T) {
			real := strings.NewReplacer("{", "", "}", "").Replace(path)
			var body any
			if method != http.MethodGet {
				body = object{}
			}
			open := scopesOf(op)
			for scope, key := range keys {
				r := w.do(request{method: method, path: real, body: body, auth: key})
				var p struct{ Code string }
				if err := json.Unmarshal(r.raw, &p); err != nil && r.status != 200 {
					t.Fatalf("%s: %s", err, r.raw)
				}
				if slices.Contains(open, scope) == (p.Code == "scope_missing") {
					t.Errorf("with scope %s: %d %s", scope, r.status, p.Code)
				}
			}
			w.do(request{method: method, path: real, body: body, auth: "-"}).refused(401, "unauthorized")
		})
	})
}
