package worker

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"purser/billing"
	"purser/internal/localstripe"
)

func TestPipeline(t *testing.T) {
	t.Parallel()
	t.Run("E1_OneEventDeliveredAHundredTimesAtOnceIsOneRowOneJobOneEntry", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.team("acme", "olga")
		w.stripe.SetDelivery(localstripe.Faults{Drop: []string{"*"}})
		sub := w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 5, "metadata[purser_team]", "acme")
		w.start()
		body := w.told("customer.subscription.created", sub.id)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { w.deliver(body) })
		}
		all.Wait()
		w.settled()
		event, err := billing.ParseEvent(body)
		ok(t, err)
		same(t, "inbox rows", w.count(`SELECT count(*) FROM events WHERE id = $1`, event.ID), 1)
		same(t, "jobs", w.count(`SELECT count(*) FROM river_job WHERE args->>'event_id' = $1`, event.ID), 1)
		same(t, "entries", w.count(`SELECT count(*) FROM entries`), 1)
		same(t, "B12", figures(w.read(team.BookID)), figures(seatsOf(5)))
		w.audit()
	})

	for _, spends := range []bool{false, true} {
		name := "WithoutSpends"
		if spends {
			name = "WithSpendsBetween"
		}
		t.Run("B10_SeatsToAndFroMintNothing_"+name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			team := w.team("acme", "olga")
			sub := w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 5, "metadata[purser_team]", "acme")
			w.start()
			w.settled()
			var used int64
			for i, n := range []int{10, 5, 10, 5, 10} {
				if credits := w.read(team.BookID).Available * 2 / 5; spends && credits > 0 {
					w.spend(team.BookID, fmt.Sprint("spend", i), credits)
					used += credits
				}
				w.advance(time.Hour)
				sub.seats(n)
				w.settled()
				if got := w.read(team.BookID); got.Seats != int64(n) || got.Used != used {
					t.Errorf("after %d seats: %s", n, figures(got))
				}
			}
			got := w.read(team.BookID)
			same(t, "B10: what ten seats bring in a month, whatever came between", got.Total, 10_000)
			same(t, "B12: available", got.Available, 10_000-used)
			w.audit()
		})
	}

	t.Run("B10_TheExampleToTheCredit", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.team("acme", "olga")
		sub := w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 8, "metadata[purser_team]", "acme")
		w.start()
		w.settled()
		w.spend(team.BookID, "spend", 4000)
		w.allocate(team.BookID, "allocate", "cleo", 1000)
		w.hold(team.BookID, "hold", 200, 20*time.Hour)
		sub.seats(3)
		w.settled()
		got := w.read(team.BookID)
		same(t, "available after 3 seats: 2,800 taken", got.Available, 0)
		same(t, "owed", w.count(`SELECT owed FROM periods`), 2200)
		sub.seats(8)
		w.settled()
		got = w.read(team.BookID)
		same(t, "available after 8 seats again: 2,800 granted", got.Available, 2800)
		same(t, "total", got.Total, 8000)
		same(t, "owed", w.count(`SELECT owed FROM periods`), 0)
		w.audit()
	})

	t.Run("B6_CancelSetAndUnsetAndEnded", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.team("acme", "olga")
		sub := w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 5, "metadata[purser_team]", "acme")
		worker, _ := w.start()
		w.settled()
		end := jan15.AddDate(0, 1, 0)
		lotEnd := func() string { return w.read(team.BookID).Lots[0].ExpiresAt.UTC().Format(time.RFC3339) }
		same(t, "B8: with a grace for the renewal", lotEnd(), end.Add(24*time.Hour).Format(time.RFC3339))
		sub.set("cancel_at_period_end", "true")
		w.settled()
		same(t, "B8: no renewal is waited for", lotEnd(), end.Format(time.RFC3339))
		sub.set("cancel_at_period_end", "false")
		w.settled()
		same(t, "B8: restored", lotEnd(), end.Add(24*time.Hour).Format(time.RFC3339))
		w.advance(day)
		sub.cancel()
		w.settled()
		same(t, "B6: stays until the month is over", w.read(team.BookID).Available, 5000)
		w.advanceTo(end)
		w.settled()
		_, err := worker.SettleDue(t.Context())
		ok(t, err)
		same(t, "B6: ends with the month", w.read(team.BookID).Available, 0)
		w.audit()
	})

	t.Run("E6_TrialPauseAndItemsThatCountForNothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		team := w.team("acme", "olga")
		w.start()
		sub := w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 5, "metadata[purser_team]", "acme", "trial_period_days", "7")
		w.settled()
		same(t, "B4: a trial", figures(w.read(team.BookID)), figures(billing.Pool{Seats: 5, Total: 500, Bonus: 500, Available: 500}))
		var other struct{ ID string }
		w.post("/v1/prices", url.Values{
			"product_data[name]": {"Storage"}, "currency": {"usd"}, "unit_amount": {"3"}, "recurring[interval]": {"month"}, "recurring[usage_type]": {"metered"},
		}, &other)
		w.post("/v1/subscription_items", url.Values{"subscription": {sub.id}, "price": {other.ID}}, nil)
		w.settled()
		same(t, "B2: a metered item counts for nothing", w.read(team.BookID).Seats, 5)
		w.advance(7*day + 2*time.Hour)
		w.settled()
		same(t, "B4: the first month after it", figures(w.read(team.BookID)), figures(seatsOf(5)))
		sub.set("pause_collection[behavior]", "void")
		w.settled()
		sub.seats(6)
		w.settled()
		same(t, "B10: collection paused, the status isn't", w.read(team.BookID).Monthly, 6000)
		same(t, "events that wait or failed", w.count(`SELECT count(*) FROM events WHERE state NOT IN ('done', 'ignored')`), 0)
		w.audit()
	})

	t.Run("B3_AStoryDeliveredLateTwiceAndShuffledIsTheSameAsInOrder", func(t *testing.T) {
		t.Parallel()
		var portraits []string
		for _, faults := range []localstripe.Faults{{}, {Hold: []string{"*"}, Duplicate: 2}} {
			w := newWorld(t)
			team := w.team("acme", "olga")
			w.start()
			w.stripe.SetDelivery(faults)
			sub := w.subscribe(w.customer("purser_user", "olga"), "team_monthly", 5, "metadata[purser_team]", "acme")
			sub.seats(9)
			sub.set("cancel_at_period_end", "true")
			sub.seats(7)
			sub.set("cancel_at_period_end", "false")
			w.stripe.Release(11)
			w.settled()
			portraits = append(portraits, portrait(t, w.pool, team.BookID))
			w.audit()
		}
		// How often more was granted depends on what was heard; what there is, doesn't.
		same(t, "B10: with seven seats", figuresOf(portraits[1]), figuresOf(portraits[0]))
	})
}

