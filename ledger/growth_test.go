package ledger

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/internal/pgtest"
)

// TestGrowth holds how much a spend leaves on the disk for ever. What becomes of tens of
// millions is measured by purser bench growth.
func TestGrowth(t *testing.T) {
	t.Parallel()
	const count = 6_000
	pool := pgtest.Pool(t)
	g := &growth{t: t, pool: pool, hot: benchmarkBook(t, pool)}
	for range 50 {
		g.others = append(g.others, benchmarkBook(t, pool))
	}
	before := g.sizes()
	for n := 0; n < count; n += growTogether {
		g.spend(n)
	}
	var total int64
	for name, bytes := range g.sizes() {
		each := (bytes - before[name]) / count
		total += bytes - before[name]
		if each > 0 {
			t.Logf("%-24s %5d bytes a spend", name, each)
		}
	}
	if each := total / count; each > spendBytesMax {
		t.Errorf("a spend leaves %d bytes, more than %d: is a new index worth it?", each, spendBytesMax)
	}
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
