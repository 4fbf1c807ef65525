package ledger

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/internal/pgtest"
)

// A map is made where at least a quarter of all there is was spent in books that drew on
// several classes, or on the main account and allocations, and not of too large a ledger.
// None is needed where each book drew on one.
func TestAuditIsMapped(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool(t)
	commit(t, pool, func(tx pgx.Tx) { cancelling(t, tx, false) })
	const ofOneClass = `UPDATE usage SET monthly = monthly + bonus, bonus = 0`
	for _, c := range []struct {
		name, sql string
		max       int64
		want      bool
	}{
		{"TwoClasses", `UPDATE usage SET allocation = 0`, auditMapMax, true},
		{"MainAccountAndAllocation", ofOneClass, auditMapMax, true},
		{"OneOfEach", ofOneClass + `, allocation = 0`, auditMapMax, false},
		{"OnlyAllocations", ofOneClass + `, allocation = monthly + bonus`, auditMapMax, false},
		{"OfAnotherWindow", `UPDATE usage SET window_start = '2020-01-01'`, auditMapMax, false},
		{"LittleBesideTheRest", `UPDATE books SET sequence = 1000`, auditMapMax, false},
		{"TooLarge", `UPDATE books SET sequence = 12`, 11, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			tx, err := pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback(t.Context()) }()
			corrupt(t, tx, c.sql)
			is := !c.want
			if err := tx.QueryRow(t.Context(), auditIsMapped, c.max).Scan(&is); err != nil {
				t.Fatal(err)
			}
			if is != c.want {
				t.Errorf("mapped: %v, want %v", is, c.want)
			}
		})
	}
	t.Run("IsDecidedBeforeTheAudit", func(t *testing.T) {
		commit(t, pool, func(tx pgx.Tx) {
			a := auditing{reader: tx}
			if _, _, err := a.cuts(t.Context()); err != nil || !a.mapped {
				t.Errorf("mapped: %v, %v", a.mapped, err)
			}
		})
	})
}

// The map knows every class that usage counts, and no other.
func TestAuditMapOfEachClass(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool(t)
	commit(t, pool, func(tx pgx.Tx) { cancelling(t, tx, false) })
	for _, c := range []struct{ class, lot, usage string }{
		{"Bonus", `source = 'bonus'`, `bonus = bonus`},
		{"Monthly", `source = 'monthly'`, `monthly = monthly + bonus, bonus = 0`},
		{"Purchase", `source = 'purchase'`, `purchased = bonus, bonus = 0`},
		{"Rollover", `source = 'rollover'`, `rollover = bonus, bonus = 0`},
		{"Contributed", `contributor = 'carol'`, `contributed = bonus, bonus = 0`},
		{"NoSuchClass", `source = 'windfall'`, `bonus = 0`},
	} {
		t.Run(c.class, func(t *testing.T) {
			tx, err := pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback(t.Context()) }()
			corrupt(t, tx, `UPDATE usage SET `+c.usage)
			if _, err := tx.Exec(t.Context(), `UPDATE lots SET `+c.lot+` WHERE id = 2`); err != nil {
				t.Fatal(err)
			}
			if found := auditCut(t, tx, cut{parts: 1}, false, true); len(found) > 0 {
				t.Errorf("found %v where nothing is wrong", found)
			}
		})
	}
}
