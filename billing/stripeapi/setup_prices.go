package stripeapi

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// planGroup plans the product and the prices of a plan or pack, and says what of it can be offered in the
// billing portal.
func (s Setup) planGroup(g group, found Found) ([]Change, row) {
	product, changes := g.planProduct(found)
	offer := row{product: product}
	intervals := map[string]bool{}
	for _, want := range g.prices {
		c := s.planPrice(g, want, product, found)
		sold := c.Verb == Create || c.Verb == Update || (c.Verb == Keep && c.Note == "")
		interval := want.Interval
		if is, ok := found.price(want); ok && c.Verb != Create {
			interval = is.Interval
			sold = sold && is.ProductID == product.id
		}
		// The portal offers one price for each product and interval.
		if sold && !intervals[interval] {
			intervals[interval] = true
			offer.prices = append(offer.prices, c.ref())
		}
		changes = append(changes, c)
	}
	return changes, offer
}

// price finds the price that an entry of the catalogue names.
func (f Found) price(want billing.Price) (FoundPrice, bool) {
	for _, p := range f.Prices {
		if want.ID != "" && p.ID == want.ID || want.LookupKey != "" && p.LookupKey == want.LookupKey {
			return p, true
		}
	}
	return FoundPrice{}, false
}

func (f Found) product(is func(FoundProduct) bool) (FoundProduct, bool) {
	if i := slices.IndexFunc(f.Products, is); i >= 0 {
		return f.Products[i], true
	}
	return FoundProduct{}, false
}

// made tells whether purser made a product for this plan or pack.
func (g group) made(p FoundProduct) bool {
	return g.metadata == metadataPlan && p.Plan == g.name || g.metadata == metadataPack && p.Pack == g.name
}

// needsProduct tells whether a price has to be made and no price tells for which product.
func (g group) needsProduct(found Found) bool {
	missing, has := false, false
	for _, want := range g.prices {
		if _, ok := found.price(want); ok {
			has = true
		} else if describes(g, want) {
			missing = true
		}
	}
	return missing && !has
}

// planProduct finds the product that a plan's prices are for: that of a price that it has, else the one
// that purser made, else a new one. Without anything to make or keep there is no change to tell of.
func (g group) planProduct(found Found) (ref, []Change) {
	c := Change{Verb: Keep, Kind: KindProduct, Name: g.label()}
	product, ok := FoundProduct{}, false
	for _, want := range g.prices {
		if is, has := found.price(want); has && !ok {
			product, ok = found.product(func(p FoundProduct) bool { return p.ID == is.ProductID })
			if !ok {
				product, ok = FoundProduct{ID: is.ProductID, Name: g.title, Active: true}, true
			}
		}
	}
	if !ok && g.needsProduct(found) {
		product, ok = found.product(g.made)
		if !ok {
			c.Verb, c.Details = Create, []string{"name: " + g.title}
			c.product = &stripe.ProductParams{Name: stripe.String(g.title), Metadata: map[string]string{g.metadata: g.name}}
			if g.perSeat {
				c.product.UnitLabel = stripe.String("seat")
			}
			return c.ref(), []Change{c}
		}
	}
	if !ok {
		return ref{}, nil
	}
	c.ID = product.ID
	switch {
	case !g.made(product) && !product.Active:
		c.Verb, c.Note = Stuck, "it is archived, so that nothing of it can be sold, and purser didn't make it: activate it in Stripe's dashboard"
	case g.made(product):
		c.mendProduct(product, g)
	}
	return c.ref(), []Change{c}
}

func (c *Change) mendProduct(is FoundProduct, g group) {
	params := &stripe.ProductParams{}
	if is.Name != g.title {
		params.Name = stripe.String(g.title)
		c.Details = append(c.Details, differs("name", is.Name, g.title))
	}
	if !is.Active {
		params.Active = stripe.Bool(true)
		c.Details = append(c.Details, "archived → active")
	}
	if len(c.Details) > 0 {
		c.Verb, c.product = Update, params
	}
}

// describes tells whether an entry says enough of a price to make it.
func describes(g group, p billing.Price) bool {
	return p.LookupKey != "" && p.Currency != "" && p.UnitAmount > 0 && (g.metadata == metadataPack || p.Interval != "")
}

func (s Setup) planPrice(g group, want billing.Price, product ref, found Found) Change {
	is, ok := found.price(want)
	if want.ID != "" {
		return checkedPrice(g, want, is, ok)
	}
	c := Change{Kind: KindPrice, Name: want.LookupKey, ID: is.ID}
	if ok {
		c.Details = is.differences(g, want)
	}
	switch {
	case ok && len(c.Details) == 0 && is.Active:
		c.Verb = Keep
	case ok && len(c.Details) == 0:
		c.Verb, c.Details = Update, []string{"archived → active"}
		c.price = &stripe.PriceParams{Active: stripe.Bool(true)}
	case !describes(g, want) && ok:
		c.Verb, c.Note = Stuck, "the catalogue doesn't say enough of it to make another: write unit_amount, currency"+interval(g)+" into it"
	case !describes(g, want):
		c.Verb, c.Note = Stuck, "there is none, and the catalogue doesn't say enough of it to make one: write unit_amount, currency"+interval(g)+" into it, or make it at Stripe"
	default:
		s.makePrice(&c, g, want, product, is)
	}
	return c
}

