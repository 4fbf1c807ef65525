package stripeapi_test

import (
	"fmt"
	"strings"
	"testing"

	sdk "github.com/stripe/stripe-go/v76"

	"purser/billing"
	"purser/billing/stripeapi"
)

const onePlan = `
plans:
  - name: team
    title: Team
    prices:
      - %s
    monthly_credits: 1_000
packs:
  - name: small
    title: A little
    price: %s
    credits: 1_000
without_subscription: {teams: true}
`

const (
	monthly = "{lookup_key: team_monthly, interval: month, unit_amount: 2_500, currency: usd}"
	little  = "{lookup_key: pack_small, unit_amount: 1_000, currency: usd}"
)

// fits are the prices of onePlan as they should be.
func fits() stripeapi.Found {
	return stripeapi.Found{
		Prices: []stripeapi.FoundPrice{
			{ID: "price_team", LookupKey: "team_monthly", ProductID: "prod_team", Active: true, Interval: "month", IntervalCount: 1, UnitAmount: 2500, Currency: "usd"},
			{ID: "price_small", LookupKey: "pack_small", ProductID: "prod_small", Active: true, UnitAmount: 1000, Currency: "usd"},
		},
		Products: []stripeapi.FoundProduct{
			{ID: "prod_team", Name: "Team", Active: true, Plan: "team"}, {ID: "prod_small", Name: "A little", Active: true, Pack: "small"},
		},
		Portals: []stripeapi.FoundPortal{{
			ID: "bpc_1", Own: true, Cancel: "at_period_end", PaymentMethod: true, History: true, Update: true,
			Allowed: []string{"quantity", "price", "promotion_code"}, Proration: "always_invoice", Products: map[string][]string{"prod_team": {"price_team"}},
		}},
		Endpoints: []stripeapi.FoundEndpoint{{
			ID: "we_1", URL: "http://127.0.0.1:9/webhooks/stripe", Version: "2023-10-16", Events: billing.HandledEvents(), Own: true, Enabled: true,
		}},
	}
}

