package api_test

import (
	"encoding/csv"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"purser/teams"
)

// history makes a team to which a good deal has happened, and gives its spends' ids.
func (w *world) history() (spent []string) {
	w.T.Helper()
	w.Team("acme", "ann", 1000)
	w.Join("acme", "bob", teams.Plain)
	w.post("/v1/teams/acme/allocations", object{"user_id": "bob", "credits": 10, "reason": "=SUM(A1), \"quoted\"\nand more"}).ok(201)
	for n := range 5 {
		v := w.post("/v1/teams/acme/spends", object{"user_id": "bob", "credits": 4 + n, "reference": fmt.Sprintf("job %d", n%2), "metadata": object{"n": n}}).ok(201)
		spent = append(spent, v["id"].(string))
		w.Clock.Advance(24 * time.Hour)
	}
	w.post("/v1/teams/acme/spends", object{"user_id": "ann", "credits": 100}).ok(201)
	w.post("/v1/teams/acme/spends/"+spent[0]+"/reversals", nil).ok(201)
	hold := w.post("/v1/teams/acme/holds", object{"user_id": "ann", "credits": 9}).ok(201)["id"].(string)
	w.post("/v1/teams/acme/holds/"+hold+"/capture", object{"credits": 6}).ok(201)
	return spent
}

func TestEntries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	spent := w.history()
	const path = "/v1/teams/acme/entries"
	w.run("L10_SayWhatHowMuchWhoWhenAndWhy", func(t *testing.T) {
		items := w.get(path + "?kind=allocation").ok(200)["items"].([]any)
		e := items[0].(object)
		if len(items) != 1 || e["credits"] != 10.0 || e["actor"] != "backend" || e["user_id"] != "bob" || !strings.HasPrefix(e["memo"].(string), "=SUM") || e["key"] == nil {
			t.Errorf("%v", items)
		}
		p := e["postings"].([]any)[0].(object)
		if p["from"].(object)["kind"] != "pool" || p["to"].(object)["kind"] != "allocation" || p["to"].(object)["user_id"] != "bob" || p["source"] != "bonus" {
			t.Errorf("%v", p)
		}
		granted := w.get(path + "?kind=grant").ok(200)["items"].([]any)[0].(object)
		if granted["key"] != nil {
			t.Errorf("a key that no client chose is shown: %v", granted)
		}
		held := w.get(path + "?kind=hold,capture").ok(200)["items"].([]any)
		capture, hold := held[0].(object), held[1].(object)
		if capture["of"] != hold["id"] || hold["postings"].([]any)[0].(object)["to"].(object)["kind"] != "held" || hold["ends_at"] == nil {
			t.Errorf("%v", held)
		}
	})
	w.run("AreFilteredByMemberKindReferenceAndTime", func(t *testing.T) {
		ids := func(query string) []string { return w.all(path+"?limit=2&"+query, "id") }
		if got := ids("reference=" + url.QueryEscape("job 1") + "&kind=spend"); !slices.Equal(got, []string{spent[3], spent[1]}) {
			t.Errorf("by reference: %v, want %v and %v", got, spent[3], spent[1])
		}
		if got := ids("reference=job"); len(got) != 0 {
			t.Errorf("S5: a reference is searched exactly: %v", got)
		}
		if got := ids("user_id=bob&kind=spend"); len(got) != 5 || got[0] != spent[4] {
			t.Errorf("by member: %v", got)
		}
		if got := ids("kind=spend&from=2026-03-11T00:00:00Z&to=2026-03-13T14:00:00%2B02:00"); !slices.Equal(got, []string{spent[2], spent[1]}) {
			t.Errorf("by time: %v", got)
		}
		if all := ids(""); len(all) != 11 {
			t.Errorf("%d entries in all", len(all))
		}
		w.get(path+"?from=yesterday").refused(422, "request_invalid")
		w.get(path+"?cursor="+url.QueryEscape("ZW50cmllcwotMQ")).refused(422, "cursor_invalid")
		w.get("/v1/users/ann/entries").ok(200)
	})
	w.run("PlainMembersSeeTheirOwn", func(t *testing.T) {
		for _, item := range w.as("bob", "GET", path+"?limit=500", nil).ok(200)["items"].([]any) {
			if item.(object)["user_id"] != "bob" {
				t.Errorf("bob sees %v", item)
			}
		}
		w.as("bob", "GET", path+"?user_id=ann", nil).refused(403, "role_forbids")
		w.as("eve", "GET", path, nil).refused(404, "team_not_found")
		w.as("eve", "GET", "/v1/users/bob/entries", nil).refused(404, "user_not_found")
	})
	w.run("T10_AreExportedAsCSV", func(t *testing.T) {
		for _, r := range []request{{path: path + "?format=csv&limit=1"}, {path: path, header: map[string]string{"Accept": "text/csv"}}} {
			r.method = "GET"
			got := w.do(r)
			if got.status != 200 || !strings.HasPrefix(got.header.Get("Content-Type"), "text/csv") {
				t.Fatalf("%d %v", got.status, got.header)
			}
			rows, err := csv.NewReader(strings.NewReader(string(got.raw))).ReadAll()
			if err != nil || len(rows) != 12 || rows[0][0] != "id" {
				t.Fatalf("%v: %d rows\n%s", err, len(rows), got.raw)
			}
			i := slices.IndexFunc(rows, func(row []string) bool { return row[3] == "allocation" })
			if row := rows[i]; row[5] != "pool" || row[6] != "allocation:bob" || row[8] != "backend" || row[9] != "'=SUM(A1), \"quoted\"\nand more" {
				t.Errorf("%q", row)
			}
		}
		own, err := csv.NewReader(strings.NewReader(string(w.as("bob", "GET", path+"?format=csv", nil).raw))).ReadAll()
		if err != nil || len(own) != 8 {
			t.Errorf("%v: bob sees %d rows", err, len(own))
		}
	})
	w.run("ALongExportIsWhole", func(t *testing.T) {
		w.Team("long", "lee", 3000)
		w.spendOften("long", "lee", 1100)
		rows, err := csv.NewReader(strings.NewReader(string(w.get("/v1/teams/long/entries?format=csv&kind=spend").raw))).ReadAll()
		seen := map[string]bool{}
		for _, row := range rows {
			seen[row[0]] = true
		}
		if err != nil || len(rows) != 1101 || len(seen) != 1101 {
			t.Errorf("%v: %d rows, %d different", err, len(rows), len(seen))
		}
	})
}

