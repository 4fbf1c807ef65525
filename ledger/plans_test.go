package ledger

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/internal/pgtest"
)

// TestPlans counts the rows that PostgreSQL reads. Its connection keeps the plans that it
// made while the tables were empty, and again those that it makes with statistics.
func TestPlans(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool(t)
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	var id int64
	n := 0
	on := func(decide func(tx pgx.Tx)) {
		t.Helper()
		if err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error { decide(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	// live spends, holds, captures and reverses once, with one key of long ago.
	live := func(tx pgx.Tx) {
		t.Helper()
		n++
		key := func(s string) Request { return ask(fmt.Sprint(s, n), day(1)) }
		b := open(t, tx, day(1), Want{Book: id, Keys: []string{key("spend").Key, "grant b 1"}})
		payers := []Payer{From(mainOf(t, b))}
		spent := must(t)(b.Spend(key("spend"), SpendIn{Credits: 2, Payers: payers}))
		held := must(t)(b.Hold(key("hold"), HoldIn{Credits: 2, Payers: payers, ExpiresAt: day(2)}))
		write(t, tx, b)
		b = open(t, tx, day(1), Want{
			Book: id, Undo: []int64{spent.Sequence}, Holds: []int64{held.Sequence}, Origins: []string{"b"}, Drawn: []string{"m1", "m2", "m3"},
		})
		must(t)(b.Capture(key("capture"), held.Sequence, 1))
		must(t)(b.Reverse(key("reverse"), spent.Sequence, 1))
		write(t, tx, b)
	}
	on(func(tx pgx.Tx) {
		id = create(t, tx, TeamBook)
		b := open(t, tx, day(0), Want{Book: id})
		b.SetWindow(day(0))
		give(t, b, bonus("b", nil), CreditsMax)
		write(t, tx, b)
	})
	// read gives how many rows of the tables that grow this connection has read lately.
	read := func(tx pgx.Tx) map[string]int64 {
		rows, err := tx.Query(t.Context(), `
			SELECT relname::text, seq_tup_read + COALESCE(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
			WHERE relname IN ('entries', 'postings', 'holds', 'hold_draws', 'drawn')`)
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string]int64{}
		var table string
		var n int64
		if _, err := pgx.ForEachRow(rows, []any{&table, &n}, func() error { counts[table] = n; return nil }); err != nil {
			t.Fatal(err)
		}
		return counts
	}
	check := func(t *testing.T) {
		on(func(tx pgx.Tx) {
			before := read(tx)
			live(tx)
			for table, n := range read(tx) {
				if n -= before[table]; n > 20 {
					t.Errorf("read %d rows of %s for a spend, a hold, a capture and a reversal", n, table)
				}
			}
		})
	}
	grow := func(times int) {
		on(func(tx pgx.Tx) {
			for range times {
				live(tx)
			}
		})
	}
	bulk := func() {
		on(func(tx pgx.Tx) {
			b := open(t, tx, day(1), Want{Book: id})
			for range 250 {
				n++
				r := ask(fmt.Sprint("history ", n), day(1))
				r.Holder = fmt.Sprint("m", n)
				must(t)(b.Spend(r, SpendIn{Credits: 1, Payers: []Payer{From(mainOf(t, b))}}))
			}
			write(t, tx, b)
		})
	}
	// Plans are made at one length of the history, without statistics or with them, and
	// live on while it grows.
	for i, sql := range []string{`DISCARD PLANS`, `DISCARD PLANS`, `DISCARD PLANS`, `ANALYZE`, `DISCARD PLANS`} {
		on(func(tx pgx.Tx) {
			if _, err := tx.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		})
		grow(8)
		bulk()
		t.Run(fmt.Sprintf("ASpendReadsLittleOfALongHistory/%d_After/%s", i, sql), check)
	}
}