func TestPlanOfPrices(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		team, small string // entries of the catalogue; "": as they are
		found       func(*stripeapi.Found)
		want        []string // but what is kept
		says        string   // in a detail or a note
	}{
		"AllFits":      {},
		"AnotherOrder": {found: func(f *stripeapi.Found) { f.Prices[0], f.Prices[1] = f.Prices[1], f.Prices[0] }},
		"NamedByKeyOnly": {team: "{lookup_key: team_monthly}", small: "{lookup_key: pack_small}", found: func(f *stripeapi.Found) {
			f.Prices[0].UnitAmount, f.Prices[0].Interval, f.Prices[1].Currency = 1, "year", "eur"
		}},
		"AnotherAmount": {found: func(f *stripeapi.Found) { f.Prices[0].UnitAmount = 2400 },
			want: []string{"create price team_monthly", "update billing portal portal"}, says: "unit_amount: 2400 → 2500"},
		"AnotherCurrency": {found: func(f *stripeapi.Found) { f.Prices[1].Currency = "eur" }, want: []string{"create price pack_small"}, says: "currency: eur → usd"},
		"AnotherInterval": {found: func(f *stripeapi.Found) { f.Prices[0].IntervalCount = 3 },
			want: []string{"create price team_monthly", "update billing portal portal"}, says: "interval: 3 months → month"},
		"ByTheWeek": {team: "{lookup_key: team_monthly}", found: func(f *stripeapi.Found) { f.Prices[0].Interval = "week" },
			want: []string{"stuck price team_monthly"}, says: "paid by the week"},
		"Tiered": {found: func(f *stripeapi.Found) { f.Prices[0].Odd = "it is tiered" },
			want: []string{"create price team_monthly", "update billing portal portal"}, says: "it is tiered"},
		"APlanPaidOnce": {found: func(f *stripeapi.Found) { f.Prices[0].Interval = "" },
			want: []string{"create price team_monthly", "update billing portal portal"}, says: "paid once"},
		"APackPaidMonthly": {found: func(f *stripeapi.Found) { f.Prices[1].Interval = "month" }, want: []string{"create price pack_small"}, says: "paid every month"},
		"NotDescribedAndMissing": {small: "{lookup_key: pack_small}", found: func(f *stripeapi.Found) { f.Prices = f.Prices[:1] },
			want: []string{"stuck price pack_small"}, says: "write unit_amount, currency into it"},
		"Archived": {found: func(f *stripeapi.Found) { f.Prices[1].Active = false }, want: []string{"update price pack_small"}, says: "archived → active"},
		"NamedByIdAndMissing": {team: "{id: price_none}",
			want: []string{"stuck price price_none"}, says: "never made"},
		"NamedByIdAndFine": {team: "{id: price_team, interval: month, unit_amount: 2_500, currency: usd}"},
		"NamedByIdAndDifferent": {team: "{id: price_team, interval: month, unit_amount: 2_600, currency: usd}",
			want: []string{"stuck price price_team"}, says: "only checked"},
		"NamedByIdAndArchived": {team: "{id: price_team}", found: func(f *stripeapi.Found) { f.Prices[0].Active = false },
			says: "nobody else can buy it"},
		"APackNamedByIdAndArchived": {small: "{id: price_small}", found: func(f *stripeapi.Found) { f.Prices[1].Active = false },
			want: []string{"stuck price price_small"}, says: "can't be bought"},
		"ProductMadeAndNoPrice": {found: func(f *stripeapi.Found) { f.Prices = f.Prices[:1] }, want: []string{"create price pack_small"}},
		"ProductRenamed":        {found: func(f *stripeapi.Found) { f.Products[1].Name = "Small" }, want: []string{"update product pack small"}, says: "name: Small → A little"},
		"TheirProductIsTheirs":  {found: func(f *stripeapi.Found) { f.Products[1].Name, f.Products[1].Pack = "Small", "" }},
		"TheirProductArchived": {found: func(f *stripeapi.Found) { f.Products[1].Active, f.Products[1].Pack = false, "" },
			want: []string{"stuck product pack small"}, says: "activate it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.team == "" {
				c.team = monthly
			}
			if c.small == "" {
				c.small = little
			}
			found := fits()
			if c.found != nil {
				c.found(&found)
			}
			changes := setup(t, fmt.Sprintf(onePlan, c.team, c.small)).Plan(found)
			same(t, "changes", verbs(changes, stripeapi.Keep), c.want)
			var said []string
			for _, one := range changes {
				said = append(said, append(one.Details, one.Note)...)
			}
			wantText(t, strings.Join(said, "\n"), c.says)
		})
	}
}

