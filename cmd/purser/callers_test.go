package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// callers are a product's backends: each writes one thing after the other, mostly to one
// hot pool. One that gets no answer asks another process with the same key; every fourth
// gives up instead, and goes on with something else. All note what they asked and what they were told.
type callers struct {
	t      *testing.T
	token  string
	teams  []string // the first is the hot one
	client *http.Client
	clock  func() time.Time

	quit  context.CancelFunc
	going sync.WaitGroup
	done  <-chan struct{}

	mu    sync.Mutex
	urls  []string
	asked map[string]int64 // the credits that each key asks to use for good
	told  map[string]told
	again atomic.Int64 // asked once more, for want of an answer
	given atomic.Int64 // given up
}

// told is an answer that says that something was booked.
type told struct {
	path, body string
	answer     []byte
	at         time.Time
}

// granted is what each pool has at first.
const granted = 1_000_000_000

// newCallers makes teams with credits, and a key.
func newCallers(c *cli, teams ...string) *callers {
	c.t.Helper()
	for _, team := range teams {
		c.ok("user", "set", "of-"+team)
		c.ok("team", "create", team, "--owner", "of-"+team, "--name", team)
		c.ok("bonus", "grant", fmt.Sprint(granted), "--team", team, "--key", "start", "--memo", "m")
	}
	key := decoded[keyView](c, "keys", "create", "backend", "--scopes", "read,spend")
	// It gives up before a server does that waits for its database.
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	return &callers{t: c.t, token: key.Token, teams: teams, client: client, clock: time.Now, asked: map[string]int64{}, told: map[string]told{}}
}

// at says which processes there are to ask.
func (c *callers) at(urls ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.urls = urls
}

func (c *callers) url(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.urls[n%len(c.urls)]
}

// start lets so many write until stop.
func (c *callers) start(count int) {
	ctx, quit := context.WithCancel(c.t.Context())
	c.quit, c.done = quit, ctx.Done()
	for n := range count {
		c.going.Go((&caller{callers: c, number: n, turn: n}).call)
	}
}

// stop lets each of them finish what it is about.
func (c *callers) stop() {
	c.quit()
	c.going.Wait()
}

// caller is one of them.
type caller struct {
	*callers
	number int
	turn   int // which process is asked
}

func (c *caller) call() {
	for i := 0; ; i++ {
		select {
		case <-c.done:
			return
		default:
		}
		team := c.teams[0]
		if i%3 == 2 {
			team = c.teams[(c.number+i)%len(c.teams)]
		}
		if i%20 == 0 {
			c.turn++
		}
		key, credits := fmt.Sprintf("%d-%d", c.number, i), int64(1+i%4)
		if i%4 != 3 {
			c.write(key, credits, "/v1/teams/"+team+"/spends", fmt.Sprintf(`{"user_id":"of-%s","credits":%d}`, team, credits))
			continue
		}
		var hold struct{ ID string }
		if answer := c.write(key+"h", 0, "/v1/teams/"+team+"/holds", fmt.Sprintf(`{"user_id":"of-%s","credits":9}`, team)); answer == nil {
			continue
		} else if err := json.Unmarshal(answer, &hold); err != nil {
			c.t.Error(err)
		}
		c.write(key, credits, "/v1/teams/"+team+"/holds/"+hold.ID+"/capture", fmt.Sprintf(`{"credits":%d}`, credits))
	}
}

// write asks until it is answered, and gives nil if it gave up.
func (c *caller) write(key string, credits int64, path, body string) []byte {
	c.mu.Lock()
	c.asked[key] = credits
	c.mu.Unlock()
	for end := c.clock().Add(patience); ; {
		status, answer, err := c.post(c.url(c.turn), key, path, body)
		switch {
		case err == nil && status == http.StatusCreated:
			c.mu.Lock()
			defer c.mu.Unlock()
			c.told[key] = told{path, body, answer, c.clock()}
			return answer
		case err == nil && status < http.StatusInternalServerError:
			c.t.Errorf("%s: %d: %s", path, status, answer)
			return nil
		case c.clock().After(end):
			c.t.Errorf("%s of %s isn't answered within %s: %d %s %v", key, path, patience, status, answer, err)
			return nil
		}
		c.turn++
		select {
		case <-c.t.Context().Done():
			return nil
		case <-time.After(20 * time.Millisecond):
		}
		if c.number%4 == 3 {
			c.given.Add(1)
			return nil
		}
		c.again.Add(1)
	}
}

