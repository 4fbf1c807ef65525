package worker

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// TestReplay_E2 holds that a replay asked for while the event is being worked is worked
// itself: the run that began before doesn't settle it.
func TestReplay_E2_WhileTheEventIsBeingWorkedIsNotSettledByThatRun(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.linked("cus_1", "olga")
	d.fake.sell("sub_1", "cus_1", "team_monthly", 5, d.now)
	w := d.worker()
	id := d.event("customer.subscription.created", "sub_1", "cus_1")
	d.fake.gate = func(string) {
		d.fake.gate = nil
		d.inTx(func(tx pgx.Tx) error {
			args, err := billing.ReopenEvents(t.Context(), tx, billing.EventFilter{IDs: []string{id}})
			same(t, "jobs for the replay", len(args), 1)
			return err
		})
	}
	work(t, w, id)
	same(t, "events that wait for the replay's job", d.count(`SELECT count(*) FROM events WHERE state = 'received'`), 1)
	work(t, w, id)
	same(t, "events that wait", d.count(`SELECT count(*) FROM events WHERE state = 'received'`), 0)
	same(t, "grants", d.count(`SELECT count(*) FROM entries WHERE kind = 'grant'`), 1)
	d.audit()
}
