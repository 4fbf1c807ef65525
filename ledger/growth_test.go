package ledger

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/internal/pgtest"
)

// TestGrowth measures what a spend leaves on the disk for ever. It is short unless
// PURSER_POSTINGS says how many to make; docs/scaling.md says what came of millions.
func TestGrowth(t *testing.T) {
	t.Parallel()
	count := 6_000
	if s := os.Getenv("PURSER_POSTINGS"); s != "" {
		var err error
		if count, err = strconv.Atoi(s); err != nil {
			t.Fatalf("PURSER_POSTINGS must be a number: %v", err)
		}
	}
	pool := pgtest.Pool(t)
	g := &growth{t: t, pool: pool, hot: benchmarkBook(t, pool)}
	for range 50 {
		g.others = append(g.others, benchmarkBook(t, pool))
	}
	before := g.sizes()
	tenth := count / 10
	for n, began := 0, time.Now(); n < count; n += growTogether {
		g.spend(n)
		if done := n + growTogether; done/tenth > n/tenth {
			t.Logf("%d spends: the last %d took %s", done, tenth, time.Since(began).Round(time.Millisecond))
			began = time.Now()
		}
	}
	var total int64
	for name, bytes := range g.sizes() {
		each := (bytes - before[name]) / int64(count)
		total += bytes - before[name]
		if each > 0 {
			t.Logf("%-24s %5d bytes a spend", name, each)
		}
	}
	if each := total / int64(count); each > spendBytesMax {
		t.Errorf("a spend leaves %d bytes, more than %d: is a new index worth it?", each, spendBytesMax)
	} else {
		t.Logf("%-24s %5d bytes a spend, over %d spends", "all", each, count)
	}
	g.depths()
	began := time.Now()
	if _, err := pool.Exec(t.Context(), `VACUUM entries, postings`); err != nil {
		t.Fatal(err)
	}
	t.Logf("a vacuum of entries and postings takes %s", time.Since(began).Round(time.Millisecond))
}

// spendBytesMax is how much a spend may leave, indexes included. A billion spends are as
// many gigabytes as this is bytes.
const spendBytesMax = 1_400

// growTogether is how many spends are decided together, as under load: every second is of
// one hot book, the others are of one other book.
const growTogether = 128

type growth struct {
	t      *testing.T
	pool   *pgxpool.Pool
	hot    int64
	others []int64
}

// spend makes spends as the API does: with keys, hashes, holders and answers of the usual
// lengths.
func (g *growth) spend(n int) {
	g.t.Helper()
	ctx := context.Background()
	at := day(1).Add(time.Duration(n) * time.Millisecond)
	other := g.others[n/growTogether%len(g.others)]
	wants := []Want{{Book: g.hot}, {Book: other}}
	for i := range growTogether {
		wants[i%2].Keys = append(wants[i%2].Keys, fmt.Sprintf("request:%08x-5d1c-4c0e-9a53-%012x", (n+i)*2654435761&0xffffffff, n+i))
	}
	err := pgx.BeginFunc(ctx, g.pool, func(tx pgx.Tx) error {
		books, err := Open(ctx, tx, at, wants...)
		if err != nil {
			return err
		}
		for i, book := range books {
			for j, key := range wants[i].Keys {
				if err := growBy(book, key, (n+j)%16, at); err != nil {
					return err
				}
			}
		}
		return Write(ctx, tx, books...)
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

func growBy(book *Book, key string, member int, at time.Time) error {
	r := ask(key, at)
	r.Hash, r.Actor, r.Holder = make([]byte, 32), "backend", fmt.Sprint("member ", member)
	entry, err := book.Spend(r, SpendIn{Credits: 3, Payers: []Payer{From(book.Accounts()[0])}})
	if err != nil {
		return err
	}
	entry.Answer = fmt.Appendf(nil, `{"at": %q, "user": %q, "entry": {"Book": %d, "Sequence": %d}, "credits": 3, "available": 999999802, `+
		`"paid_from": [{"lots": [{"lot": 2, "source": "monthly", "credits": 3}], "account": "pool", "credits": 3}]}`,
		at.Format(time.RFC3339Nano), r.Holder, book.ID, entry.Sequence)
	return nil
}

// growing are the relations that grow with every spend.
const growing = `
	SELECT c.oid, c.relname, c.relkind FROM pg_class c
	WHERE c.oid IN ('entries'::regclass, 'postings'::regclass)
	   OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid IN ('entries'::regclass, 'postings'::regclass))`

func (g *growth) sizes() map[string]int64 {
	g.t.Helper()
	rows, err := g.pool.Query(g.t.Context(), `SELECT relname, pg_table_size(oid) FROM (`+growing+`) r`)
	if err != nil {
		g.t.Fatal(err)
	}
	sizes := map[string]int64{}
	var name string
	var bytes int64
	if _, err := pgx.ForEachRow(rows, []any{&name, &bytes}, func() error { sizes[name] = bytes; return nil }); err != nil {
		g.t.Fatal(err)
	}
	return sizes
}

// depths logs how many pages of each index a look-up reads.
func (g *growth) depths() {
	g.t.Helper()
	if _, err := g.pool.Exec(g.t.Context(), `CREATE EXTENSION IF NOT EXISTS pageinspect`); err != nil {
		g.t.Logf("the depth of indexes can't be read here: %v", err)
		return
	}
	rows, err := g.pool.Query(g.t.Context(), `
		SELECT r.relname, m.level + 1 FROM (`+growing+`) r, LATERAL bt_metap(r.relname) m WHERE r.relkind = 'i' ORDER BY 1`)
	if err != nil {
		g.t.Fatal(err)
	}
	var name string
	var levels int64
	_, err = pgx.ForEachRow(rows, []any{&name, &levels}, func() error {
		g.t.Logf("%-24s %d levels", name, levels)
		return nil
	})
	if err != nil {
		g.t.Fatal(err)
	}
}
