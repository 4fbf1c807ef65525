package worker

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

func TestMakePartitions(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.event("customer.subscription.updated", "sub_1", "cus_1")
	event, err := billing.GetEvent(t.Context(), d.pool, id)
	ok(t, err)
	d.inTx(func(tx pgx.Tx) error {
		return billing.SettleEvent(t.Context(), tx, id, event.CreatedAt, billing.EventDone, "", d.now)
	})
	there := func(month string) bool {
		return d.count(`SELECT count(*) FROM pg_class WHERE relname = '`+month+`'`) == 1
	}
	d.now = time.Date(jan15.Year()+1, 3, 1, 0, 0, 0, 0, time.UTC) // 13 whole months after January
	january, march := jan15.Format("events_2006_01"), d.now.Format("events_2006_01")

	t.Run("MakesTheComingMonthsAndKeepsAllOfTheOldUnlessToldOtherwise", func(t *testing.T) {
		made, err := d.worker().MakePartitions(t.Context())
		ok(t, err)
		same(t, "made", made, partitionsAhead)
		same(t, "the present month is there", there(march), true)
		same(t, "the old month is there", there(january), true)
	})
	t.Run("DropsWhatIsOlderThanTheMonthsToKeep", func(t *testing.T) {
		done, err := d.worker(func(c *Config) { c.EventsKeep = 14 }).MakePartitions(t.Context())
		ok(t, err)
		same(t, "done with 14 months to keep", done, 0)
		done, err = d.worker(func(c *Config) { c.EventsKeep = 13 }).MakePartitions(t.Context())
		ok(t, err)
		same(t, "done with 13 months to keep", done, 1)
		same(t, "the old month is there", there(january), false)
		same(t, "ids known", d.count(`SELECT count(*) FROM event_ids`), 0)
	})
}
