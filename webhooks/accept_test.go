package webhooks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/webhooks"
)

func TestReceiverAcknowledges(t *testing.T) {
	t.Parallel()

	t.Run("E1_NewEventIsRecordedAndItsJobStaged", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		body := event("evt_1")
		a := b.deliver(t, body)
		a.want(t, http.StatusOK, "recorded")
		if got := a.Header.Get("Content-Type"); got != "application/json" {
			t.Errorf("content type %q", got)
		}
		e, err := billing.GetEvent(t.Context(), b.pool, "evt_1")
		if err != nil {
			t.Fatal(err)
		}
		if string(e.Body) != body || e.Origin != billing.FromWebhook || e.State != billing.EventReceived ||
			!e.ReceivedAt.Equal(noon) || e.CreatedAt.Unix() != 1709208000 || e.CustomerID != "cus_1" || e.Ticket == 0 {
			t.Errorf("recorded %+v", e)
		}
		var args []byte
		if err := b.pool.QueryRow(t.Context(), `SELECT args FROM river_job WHERE kind = 'stripe_event'`).Scan(&args); err != nil {
			t.Fatal(err)
		}
		var staged billing.EventArgs
		if err := json.Unmarshal(args, &staged); err != nil || staged != e.Args() {
			t.Errorf("staged %s, %v, want %+v", args, err, e.Args())
		}
		b.wantCounts(t, 1, 1)
	})

	t.Run("E1_KnownIdIsAcknowledgedAndChangesNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.deliver(t, event("evt_1")).want(t, http.StatusOK, "recorded")
		before := b.state(t)
		for name, body := range map[string]string{
			"TheSameBytes":        event("evt_1"),
			"AnotherCreationTime": event("evt_1", "1709208000", "1717243200"),
			"AnotherBody":         event("evt_1", "sub_1", "sub_2", "updated", "deleted"),
		} {
			b.deliver(t, body).want(t, http.StatusOK, "known")
			if after := b.state(t); after != before {
				t.Errorf("%s changed %s to %s", name, before, after)
			}
		}
	})

	t.Run("E1_WhatWeDontKnowIsRecordedAllTheSame", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		bodies := map[string]string{
			"UnknownType":      event("evt_type", "customer.subscription.updated", "issuing_token.imagined"),
			"OtherAPIVersion":  event("evt_version", "2023-10-16", "2025-03-31.basil"),
			"ConnectAccount":   event("evt_account", `"livemode"`, `"account": "acct_1", "livemode"`),
			"DataNull":         event("evt_null", `{"object": {"id": "sub_1", "object": "subscription", "customer": "cus_1"}}`, `null`),
			"NULInMetadata":    event("evt_nul", `"customer": "cus_1"`, `"metadata": {"a": "\u0000"}`),
			"InvalidUTF8":      event("evt_utf8", `"customer": "cus_1"`, "\"metadata\": {\"a\": \"\xff\xfe\"}"),
			"NULInAPointer":    event("evt_pointer", `sub_1`, `sub_\u0000`, `cus_1`, `cus_\ud800`, "2023-10-16", `\u0000`),
			"EndlessPointer":   event("evt_long", `sub_1`, strings.Repeat("s", 5000)),
			"QuantityAFloat":   event("evt_float", `"customer": "cus_1"`, `"quantity": 3.0`),
			"NamesInOtherCase": event("evt_case", `"type"`, `"Type": "x", "ID": "evt_other", "type"`),
			"EqualNames":       event("evt_equal", `"livemode": false`, `"livemode": true, "livemode": false`),
			"TheYear2100":      event("evt_2100", "1709208000", "4102444800"),
			"TheFirstSecond":   event("evt_1970", "1709208000", "0"),
			"DeepNesting":      event("evt_deep", `"customer": "cus_1"`, `"x": `+strings.Repeat(`{"x":`, 4000)+"1"+strings.Repeat("}", 4000)),
		}
		for name, body := range bodies {
			if a := b.deliver(t, body); a.Status != http.StatusOK || a.Outcome != "recorded" {
				t.Errorf("%s: answered %d %s", name, a.Status, a.Raw)
			}
		}
		b.wantCounts(t, len(bodies), len(bodies))
		for name, body := range bodies {
			e, err := billing.ParseEvent([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if stored, err := billing.GetEvent(t.Context(), b.pool, e.ID); err != nil || string(stored.Body) != body {
				t.Errorf("%s: stored %d bytes of %d, %v", name, len(stored.Body), len(body), err)
			}
		}
	})

	t.Run("E1_ABodyOfOneMiBIsTaken", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.deliver(t, padded("evt_1", webhooks.BodyMax)).want(t, http.StatusOK, "recorded")
		b.wantCounts(t, 1, 1)
	})

	t.Run("ACallerThatHangsUpUndoesNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		body := event("evt_1")
		b.send(t, request(body, signature(body, secret, noon)).WithContext(ctx)).want(t, http.StatusOK, "recorded")
		b.wantCounts(t, 1, 1)
	})
}

