package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"purser/billing/stripeapi"
)

// accountAtStripe is what both commands about the account at Stripe need.
type accountAtStripe struct {
	WebhookURL string `name:"webhook-url" placeholder:"URL" help:"Where Stripe is to send events: your address of purser, ending in /webhooks/stripe. Default: where the endpoint that purser made sends them."`
	Mode       string `enum:"test,live," default:"" placeholder:"MODE" help:"The mode that is meant: test or live. Default: the key's; a live account is changed only with --mode live."`

	Show    showFlags    `embed:""`
	Stripe  stripeFlags  `embed:""`
	Catalog catalogFlags `embed:""`
}

// check gives what is missing or wrong, and what the account is to hold.
func (a *accountAtStripe) check() (stripeapi.Setup, error) {
	if err := wrongSettings(a.Stripe.check(), a.checkAddress()); err != nil {
		return stripeapi.Setup{}, err
	}
	catalog, err := a.Catalog.load()
	return stripeapi.Setup{Catalog: catalog, WebhookURL: a.WebhookURL}, err
}

func (a *accountAtStripe) checkAddress() []string {
	if a.WebhookURL == "" {
		return nil
	}
	u, err := url.Parse(a.WebhookURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Fragment != "" {
		return []string{"set --webhook-url to an address such as https://purser.example.com/webhooks/stripe"}
	}
	if u.Scheme != "https" && strings.Contains(a.Stripe.StripeKey.reveal(), "_live_") {
		return []string{"set --webhook-url to an https address: Stripe sends live events to no other"}
	}
	return nil
}

// stripeSetupCommand makes what the catalogue needs at Stripe.
type stripeSetupCommand struct {
	DryRun      bool   `name:"dry-run" help:"Say what would be made, and make nothing."`
	TaxBehavior string `name:"tax-behavior" enum:"inclusive,exclusive," default:"" placeholder:"WORD" help:"Whether prices that are made include tax: inclusive or exclusive. Stripe's portal wants it said. Default: as the price that is replaced, else not said."`

	Account accountAtStripe `embed:""`
}

// Run surveys, plans, changes and tells.
func (c *stripeSetupCommand) Run(ctx context.Context, p *program) error {
	setup, err := c.Account.check()
	if err != nil {
		return err
	}
	setup.TaxBehavior = c.TaxBehavior
	client, err := c.Account.Stripe.client(p, p.logger())
	if err != nil {
		return err
	}
	defer client.Close()
	if err := c.checkMode(client); err != nil {
		return err
	}
	found, err := client.Survey(ctx, setup)
	if err != nil {
		return err
	}
	if len(found.Denied) > 0 {
		return fmt.Errorf("the key may not read every %s of the account, so nothing was changed; see: purser stripe check", joined(found.Denied))
	}
	if what, other := found.OtherMode(client.Livemode()); other {
		return fmt.Errorf("the key is of %s mode and %s isn't, so nothing was changed", mode(client), what)
	}
	told := setupTold{DryRun: c.DryRun, Mode: mode(client)}
	changes := setup.Plan(found)
	if !c.DryRun {
		var done stripeapi.Changed
		done, err = client.Change(ctx, changes, newID("run"))
		changes, told.secret = done.Changes, done.Secret
	}
	told.Changes = mapped(changes, viewChange)
	told.portal = portalToSet(changes, c.Account.Stripe.Portal)
	// What was made is told even if the rest failed: the secret is shown this once.
	return errors.Join(told.print(p, c.Account.Show.JSON, err != nil), err)
}

func (c *stripeSetupCommand) checkMode(client *stripeapi.Client) error {
	switch {
	case c.Account.Mode != "" && c.Account.Mode != mode(client):
		return usage("PURSER_STRIPE_KEY is of %s mode, and --mode says %s", mode(client), c.Account.Mode)
	case client.Livemode() && c.Account.Mode == "" && !c.DryRun:
		return usage("PURSER_STRIPE_KEY is a live key: look with --dry-run first, then add --mode live")
	case client.Livemode() && c.Account.Catalog.Catalog == demoCatalog:
		return usage("the demo's catalogue isn't for sale: set PURSER_CATALOG to your own")
	}
	return nil
}

func joined(kinds []stripeapi.ObjectKind) string {
	return strings.Join(mapped(kinds, func(k stripeapi.ObjectKind) string { return string(k) }), ", ")
}

// portalToSet is the configuration of the portal that the service has to be told of.
func portalToSet(changes []stripeapi.Change, set string) string {
	for _, c := range changes {
		if c.Kind == stripeapi.KindPortal && c.ID != set && !c.Default {
			return c.ID
		}
	}
	return ""
}

// changeView is a change as it is printed.
type changeView struct {
	Action  string   `json:"action"` // keep, create, update or stuck
	Kind    string   `json:"kind"`
	Name    string   `json:"name"`
	ID      string   `json:"id"` // "" while there is none
	Details []string `json:"details"`
	Note    string   `json:"note,omitempty"`
}

func viewChange(c stripeapi.Change) changeView {
	return changeView{string(c.Verb), string(c.Kind), c.Name, c.ID, filled(c.Details), c.Note}
}

// setupTold is what a run tells.
type setupTold struct {
	DryRun  bool
	Mode    string
	Changes []changeView
	secret  string // in nothing that prints itself
	portal  string
}

// setupJSON is what a run tells to a program. The secret is in it because Stripe tells it
// this once.
type setupJSON struct {
	DryRun   bool              `json:"dry_run"`
	Mode     string            `json:"mode"`
	Changed  int               `json:"changed"`
	Stuck    int               `json:"stuck"`
	Changes  []changeView      `json:"changes"`
	Settings map[string]string `json:"settings"` // to give to the service
}

func (t setupTold) count(verbs ...stripeapi.Verb) int {
	n := 0
	for _, c := range t.Changes {
		if slices.Contains(verbs, stripeapi.Verb(c.Action)) {
			n++
		}
	}
	return n
}

func (t setupTold) settings() map[string]string {
	all := map[string]string{}
	if t.secret != "" {
		all["PURSER_STRIPE_WEBHOOK_SECRETS"] = t.secret
	}
	if t.portal != "" {
		all["PURSER_STRIPE_PORTAL"] = t.portal
	}
	return all
}

// print tells what was done, and gives errLacks if something is left to a person.
func (t setupTold) print(p *program, asJSON, failed bool) error {
	stuck := t.count(stripeapi.Stuck)
	if asJSON {
		if err := printJSON(p.out, setupJSON{t.DryRun, t.Mode, t.count(stripeapi.Create, stripeapi.Update), stuck, t.Changes, t.settings()}); err != nil {
			return err
		}
	} else if err := t.printText(p, failed); err != nil {
		return err
	}
	if stuck > 0 && !failed {
		return errLacks
	}
	return nil
}

func (t setupTold) printText(p *program, failed bool) error {
	rows := mapped(t.Changes, func(c changeView) []string {
		return []string{t.word(c.Action), c.Kind, c.Name, orDash(c.ID), strings.Join(c.Details, "; ")}
	})
	if err := printTable(p.out, []string{"ACTION", "WHAT", "NAME", "ID", "DETAILS"}, rows); err != nil {
		return err
	}
	for _, c := range t.Changes {
		if c.Note != "" {
			_, _ = fmt.Fprintf(p.out, "note: %s %s: %s\n", plain(c.Kind), plain(c.Name), plain(c.Note))
		}
	}
	_, _ = fmt.Fprintln(p.out, t.summary(failed))
	for _, name := range []string{"PURSER_STRIPE_PORTAL", "PURSER_STRIPE_WEBHOOK_SECRETS"} {
		if value := t.settings()[name]; value != "" {
			_, _ = fmt.Fprintf(p.out, "set for the service: %s=%s\n", name, plain(value))
		}
	}
	if t.secret != "" {
		_, _ = fmt.Fprintln(p.out, "The secret is shown this once. If the service has one already, set both, separated by a comma.")
	}
	return nil
}

// word is what was done, or would be.
func (t setupTold) word(action string) string {
	words := map[string]string{"create": "created", "update": "updated", "keep": "kept", "stuck": "left"}
	if t.DryRun {
		words = map[string]string{"create": "would create", "update": "would update", "keep": "keeps", "stuck": "left"}
	}
	return words[action]
}

func (t setupTold) summary(failed bool) string {
	made, changed, stuck := t.count(stripeapi.Create), t.count(stripeapi.Update), t.count(stripeapi.Stuck)
	text := fmt.Sprintf("%s mode: %d created, %d updated, %d kept", t.Mode, made, changed, t.count(stripeapi.Keep))
	switch {
	case t.DryRun && made+changed > 0:
		text = fmt.Sprintf("%s mode: %d would be created, %d updated, %d kept; nothing was changed", t.Mode, made, changed, t.count(stripeapi.Keep))
	case made+changed == 0 && !failed:
		text = t.Mode + " mode: nothing to change"
	}
	if stuck > 0 {
		text += fmt.Sprintf("; %d left to you", stuck)
	}
	return text
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
