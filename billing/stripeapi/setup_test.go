package stripeapi_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdk "github.com/stripe/stripe-go/v76"

	"purser/billing"
	"purser/billing/stripeapi"
	"purser/internal/localstripe"
)

func TestSetupOfAnEmptyAccount(t *testing.T) {
	t.Parallel()
	a := openAccount(t)
	s := setup(t, soldBySeat)
	all := []string{
		"create product plan team", "create price team_monthly", "create price team_yearly", "create product plan platform",
		"create price platform_monthly", "create product pack small", "create price pack_small", "create billing portal portal",
		"create webhook endpoint http://127.0.0.1:9/webhooks/stripe",
	}
	planned := s.Plan(a.survey(t, s))
	same(t, "planned", verbs(planned), all)
	same(t, "a plan writes", a.written(), []string(nil))

	done := a.apply(t, s)
	same(t, "made", verbs(done.Changes), all)
	same(t, "writes", len(a.written()), len(all))
	if !strings.HasPrefix(done.Secret, "whsec_") {
		t.Errorf("no secret: %q", done.Secret)
	}
	a.wantPrices(t, done.Changes)
	a.wantPortal(t, done.Changes)
	a.wantEndpoint(t, done.Changes)
	if distinct := slices.Compact(slices.Sorted(slices.Values(a.keys))); len(distinct) != len(all) || distinct[0] == "" {
		t.Errorf("E4: %d writes carry the keys %v", len(all), distinct)
	}

	again := a.apply(t, s)
	same(t, "a second time", verbs(again.Changes, stripeapi.Keep), []string(nil))
	same(t, "a second time writes", a.written(), []string(nil))
	same(t, "a second secret", again.Secret, "")
	s.WebhookURL = ""
	same(t, "without the address", verbs(a.apply(t, s).Changes, stripeapi.Keep), []string(nil))
}

// wantPrices looks at Stripe for what was made.
func (a *account) wantPrices(t *testing.T, changes []stripeapi.Change) {
	t.Helper()
	monthly := must(a.api.Prices.Get(change(t, changes, "team_monthly").ID, nil))(t)
	if monthly.LookupKey != "team_monthly" || monthly.UnitAmount != 2500 || monthly.Currency != "usd" || monthly.Recurring.Interval != "month" ||
		monthly.Product.ID != change(t, changes, "plan team").ID || monthly.Metadata["purser_plan"] != "team" {
		t.Errorf("team_monthly: %+v", monthly)
	}
	pack := must(a.api.Prices.Get(change(t, changes, "pack_small").ID, nil))(t)
	if pack.Recurring != nil || pack.UnitAmount != 1000 || pack.Metadata["purser_pack"] != "small" {
		t.Errorf("pack_small: %+v", pack)
	}
	product := must(a.api.Products.Get(change(t, changes, "plan team").ID, nil))(t)
	if product.Name != "Team" || product.UnitLabel != "seat" || product.Metadata["purser_plan"] != "team" {
		t.Errorf("product %+v", product)
	}
}

func (a *account) wantPortal(t *testing.T, changes []stripeapi.Change) {
	t.Helper()
	p := a.portal(t, changes)
	f := p.Features
	if !f.InvoiceHistory.Enabled || !f.PaymentMethodUpdate.Enabled || !f.SubscriptionCancel.Enabled || f.SubscriptionCancel.Mode != "at_period_end" || f.CustomerUpdate.Enabled {
		t.Errorf("the portal allows %+v", f)
	}
	u := f.SubscriptionUpdate
	if !u.Enabled || len(u.DefaultAllowedUpdates) != 2 || u.ProrationBehavior != "always_invoice" || len(u.Products) != 1 {
		t.Fatalf("changes of subscriptions: %+v", u)
	}
	same(t, "what is switched among", *u.Products[0], sdk.BillingPortalConfigurationFeaturesSubscriptionUpdateProduct{
		Product: change(t, changes, "plan team").ID, Prices: []string{change(t, changes, "team_monthly").ID, change(t, changes, "team_yearly").ID},
	})
	same(t, "its metadata", p.Metadata, map[string]string{"purser_setup": "portal"})
}

func (a *account) portal(t *testing.T, changes []stripeapi.Change) *sdk.BillingPortalConfiguration {
	t.Helper()
	params := &sdk.BillingPortalConfigurationParams{}
	params.AddExpand("features.subscription_update.products")
	return must(a.api.BillingPortalConfigurations.Get(change(t, changes, "portal").ID, params))(t)
}

func (a *account) wantEndpoint(t *testing.T, changes []stripeapi.Change) {
	t.Helper()
	e := must(a.api.WebhookEndpoints.Get(changes[len(changes)-1].ID, nil))(t)
	if e.APIVersion != "2023-10-16" || e.Metadata["purser_setup"] != "webhook" || !slices.Equal(e.EnabledEvents, billing.HandledEvents()) {
		t.Errorf("endpoint %+v", e)
	}
}

