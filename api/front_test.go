package api_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/api"
	"purser/teams"
)

func TestFront(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Team("acme", "ann", 100)
	w.run("UnknownRoutesAndMethodsAreProblems", func(t *testing.T) {
		for _, path := range []string{"/", "/v1", "/v2/teams", "/v1/teams/", "/v1//teams", "/v1/users/../teams", "/v1/./teams", "/favicon.ico"} {
			w.get(path).refused(404, "route_unknown")
		}
		r := w.do(request{method: "DELETE", path: "/v1/teams/acme"})
		r.refused(405, "method_not_allowed")
		if r.header.Get("Allow") != "GET, PATCH" {
			t.Errorf("Allow: %s", r.header.Get("Allow"))
		}
	})
	w.run("IdsMayHoldAnyText", func(t *testing.T) {
		for _, id := range []string{"a/b", "a b", "ä%2F", "?", "#1", "100%25", "a:b"} {
			path := "/v1/users/" + url.PathEscape(id)
			if v := w.do(request{method: "PUT", path: path, body: object{"name": "N"}}).ok(200); v["id"] != id {
				t.Errorf("%s became %v", id, v["id"])
			}
			w.get(path).ok(200)
		}
		w.get("/v1/users/%00").refused(422, "request_invalid")
		w.get("/v1/users/%ff").refused(422, "request_invalid")
		w.get("/v1/users?cursor=%00").refused(422, "request_invalid")
		w.get("/v1/users?cursor=%zz").refused(422, "request_invalid")
		w.get("/v1/users/"+strings.Repeat("x", 201)).refused(422, "request_invalid")
		w.as("a\tb", "GET", "/v1/users/ann", nil).refused(422, "request_invalid")
		w.as("\xff", "GET", "/v1/users/ann", nil).refused(422, "request_invalid")
	})
	w.run("BodiesAreJSONOf64KiBAtMost", func(t *testing.T) {
		spend := func(body string) reply { return w.post("/v1/teams/acme/spends", body) }
		for _, body := range []string{"", "{", `{"user_id":"ann","credits":1} x`, "\xff", `{"user_id":"a\u0000","credits":1}`,
			`{"user_id":"ann","credits":1,"metadata":{"n":1e999}}`, `{"user_id":"ann","credits":1,"metadata":{"n":1e-999}}`,
			`{"user_id":"ann","credits":1,"metadata":{"\u0000":1}}`, strings.Repeat("[", 40) + strings.Repeat("]", 40)} {
			spend(body).refused(400, "json_invalid")
		}
		for _, body := range []string{"[]", "1", `"x"`, "null", `{"user_id":"ann"}`, `{"user_id":"ann","credits":"1"}`, `{"user_id":"ann","credits":1.5}`,
			`{"user_id":"ann","credits":1e30}`, `{"user_id":"ann","credits":1,"x":2}`, `{"user_id":"","credits":1}`, `{"user_id":"ann","credits":1,"metadata":7}`} {
			spend(body).refused(422, "request_invalid")
		}
		spend(`{"user_id":"ann","credits":1,"metadata":{"x":"`+strings.Repeat("y", 17<<10)+`"}}`).refused(422, "metadata_invalid")
		spend(`{"user_id":"ann","memo":"`+strings.Repeat("y", 64<<10)+`"}`).refused(413, "body_too_large")
		w.do(request{method: "POST", path: "/v1/teams/acme/spends", body: "a=b", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}).refused(415, "content_type_unknown")
		spend(`{"user_id":"ann","credits":1,"metadata":{"deep":[[[[{"a":[1,2.5,1e10,0e5,-0.0,123456789012345678901234567890]}]]]],"text":"\ud800 \u2028"}}`).ok(201)
	})
	w.run("RequestsHaveIds", func(t *testing.T) {
		r := w.do(request{method: "GET", path: "/v1/teams/nowhere", header: map[string]string{"X-Request-Id": "mine-1"}})
		if v := r.refused(404, "team_not_found"); v["request_id"] != "mine-1" || r.header.Get("X-Request-Id") != "mine-1" {
			t.Errorf("%v %v", v, r.header)
		}
		if r := w.do(request{method: "GET", path: "/v1/teams/acme", header: map[string]string{"X-Request-Id": "not mine"}}); !strings.HasPrefix(r.header.Get("X-Request-Id"), "req_") {
			t.Errorf("%v", r.header)
		}
	})
	w.run("TheLogHasOneLineARequestAndNoSecrets", func(t *testing.T) {
		before := len(strings.Split(w.log.String(), "\n"))
		w.do(request{method: "POST", path: "/v1/teams/acme/spends", body: object{"user_id": "ann", "credits": 1, "memo": "hush"}}).ok(201)
		lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
		if len(lines) != before {
			t.Fatalf("%d lines, then %d", before-1, len(lines))
		}
		var line map[string]any
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &line); err != nil {
			t.Fatal(err)
		}
		if line["route"] != "POST /v1/teams/{team}/spends" || line["status"] != 201.0 || !strings.HasPrefix(line["key"].(string), "pk_") {
			t.Errorf("%v", line)
		}
		secret := w.key[strings.LastIndex(w.key, "_")+1:]
		if log := w.log.String(); strings.Contains(log, secret) || strings.Contains(log, "hush") || strings.Contains(log, "ann") {
			t.Errorf("the log tells too much:\n%s", log)
		}
	})
	w.run("ReadsHaveATagThatStaysWhileNothingChanges", func(t *testing.T) {
		for _, path := range []string{"/v1/teams/acme/pool", "/v1/teams/acme", "/v1/users", "/v1/teams/acme/lots"} {
			first := w.get(path)
			first.ok(200)
			w.Clock.Advance(time.Second)
			tag := first.header.Get("ETag")
			for _, header := range []string{tag, `"x", ` + tag, "*"} {
				r := w.do(request{method: "GET", path: path, header: map[string]string{"If-None-Match": header}})
				if r.status != 304 || len(r.raw) != 0 || r.header.Get("ETag") != tag {
					t.Errorf("%s with %s: %d %s", path, header, r.status, r.raw)
				}
			}
		}
		tag := w.get("/v1/teams/acme/pool").header.Get("ETag")
		w.post("/v1/teams/acme/spends", object{"user_id": "ann", "credits": 1}).ok(201)
		w.do(request{method: "GET", path: "/v1/teams/acme/pool", header: map[string]string{"If-None-Match": tag}}).ok(200)
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *api.Config) { c.Rate = 5 })
	w.run("WrongOnesAreUnauthorized", func(t *testing.T) {
		for _, auth := range []string{"x", "pk_", "pk_a_b", w.key + "x", w.key[:len(w.key)-1], "sk_" + w.key[3:]} {
			r := w.do(request{method: "GET", path: "/v1/users", auth: auth})
			if r.refused(401, "unauthorized"); r.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%v", r.header)
			}
		}
		w.do(request{method: "GET", path: "/v1/users", auth: "-", header: map[string]string{"Authorization": "Basic " + w.key}}).refused(401, "unauthorized")
		w.do(request{method: "GET", path: "/v1/users", auth: "-", header: map[string]string{"Authorization": "bearer " + w.key}}).ok(200)
	})
	w.run("MayAskSoOftenASecond", func(t *testing.T) {
		w.wall.Advance(time.Minute)
		for range 5 {
			w.get("/v1/users").ok(200)
		}
		r := w.get("/v1/users")
		if r.refused(429, "rate_limited"); r.header.Get("Retry-After") != "1" {
			t.Errorf("%v", r.header)
		}
		w.do(request{method: "GET", path: "/v1/users", auth: w.newKey(teams.ScopeRead)}).ok(200)
		w.wall.Advance(time.Second)
		w.get("/v1/users").ok(200)
	})
	w.run("LastUseIsKnownToTheMinute", func(t *testing.T) {
		token := w.newKey(teams.ScopeRead)
		id := token[:strings.LastIndex(token, "_")]
		used := func() *time.Time {
			keys, err := teams.ListKeys(t.Context(), w.DB)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(keys, func(k teams.APIKey) bool { return k.ID == id })
			return keys[i].LastUsedAt
		}
		if used() != nil {
			t.Error("used before it was")
		}
		ask := func() {
			w.wall.Advance(10 * time.Second)
			w.do(request{method: "GET", path: "/v1/users", auth: token}).ok(200)
		}
		ask()
		first := used()
		w.Clock.Advance(30 * time.Second)
		if ask(); !used().Equal(*first) {
			t.Errorf("%s, then %s: a write for a use within the minute", first, used())
		}
		w.Clock.Advance(31 * time.Second)
		if ask(); !used().Equal(w.Clock.Now()) {
			t.Errorf("last used %s, want %s", used(), w.Clock.Now())
		}
	})
	w.run("RevokedOnesOpenNothingAfterTwoSeconds", func(t *testing.T) {
		token := w.newKey(teams.ScopeRead)
		w.do(request{method: "GET", path: "/v1/users", auth: token}).ok(200)
		w.Must(func(tx pgx.Tx) error {
			return teams.RevokeKey(t.Context(), tx, token[:strings.LastIndex(token, "_")], w.Clock.Now())
		})
		w.wall.Advance(2 * time.Second)
		w.do(request{method: "GET", path: "/v1/users", auth: token}).refused(401, "unauthorized")
	})
}

