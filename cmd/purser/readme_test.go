package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"purser/billing"
	"purser/billing/stripeapi"
	"purser/internal/pgtest"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks gives the README's fenced blocks of one kind.
func blocks(t *testing.T, kind string) []string {
	t.Helper()
	var all []string
	for _, m := range regexp.MustCompile("(?ms)^```"+kind+"\n(.*?)^```$").FindAllStringSubmatch(readme(t), -1) {
		all = append(all, m[1])
	}
	if len(all) == 0 {
		t.Fatalf("the README has no block of %q", kind)
	}
	return all
}

func TestReadmeHasTheTableOfSettings(t *testing.T) {
	t.Parallel()
	m := regexp.MustCompile(`(?s)<!-- settings: [^>]*-->\n(.*?)<!-- end of settings -->`).FindStringSubmatch(readme(t))
	if m == nil {
		t.Fatal("the README has no table of settings")
	}
	if want := bare(t).ok("help", "--markdown"); m[1] != want {
		t.Errorf("the README's table of settings isn't that of purser help --markdown:\n%s", want)
	}
	// What help shows to people is the same list.
	shown := bare(t).ok("help")
	for line := range strings.Lines(m[1]) {
		if flag := regexp.MustCompile("^\\| `(--[a-z-]+)`").FindStringSubmatch(line); flag != nil && !strings.Contains(shown, "  "+flag[1]+" ") {
			t.Errorf("purser help doesn't show %s", flag[1])
		}
	}
}

// otherVariables are known to others than the binary.
var otherVariables = []string{"PURSER_PLANS", "PURSER_DB_PASSWORD", "PURSER_TEST_DATABASE_URL"}

func TestDocumentsNameOnlyWhatThereIs(t *testing.T) {
	t.Parallel()
	line, err := newCommandLine(&bytes.Buffer{}, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	known := slices.Clone(otherVariables)
	for _, name := range line.envs {
		known = append(known, name)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "GLOSSARY.md", "compose.yaml", "Dockerfile"} {
		content, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		text := string(content)
		for _, v := range regexp.MustCompile(`\bPURSER_[A-Z_]+\b`).FindAllString(text, -1) {
			if !slices.Contains(known, v) {
				t.Errorf("%s names %s, which nothing reads", name, v)
			}
		}
		for _, m := range regexp.MustCompile("(?:^|[`\\s])make ([a-z-]+)[`\\s]").FindAllStringSubmatch(text, -1) {
			if !regexp.MustCompile(`(?m)^`+m[1]+`:`).Match(makefile) && filepath.Ext(name) == ".md" && !proseAfterMake[m[1]] {
				t.Errorf("%s names make %s, which the Makefile doesn't have", name, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`\]\(([A-Za-z][A-Za-z./_-]*)\)`).FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("../..", m[1])); err != nil {
				t.Errorf("%s leads to %s: %v", name, m[1], err)
			}
		}
	}
}

// proseAfterMake are words that follow the verb.
var proseAfterMake = map[string]bool{"an": true, "a": true, "it": true, "them": true, "the": true}

func TestReadmeNamesTheEventsThatSomethingIsDoneFor(t *testing.T) {
	t.Parallel()
	if listed, want := blocks(t, "events")[0], strings.Join(billing.HandledEvents(), "\n")+"\n"; listed != want {
		t.Errorf("the README lists\n%s\nand something is done for\n%s", listed, want)
	}
}

func TestReadmeNamesThePermissionsOfARestrictedKey(t *testing.T) {
	t.Parallel()
	var want strings.Builder
	for _, p := range stripeapi.Permissions() {
		fmt.Fprintf(&want, "| %s | %s | %s |\n", p.Resource, p.Serve, p.Setup)
	}
	_, table, found := strings.Cut(readme(t), "| --- | --- | --- |\n")
	table, _, ended := strings.Cut(table, "<!-- end of permissions -->")
	if !found || !ended || table != want.String() {
		t.Errorf("the README lists\n%s\nand what is called needs\n%s", table, want.String())
	}
}

func TestReadmeShowsTheDemoAsItIs(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := runDemo(t.Context(), &out, demoOptions{DatabaseURL: pgtest.URL(t), Logger: quiet()}); err != nil {
		t.Fatal(err)
	}
	rest := out.String()
	for line := range strings.Lines(blocks(t, "demo")[0]) {
		if line == "…\n" {
			continue
		}
		_, after, found := strings.Cut(rest, line)
		if !found {
			t.Fatalf("the demo doesn't print, after what stands before it in the README:\n%s", line)
		}
		rest = after
	}
}

// The README's commands, as somebody would paste them, in one shell.
func TestReadmeCommandsWork(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", runAsPurser, self)
	if err := os.WriteFile(filepath.Join(dir, "purser"), []byte(script), 0o700); err != nil { //nolint:gosec // it has to run
		t.Fatal(err)
	}
	db := pgtest.Empty(t)
	cmd := exec.CommandContext(t.Context(), "bash", "-euxo", "pipefail", "-c", strings.Join(blocks(t, "sh run"), "\n"))
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "PURSER_DATABASE_URL="+db.Config().ConnString())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	shows(t, string(out), `^audit: 0 differences$`)
	c := bare(t).with("PURSER_DATABASE_URL", db.Config().ConnString()).with("PURSER_CATALOG", "../../plans.example.yaml")
	c.now = time.Now // as the commands had it
	if pool := decoded[poolView](c, "pool", "show", "acme"); pool.Bonus != 300 {
		t.Errorf("acme has %+v", pool)
	}
}
