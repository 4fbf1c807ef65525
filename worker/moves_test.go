package worker

import (
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// spend spends from a book's main account, as a member would.
func (w *world) spend(book int64, key string, credits int64) int64 {
	w.t.Helper()
	return w.move(book, ledger.Want{Book: book}, func(b *ledger.Book, at time.Time) (*ledger.Entry, error) {
		main, _ := b.Account(ledger.Main)
		return b.Spend(ledger.Request{Key: key, Actor: "ada", Holder: "ada", At: at}, ledger.SpendIn{Credits: credits, Payers: []ledger.Payer{ledger.From(main)}})
	})
}

func (w *world) hold(book int64, key string, credits int64, lasting time.Duration) int64 {
	w.t.Helper()
	return w.move(book, ledger.Want{Book: book}, func(b *ledger.Book, at time.Time) (*ledger.Entry, error) {
		main, _ := b.Account(ledger.Main)
		return b.Hold(ledger.Request{Key: key, Actor: "ada", Holder: "ada", At: at},
			ledger.HoldIn{Credits: credits, Payers: []ledger.Payer{ledger.From(main)}, ExpiresAt: at.Add(lasting)})
	})
}

func (w *world) allocate(book int64, key, holder string, credits int64) {
	w.t.Helper()
	w.move(book, ledger.Want{Book: book}, func(b *ledger.Book, at time.Time) (*ledger.Entry, error) {
		main, _ := b.Account(ledger.Main)
		return b.Move(ledger.Request{Key: key, Actor: "olga", Holder: holder, At: at},
			ledger.MoveIn{Kind: ledger.KindAllocation, From: main, To: b.MakeAllocation(holder, at), Credits: credits})
	})
}

// move settles a book, lets do decide, and writes, as the API's edge does.
func (w *world) move(book int64, want ledger.Want, do func(b *ledger.Book, at time.Time) (*ledger.Entry, error)) int64 {
	w.t.Helper()
	return w.moveAt(book, want, w.stripe.Now(), do)
}

func (w *world) moveAt(book int64, want ledger.Want, at time.Time, do func(b *ledger.Book, at time.Time) (*ledger.Entry, error)) (sequence int64) {
	w.t.Helper()
	w.inTx(func(tx pgx.Tx) error {
		state, err := billing.OpenState(w.t.Context(), tx, w.catalog, at, want)
		ok(w.t, err)
		ok(w.t, state.Settle(at))
		entry, err := do(state.Book, at)
		ok(w.t, err)
		ok(w.t, state.Settle(at))
		sequence = entry.Sequence
		return billing.Save(w.t.Context(), tx, state)
	})
	return sequence
}