func TestSetupOfAChangedPrice(t *testing.T) {
	t.Parallel()
	a := openAccount(t)
	s := setup(t, soldBySeat)
	first := change(t, a.apply(t, s).Changes, "team_monthly").ID
	a.written()

	dearer := strings.Replace(soldBySeat, "unit_amount: 2_500", "unit_amount: 3_000", 1)
	s = setup(t, dearer)
	done := a.apply(t, s)
	same(t, "changed", verbs(done.Changes, stripeapi.Keep), []string{"create price team_monthly", "update billing portal portal"})
	same(t, "writes", a.written(), []string{"POST /v1/prices", "POST /v1/billing_portal/configurations/" + change(t, done.Changes, "portal").ID})
	c := change(t, done.Changes, "team_monthly")
	same(t, "why", c.Details, []string{"unit_amount: 2500 → 3000", "takes the lookup key from " + first})
	wantText(t, c.Note, first, "plan team")
	old, fresh := must(a.api.Prices.Get(first, nil))(t), must(a.api.Prices.Get(c.ID, nil))(t)
	if !old.Active || old.LookupKey != "" || fresh.LookupKey != "team_monthly" || fresh.UnitAmount != 3000 || fresh.Product.ID != old.Product.ID {
		t.Errorf("old %+v\nnew %+v", old, fresh)
	}
	same(t, "again", verbs(a.apply(t, s).Changes, stripeapi.Keep), []string(nil))

	// Back again: the first price has lost its key for good.
	s = setup(t, soldBySeat)
	third := change(t, a.apply(t, s).Changes, "team_monthly").ID
	same(t, "superseded", s.Superseded(a.survey(t, s)), map[string]string{first: "team", c.ID: "team"})
	customer := a.payer()
	a.subscribe(customer, licensed(first, 1))
	a.subscribe(customer, licensed(third, 1))
	used, err := a.client.InUse(t.Context(), []string{c.ID, first})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "in use", used, []string{first})

	// Named by its id it is recognized again. It shares product and interval with the price that is sold,
	// which stands first and stays the one in the portal.
	s = setup(t, strings.Replace(soldBySeat, "    monthly_credits: 1_000\n", "      - {id: "+first+"}\n    monthly_credits: 1_000\n", 1))
	same(t, "superseded and named", s.Superseded(a.survey(t, s)), map[string]string{c.ID: "team"})
	same(t, "once more", verbs(a.apply(t, s).Changes, stripeapi.Keep), []string(nil))
}

func TestSetupMendsWhatSomebodyChanged(t *testing.T) {
	t.Parallel()
	a := openAccount(t)
	s := setup(t, soldBySeat)
	changes := a.apply(t, s).Changes
	must(a.api.Products.Update(change(t, changes, "plan team").ID, &sdk.ProductParams{Name: sdk.String("Tema"), Active: sdk.Bool(false)}))(t)
	must(a.api.Prices.Update(change(t, changes, "pack_small").ID, &sdk.PriceParams{Active: sdk.Bool(false)}))(t)
	endpoint := changes[len(changes)-1].ID
	must(a.api.WebhookEndpoints.Update(endpoint, &sdk.WebhookEndpointParams{
		EnabledEvents: sdk.StringSlice([]string{"invoice.paid", "invoice.created"}), Disabled: sdk.Bool(true),
	}))(t)
	must(a.api.BillingPortalConfigurations.Update(change(t, changes, "portal").ID, &sdk.BillingPortalConfigurationParams{
		Features: &sdk.BillingPortalConfigurationFeaturesParams{
			InvoiceHistory: &sdk.BillingPortalConfigurationFeaturesInvoiceHistoryParams{Enabled: sdk.Bool(false)},
		},
	}))(t)
	a.written()

	s.WebhookURL = "http://127.0.0.1:9/elsewhere/webhooks/stripe"
	done := a.apply(t, s)
	same(t, "mended", verbs(done.Changes, stripeapi.Keep), []string{
		"update product plan team", "update price pack_small", "update billing portal portal", "update webhook endpoint " + s.WebhookURL,
	})
	same(t, "the product", change(t, done.Changes, "plan team").Details, []string{"name: Tema → Team", "archived → active"})
	same(t, "the portal", change(t, done.Changes, "portal").Details, []string{"invoice_history: off → on"})
	why := strings.Join(change(t, done.Changes, s.WebhookURL).Details, "\n")
	wantText(t, why, "address: http://127.0.0.1:9/webhooks/stripe → "+s.WebhookURL, "events missing: charge.dispute.closed", "nothing is done for: invoice.created", "disabled → enabled")
	same(t, "its secret stays", done.Secret, "")
	e := must(a.api.WebhookEndpoints.Get(endpoint, nil))(t)
	if e.URL != s.WebhookURL || e.Status != "enabled" || !slices.Equal(e.EnabledEvents, billing.HandledEvents()) {
		t.Errorf("endpoint %+v", e)
	}
	a.written()
	same(t, "again", verbs(a.apply(t, s).Changes, stripeapi.Keep), []string(nil))
	same(t, "again writes", a.written(), []string(nil))
}

