package main

import (
	"encoding/json"
	"strings"
	"testing"

	"purser/billing"
	"purser/internal/localstripe"
	"purser/worker"
)

// deaf is a Stripe that sells, beside a purser that hears none of it.
func deaf(t *testing.T) *acted {
	t.Helper()
	a := newActed(t)
	a.stripe.SetDelivery(localstripe.Faults{Drop: []string{"*"}})
	return a
}

// reconciled runs purser reconcile --json and decodes what it prints.
func (a *acted) reconciled(code int, args ...string) (worker.Reconciled, []billing.Difference) {
	a.t.Helper()
	r := a.run(append([]string{"reconcile", "--json"}, args...)...)
	if r.code != code || r.err != "" {
		a.t.Fatalf("purser reconcile %v: exit %d\n%s%s", args, r.code, r.out, r.err)
	}
	var sum worker.Reconciled
	var found []billing.Difference
	for line := range strings.Lines(r.out) {
		var one struct {
			Difference *billing.Difference
			Reconcile  *worker.Reconciled
		}
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			a.t.Fatalf("%v: %s", err, line)
		}
		switch {
		case one.Difference != nil:
			found = append(found, *one.Difference)
		case one.Reconcile != nil:
			sum = *one.Reconcile
		}
	}
	return sum, found
}

func TestReconcile(t *testing.T) {
	t.Parallel()

	t.Run("E3_BesideARunningBusiness", func(t *testing.T) {
		t.Parallel()
		a := deaf(t)
		shows(t, a.ok("reconcile"), `^compared: 0 subscriptions, 0 invoices, 0 top-ups, 0 refunds and disputes$`, `^reconcile: 0 differences$`)
		customer, subscription := a.subscribe("team_monthly", "5", "purser_user", "olga", "purser_team", "acme")
		_, nobodys := a.subscribe("team_monthly", "3")

		r := a.run("reconcile")
		if r.code != exitLacks || r.err != "" {
			t.Errorf("exit %d\n%s", r.code, r.err)
		}
		shows(t, r.out, `^WHAT +OBJECT +TEAM +USER +HERE +AT STRIPE`, `^unknown +`+subscription+` +acme +olga +active, 5 × team_monthly, \S+ to \S+$`,
			`^compared: 2 subscriptions, 2 invoices,`, `^reconcile: 2 differences; --apply mends what can be mended$`)
		if list := decoded[page[billing.SubscriptionRow]](a.cli, "subscriptions", "list"); len(list.Items) != 0 {
			t.Errorf("without --apply it wrote %+v", list.Items)
		}

		out := a.ok("reconcile", "--apply")
		shows(t, out, `^unknown +`+subscription+` .* mended$`, `^unknown +`+nobodys+` .* waits +customer \S+ is not linked to a user$`,
			`^waiting for a person: 1 subscription$`, `^reconcile: 2 differences, 1 mended, 0 left$`)
		if pool := decoded[poolView](a.cli, "pool", "show", "acme"); pool.Available != 5000 || pool.Seats != 5 {
			t.Errorf("acme has %+v", pool)
		}
		if list := decoded[page[customerView]](a.cli, "customer", "list"); len(list.Items) != 1 || list.Items[0].ID != customer || list.Items[0].LinkedBy != "metadata" {
			t.Errorf("customers: %+v", list.Items)
		}
		shows(t, a.ok("reconcile", "--apply"), `^unmatched +`+nobodys, `^reconcile: 0 differences$`)
		shows(t, a.ok("audit"), `^audit: 0 differences$`)
	})
	t.Run("E3_AsJSONForATeam", func(t *testing.T) {
		t.Parallel()
		a := deaf(t)
		_, subscription := a.subscribe("team_monthly", "5", "purser_user", "olga", "purser_team", "acme")
		a.ok("reconcile", "--apply")
		a.subscribe("team_monthly", "2", "purser_user", "ben", "purser_team", "bens")
		sum, found := a.reconciled(exitDone, "--team", "acme")
		if len(found) != 0 || sum.Subscriptions != 1 {
			t.Errorf("of acme: %+v, %+v", sum, found)
		}
		sum, found = a.reconciled(exitLacks)
		if len(found) != 1 || found[0].Kind != billing.DiffersUnknown || found[0].TeamID != "bens" || found[0].SubscriptionID == subscription || sum.Left != 1 {
			t.Errorf("of everybody: %+v, %+v", sum, found)
		}
		sum, found = a.reconciled(exitDone, "--apply")
		if len(found) != 1 || found[0].Result != billing.ResultMended || sum.Mended != 1 {
			t.Errorf("mended: %+v, %+v", sum, found)
		}
	})
	t.Run("Refused", func(t *testing.T) {
		t.Parallel()
		a := deaf(t)
		a.fails(exitUsage, []string{"not both"}, "reconcile", "--team", "acme", "--user", "olga")
		a.fails(exitFailed, []string{"no such team", "purser team list"}, "reconcile", "--team", "acme")
		a.fails(exitFailed, []string{"no such user"}, "reconcile", "--user", "olga")
		bare(t).with("PURSER_CATALOG", "demo").fails(exitUsage, []string{"set PURSER_STRIPE_KEY"}, "reconcile")
		bare(t).with("PURSER_STRIPE_KEY", testKey).fails(exitUsage, []string{"set PURSER_CATALOG"}, "reconcile")
	})
}