// T10: what left a member's balance is that member's to see, too.
func TestEntries_T10_TheGiverOfATransferSeesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const path = "/v1/teams/acme/entries"
	w.Team("acme", "ann", 100)
	w.Join("acme", "bob", teams.Plain)
	w.Join("acme", "cid", teams.Plain)
	w.post("/v1/teams/acme/allocations", object{"user_id": "bob", "credits": 3}).ok(201)
	moved := w.post("/v1/teams/acme/transfers", object{
		"from": object{"kind": "member", "user_id": "bob"}, "to": object{"kind": "member", "user_id": "cid"}, "credits": 3,
	}).ok(201)["id"]
	for _, user := range []string{"bob", "cid"} {
		items := w.as(user, "GET", path+"?kind=transfer", nil).ok(200)["items"].([]any)
		if len(items) != 1 || items[0].(object)["id"] != moved || items[0].(object)["user_id"] != "cid" {
			t.Errorf("%s sees %v", user, items)
		}
	}
	if got := w.all(path+"?limit=1&kind=transfer&user_id=bob", "id"); !slices.Equal(got, []string{moved.(string)}) {
		t.Errorf("of bob: %v", got)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.history()
	w.run("T14_ByMemberAddsUpToThePool", func(t *testing.T) {
		var sum float64
		used := map[any]float64{}
		for _, item := range w.get("/v1/teams/acme/usage/members").ok(200)["items"].([]any) {
			m := item.(object)
			used[m["user_id"]] = m["used"].(float64)
			sum += m["used"].(float64)
		}
		if used["bob"] != 26 || used["ann"] != 106 || int64(sum) != w.pool("acme").Used {
			t.Errorf("%v, the pool says %d", used, w.pool("acme").Used)
		}
		w.post("/v1/teams/acme/members/changes", object{"changes": []object{{"user_id": "bob", "remove": true}}}).ok(200)
		if ids := w.all("/v1/teams/acme/usage/members?limit=1", "user_id"); !slices.Equal(ids, []string{"ann", "bob"}) {
			t.Errorf("bob has left, and counts: %v", ids)
		}
		w.Join("acme", "cid", teams.Plain)
		if own := w.as("cid", "GET", "/v1/teams/acme/usage/members", nil).ok(200); len(own["items"].([]any)) != 0 {
			t.Errorf("cid sees %v", own)
		}
	})
	w.run("T14_ByDay", func(t *testing.T) {
		days := w.get("/v1/teams/acme/usage/days").ok(200)["items"].([]any)
		if len(days) != 6 {
			t.Fatalf("%v", days)
		}
		if d := days[0].(object); d["day"] != "2026-03-10" || d["spent"] != 4.0 || d["used"] != 4.0 {
			t.Errorf("%v", d)
		}
		if d := days[5].(object); d["day"] != "2026-03-15" || d["spent"] != 106.0 || d["reversed"] != 4.0 || d["used"] != 102.0 {
			t.Errorf("%v", d)
		}
		one := w.get("/v1/teams/acme/usage/days?user_id=ann&from=2026-03-15T00:00:00Z&to=2026-03-16T00:00:00Z").ok(200)["items"].([]any)
		if len(one) != 1 || one[0].(object)["used"] != 106.0 {
			t.Errorf("ann's: %v", one)
		}
		w.get("/v1/teams/acme/usage/days?from=2025-01-01T00:00:00Z&to=2026-03-16T00:00:00Z").refused(422, "request_invalid")
		w.get("/v1/teams/acme/usage/days?from=2026-03-16T00:00:00Z&to=2026-03-15T00:00:00Z").refused(422, "request_invalid")
		w.as("cid", "GET", "/v1/teams/acme/usage/days?user_id=ann", nil).refused(403, "role_forbids")
	})
}
