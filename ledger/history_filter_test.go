package ledger

import (
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/internal/pgtest"
)

// historyOf gives the keys of a holder's entries, the newest first.
func historyOf(t testing.TB, tx pgx.Tx, f HistoryFilter) (keys []string) {
	t.Helper()
	list, err := FilterHistory(t.Context(), tx, f)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		keys = append(keys, l.Key)
	}
	return keys
}

func TestFilterHistory_Holder(t *testing.T) {
	t.Parallel()
	tx := pgtest.Tx(t)
	id := create(t, tx, TeamBook)
	of := func(key, holder string) Request {
		r := ask(key, day(1))
		r.Holder = holder
		return r
	}
	b := open(t, tx, day(0), Want{Book: id})
	give(t, b, bonus("gift", until(30)), 20_000)
	give(t, b, pack("pack", nil), 20_000)
	pool := mainOf(t, b)
	ann, bob, cid := b.MakeAllocation("ann", day(0)), b.MakeAllocation("bob", day(0)), b.MakeAllocation("cid", day(0))
	move := func(key, holder string, kind EntryKind, from, to *Account, credits int64) {
		t.Helper()
		must(t)(b.Move(of(key, holder), MoveIn{Kind: kind, From: from, To: to, Credits: credits}))
	}
	move("set aside", "bob", KindAllocation, pool, bob, 25_000) // of two lots
	move("bob to cid", "cid", KindTransfer, bob, cid, 21_000)
	move("cid to bob", "bob", KindTransfer, cid, bob, 1_000)
	move("back", "bob", KindReclaim, bob, pool, 10)
	must(t)(b.Spend(of("bob spends", "bob"), SpendIn{Credits: 5, Payers: []Payer{From(bob)}}))
	for i := range 300 {
		must(t)(b.Spend(of(fmt.Sprint("noise ", i), "ann"), SpendIn{Credits: 1, Payers: []Payer{From(ann), From(pool)}}))
	}
	write(t, tx, b)

	t.Run("T14_TheGiverSeesATransferAsTheRecipientDoes", func(t *testing.T) {
		want := []string{"bob spends", "back", "cid to bob", "bob to cid", "set aside"}
		if got := historyOf(t, tx, HistoryFilter{Book: id, Holder: "bob", Limit: 50}); !slices.Equal(got, want) {
			t.Errorf("bob's: %q", got)
		}
		if got := historyOf(t, tx, HistoryFilter{Book: id, Holder: "cid", Limit: 50}); !slices.Equal(got, []string{"cid to bob", "bob to cid"}) {
			t.Errorf("cid's: %q", got)
		}
		if got := historyOf(t, tx, HistoryFilter{Book: id, Holder: "bob", Kinds: []EntryKind{KindTransfer}, Limit: 50}); !slices.Equal(got, []string{"cid to bob", "bob to cid"}) {
			t.Errorf("bob's transfers: %q", got)
		}
		from := day(2)
		if got := historyOf(t, tx, HistoryFilter{Book: id, Holder: "bob", From: &from, Limit: 50}); got != nil {
			t.Errorf("bob's of later: %q", got)
		}
	})
	t.Run("PageByPage", func(t *testing.T) {
		var got []string
		before := int64(0)
		for {
			list, err := FilterHistory(t.Context(), tx, HistoryFilter{Book: id, Holder: "bob", Before: before, Limit: 2})
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 {
				break
			}
			for _, l := range list {
				got, before = append(got, l.Key), l.Sequence
			}
		}
		if want := []string{"bob spends", "back", "cid to bob", "bob to cid", "set aside"}; !slices.Equal(got, want) {
			t.Errorf("got %q", got)
		}
	})
	t.Run("AllOfItOnce", func(t *testing.T) {
		if got := historyOf(t, tx, HistoryFilter{Book: id, Limit: 500}); len(got) != 307 {
			t.Errorf("%d entries", len(got))
		}
	})
	t.Run("ReadsLittleOfALongHistory", func(t *testing.T) {
		if _, err := tx.Exec(t.Context(), `ANALYZE entries, postings, accounts`); err != nil {
			t.Fatal(err)
		}
		read := func() (n int64) {
			err := tx.QueryRow(t.Context(), `
				SELECT sum(seq_tup_read + COALESCE(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables WHERE relname IN ('entries', 'postings')`).Scan(&n)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		before := read()
		historyOf(t, tx, HistoryFilter{Book: id, Holder: "cid", Limit: 50})
		if n := read() - before; n > 40 {
			t.Errorf("read %d rows", n)
		}
	})
}
