package stripeapi

import (
	"fmt"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// Connecting an account takes three steps, of which only the first and the last talk to Stripe. Survey
// reads what the account holds. Plan compares it with what it should hold and says what to change; it is
// arithmetic, so that a dry run, a check and the real thing can't differ. Change makes the changes.
// Nothing is ever deleted, and whatever is made carries our metadata, so that it's found again.

// Setup says what an account is to hold.
type Setup struct {
	Catalog     *billing.Catalog
	WebhookURL  string // where events are to be sent; "": where the endpoint that purser made sends them
	TaxBehavior string // of prices to be made: "", inclusive or exclusive
}

// Verb says what a change does.
type Verb string

// What can be done about an object.
const (
	Keep   Verb = "keep"
	Create Verb = "create"
	Update Verb = "update"
	Stuck  Verb = "stuck" // it is wrong or missing, and only a person can mend it
)

// ObjectKind is what a change concerns.
type ObjectKind string

// The objects that setting up is about.
const (
	KindProduct  ObjectKind = "product"
	KindPrice    ObjectKind = "price"
	KindPortal   ObjectKind = "billing portal"
	KindEndpoint ObjectKind = "webhook endpoint"
)

// Change is what has to be done about one object. Only Plan makes changes that can be carried out.
type Change struct {
	Verb    Verb
	Kind    ObjectKind
	Name    string   // a plan's or pack's, a price's lookup key or id, an address
	ID      string   // Stripe's; "" while there is none
	Details []string // what differs, as "currency: eur → usd"
	Note    string   // what somebody should know or do
	Default bool     // of the portal: the account's own default does, so that nobody has to be told of it

	product  *stripe.ProductParams
	price    *stripe.PriceParams
	portal   *stripe.BillingPortalConfigurationParams
	endpoint *stripe.WebhookEndpointParams
	// These stand for ids that aren't known before the changes before this one are made.
	productOf ref   // of a new price
	catalog   []row // of the portal
}

// ref names an object by its id, or by the change that makes it.
type ref struct {
	id   string
	kind ObjectKind
	name string
}

func (c Change) ref() ref { return ref{c.ID, c.Kind, c.Name} }

// row is a product that may be switched to in the portal, with its prices.
type row struct {
	product ref
	prices  []ref
}

// Plan says what has to change for an account to hold what it should, in the order in which it has to be
// made. What stays is among it, as Keep.
func (s Setup) Plan(found Found) []Change {
	var changes []Change
	var sold []row
	for _, g := range s.groups() {
		made, offer := s.planGroup(g, found)
		changes = append(changes, made...)
		if len(offer.prices) > 0 && g.perSeat {
			sold = append(sold, offer)
		}
	}
	changes = append(changes, planPortal(sold, found))
	return append(changes, s.planEndpoint(found))
}

// Our metadata on what is set up.
const (
	metadataPlan     = ownPrefix + "plan"     // on a plan's product and its prices
	metadataPack     = ownPrefix + "pack"     // on a pack's
	metadataReplaces = ownPrefix + "replaces" // on a price: those that had its lookup key before, the last first
	metadataSetup    = ownPrefix + "setup"    // on what there is one of
	setupPortal      = "portal"
	setupEndpoint    = "webhook"
)

// group is a plan or a pack: the prices of one product.
type group struct {
	metadata    string // metadataPlan or metadataPack
	name, title string
	perSeat     bool
	prices      []billing.Price
}

func (g group) label() string {
	if g.metadata == metadataPack {
		return "pack " + g.name
	}
	return "plan " + g.name
}

func (s Setup) groups() []group {
	var all []group
	for _, p := range s.Catalog.Plans {
		all = append(all, group{metadataPlan, p.Name, p.Title, p.Counting == billing.CountingPerSeat, p.Prices})
	}
	for _, p := range s.Catalog.Packs {
		all = append(all, group{metadataPack, p.Name, p.Title, false, []billing.Price{p.Price}})
	}
	return all
}

// differs words one difference.
func differs(what string, is, wanted any) string {
	return fmt.Sprintf("%s: %v → %v", what, is, wanted)
}

// Replaces tells whether the change makes a price because the one there is another.
func (c Change) Replaces() bool { return c.price != nil && c.price.TransferLookupKey != nil }