func TestPlanOfThePortal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		found func(*stripeapi.FoundPortal)
		verb  stripeapi.Verb
		says  string
	}{
		"AllFits":             {func(*stripeapi.FoundPortal) {}, stripeapi.Keep, ""},
		"TheDefaultFits":      {func(p *stripeapi.FoundPortal) { p.Own, p.Default = false, true }, stripeapi.Keep, ""},
		"TheDefaultDoesNot":   {func(p *stripeapi.FoundPortal) { p.Own, p.Default, p.History = false, true, false }, stripeapi.Create, "1 products"},
		"SomebodyElses":       {func(p *stripeapi.FoundPortal) { p.Own = false }, stripeapi.Create, "1 products"},
		"CancelAtOnce":        {func(p *stripeapi.FoundPortal) { p.Cancel = "immediately" }, stripeapi.Update, "immediately → at_period_end"},
		"NoCards":             {func(p *stripeapi.FoundPortal) { p.PaymentMethod = false }, stripeapi.Update, "payment_method_update"},
		"NoInvoices":          {func(p *stripeapi.FoundPortal) { p.History = false }, stripeapi.Update, "invoice_history"},
		"NoChanges":           {func(p *stripeapi.FoundPortal) { p.Update = false }, stripeapi.Update, "subscription_update"},
		"NoQuantity":          {func(p *stripeapi.FoundPortal) { p.Allowed = []string{"price"} }, stripeapi.Update, "changes of quantity"},
		"PaidWithTheNextBill": {func(p *stripeapi.FoundPortal) { p.Proration = "create_prorations" }, stripeapi.Update, "always_invoice"},
		"OffersNothing":       {func(p *stripeapi.FoundPortal) { p.Products = nil }, stripeapi.Update, "offers no plan team"},
		"OffersTooMuch":       {func(p *stripeapi.FoundPortal) { p.Products["prod_x"] = nil }, stripeapi.Update, "prod_x"},
		"OffersAnOldPrice":    {func(p *stripeapi.FoundPortal) { p.Products["prod_team"] = []string{"price_old"} }, stripeapi.Update, "price_old"},
	} {
		t.Run("E5_"+name, func(t *testing.T) {
			t.Parallel()
			found := fits()
			c.found(&found.Portals[0])
			got := change(t, setup(t, fmt.Sprintf(onePlan, monthly, little)).Plan(found), "portal")
			same(t, "verb", got.Verb, c.verb)
			wantText(t, strings.Join(got.Details, "\n"), c.says)
		})
	}

	t.Run("OnlyTenProducts", func(t *testing.T) {
		t.Parallel()
		var plans strings.Builder
		plans.WriteString("plans:\n")
		for i := range 12 {
			fmt.Fprintf(&plans, "  - {name: plan%d, monthly_credits: 1, prices: [{lookup_key: key%d, interval: month, unit_amount: 1, currency: usd}]}\n", i, i)
		}
		got := change(t, setup(t, plans.String()).Plan(stripeapi.Found{}), "portal")
		wantText(t, got.Note, "10 products")
		wantText(t, got.Details[0], "among 10 products")
	})
	t.Run("OnePriceForAProductAndInterval", func(t *testing.T) {
		t.Parallel()
		found := fits()
		found.Prices = append(found.Prices, stripeapi.FoundPrice{
			ID: "price_old", ProductID: "prod_team", Active: true, Interval: "month", IntervalCount: 1, UnitAmount: 2000, Currency: "usd",
		})
		got := setup(t, fmt.Sprintf(onePlan, monthly+"\n      - {id: price_old}", little)).Plan(found)
		same(t, "changes", verbs(got, stripeapi.Keep), []string(nil))
	})
}

func TestPlanOfTheEndpoint(t *testing.T) {
	t.Parallel()
	const here, there = "http://127.0.0.1:9/webhooks/stripe", "http://127.0.0.1:9/old"
	endpoint := func(id, address, version string, own bool) stripeapi.FoundEndpoint {
		return stripeapi.FoundEndpoint{ID: id, URL: address, Version: version, Events: billing.HandledEvents(), Own: own, Enabled: true}
	}
	for name, c := range map[string]struct {
		address string
		found   []stripeapi.FoundEndpoint
		want    string // verb, id and address
		says    string
	}{
		"None":                  {here, nil, "create  " + here, "2023-10-16"},
		"NoneAndNoAddress":      {"", nil, "stuck  none", "--webhook-url"},
		"SomebodysAndNoAddress": {"", []stripeapi.FoundEndpoint{endpoint("we_1", there, "2023-10-16", false)}, "stuck  none", "--webhook-url"},
		"Kept":                  {here, []stripeapi.FoundEndpoint{endpoint("we_1", here, "2023-10-16", true)}, "keep we_1 " + here, ""},
		"KeptWithoutAddress":    {"", []stripeapi.FoundEndpoint{endpoint("we_1", there, "2023-10-16", true)}, "keep we_1 " + there, ""},
		"Moved":                 {here, []stripeapi.FoundEndpoint{endpoint("we_1", there, "2023-10-16", true)}, "update we_1 " + here, "address: " + there},
		"NotTheirs":             {here, []stripeapi.FoundEndpoint{endpoint("we_1", there, "2023-10-16", false)}, "create  " + here, ""},
		"WhichOfTwoMoved": {here, []stripeapi.FoundEndpoint{endpoint("we_1", there, "2023-10-16", true), endpoint("we_2", there+"er", "2023-10-16", true)},
			"create  " + here, ""},
		"OfAnotherVersion":                {here, []stripeapi.FoundEndpoint{endpoint("we_1", here, "2024-06-20", true)}, "create  " + here, "we_1 (version 2024-06-20) too"},
		"OfTheAccountsVersion":            {here, []stripeapi.FoundEndpoint{endpoint("we_1", here, "", false)}, "create  " + here, "we_1 (version the account's) too"},
		"OwnOfAnotherVersionAndNoAddress": {"", []stripeapi.FoundEndpoint{endpoint("we_1", there, "2024-06-20", true)}, "create  " + there, "disable the others"},
		"BesideTheOldOne": {here, []stripeapi.FoundEndpoint{endpoint("we_2", here, "2023-10-16", true), endpoint("we_1", here, "2024-06-20", true)},
			"keep we_2 " + here, "we_1 (version 2024-06-20) too"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, fmt.Sprintf(onePlan, monthly, little))
			s.WebhookURL = c.address
			changes := s.Plan(stripeapi.Found{Endpoints: c.found})
			got := changes[len(changes)-1]
			same(t, "change", fmt.Sprintf("%s %s %s", got.Verb, got.ID, got.Name), c.want)
			wantText(t, strings.Join(append(got.Details, got.Note), "\n"), c.says)
		})
	}
}