// Every code that teams or this package may give is in the table, and so on the page.
func TestProblems(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := w.do(request{method: "GET", path: "/problems", auth: "-"})
	if page.status != 200 || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
		t.Fatalf("%d %s", page.status, page.raw)
	}
	found := 0
	for _, dir := range []string{".", "../teams"} {
		for _, name := range literals(t, dir) {
			found++
			if !strings.Contains(string(page.raw), `id="`+name+`"`) {
				t.Errorf("%s gives the code %s, which the table doesn't explain", dir, name)
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d codes were found: they aren't looked for as they are written", found)
	}
}

// codeShape is how codes are written.
var codeShape = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

// literals are the codes that a package's files give to refuse, refuseField, problem and
// the field Code.
func literals(t *testing.T, dir string) []string {
	t.Helper()
	set := token.NewFileSet()
	packages, err := parser.ParseDir(set, dir, func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }, 0) //nolint:staticcheck // files are all that is asked for
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	add := func(e ast.Expr) {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		if text, err := strconv.Unquote(lit.Value); err == nil && codeShape.MatchString(text) {
			all = append(all, text)
		}
	}
	for _, p := range packages {
		ast.Inspect(p, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 1 {
					switch f.Name {
					case "refuse":
						add(n.Args[1])
					case "refuseField", "problem":
						add(n.Args[0])
					}
				}
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if sel, ok := left.(*ast.SelectorExpr); ok && sel.Sel.Name == "Code" && i < len(n.Rhs) {
						add(n.Rhs[i])
					}
				}
			}
			return true
		})
	}
	return all
}
