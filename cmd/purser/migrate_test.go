package main

import (
	"slices"
	"strings"
	"testing"

	"purser/internal/pgtest"
	"purser/migrations"
)

func TestMigrate(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.db = pgtest.Empty(t)
	c = c.with("PURSER_DATABASE_URL", c.db.Config().ConnString())

	if r := c.run("migrate", "--check"); r.code != exitFailed || !strings.Contains(r.out, "run: purser migrate") {
		t.Errorf("checking an empty database: exit %d\n%s%s", r.code, r.out, r.err)
	}
	shows(t, c.ok("migrate"), `^migrated from version 0 to \d+$`)
	shows(t, c.ok("migrate"), `^the database is up to date: version \d+$`)
	c.ok("migrate", "--check")
	c.ok("user", "list")
}

func TestMigrateCitus(t *testing.T) {
	t.Parallel()

	t.Run("IsRefusedWhereTheExtensionIsMissing", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.fails(exitFailed, []string{"distributing the ledger", "extension citus", "CREATE EXTENSION"}, "migrate", "--citus")
		c.fails(exitUsage, []string{"--check", "--citus"}, "migrate", "--citus", "--check")
		c.ok("user", "set", "olga")
	})
	t.Run("ItIsTheLedgerThatIsDistributed", func(t *testing.T) {
		t.Parallel()
		var tables []string
		for _, table := range migrations.ByBook() {
			tables = append(tables, table.Name)
		}
		slices.Sort(tables)
		if ours := slices.Sorted(slices.Values(ownerOf["ledger"])); !slices.Equal(tables, ours) {
			t.Errorf("distributed are %v, and the ledger's are %v", tables, ours)
		}
	})
}

func TestAudit(t *testing.T) {
	t.Parallel()

	t.Run("L9_NoDifferences", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.ok("user", "set", "olga")
		c.ok("bonus", "grant", "100", "--user", "olga", "--key", "k", "--memo", "m")
		out := c.ok("audit")
		if !strings.HasSuffix(out, "\naudit: 0 differences\n") {
			t.Errorf("its last line is another:\n%s", out)
		}
		shows(t, out, `^audited: 1 book, \d+ accounts, 1 lot, 1 entry, 1 posting, 0 holds, 0 debts$`)
		type summary struct {
			Audit map[string]int64 `json:"audit"`
		}
		if s := decoded[summary](c, "audit"); s.Audit["books"] != 1 || s.Audit["postings"] != 1 || s.Audit["differences"] != 0 {
			t.Errorf("as JSON: %v", s.Audit)
		}
	})
	t.Run("L9_EachDifferenceIsNamedAndTheExitCodeIsOne", func(t *testing.T) {
		t.Parallel()
		c := newCLI(t)
		c.ok("user", "set", "olga")
		c.ok("bonus", "grant", "100", "--user", "olga", "--key", "k", "--memo", "m")
		if _, err := c.db.Exec(t.Context(), `UPDATE accounts SET balance = balance + 1 WHERE id = 7`); err != nil {
			t.Fatal(err)
		}
		r := c.run("audit")
		if r.code != exitFailed || r.err != "" {
			t.Errorf("exit %d: %s", r.code, r.err)
		}
		shows(t, r.out, `^book 1, account 7: `, `^audit: [1-9]\d* differences?$`)
		r = c.run("audit", "--json")
		if r.code != exitFailed {
			t.Errorf("exit %d: %s", r.code, r.err)
		}
		shows(t, r.out, `^\{"difference":\{"book":1,"place":"account 7","what":".+","want":".+","got":".+"\}\}$`, `^\{"audit":\{.*"differences":[1-9]`)
	})
}
