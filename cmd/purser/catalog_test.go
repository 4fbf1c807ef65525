package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCatalogCheck(t *testing.T) {
	t.Parallel()

	t.Run("TheExampleIsRightAndIsExplained", func(t *testing.T) {
		t.Parallel()
		c := bare(t)
		shows(t, c.ok("catalog", "check", "../../plans.example.yaml"), `^plan team +Team$`, `monthly credits +1000 a seat$`, `^pack pack_1000`, `^content `)
		view := decoded[catalogView](c, "catalog", "check", "../../plans.example.yaml")
		if len(view.Plans) == 0 || view.Plans[0].Name != "team" || view.Plans[0].RenewalGraceSeconds != 86400 || view.Plans[0].Rollover.CapPerSeat != 500 {
			t.Errorf("as JSON: %+v", view)
		}
	})
	t.Run("B1_EveryErrorHasItsLine", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "plans.yaml")
		text := "plans:\n  - name: team\n    colour: red\n    prices: [{lookup_key: team_monthly}]\n    monthly_credits: 0\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := bare(t)
		r := c.run("catalog", "check", file)
		if r.code != exitFailed || r.err != "" {
			t.Errorf("exit %d: %s", r.code, r.err)
		}
		shows(t, r.out, `plans\.yaml:3:\d+: .*\[unknown_key\]$`, `plans\.yaml:5:\d+: .*\[range\]$`)
		r = c.run("catalog", "check", file, "--json")
		if r.code != exitFailed {
			t.Errorf("exit %d: %s", r.code, r.err)
		}
		shows(t, r.out, `"line": 3,$`, `"rule": "range",$`)
		// Whatever needs a catalogue says the same and starts nothing.
		r = newCLI(t).with("PURSER_CATALOG", file).run("serve")
		if r.code != exitFailed || strings.Contains(r.out, "ready") {
			t.Errorf("it starts with a broken catalogue: exit %d\n%s", r.code, r.out)
		}
		shows(t, r.err, `plans\.yaml:3:\d+: `, `^purser: reading the catalogue: 2 errors; see: purser catalog check$`)
	})
	t.Run("WarningsAreNoErrors", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "plans.yaml")
		text := "plans:\n  - name: team\n    prices: [{lookup_key: team_monthly}]\n    monthly_credits: 10\n    renewal_grace: 0h\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		shows(t, bare(t).ok("catalog", "check", file), `to think over$`, `plans\.yaml:\d+:\d+: `)
	})
	t.Run("AFileThatIsNotThere", func(t *testing.T) {
		t.Parallel()
		bare(t).fails(exitFailed, []string{"opening catalogue", "nowhere.yaml"}, "catalog", "check", "nowhere.yaml")
		bare(t).fails(exitUsage, []string{"set PURSER_CATALOG"}, "catalog", "check")
	})
}

func TestVersion(t *testing.T) {
	t.Parallel()
	shows(t, bare(t).ok("version"), `^purser \S+ .*go1\.`)
	type about struct{ Version, Commit, Go string }
	if v := decoded[about](bare(t), "version"); v.Version == "" || v.Go == "" {
		t.Errorf("as JSON: %+v", v)
	}
}