// padded is an event of exactly so many bytes.
func padded(id string, size int) string {
	body := event(id, `"customer"`, `"pad": "", "customer"`)
	return strings.Replace(body, `"pad": ""`, `"pad": "`+strings.Repeat("x", size-len(body))+`"`, 1)
}

func TestReceiverUnderConcurrency(t *testing.T) {
	t.Parallel()

	t.Run("E1_OneEventDeliveredAHundredTimesAtOnceIsOneRowAndOneJob", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		outcomes := b.deliverAtOnce(t, 100, func(int) string { return event("evt_1") })
		if outcomes["200 recorded"] != 1 || outcomes["200 known"] != 99 {
			t.Errorf("answered %v, want it recorded once and known 99 times", outcomes)
		}
		b.wantCounts(t, 1, 1)
	})

	t.Run("E1_AlsoWhenEachDeliveryHasAnotherCreationTime", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		outcomes := b.deliverAtOnce(t, 100, func(n int) string {
			return event("evt_1", "1709208000", fmt.Sprint(1709208000+n*86_400))
		})
		if outcomes["200 recorded"] != 1 || outcomes["200 known"] != 99 {
			t.Errorf("answered %v, want it recorded once and known 99 times", outcomes)
		}
		b.wantCounts(t, 1, 1)
	})

	t.Run("E1_DifferentEventsAtOnceAreAllRecorded", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		outcomes := b.deliverAtOnce(t, 100, func(n int) string { return event(fmt.Sprintf("evt_%d", n%50)) })
		if outcomes["200 recorded"] != 50 || outcomes["200 known"] != 50 {
			t.Errorf("answered %v, want 50 recorded and 50 known", outcomes)
		}
		b.wantCounts(t, 50, 50)
	})

	for name, alone := range map[string]bool{"ATransactionEach": true, "Gathered": false} {
		t.Run("E1_WhenTheFirstFailsTheNextRecordsIt/"+name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			b := setup(t, func(c *webhooks.Config) {
				c.Alone = alone
				stage := c.Stage
				c.Stage = func(ctx context.Context, tx pgx.Tx, args []billing.EventArgs) error {
					if calls.Add(1) <= 10 {
						return errors.New("no room in the queue")
					}
					return stage(ctx, tx, args)
				}
			})
			outcomes := b.deliverAtOnce(t, 40, func(int) string { return event("evt_1") })
			failed := outcomes["503 unavailable"]
			// A batch that fails is tried again one by one, which nobody is told of.
			if alone && failed != 10 || failed == 0 || failed > 10 || outcomes["200 recorded"] != 1 || outcomes["200 known"] != 39-failed {
				t.Errorf("answered %v, want 10 unavailable or, gathered, fewer, 1 recorded, the others known", outcomes)
			}
			b.wantCounts(t, 1, 1)
		})
	}

	t.Run("ManyAtOnceTakeFewTransactions", func(t *testing.T) {
		t.Parallel()
		var calls, judged atomic.Int32
		b := setup(t, func(c *webhooks.Config) {
			stage := c.Stage
			c.Stage = func(ctx context.Context, tx pgx.Tx, args []billing.EventArgs) error {
				calls.Add(1)
				return stage(ctx, tx, args)
			}
			c.Now = func() time.Time { judged.Add(1); return noon } // as each comes, and just before it waits
		})
		// While the inbox is locked whoever comes waits; the first two batches are of one each.
		locked, err := b.pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := locked.Exec(t.Context(), `LOCK TABLE event_ids`); err != nil {
			t.Fatal(err)
		}
		done := make(chan map[string]int)
		go func() { done <- b.deliverAtOnce(t, 200, func(n int) string { return event(fmt.Sprintf("evt_%d", n)) }) }()
		b.untilBlocked(t, 2)
		b.until(t, func() bool { return judged.Load() >= 2*200 })
		if err := locked.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		if outcomes := <-done; outcomes["200 recorded"] != 200 {
			t.Errorf("answered %v", outcomes)
		}
		if n := calls.Load(); n > 50 {
			t.Errorf("200 events took %d transactions", n)
		}
		b.wantCounts(t, 200, 200)
	})

	t.Run("PastItsQueueSendersAreToldToComeBack", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(c *webhooks.Config) { c.QueueMax = 4 })
		locked, err := b.pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := locked.Exec(t.Context(), `LOCK TABLE event_ids`); err != nil {
			t.Fatal(err)
		}
		done := make(chan map[string]int)
		go func() { done <- b.deliverAtOnce(t, 100, func(n int) string { return event(fmt.Sprintf("evt_%d", n)) }) }()
		b.untilBlocked(t, 2)
		// Two batches are under way, each of what waited then, and four wait: the others were
		// refused at once.
		b.untilLogged(t, `"outcome":"unavailable"`, 88)
		if err := locked.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		outcomes := <-done
		taken := outcomes["200 recorded"]
		if taken < 6 || taken > 12 || outcomes["503 unavailable"] != 100-taken {
			t.Errorf("answered %v, want at most 12 recorded and the others told to come back", outcomes)
		}
		b.wantCounts(t, taken, taken)
	})
}

