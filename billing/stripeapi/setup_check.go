package stripeapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// Permission is what a restricted key needs of one of Stripe's resources, by the names that Stripe's
// dashboard gives them. Without Write, Read is enough.
type Permission struct {
	Resource string
	Serve    Access // for the service
	Setup    Access // for setting up and checking
	path     string // a list that needs it to be read
	covers   []string
}

// Access is how much of a resource a key may use.
type Access string

// What a key may do.
const (
	None  Access = "None"
	Read  Access = "Read"
	Write Access = "Write"
)

// Permissions are all that a restricted key needs.
func Permissions() []Permission {
	return []Permission{
		{"Customers", Read, None, "/v1/customers", nil},
		{"Charges and Refunds", Read, None, "/v1/charges", []string{"/v1/refunds"}},
		{"Disputes", Read, None, "/v1/disputes", nil},
		{"Events", Read, None, "/v1/events", nil},
		{"PaymentIntents", Read, None, "/v1/payment_intents", nil},
		{"Products", None, Write, "/v1/products", nil},
		{"Checkout Sessions", Write, None, "/v1/checkout/sessions", nil},
		{"Customer portal", Write, Write, "/v1/billing_portal/configurations", []string{"/v1/billing_portal"}},
		{"Invoices", Write, None, "/v1/invoices", []string{"/v1/invoiceitems"}},
		{"Prices", Read, Write, "/v1/prices", nil},
		{"Subscriptions", Read, Read, "/v1/subscriptions", []string{"/v1/subscription_items"}},
		{"Webhook Endpoints", None, Write, "/v1/webhook_endpoints", nil},
	}
}

// Probed is what became of trying to read a resource.
type Probed struct {
	Permission
	Denied bool
	Says   string // Stripe's own name of what is missing, if it told
}

// Probe reads one object of each resource, which tells what the key may read. What it may write can't be
// tried without writing.
func (c *Client) Probe(ctx context.Context) ([]Probed, error) {
	var all []Probed
	for _, p := range Permissions() {
		probed := Probed{Permission: p}
		_, err := c.page(ctx, p.path, encode(&stripe.ListParams{Limit: stripe.Int64(1)}))
		switch {
		case isDenied(err):
			probed.Denied, probed.Says = true, askedFor(err)
		case err != nil:
			return nil, fmt.Errorf("trying to read %s: %w", p.Resource, err)
		}
		all = append(all, probed)
	}
	return all, nil
}

var permissionName = regexp.MustCompile(`\brak_[a-z_]+\b`)

// askedFor finds in Stripe's explanation the permission that it names.
func askedFor(err error) string {
	refused, ok := errors.AsType[*Error](err)
	if !ok {
		return ""
	}
	return permissionName.FindString(refused.Message)
}

// Account is whom the key belongs to, and how far our clock is off.
type Account struct {
	ID, Name string        // "" where the key may not say
	Ahead    time.Duration // of our clock before Stripe's, to about a second; 0 where Stripe told no time
}

// Account asks Stripe who we are. A restricted key may not be told, but its answer has the time all the same.
func (c *Client) Account(ctx context.Context) (Account, error) {
	params := &stripe.Params{Context: ctx}
	var said answer
	before := c.now()
	err := c.backend.CallRaw(http.MethodGet, "/v1/account", c.key(), nil, params, &said)
	asked := before.Add(c.now().Sub(before) / 2)
	if err != nil {
		refused := c.explain(err)
		if !isDenied(refused) {
			return Account{}, fmt.Errorf("asking Stripe for the account: %w", refused)
		}
		var from *stripe.Error
		errors.As(err, &from)
		return Account{Ahead: ahead(asked, from.LastResponse)}, nil
	}
	account, err := decode[stripe.Account](said.LastResponse.RawJSON)
	if err != nil {
		return Account{}, fmt.Errorf("asking Stripe for the account: %w", err)
	}
	a := Account{ID: account.ID, Ahead: ahead(asked, said.LastResponse)}
	if account.Settings != nil && account.Settings.Dashboard != nil {
		a.Name = clean(account.Settings.Dashboard.DisplayName)
	}
	return a, nil
}

func ahead(asked time.Time, said *stripe.APIResponse) time.Duration {
	if said == nil {
		return 0
	}
	date, err := http.ParseTime(said.Header.Get("Date"))
	if err != nil {
		return 0
	}
	// The header leaves the fraction of the second out.
	return asked.Sub(date.Add(500 * time.Millisecond)).Round(time.Second)
}

// InUse gives, sorted, those of some prices that a subscription still has which isn't over.
func (c *Client) InUse(ctx context.Context, prices []string) ([]string, error) {
	var used []string
	for _, price := range prices {
		params := &stripe.SubscriptionListParams{Price: stripe.String(price)}
		params.Limit = stripe.Int64(1)
		some, err := c.page(ctx, "/v1/subscriptions", encode(params))
		if err != nil && !errors.Is(err, billing.ErrStripeGone) {
			return nil, fmt.Errorf("looking for subscriptions with price %s: %w", price, err)
		}
		if err == nil && len(some.Data) > 0 {
			used = append(used, price)
		}
	}
	slices.Sort(used)
	return used, nil
}

// Covers tells whether calls of a path need the permission.
func (p Permission) Covers(path string) bool {
	return slices.ContainsFunc(append([]string{p.path}, p.covers...), func(beginning string) bool {
		return path == beginning || strings.HasPrefix(path, beginning+"/")
	})
}