// Stripe answers the same key for a day with what was made by it, though it is gone.
func TestSetupMakesAnewWhatSomebodyDeleted(t *testing.T) {
	t.Parallel()
	a := openAccount(t)
	s := setup(t, soldBySeat)
	first := a.apply(t, s)
	gone := first.Changes[len(first.Changes)-1].ID
	must(a.api.WebhookEndpoints.Del(gone, nil))(t)
	second := a.apply(t, s)
	same(t, "made anew", verbs(second.Changes, stripeapi.Keep), []string{"create webhook endpoint " + s.WebhookURL})
	if second.Changes[len(second.Changes)-1].ID == gone || second.Secret == first.Secret {
		t.Error("Stripe told of the endpoint that is gone")
	}
	same(t, "again", verbs(a.apply(t, s).Changes, stripeapi.Keep), []string(nil))
}

func TestSetupBesideWhatSomebodyMade(t *testing.T) {
	t.Parallel()
	a := openAccount(t)
	theirs := a.price(func(p *sdk.PriceParams) {
		p.LookupKey, p.Currency, p.UnitAmount = sdk.String("team_monthly"), sdk.String("usd"), sdk.Int64(2500)
	})
	endpoint := must(a.api.WebhookEndpoints.New(&sdk.WebhookEndpointParams{
		URL: sdk.String("http://127.0.0.1:9/webhooks/stripe"), EnabledEvents: sdk.StringSlice([]string{"*"}), APIVersion: sdk.String("2023-10-16"),
	}))(t)
	done := a.apply(t, setup(t, soldBySeat))
	same(t, "their price", change(t, done.Changes, "team_monthly").ID, theirs)
	same(t, "done", verbs(done.Changes, stripeapi.Create), []string{
		"keep product plan team", "keep price team_monthly", "update webhook endpoint http://127.0.0.1:9/webhooks/stripe",
	})
	same(t, "their endpoint", done.Changes[len(done.Changes)-1].ID, endpoint.ID)
	yearly := must(a.api.Prices.Get(change(t, done.Changes, "team_yearly").ID, nil))(t)
	same(t, "the yearly price's product", yearly.Product.ID, must(a.api.Prices.Get(theirs, nil))(t).Product.ID)
	same(t, "again", verbs(a.apply(t, setup(t, soldBySeat)).Changes, stripeapi.Keep), []string(nil))
}

func TestSetupThatWasCutShort(t *testing.T) {
	t.Parallel()
	a := openAccount(t)
	s := setup(t, soldBySeat)
	a.deny("POST /v1/prices")
	done, err := a.client.Change(t.Context(), s.Plan(a.survey(t, s)), "run_1")
	if err == nil {
		t.Fatal("no error")
	}
	wantText(t, err.Error(), "setting up price team_monthly", "403")
	same(t, "done until then", verbs(done.Changes), []string{"create product plan team"})
	a.deny()
	rest := a.apply(t, s)
	same(t, "the product is found again", change(t, rest.Changes, "plan team").ID, done.Changes[0].ID)
	same(t, "its verb", change(t, rest.Changes, "plan team").Verb, stripeapi.Keep)

	t.Run("E4_ALostAnswerMakesNothingTwice", func(t *testing.T) {
		t.Parallel()
		a := openAccount(t)
		for _, path := range []string{"/v1/products", "/v1/prices", "/v1/webhook_endpoints"} {
			a.Disturb(localstripe.Trouble{Method: http.MethodPost, Path: path, After: true})
		}
		a.apply(t, s)
		prices := a.api.Prices.List(&sdk.PriceListParams{})
		n := 0
		for prices.Next() {
			n++
		}
		same(t, "prices", n, 4)
		same(t, "endpoints", len(a.survey(t, s).Endpoints), 1)
	})
}

func TestPortalSessionsUseTheConfiguration(t *testing.T) {
	t.Parallel()
	fake := newStripe(t)
	fake.says("POST /v1/billing_portal/sessions", http.StatusOK, `{"id": "bps_1", "object": "billing_portal.session", "url": "https://billing.stripe.com/p/1"}`)
	in := billing.PortalIn{CustomerID: "cus_1", ReturnURL: "https://app.example.com"}
	for _, configuration := range []string{"bpc_1", ""} {
		client := fake.client(t, func(c *stripeapi.Config) { c.Portal = configuration })
		if _, err := client.CreatePortalSession(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		asked := fake.asked()
		same(t, "configuration", asked[len(asked)-1].form.Get("configuration"), configuration)
	}
}

func TestSetupOfAnUnreachableAccount(t *testing.T) {
	t.Parallel()
	a := openAccount(t)
	s := setup(t, soldBySeat)
	a.Disturb(localstripe.Trouble{Status: 503, Times: 100})
	if _, err := a.client.Survey(t.Context(), s); !errors.Is(err, billing.ErrStripeUnavailable) {
		t.Errorf("got %v", err)
	}
}
