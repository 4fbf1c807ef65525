package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"purser/billing/stripeapi"
)

// stripeCheckCommand says what the account lacks.
type stripeCheckCommand struct {
	Account accountAtStripe `embed:""`
}

// Run reads and tells.
func (c *stripeCheckCommand) Run(ctx context.Context, p *program) error {
	setup, err := c.Account.check()
	if err != nil {
		return err
	}
	client, err := c.Account.Stripe.client(p, p.logger())
	if err != nil {
		return err
	}
	defer client.Close()
	found, err := c.look(ctx, client, setup)
	if err != nil {
		return err
	}
	return found.print(p, c.Account.Show.JSON)
}

func (c *stripeCheckCommand) look(ctx context.Context, client *stripeapi.Client, setup stripeapi.Setup) (findings, error) {
	account, err := client.Account(ctx)
	if err != nil {
		return nil, err
	}
	found := findings{aboutAccount(account), c.aboutMode(client), aboutClock(account.Ahead)}
	probed, err := client.Probe(ctx)
	if err != nil {
		return nil, err
	}
	found = append(found, aboutPermissions(probed)...)
	at, err := client.Survey(ctx, setup)
	if err != nil {
		return nil, err
	}
	if what, other := at.OtherMode(client.Livemode()); other {
		found = append(found, finding{different, "mode", what, "", "it isn't of the key's mode, " + mode(client)})
	}
	changes := setup.Plan(at)
	for _, change := range changes {
		found = append(found, aboutChange(change, at.Denied))
	}
	if id := portalToSet(changes, c.Account.Stripe.Portal); id != "" {
		found = append(found, finding{different, "setting", "PURSER_STRIPE_PORTAL", id, "the service doesn't lead to this configuration unless it is set to it"})
	}
	superseded, err := aboutSuperseded(ctx, client, setup.Superseded(at))
	return append(found, superseded...), err
}

// The states of a finding.
const (
	fine      = "ok"
	missing   = "missing"
	different = "different"
	unknown   = "unknown" // the key may not look
)

// finding is one thing that was looked at.
type finding struct {
	State   string `json:"state"`
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	ID      string `json:"id"`
	Details string `json:"details"`
}

type findings []finding

func aboutAccount(a stripeapi.Account) finding {
	if a.ID == "" {
		return finding{fine, "account", "reached", "", "the key may not ask for its name"}
	}
	return finding{fine, "account", a.Name, a.ID, ""}
}

func (c *stripeCheckCommand) aboutMode(client *stripeapi.Client) finding {
	if c.Account.Mode != "" && c.Account.Mode != mode(client) {
		return finding{different, "mode", mode(client), "", "the key is of this mode, and --mode says " + c.Account.Mode}
	}
	return finding{fine, "mode", mode(client), "", ""}
}

// skewMax is far below the five minutes beyond which signatures count as forged or old.
const skewMax = time.Minute

func aboutClock(ahead time.Duration) finding {
	f := finding{fine, "clock", "this machine's", "", ""}
	if ahead.Abs() > time.Second {
		f.Details = ahead.Abs().String() + " before Stripe's"
		if ahead < 0 {
			f.Details = ahead.Abs().String() + " behind Stripe's"
		}
	}
	if ahead.Abs() > skewMax {
		f.State = different
		f.Details += "; events are refused from five minutes on: set the clock by NTP"
	}
	return f
}

// aboutPermissions tells what the key may not read, one by one, and what couldn't be tried.
func aboutPermissions(probed []stripeapi.Probed) findings {
	var found findings
	var serve, setup []string
	for _, p := range probed {
		need := fmt.Sprintf("serve needs %s, setup needs %s", p.Serve, p.Setup)
		if p.Denied {
			if p.Says != "" {
				need += "; Stripe calls it " + p.Says
			}
			found = append(found, finding{missing, "permission", p.Resource, "", need})
			continue
		}
		if p.Serve == stripeapi.Write {
			serve = append(serve, p.Resource)
		}
		if p.Setup == stripeapi.Write {
			setup = append(setup, p.Resource)
		}
	}
	if len(found) == 0 {
		found = append(found, finding{fine, "permission", "to read", "", "everything that purser reads"})
	}
	return append(found, finding{fine, "permission", "to write", "", fmt.Sprintf(
		"not tried, since that would write; serve needs it for %s; setup for %s", strings.Join(serve, ", "), strings.Join(setup, ", "))})
}

// aboutChange tells of what setting up would do as of something that is missing or different.
func aboutChange(c stripeapi.Change, denied []stripeapi.ObjectKind) finding {
	f := finding{fine, string(c.Kind), c.Name, c.ID, strings.Join(c.Details, "; ")}
	prices := slices.Contains(denied, stripeapi.KindPrice) || slices.Contains(denied, stripeapi.KindProduct)
	if slices.Contains(denied, c.Kind) || prices && c.Kind != stripeapi.KindEndpoint {
		return finding{unknown, string(c.Kind), c.Name, "", "the key may not read what this hangs on"}
	}
	switch {
	case c.ID == "" && c.Verb == stripeapi.Create && !c.Replaces():
		f.State, f.Details = missing, ""
	case c.ID == "" && c.Verb == stripeapi.Stuck:
		f.State = missing
	case c.Verb != stripeapi.Keep:
		f.State = different
	}
	if c.Verb == stripeapi.Keep || c.Verb == stripeapi.Stuck {
		f.Details = strings.Join(slices.DeleteFunc([]string{f.Details, c.Note}, func(s string) bool { return s == "" }), "; ")
	}
	return f
}

// aboutSuperseded tells of customers whose plan isn't recognized since their price was exchanged.
func aboutSuperseded(ctx context.Context, client *stripeapi.Client, plans map[string]string) (findings, error) {
	used, err := client.InUse(ctx, slices.Sorted(maps.Keys(plans)))
	if refused, ok := errors.AsType[*stripeapi.Error](err); ok && refused.Status == 403 {
		return nil, nil // it stands among the permissions
	}
	var found findings
	for _, id := range used {
		found = append(found, finding{missing, "catalogue", "plan " + plans[id], id,
			"customers still have this price, which lost its lookup key, and get no credits: add { id: " + id + " } to the plan's prices"})
	}
	return found, err
}

// print writes the findings, and gives errLacks if there is something to do.
func (found findings) print(p *program, asJSON bool) error {
	lacks := 0
	for _, f := range found {
		if f.State != fine {
			lacks++
		}
	}
	if asJSON {
		if err := printJSON(p.out, map[string]any{"findings": found, "lacks": lacks}); err != nil {
			return err
		}
	} else {
		rows := mapped(found, func(f finding) []string { return []string{f.State, f.Kind, f.Name, orDash(f.ID), f.Details} })
		if err := printTable(p.out, []string{"STATE", "WHAT", "NAME", "ID", "DETAILS"}, rows); err != nil {
			return err
		}
		if lacks == 0 {
			_, _ = fmt.Fprintln(p.out, "the account has what the catalogue needs")
		} else {
			_, _ = fmt.Fprintf(p.out, "%s missing or different; see: purser stripe setup --dry-run\n", count(lacks, "thing is", "things are"))
		}
	}
	if lacks > 0 {
		return errLacks
	}
	return nil
}
