package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"purser/internal/browsertest"
	"purser/internal/pgtest"
)

// lively is the team that purser dev shows.
func lively(t *testing.T) *telling {
	t.Helper()
	st, err := raiseStage(t.Context(), stageConfig{DatabaseURL: pgtest.URL(t), Listen: "127.0.0.1:0", Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.strike(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	story := &telling{stage: st, out: io.Discard}
	if err := story.tell(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := story.enliven(t.Context()); err != nil {
		t.Fatal(err)
	}
	return story
}

// asked reads something over the API, as the backend.
func (t *telling) asked(test *testing.T, path string, into any) {
	test.Helper()
	status, raw, err := t.product.call(test.Context(), "", http.MethodGet, path, "")
	if err != nil || status != http.StatusOK {
		test.Fatalf("%s: %d %s %v", path, status, raw, err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		test.Fatalf("%s: %v", raw, err)
	}
}

// The week that purser dev adds to the demo's story is one that adds up, member by member
// and day by day.
func TestDevTeam(t *testing.T) {
	t.Parallel()
	dev := lively(t)

	pool, err := dev.pool(t.Context(), dev.team.BookID)
	if err != nil {
		t.Fatal(err)
	}
	// The story ends with 1,280 used and 5,220 available. In the week four people use
	// 20 + (37·day + 53·person mod 90) each day: that is 1,574 on seven days. Cleo's come
	// from what is set aside for her, so the pool pays the others'.
	const before, left = 1280, 5220
	week, cleos := int64(0), int64(0)
	for day := range 7 {
		for i := range 4 {
			credits := int64(20 + (day*37+i*53)%90)
			week += credits
			if i == 3 {
				cleos += credits
			}
		}
	}
	if week != 1574 {
		t.Errorf("a week is %d", week)
	}
	if pool.Used != before+week || pool.Allocated != 1500-cleos || pool.Available != left-(week-cleos) || pool.Held != 0 || pool.Debt != 0 {
		t.Errorf("used %d, set aside %d, available %d, held %d, owed %d", pool.Used, pool.Allocated, pool.Available, pool.Held, pool.Debt)
	}
	if sum := pool.Used + pool.Held + pool.Allocated + pool.Frozen + pool.Available; sum != pool.Total {
		t.Errorf("B12: %d is not the pool's %d", sum, pool.Total)
	}

	var usage struct {
		Items []struct {
			UserID string `json:"user_id"`
			Used   int64
		}
	}
	dev.asked(t, "/v1/teams/acme/usage/members", &usage)
	sum := int64(0)
	for _, u := range usage.Items {
		sum += u.Used
	}
	if len(usage.Items) != 5 || sum != pool.Used {
		t.Errorf("the members used %d of the pool's %d: %+v", sum, pool.Used, usage.Items)
	}

	var topUp struct {
		On    bool
		State string
	}
	dev.asked(t, "/v1/teams/acme/auto-top-up", &topUp)
	if !topUp.On || topUp.State != "ready" {
		t.Errorf("the automatic top-up is %+v", topUp)
	}
	var invited struct {
		Items []struct{ Email, State string }
	}
	dev.asked(t, "/v1/teams/acme/invitations", &invited)
	states := map[string]int{}
	for _, i := range invited.Items {
		states[i.State]++
	}
	// Ada, Ben, Cleo and Dora came; Emil hasn't yet.
	if states["pending"] != 1 || states["accepted"] != 4 || invited.Items[0].Email != "emil@acme.example" {
		t.Errorf("invited: %+v", invited.Items)
	}

	if differences, err := dev.audit(t.Context()); err != nil || differences != 0 || dev.wrong != nil {
		t.Errorf("the audit finds %d differences: %v %q", differences, err, dev.wrong)
	}
	t.Run("ProductInMiniature", func(t *testing.T) { dev.tryProduct(t) })
}

// tryProduct is each of the people whom the product offers to be, at the page.
func (t *telling) tryProduct(test *testing.T) {
	product, err := t.openProduct(test.Context(), "127.0.0.1:0")
	if err != nil {
		test.Fatal(err)
	}
	defer func() { _ = product.Close() }()
	if _, err := t.openProduct(test.Context(), "0.0.0.0:0"); err == nil || !strings.Contains(err.Error(), "not on this machine only") {
		test.Errorf("the product listens to everybody: %v", err)
	}
	b := browsertest.Open(test)
	names := map[string]string{"olga": "Olga Brandt", "ada": "Ada Moreau", "dora": "Dora Nakamura", "cleo": "Cleo Lindqvist"}
	for _, who := range devPeople {
		b.Go(product.url + "/")
		b.Says("Acme Studio")
		b.Press(who.Says)
		b.Says("You are "+names[who.User], "Back to Acme Studio")
		want := "/page/account"
		if who.Team != "" {
			want = "/page/teams/" + who.Team
		}
		if b.At() != want {
			test.Errorf("%s is led to %s", who.Says, b.At())
		}
		if who.User == "dora" {
			b.Card("h-mine").Has("20 credits you can use now")
		}
		b.Follow("Back to Acme Studio")
		b.Says("Who are you?")
	}
	b.Content()

	if status, text := get(test, product.url+"/page"); status != http.StatusMethodNotAllowed {
		test.Errorf("a link alone leads somewhere: %d %s", status, text)
	}
	res, err := http.PostForm(product.url+"/page", map[string][]string{"user": {"eve"}, "team": {"acme"}})
	if err != nil {
		test.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusBadGateway {
		test.Errorf("who isn't in the team is led to %d", res.StatusCode)
	}
}