// figuresOf leaves out of a portrait how much was granted and taken on the way.
func figuresOf(portrait string) string {
	var kept []string
	for _, line := range bytes.Split([]byte(portrait), []byte("\n")) {
		if i := bytes.Index(line, []byte("left ")); bytes.HasPrefix(line, []byte("lot")) && i > 0 {
			line = append([]byte("lot "), line[i:]...)
		}
		if bytes.HasPrefix(line, []byte("period")) {
			continue
		}
		kept = append(kept, string(line))
	}
	slices.Sort(kept)
	return fmt.Sprint(kept)
}

// told gives the body of an event that Stripe has to tell.
func (w *world) told(kind, object string) (body []byte) {
	w.t.Helper()
	ok(w.t, w.api.EventsSince(w.t.Context(), jan15.Add(-day), func(b []byte) error {
		event, err := billing.ParseEvent(b)
		if event.Type == kind && event.ObjectID == object {
			body = bytes.Clone(b)
		}
		return err
	}))
	if body == nil {
		w.t.Fatalf("Stripe has nothing to tell of %s %s", kind, object)
	}
	return body
}

// deliver posts a signed event to the receiver, as Stripe does.
func (w *world) deliver(body []byte) {
	at := time.Now().Unix()
	mac := hmac.New(sha256.New, []byte(w.secret))
	fmt.Fprintf(mac, "%d.%s", at, body)
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.hook.URL, bytes.NewReader(body))
	if err != nil {
		w.t.Error(err)
		return
	}
	req.Header.Set("Stripe-Signature", fmt.Sprintf("t=%d,v1=%s", at, hex.EncodeToString(mac.Sum(nil))))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Error(err)
		return
	}
	defer res.Body.Close()
	if answer, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		w.t.Errorf("the receiver answered %s: %s", res.Status, answer)
	}
}