func interval(g group) string {
	if g.metadata == metadataPack {
		return ""
	}
	return " and interval"
}

// makePrice plans a new price. A price never changes its amount, so one that differs gives its lookup key
// to the new one; who pays it goes on paying it.
func (s Setup) makePrice(c *Change, g group, want billing.Price, product ref, old FoundPrice) {
	c.Verb, c.ID, c.productOf = Create, "", product
	c.price = &stripe.PriceParams{
		LookupKey: stripe.String(want.LookupKey), Currency: stripe.String(want.Currency), UnitAmount: stripe.Int64(want.UnitAmount),
		Metadata: map[string]string{g.metadata: g.name},
	}
	if want.Interval != "" {
		c.price.Recurring = &stripe.PriceRecurringParams{Interval: stripe.String(want.Interval), IntervalCount: stripe.Int64(int64(want.IntervalCount))}
	}
	tax := s.TaxBehavior
	if old.ID == "" {
		c.Details = []string{amount(want)}
	} else {
		c.price.TransferLookupKey = stripe.Bool(true)
		c.price.Metadata[metadataReplaces] = strings.Join(replaced(old), ",")
		c.Details = append(c.Details, "takes the lookup key from "+old.ID)
		if g.metadata == metadataPlan {
			c.Note = "whoever has " + old.ID + " keeps it, and is recognized by its id alone from now on: add { id: " + old.ID + " } to the prices of " + g.label()
		}
		if old.TaxBehavior == "inclusive" || old.TaxBehavior == "exclusive" {
			tax = old.TaxBehavior
		}
	}
	if tax != "" {
		c.price.TaxBehavior = stripe.String(tax)
	}
}

// replaced lists the prices that had a lookup key, as far as metadata has room for them.
func replaced(old FoundPrice) []string {
	const valueMax = 500
	all := append([]string{old.ID}, old.Replaces...)
	for len(strings.Join(all, ",")) > valueMax {
		all = all[:len(all)-1]
	}
	return all
}

// checkedPrice looks at a price that is named by its id: it is somebody else's, and only checked.
func checkedPrice(g group, want billing.Price, is FoundPrice, ok bool) Change {
	c := Change{Verb: Keep, Kind: KindPrice, Name: want.ID}
	if !ok {
		c.Verb, c.Note = Stuck, "there is none in this account and mode; a price that is named by its id is never made"
		return c
	}
	c.ID = is.ID
	if c.Details = is.differences(g, want); len(c.Details) > 0 {
		c.Verb, c.Note = Stuck, "a price that is named by its id is only checked: correct the catalogue"
		return c
	}
	switch {
	case is.Active:
	case g.metadata == metadataPack:
		c.Verb, c.Note = Stuck, "it is archived, so that the pack can't be bought: activate it in Stripe's dashboard"
	default:
		c.Note = "it is archived: who has it is recognized, and nobody else can buy it"
	}
	return c
}

// differences says in what a price isn't the one of the catalogue. What an entry leaves out isn't compared.
func (p FoundPrice) differences(g group, want billing.Price) []string {
	var all []string
	if p.Odd != "" {
		all = append(all, p.Odd+", so that its quantity isn't what is bought")
	}
	recurring := g.metadata == metadataPlan
	switch {
	case recurring && p.Interval == "":
		all = append(all, "it is paid once and a plan's price is paid again and again")
	case !recurring && p.Interval != "":
		all = append(all, "it is paid every "+p.Interval+" and a pack's price is paid once")
	case recurring && p.Interval != billing.IntervalMonth && p.Interval != billing.IntervalYear:
		all = append(all, "it is paid by the "+p.Interval+" and credits come in months")
	case want.Interval != "" && (p.Interval != want.Interval || p.IntervalCount != want.IntervalCount):
		all = append(all, differs("interval", every(p.Interval, p.IntervalCount), every(want.Interval, want.IntervalCount)))
	}
	if want.Currency != "" && p.Currency != want.Currency {
		all = append(all, differs("currency", p.Currency, want.Currency))
	}
	if want.UnitAmount != 0 && p.UnitAmount != want.UnitAmount {
		all = append(all, differs("unit_amount", p.UnitAmount, want.UnitAmount))
	}
	return all
}

// Superseded gives the prices that gave their lookup keys to others and that the catalogue names by
// nothing any more, with the plan that they were of.
func (s Setup) Superseded(found Found) map[string]string {
	plans := map[string]string{}
	for _, g := range s.groups() {
		for _, want := range g.prices {
			is, _ := found.price(want)
			for _, id := range is.Replaces {
				if g.metadata == metadataPlan {
					plans[id] = g.name
				}
			}
		}
	}
	maps.DeleteFunc(plans, func(id, _ string) bool {
		_, known := s.Catalog.PlanOf(id, "")
		return known
	})
	return plans
}

func every(interval string, count int) string {
	if count > 1 {
		return strconv.Itoa(count) + " " + interval + "s"
	}
	return interval
}

func amount(p billing.Price) string {
	text := strconv.FormatInt(p.UnitAmount, 10) + " " + p.Currency
	if p.Interval != "" {
		text += " every " + every(p.Interval, p.IntervalCount)
	}
	return text
}
