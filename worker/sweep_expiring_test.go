package worker

import (
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// N1: processes that sweep at once share the work, and nothing is told twice.
func TestSweepExpiring(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	end := jan15.Add(5 * 24 * time.Hour)
	d.exec(`INSERT INTO books (kind, created_at) SELECT 'team', $1 FROM generate_series(1, $2)`, jan15, 2*expiringTogether+1)
	d.exec(`
		INSERT INTO accounts (book_id, id, kind, created_at)
		SELECT b.id, a.id, a.kind, $1 FROM books b CROSS JOIN (VALUES (1, 'issued'), (7, 'pool')) a (id, kind)`, jan15)
	d.exec(`
		INSERT INTO lots (book_id, id, source, origin, granted, effective_at, expires_at, first_granted_at, root_origin, created_entry)
		SELECT id, 1, 'bonus', 'g', 5, $1, $2, $1, 'g', 1 FROM books`, jan15, end)
	d.exec(`INSERT INTO lot_balances (book_id, lot_id, account_id, balance, is_open) SELECT id, 1, 7, 5, true FROM books`)
	sweepAll := func() (told int) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for range 3 {
			w := d.worker()
			wg.Go(func() {
				n, err := w.SweepExpiring(t.Context())
				mu.Lock()
				defer mu.Unlock()
				told += n
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		return told
	}
	same(t, "told", sweepAll(), 2*expiringTogether+1)
	same(t, "told again", sweepAll(), 0)
	d.now = end.Add(-time.Hour)
	same(t, "told on the last day", sweepAll(), 2*expiringTogether+1)
	d.inTx(func(tx pgx.Tx) error {
		list, err := billing.Notices(t.Context(), tx, billing.NoticeFilter{Limit: 10_000})
		same(t, "notices", len(list), 2*(2*expiringTogether+1))
		return err
	})
}