func (c *callers) post(url, key, path, body string) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Idempotency-Key", key)
	res, err := c.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err = io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// acknowledged is how many writes were answered so far.
func (c *callers) acknowledged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.told)
}

// await waits until so many more writes are acknowledged.
func (c *callers) await(more int) {
	c.t.Helper()
	before := c.acknowledged()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := c.clock().Add(patience); c.acknowledged() < before+more; <-tick.C {
		if c.clock().After(deadline) {
			c.t.Fatalf("of %d more writes %d are acknowledged within %s", more, c.acknowledged()-before, patience)
		}
	}
}

// notice waits until callers have met a process that is gone: some asked once more, and some
// gave up. All of them come by each process in turn.
func (c *callers) notice() {
	c.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := c.clock().Add(patience); c.again.Load() == 0 || c.given.Load() == 0; <-tick.C {
		if c.clock().After(deadline) {
			c.t.Fatalf("%d were asked once more and %d given up: nobody met the process that was killed", c.again.Load(), c.given.Load())
		}
	}
}

// hold holds that the ledger has each acknowledged write once, no other one twice, and
// credits that add up.
func (c *callers) hold(db *pgxpool.Pool) {
	c.t.Helper()
	rows, err := db.Query(c.t.Context(), `SELECT substr(key, length('request:') + 1), credits FROM entries WHERE key LIKE 'request:%'`)
	if err != nil {
		c.t.Fatal(err)
	}
	booked := map[string]int64{}
	var used int64
	var key string
	var credits int64
	_, err = pgx.ForEachRow(rows, []any{&key, &credits}, func() error {
		asked, known := c.asked[key]
		if _, twice := booked[key]; twice || !known {
			c.t.Errorf("%s is booked: twice %t, asked for %t", key, twice, known)
		}
		if asked != 0 && credits != asked {
			c.t.Errorf("%s used %d credits, not %d", key, credits, asked)
		}
		booked[key] = credits
		used += asked
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	for key := range c.told {
		if _, there := booked[key]; !there {
			c.t.Errorf("%s was acknowledged and isn't booked", key)
		}
	}
	var spent, left int64
	err = db.QueryRow(c.t.Context(), `
		SELECT sum(balance) FILTER (WHERE a.id = 2), sum(balance) FILTER (WHERE a.id = 7)
		FROM accounts a JOIN teams t ON t.book_id = a.book_id`).Scan(&spent, &left)
	if err != nil {
		c.t.Fatal(err)
	}
	if spent != used || left != int64(len(c.teams))*granted-used {
		c.t.Errorf("%d credits are spent and %d left; those who asked used %d of %d", spent, left, used, int64(len(c.teams))*granted)
	}
	c.t.Logf("%d writes acknowledged, %d asked once more, %d given up, of which %d are booked", len(c.told), c.again.Load(), c.given.Load(), len(booked)-len(c.told))
}

// repeat sends some acknowledged writes once more, and holds that each gets its first
// answer again.
func (c *callers) repeat(count int) {
	c.t.Helper()
	keys := slices.Sorted(maps.Keys(c.told))
	for n := 0; n < len(keys); n += max(1, len(keys)/count) {
		was := c.told[keys[n]]
		status, answer, err := c.post(c.url(n), keys[n], was.path, was.body)
		if err != nil || status != http.StatusCreated || !bytes.Equal(answer, was.answer) {
			c.t.Errorf("%s once more: %d %v\n%s\nat first\n%s", keys[n], status, err, answer, was.answer)
		}
	}
}
