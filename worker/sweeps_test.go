package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// yearly makes a subscription of the fake one that was paid for a year.
func (f *fake) yearly(id string) {
	f.change(id, func(s *billing.Subscription) {
		s.PeriodEnd = s.PeriodStart.AddDate(1, 0, 0)
		s.Items[0].Interval, s.Items[0].PriceID, s.Items[0].LookupKey = "year", "price_team_yearly", "team_yearly"
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	line := &f.invoices[id][0].Lines[0]
	line.PriceID, line.LookupKey, line.To = "price_team_yearly", "team_yearly", f.subs[id].PeriodEnd
}

// years is a desk with so many teams on yearly plans, each with its own book and with
// credits that will roll, and a month that ends soon.
func years(t testing.TB, teams int) *desk {
	t.Helper()
	d, _ := acme(t, 3)
	d.fake.yearly("sub_1")
	work(t, d.worker(), d.event("customer.subscription.created", "sub_1", "cus_1"))
	book := d.count(`SELECT book_id FROM subscriptions`)
	d.inTx(func(tx pgx.Tx) error {
		for _, sql := range []string{
			`INSERT INTO books (id, kind, sequence, window_start, due_at, created_at)
			 SELECT id + n * 1000, kind, sequence, window_start, due_at, created_at FROM books, generate_series(1, $2) n WHERE id = $1`,
			`INSERT INTO accounts (book_id, id, kind, holder_id, balance, held, closed, created_at)
			 SELECT book_id + n * 1000, id, kind, holder_id, balance, held, closed, created_at FROM accounts, generate_series(1, $2) n WHERE book_id = $1`,
			`INSERT INTO entries (book_id, sequence, kind, key, request_hash, actor, at, credits, holder_id, memo)
			 SELECT book_id + n * 1000, sequence, kind, replace(key, 'sub_1', 'sub_x' || n), request_hash, actor, at, credits, holder_id, memo
			 FROM entries, generate_series(1, $2) n WHERE book_id = $1`,
			`INSERT INTO lots (book_id, id, source, origin, granted, effective_at, expires_at, first_granted_at, series, step, root_origin, created_entry)
			 SELECT book_id + n * 1000, id, source, replace(origin, 'sub_1', 'sub_x' || n), granted, effective_at, expires_at, first_granted_at,
			        'sub_x' || n, step, replace(root_origin, 'sub_1', 'sub_x' || n), created_entry
			 FROM lots, generate_series(1, $2) n WHERE book_id = $1`,
			`INSERT INTO postings (book_id, entry, line, lot_id, from_account, to_account, credits)
			 SELECT book_id + n * 1000, entry, line, lot_id, from_account, to_account, credits FROM postings, generate_series(1, $2) n WHERE book_id = $1`,
			`INSERT INTO lot_balances (book_id, lot_id, account_id, balance, held, is_open)
			 SELECT book_id + n * 1000, lot_id, account_id, balance, held, is_open FROM lot_balances, generate_series(1, $2) n WHERE book_id = $1`,
			`INSERT INTO subscriptions (id, customer_id, status, state, book_id, team_id, facts, paid, due_at, created_at, fetched_at)
			 SELECT 'sub_x' || n, customer_id, status, state, book_id + n * 1000, team_id || n, facts || jsonb_build_object('id', 'sub_x' || n), paid, due_at,
			        created_at, fetched_at
			 FROM subscriptions, generate_series(1, $2) n WHERE book_id = $1`,
			`INSERT INTO periods (subscription_id, number, start_at, end_at, full_end_at, figures, seats, target, granted, grants, lot_origin, granted_at)
			 SELECT 'sub_x' || n, number, start_at, end_at, full_end_at, figures, seats, target, granted, grants, replace(lot_origin, 'sub_1', 'sub_x' || n), granted_at
			 FROM periods p JOIN subscriptions s ON s.id = p.subscription_id, generate_series(1, $2) n WHERE s.book_id = $1`,
		} {
			if _, err := tx.Exec(t.Context(), sql, book, teams-1); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
		return nil
	})
	d.exec(`ANALYZE`)
	d.now = jan15.AddDate(0, 1, 0)
	d.audit()
	return d
}

func (d *desk) turned() int64 {
	d.t.Helper()
	return d.count(`SELECT count(*) FROM periods WHERE number = 1 AND turned_at IS NOT NULL`)
}

func TestSettleDue(t *testing.T) {
	t.Parallel()
	t.Run("OneLockedBookHoldsNobodyUp", func(t *testing.T) {
		t.Parallel()
		d := years(t, 5)
		w := d.worker()
		tx, err := d.pool.Begin(t.Context())
		ok(t, err)
		defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
		_, err = tx.Exec(t.Context(), `SELECT FROM books WHERE id = (SELECT max(book_id) FROM subscriptions) FOR UPDATE`)
		ok(t, err)
		same(t, "books settled beside the locked one", settle(t, w), 4)
		same(t, "turned", d.turned(), 4)
		ok(t, tx.Rollback(t.Context()))
		same(t, "books settled then", settle(t, w), 1)
		same(t, "books settled once more", settle(t, w), 0)
		d.audit()
	})

	t.Run("OneFailingBookHoldsNobodyUp_AndIsNamed", func(t *testing.T) {
		t.Parallel()
		d := years(t, 60)
		d.exec(`UPDATE subscriptions SET paid = '"nonsense"' WHERE id = 'sub_x7'`)
		n, err := d.worker().SettleDue(t.Context())
		same(t, "books settled", n, 59)
		broken := fmt.Sprintf("book %d:", d.count(`SELECT book_id FROM subscriptions WHERE id = 'sub_x7'`))
		if err == nil || !strings.Contains(err.Error(), broken) || strings.Count(err.Error(), "book ") > 2 {
			t.Errorf("the error should name %s alone: %v", broken, err)
		}
		same(t, "turned", d.turned(), 59)
	})

	t.Run("HundredsOfFailingBooksHideNoneBehindThem", func(t *testing.T) {
		t.Parallel()
		d := years(t, 700)
		d.exec(`UPDATE subscriptions SET paid = '"nonsense"', due_at = due_at - interval '1 day' WHERE id <> 'sub_x300'`)
		n, err := d.worker().SettleDue(t.Context())
		if err == nil {
			t.Error("no error although books failed")
		}
		same(t, "books settled", n, 1)
	})

	t.Run("TwoWorkersAtOnceSettleEachBookOnce", func(t *testing.T) {
		t.Parallel()
		d := years(t, 200)
		var both sync.WaitGroup
		var counts [2]int
		for i := range counts {
			w := d.worker()
			both.Go(func() {
				n, err := w.SettleDue(context.WithoutCancel(t.Context()))
				if err != nil {
					t.Error(err)
				}
				counts[i] = n
			})
		}
		both.Wait()
		if rest := settle(t, d.worker()); counts[0]+counts[1]+rest != 200 {
			t.Errorf("%d and %d books were settled, and %d were left to others, of 200", counts[0], counts[1], rest)
		}
		same(t, "turned", d.turned(), 200)
		same(t, "B5: grants", d.count(`SELECT count(*) FROM entries WHERE kind = 'grant'`), 400)
		d.audit()
	})

	t.Run("TwoThousandBooksTakeFewRoundTrips", func(t *testing.T) {
		t.Parallel()
		d := years(t, 2000)
		trips, pool := d.counting()
		w := d.worker(func(c *Config) { c.Pool = pool })
		same(t, "books settled", settle(t, w), 2000)
		// Time depends on the machine; that many books share what is sent doesn't.
		chunks := 2000 / SettleTogether
		t.Logf("2000 turns with rollover, expiry and grant in %d round trips, for %d chunks", len(trips.sent), chunks)
		if len(trips.sent) > 10*chunks {
			t.Errorf("%d round trips for %d chunks", len(trips.sent), chunks)
		}
		same(t, "turned", d.turned(), 2000)
		same(t, "B9: rolled", d.count(`SELECT sum(rolled) FROM periods`), 2000*1500)
		d.audit()
	})
}

func TestSweepOfADeadProcess(t *testing.T) {
	t.Parallel()
	d := years(t, 3)
	dead, err := d.worker().client.Insert(t.Context(), billing.SettleArgs{}, sweepOpts())
	ok(t, err)
	d.exec(`UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '1 minute', attempted_by = '{gone}' WHERE id = $1`, dead.Job.ID)
	d.start(func(c *Config) { c.RescueAfter, c.Schedules.Settle = 3*time.Second, "@every 1s" })
	d.until("another sweep settles what is due", func() bool { return d.turned() == 3 })
	d.audit()
}

func TestSweepEvents(t *testing.T) {
	t.Parallel()
	t.Run("E3_AFirstSweepOfAnEmptyListRemembersWhereToBegin", func(t *testing.T) {
		t.Parallel()
		d, team := acme(t, 5)
		w := d.worker()
		n, err := w.SweepEvents(t.Context())
		ok(t, err)
		same(t, "found in an empty list", n, 0)
		lost := d.makeEvent("customer.subscription.created", "sub_1", "cus_1")
		d.fake.bodies = append(d.fake.bodies, lost.Body)
		d.now = d.now.Add(5 * day) // and nobody swept meanwhile
		n, err = w.SweepEvents(t.Context())
		ok(t, err)
		same(t, "found", n, 1)
		drain(t, w)
		same(t, "B12", d.read(team.BookID).Monthly, 5000)
	})

	t.Run("E3_EventsThatNothingIsDoneForAreLeftOut", func(t *testing.T) {
		t.Parallel()
		d, _ := acme(t, 5)
		for _, kind := range []string{"charge.succeeded", "payout.paid", "customer.subscription.updated"} {
			d.fake.bodies = append(d.fake.bodies, d.makeEvent(kind, "sub_1", "cus_1").Body)
		}
		n, err := d.worker().SweepEvents(t.Context())
		ok(t, err)
		same(t, "found", n, 1)
	})

	t.Run("E3_ASweepThatStripeBreaksOffGoesOnWhereItStopped", func(t *testing.T) {
		t.Parallel()
		d, _ := acme(t, 5)
		for range 250 {
			d.fake.bodies = append(d.fake.bodies, d.makeEvent("customer.subscription.updated", "sub_1", "cus_1").Body)
		}
		d.fake.fail = billing.ErrStripeUnavailable
		w := d.worker()
		n, err := w.SweepEvents(t.Context())
		if !errors.Is(err, billing.ErrStripeUnavailable) {
			t.Errorf("the error is %v", err)
		}
		same(t, "found before it broke off", n, 200)
		d.fake.fail = nil
		n, err = w.SweepEvents(t.Context())
		ok(t, err)
		same(t, "found then", n, 50)
		n, err = w.SweepEvents(t.Context())
		ok(t, err)
		same(t, "found once more", n, 0)
	})

	t.Run("E2_AnEventWhoseJobWasGivenUpIsStagedAgain", func(t *testing.T) {
		t.Parallel()
		d, _ := acme(t, 5)
		id := d.event("customer.subscription.updated", "sub_1", "cus_1")
		w := d.worker()
		n, err := w.SweepEvents(t.Context())
		ok(t, err)
		same(t, "staged while it may yet be worked", n, 0)
		d.now = d.now.Add(time.Hour)
		n, err = w.SweepEvents(t.Context())
		ok(t, err)
		same(t, "staged", n, 1)
		same(t, "jobs", d.count(`SELECT count(*) FROM river_job WHERE args->>'event_id' = $1`, id), 1)
		n, err = w.SweepEvents(t.Context())
		ok(t, err)
		same(t, "staged while its job waits", n, 0)
	})
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	build := func(s Schedules) error {
		_, err := New(Config{Pool: d.pool, Catalog: d.catalog, Stripe: d.fake, Now: func() time.Time { return d.now }, Logger: quiet(), Schedules: s})
		return err
	}
	t.Run("EmptyOnesAreTheDefaults", func(t *testing.T) { ok(t, build(Schedules{})) })
	t.Run("BadOnesAreErrorsAtStartThatNameEach", func(t *testing.T) {
		for _, bad := range []string{"TZ=0", "0 0 31 2 *", "nonsense", "* * * *", "61 * * * *", "CRON_TZ=Nowhere/Land 0 0 * * *", "@never"} {
			for name, s := range map[string]Schedules{
				"settle": {Settle: bad}, "events": {Events: bad}, "purchases": {Purchases: bad}, "top_ups": {TopUps: bad}, "expiring": {Expiring: bad}, "unmapped": {Unmapped: bad}, "partitions": {Partitions: bad},
				"reconcile": {Reconcile: bad},
			} {
				err := build(s)
				if err == nil || !strings.Contains(err.Error(), name+":") || !strings.Contains(err.Error(), bad) {
					t.Errorf("%s %q: the error is %v", name, bad, err)
				}
			}
		}
		err := build(Schedules{Settle: "TZ=0", Events: "x"})
		if err == nil || !strings.Contains(err.Error(), "settle:") || !strings.Contains(err.Error(), "events:") {
			t.Errorf("two bad ones: the error is %v", err)
		}
	})
	t.Run("TimesAreUTCWhateverTheProcessIsIn", func(t *testing.T) {
		schedule, err := ParseSchedule("30 2 * * *")
		ok(t, err)
		east := time.FixedZone("far east", 9*3600)
		next := schedule.Next(time.Date(2026, 3, 8, 11, 0, 0, 0, east)) // 2:00 UTC
		same(t, "next", next.UTC().Format(time.RFC3339), "2026-03-08T02:30:00Z")
		schedule, err = ParseSchedule("CRON_TZ=America/New_York 0 12 * * *")
		ok(t, err)
		next = schedule.Next(time.Date(2026, 1, 8, 11, 0, 0, 0, time.UTC))
		same(t, "next where a zone is asked for", next.UTC().Format(time.RFC3339), "2026-01-08T17:00:00Z")
	})
	t.Run("EverySweepRunsAtTheStart", func(t *testing.T) {
		d.start()
		kinds := []string{"make_partitions", "settle_due", "sweep_events", "sweep_expiring", "sweep_purchases", "sweep_top_ups", "sweep_unmapped"}
		d.until("each sweep ran", func() bool {
			rows, err := d.pool.Query(t.Context(), `SELECT DISTINCT kind FROM river_job WHERE state = 'completed' ORDER BY kind`)
			ok(t, err)
			ran, err := pgx.CollectRows(rows, pgx.RowTo[string])
			ok(t, err)
			return !slices.ContainsFunc(kinds, func(kind string) bool { return !slices.Contains(ran, kind) })
		})
	})
}