// untilBlocked waits until so many connections wait for a lock.
func (b *bundle) untilBlocked(t *testing.T, n int) {
	t.Helper()
	b.until(t, func() bool {
		var blocked int
		err := b.pool.QueryRow(t.Context(), `
			SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&blocked)
		return err == nil && blocked >= n
	})
}

// untilLogged waits until the log has so many of something.
func (b *bundle) untilLogged(t *testing.T, what string, n int) {
	t.Helper()
	b.until(t, func() bool { return b.log.count(what) >= n })
}

func (b *bundle) until(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

// deliverAtOnce sends n deliveries together and counts the answers.
func (b *bundle) deliverAtOnce(t *testing.T, n int, body func(int) string) map[string]int {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	answers := make(map[string]int)
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			a := b.deliver(t, body(i))
			mu.Lock()
			defer mu.Unlock()
			answers[fmt.Sprintf("%d %s", a.Status, a.Outcome+a.Code)]++
		})
	}
	close(start)
	wg.Wait()
	return answers
}

func TestReceiverJudgesTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, c := range []struct {
		name   string
		offset time.Duration
		status int
		word   string
	}{
		{"E1_Now", 0, 200, "recorded"},
		{"E1_FiveMinutesAgo", -5 * time.Minute, 200, "recorded"},
		{"E1_FiveMinutesAhead", 5 * time.Minute, 200, "recorded"},
		{"E1_ASecondTooLate", -5*time.Minute - time.Second, 400, "signature_outside_tolerance"},
		{"E1_ASecondTooEarly", 5*time.Minute + time.Second, 400, "signature_outside_tolerance"},
		{"E1_AYearAhead", 366 * 24 * time.Hour, 400, "signature_outside_tolerance"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := event(fmt.Sprintf("evt_%d", i))
			before := b.state(t)
			b.send(t, request(body, signature(body, secret, noon.Add(c.offset)))).want(t, c.status, c.word)
			if after := b.state(t); (after != before) != (c.status == 200) {
				t.Errorf("state went from %s to %s", before, after)
			}
		})
	}
}

func TestReceiverTakesRotatedSecrets(t *testing.T) {
	t.Parallel()
	const old, fresh, foreign = "whsec_old", "whsec_fresh", "whsec_foreign"
	b := setup(t, func(c *webhooks.Config) { c.Secrets = []string{fresh, "", old} })
	stamp := fmt.Sprint(noon.Unix())
	for i, c := range []struct {
		name   string
		header func(body string) string
		status int
	}{
		{"E1_SignedWithTheFreshSecret", func(body string) string { return signature(body, fresh, noon) }, 200},
		{"E1_SignedWithTheOldSecret", func(body string) string { return signature(body, old, noon) }, 200},
		{"E1_SignedWithBoth", func(body string) string {
			return "t=" + stamp + ",v1=" + v1(body, old, stamp) + ",v1=" + v1(body, fresh, stamp)
		}, 200},
		{"E1_OneOfTwoSignaturesIsOurs", func(body string) string {
			return "t=" + stamp + ",v1=" + v1(body, foreign, stamp) + ",v1=" + v1(body, old, stamp) + ",v0=00"
		}, 200},
		{"E1_OneOfTwoSignaturesIsGarbage", func(body string) string {
			return "t=" + stamp + ",v1=zz,v1=" + v1(body, old, stamp)
		}, 200},
		{"E1_SignedWithAForeignSecret", func(body string) string { return signature(body, foreign, noon) }, 400},
		{"E1_SignedWithAnEmptySecret", func(body string) string { return signature(body, "", noon) }, 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := event(fmt.Sprintf("evt_%d", i))
			before := b.state(t)
			if a := b.send(t, request(body, c.header(body))); a.Status != c.status {
				t.Errorf("answered %d %s", a.Status, a.Raw)
			}
			if after := b.state(t); (after != before) != (c.status == 200) {
				t.Errorf("state went from %s to %s", before, after)
			}
		})
	}
}

// BenchmarkDelivery is a whole delivery of a new event into a real database.
func BenchmarkDelivery(b *testing.B) {
	bundle := setup(b)
	var n atomic.Int64
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			body := event(fmt.Sprintf("evt_%d", n.Add(1)))
			if a := bundle.deliver(b, body); a.Outcome != "recorded" {
				b.Error(a.Raw)
			}
		}
	})
}
