package browsertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// axeSource reads axe-core from where .ci/install-browser puts it: bin in the module's root.
func axeSource(dir string) (string, error) {
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			source, err := os.ReadFile(filepath.Join(dir, "bin", "axe.min.js"))
			if err != nil {
				return "", fmt.Errorf("there is no axe-core; run .ci/install-browser: %w", err)
			}
			return string(source), nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("there is no go.mod above the test's folder")
		}
		dir = filepath.Dir(dir)
	}
}

// Axe gives what axe-core finds on the page, one string for each rule that is broken.
func (b *Tab) Axe() []string {
	b.t.Helper()
	if !Eval[bool](b, `"axe" in window`) { // once a page
		dir, err := os.Getwd()
		if err != nil {
			b.t.Fatal(err)
		}
		source, err := axeSource(dir)
		if err != nil {
			b.t.Fatal(err)
		}
		Eval[bool](b, source+"; true")
	}
	raw := Eval[string](b, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
		.then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html + " " + n.failureSummary).slice(0, 3).join(" | "))))`)
	var found []string
	if err := json.Unmarshal([]byte(raw), &found); err != nil {
		b.t.Fatal(err)
	}
	return found
}

// Wide is how wide the page is, whatever of it the window shows.
func (b *Tab) Wide() int64 {
	b.t.Helper()
	return Eval[int64](b, "document.documentElement.scrollWidth")
}