func TestOtherMode(t *testing.T) {
	t.Parallel()
	if what, other := fits().OtherMode(false); other {
		t.Errorf("a test key at a test account: %s", what)
	}
	for want, found := range map[string]stripeapi.Found{
		"price price_team":      {Prices: fits().Prices},
		"billing portal bpc_1":  {Portals: fits().Portals},
		"webhook endpoint we_1": {Endpoints: fits().Endpoints},
	} {
		if what, other := found.OtherMode(true); !other || what != want {
			t.Errorf("a live key at a test account: %q, not %q", what, want)
		}
	}
}

func TestSetupWithoutSeats(t *testing.T) {
	t.Parallel()
	a := openAccount(t)
	s := setup(t, strings.Replace(fmt.Sprintf(onePlan, monthly, little), "    monthly_credits", "    counting: per_subscription\n    monthly_credits", 1))
	s.TaxBehavior = "exclusive"
	done := a.apply(t, s)
	u := a.portal(t, done.Changes).Features.SubscriptionUpdate
	if u.Enabled || len(u.Products) != 0 {
		t.Errorf("what can't be changed in the portal is offered: %+v", u)
	}
	p := must(a.api.Prices.Get(change(t, done.Changes, "team_monthly").ID, nil))(t)
	same(t, "tax", string(p.TaxBehavior), "exclusive")
	same(t, "again", verbs(a.apply(t, s).Changes, stripeapi.Keep), []string(nil))
	// What somebody changes there for himself stays, whatever else is mended.
	must(a.api.BillingPortalConfigurations.Update(change(t, done.Changes, "portal").ID, &sdk.BillingPortalConfigurationParams{
		Features: &sdk.BillingPortalConfigurationFeaturesParams{
			InvoiceHistory: &sdk.BillingPortalConfigurationFeaturesInvoiceHistoryParams{Enabled: sdk.Bool(false)},
			SubscriptionUpdate: &sdk.BillingPortalConfigurationFeaturesSubscriptionUpdateParams{
				Enabled: sdk.Bool(true), DefaultAllowedUpdates: sdk.StringSlice([]string{"price"}),
				Products: []*sdk.BillingPortalConfigurationFeaturesSubscriptionUpdateProductParams{{Product: sdk.String(p.Product.ID), Prices: sdk.StringSlice([]string{p.ID})}},
			},
		},
	}))(t)
	same(t, "mended", verbs(a.apply(t, s).Changes, stripeapi.Keep), []string{"update billing portal portal"})
	if f := a.portal(t, done.Changes).Features; !f.InvoiceHistory.Enabled || !f.SubscriptionUpdate.Enabled || len(f.SubscriptionUpdate.Products) != 1 {
		t.Errorf("the portal is now %+v", f)
	}
	// What replaces a price goes on as that did.
	s = setup(t, strings.Replace(fmt.Sprintf(onePlan, strings.Replace(monthly, "2_500", "2_600", 1), little), "    monthly_credits", "    counting: per_subscription\n    monthly_credits", 1))
	p = must(a.api.Prices.Get(change(t, a.apply(t, s).Changes, "team_monthly").ID, nil))(t)
	same(t, "tax of the next", string(p.TaxBehavior), "exclusive")
}
