package web_test

import (
	"net/url"
	"strings"
	"testing"
)

const movesAt = "/page/teams/acme/moves"

func TestMoves(t *testing.T) {
	t.Parallel()
	t.Run("T9_APreviewHasBothBalances_AndMovesNothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("abe", "acme").get(movesAt).want(200, "Set credits aside", "Reclaim credits", "Transfer credits", "Contribute credits", "for a project")
		b.get(movesAt+"/allocate").want(200, "3,300 are available in the pool").
			submit(movesAt+"/allocate", "to", "cleo", "credits", "500", "reason", "a poster").
			want(200, "500 credits would move", "the pool 3,300 2,800", "cleo 0 500", "500 credits: monthly, until 11 Apr 2026")
		if m := w.member("cleo"); m.Allocation.Remaining != 0 {
			t.Fatal("looking moved it")
		}
		f := b.secondForm(movesAt + "/allocate")
		b.sendForm(f).want(200, "Done: 500 credits are set aside for cleo", "the pool : 3,300 → 2,800 available", "a poster")
		b.sendForm(f).want(200, "Done: 500 credits")
		if m := w.member("cleo"); m.Allocation.Remaining != 500 {
			t.Errorf("cleo has %d", m.Allocation.Remaining)
		}
	})
	t.Run("T8_ReclaimTransferContribute", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		w.Grant(w.User("ann").BookID, 80)
		b := w.as("ann", "acme")
		b.get(movesAt+"/transfer").submit(movesAt+"/transfer", "from", "bob", "to", "cleo", "credits", "200").want(200, "bob 700 500", "cleo 0 200")
		b.sendForm(b.secondForm(movesAt+"/transfer")).want(200, "200 credits went from bob to cleo")
		b.get(movesAt+"/reclaim").submit(movesAt+"/reclaim", "from", "bob", "credits", "").want(200, "500 credits would move", "bob 500 0")
		b.sendForm(b.secondForm(movesAt+"/reclaim")).want(200, "500 credits of bob are back")
		b.get(movesAt+"/contribute").want(200, "You have 80 available").submit(movesAt+"/contribute", "credits", "30").want(200, "your own credits 80 50")
		b.sendForm(b.secondForm(movesAt+"/contribute")).want(200, "30 of your credits", "Contribution received")
	})
	t.Run("ARefusalSaysWhy_AndKeepsWhatWasTyped", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("abe", "acme").get(movesAt + "/allocate")
		for amount, why := range map[string]string{
			"3301": "Only 3,300 credits are free there", "0": "whole number from 1", "-5": "whole number from 1", "1.5": "whole number from 1",
			"many": "whole number from 1", "9999999999999": "whole number from 1",
		} {
			b.get(movesAt+"/allocate").submit(movesAt+"/allocate", "to", "cleo", "credits", amount)
			if b.status != 422 && b.status != 402 {
				t.Errorf("%s: %d", amount, b.status)
			}
			b.want(b.status, why)
			if got := b.form(movesAt + "/allocate").fields; got.Get("credits") != amount || got.Get("to") != "cleo" {
				t.Errorf("%s: what was typed is lost: %v", amount, got)
			}
		}
		b.get(movesAt+"/transfer").submit(movesAt+"/transfer", "from", "bob", "to", "bob", "credits", "1").want(422, "somebody else")
		b.get(movesAt+"/allocate?look=1&to=nobody&credits=1").want(422, "a member of the team")
		b.get(movesAt + "/steal").want(404)
	})
	t.Run("AMemberMayNot", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("bob", "acme")
		csrf := b.form("/page/leave").fields.Get("csrf")
		b.get(movesAt).want(403)
		b.get(movesAt + "/allocate?look=1&to=bob&credits=1").want(403)
		b.sendForm(formOn{action: movesAt + "/allocate", method: "POST", fields: url.Values{
			"csrf": {csrf}, "key": {"page-" + strings.Repeat("k", 24)}, "to": {"bob"}, "credits": {"1"},
		}}).want(403)
		if m := w.member("bob"); m.Allocation.Remaining != 700 {
			t.Errorf("bob has %d", m.Allocation.Remaining)
		}
	})
}

func TestHistory(t *testing.T) {
	t.Parallel()
	const at = "/page/teams/acme/history"
	w := newWorld(t)
	w.acme()
	t.Run("FilteredByMemberKindAndDay", func(t *testing.T) {
		b := w.as("abe", "acme").get(at).want(200, "Grant", "Spend bob", "Spend cleo", "the pool", "10 Mar 2026, 12:00")
		b.get(at+"?member=bob").want(200, "Spend bob").wantNot("Spend cleo")
		b.get(at+"?kind=allocation").want(200, "for a project")
		if strings.Contains(b.body, "<th scope=\"row\">Spend") {
			t.Error("spends are allocations")
		}
		b.get(at+"?from=2026-03-11").want(200, "Nothing was found")
		b.get(at+"?from=2026-03-10&to=2026-03-10").want(200, "Spend bob")
		b.get(at+"?from=yesterday").want(200, "isn't a day")
	})
	t.Run("AMemberSeesOnesOwn", func(t *testing.T) {
		w.as("bob", "acme").get(at+"?member=cleo").want(200, "Spend bob", "Set aside bob").wantNot("cleo", "1,200")
		b := w.as("bob", "acme").get(at + ".csv?member=cleo")
		if b.status != 200 || strings.Contains(b.body, "cleo") || !strings.Contains(b.body, "spend,300") {
			t.Errorf("%d: %s", b.status, b.body)
		}
	})
	t.Run("AsAFile", func(t *testing.T) {
		b := w.as("ann", "acme").get(at + ".csv?kind=spend")
		lines := strings.Split(strings.TrimSpace(b.body), "\n")
		if len(lines) != 3 || lines[0] != "at,kind,credits,from,to,user_id,actor,memo,reference" || !strings.HasPrefix(lines[1], "2026-03-10T12:00:00Z,spend,1200,pool,spent,cleo,") {
			t.Errorf("%q", lines)
		}
		if b.header.Get("Content-Type") != "text/csv; charset=utf-8" {
			t.Errorf("%v", b.header)
		}
		w.as("zoe", "").get("/page/account/history.csv").want(200)
		w.as("zoe", "").get(at + ".csv").want(404)
	})
	t.Run("OlderPagesFollow", func(t *testing.T) {
		for range 60 {
			w.spend("acme", "cleo", 1)
		}
		b := w.as("abe", "acme").get(at)
		if n := strings.Count(b.body, `<th scope="row">`); n != 50 {
			t.Errorf("%d lines on a page", n)
		}
		older := b.leadsTo("Older")
		b.get(older).want(200, "Grant").wantNot("Older")
	})
}
