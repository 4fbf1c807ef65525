package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// arrows says which package of ours may import which: the spine is straight, api and web
// → teams → billing → ledger, and never back. A package that isn't here has to be argued
// for first.
var arrows = map[string][]string{
	"ledger":               {},
	"billing":              {"ledger"},
	"billing/stripeapi":    {"billing"},
	"teams":                {"billing", "ledger"},
	"notify":               {},
	"webhooks":             {"billing", "internal/gather"},
	"worker":               {"teams", "billing", "ledger", "notify", "internal/gather"},
	"api":                  {"teams", "billing", "ledger", "notify", "internal/gather"},
	"web":                  {"teams", "billing", "ledger", "notify", "internal/gather"},
	"client":               {},
	"migrations":           {},
	"internal/browsertest": {},
	"internal/gather":      {},
	"internal/localpg":     {},
	"internal/localstripe": {},
	"internal/pgtest":      {"internal/localpg", "migrations"},
	"internal/teamtest":    {"teams", "billing", "ledger", "internal/pgtest"},
	"cmd/purser": {
		"api", "web", "webhooks", "worker", "billing/stripeapi", "teams", "billing", "ledger", "notify", "migrations",
		"internal/gather", "internal/localpg", "internal/localstripe",
	},
}

// onlyFor says who alone may import a package of others, and whether tests may too.
var onlyFor = []struct {
	prefix string
	ours   []string
	tests  []string
	why    string
}{
	{"github.com/stripe/stripe-go", []string{"billing/stripeapi"}, []string{"internal/localstripe"}, "one package calls Stripe"},
	{"github.com/riverqueue/river", []string{"worker", "migrations", "cmd/purser"}, []string{"webhooks"}, "jobs are the worker's business"},
	{"github.com/robfig/cron", []string{"worker"}, nil, "schedules are the worker's business"},
	{"github.com/chromedp/", []string{"internal/browsertest"}, nil, "one package drives the browser, in tests only"},
	{"github.com/alecthomas/kong", []string{"cmd/purser"}, nil, "the command line is cmd's"},
}

// neverIn says what a package may not know, whatever its tests do.
var neverIn = map[string][]string{
	"ledger":            {"net/http", "math/rand", "crypto/rand", "net/smtp"},
	"billing":           {"net/http", "math/rand", "crypto/rand", "net/smtp"},
	"teams":             {"net/http"},
	"billing/stripeapi": {"github.com/jackc/pgx"},
}

// ownerOf says in which package the SQL on a table stands.
var ownerOf = map[string][]string{
	"ledger":  {"books", "accounts", "lots", "lot_balances", "entries", "postings", "holds", "hold_draws", "debts", "usage", "drawn"},
	"billing": {"event_ids", "events", "stripe_objects", "event_cursors", "customers", "subscriptions", "periods", "invoices", "purchases", "held_back", "auto_top_ups", "notices", "expiry_cursors", "charges", "clawbacks"},
	"teams":   {"users", "teams", "members", "invitations", "request_keys", "api_keys", "page_sessions"},
}

// pkg is a package as go list describes it.
type pkg struct {
	ImportPath, Dir                    string
	GoFiles, TestGoFiles, XTestGoFiles []string
	Imports, TestImports, XTestImports []string
}

func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, "purser/") }

func (p pkg) tests() []string { return append(slices.Clone(p.TestImports), p.XTestImports...) }

// listed are all packages of the module, as they are for the machine that tests.
func listed(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,GoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", "purser/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 8 {
		t.Fatalf("go list finds %d packages only", len(all))
	}
	return all
}

func TestArrows(t *testing.T) {
	t.Parallel()
	for _, p := range listed(t) {
		allowed, known := arrows[p.name()]
		if !known {
			t.Errorf("%s isn't in the table of packages: argue for it first", p.name())
			continue
		}
		for _, path := range p.Imports {
			if ours, ok := strings.CutPrefix(path, "purser/"); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s may not import %s", p.name(), ours)
			}
		}
		for _, path := range p.tests() {
			if path == "purser/cmd/purser" {
				t.Errorf("the tests of %s import cmd", p.name())
			}
		}
		checkForeign(t, p)
	}
}

func checkForeign(t *testing.T, p pkg) {
	t.Helper()
	for _, rule := range onlyFor {
		for _, path := range p.Imports {
			if strings.HasPrefix(path, rule.prefix) && !slices.Contains(rule.ours, p.name()) {
				t.Errorf("%s may not import %s: %s", p.name(), path, rule.why)
			}
		}
		for _, path := range p.tests() {
			if strings.HasPrefix(path, rule.prefix) && !slices.Contains(rule.ours, p.name()) && !slices.Contains(rule.tests, p.name()) {
				t.Errorf("the tests of %s may not import %s: %s", p.name(), path, rule.why)
			}
		}
	}
	for _, never := range neverIn[p.name()] {
		for _, path := range p.Imports {
			if path == never || strings.HasPrefix(path, never+"/") {
				t.Errorf("%s may not know %s", p.name(), path)
			}
		}
	}
}

// source is one file of a package that isn't a test.
type source struct {
	pkg  string
	path string
	set  *token.FileSet
	file *ast.File
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	for _, p := range listed(t) {
		for _, name := range p.GoFiles {
			set := token.NewFileSet()
			path := filepath.Join(p.Dir, name)
			file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, source{p.name(), path, set, file})
		}
	}
	return all
}

// clockwork are the functions of package time that ask the wall clock.
var clockwork = []string{"Now", "Since", "Until"}

func TestOnlyCmdAsksTheWallClock(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.pkg == "cmd/purser" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains(clockwork, sel.Sel.Name) {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" {
				t.Errorf("%s: time.%s: time is an input", s.set.Position(sel.Pos()), sel.Sel.Name)
			}
			return true
		})
	}
}

// tableWord finds the tables that a piece of SQL names.
var tableWord = regexp.MustCompile(`\b(?:FROM|INTO|UPDATE|JOIN|TABLE)\s+(?:ONLY\s+)?([a-z_]+)\b`)

func TestATableIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	owner := map[string]string{}
	for name, tables := range ownerOf {
		for _, table := range tables {
			owner[table] = name
		}
	}
	seen := map[string]bool{}
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatalf("%s: %v", s.set.Position(lit.Pos()), err)
			}
			for _, m := range tableWord.FindAllStringSubmatch(text, -1) {
				of, ours := owner[m[1]]
				if ours && of != s.pkg {
					t.Errorf("%s: SQL on %s, which is %s's", s.set.Position(lit.Pos()), m[1], of)
				}
				seen[of] = seen[of] || ours
			}
			return true
		})
	}
	for name := range ownerOf {
		if !seen[name] {
			t.Errorf("no SQL of %s was found at all: it isn't looked for as it is written", name)
		}
	}
}

var createTable = regexp.MustCompile(`(?m)^CREATE TABLE (?:IF NOT EXISTS )?([a-z_]+) \(`)

func TestEveryTableHasAnOwner(t *testing.T) {
	t.Parallel()
	var owned []string
	for _, tables := range ownerOf {
		owned = append(owned, tables...)
	}
	files, err := filepath.Glob("../../migrations/sql/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	var made []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range createTable.FindAllStringSubmatch(string(text), -1) {
			made = append(made, m[1])
			if !slices.Contains(owned, m[1]) {
				t.Errorf("%s makes %s, which no package owns", filepath.Base(file), m[1])
			}
		}
	}
	for _, table := range owned {
		if !slices.Contains(made, table) {
			t.Errorf("%s is owned and never made", table)
		}
	}
}
