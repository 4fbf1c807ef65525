package billing

import (
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// prices reads a plan's prices.
func (m catalogMap) prices() []Price {
	var prices []Price
	for i, node := range m.list("prices", "a plan needs a price to be recognized by") {
		path := fmt.Sprintf("%s[%d]", m.at("prices"), i)
		if price, ok := m.r.mapping(node, path, catalogKeys["plans.prices"]); ok {
			prices = append(prices, price.price())
			if price.has("unit_amount") {
				price.require("interval")
			}
		}
	}
	return prices
}

// packPrice reads a pack's price, which is paid once and so has no interval.
func (m catalogMap) packPrice() Price {
	node := m.values["price"]
	if node == nil {
		return Price{}
	}
	known := catalogKeys["packs.price"]
	// An interval gets an explanation rather than "unknown key".
	price, ok := m.r.mapping(node, m.at("price"), append(known[:len(known):len(known)], "interval", "interval_count"))
	if !ok {
		return Price{}
	}
	for _, key := range []string{"interval", "interval_count"} {
		if price.has(key) {
			price.fail(key, CatalogRuleInterval, "a pack is paid once: its price has no interval")
			delete(price.values, key)
		}
	}
	return price.price()
}

var catalogCurrency = regexp.MustCompile(`^[a-z]{3}$`)

// price reads what plans and packs have in common, and an interval if there is one.
func (m catalogMap) price() Price {
	p := Price{
		ID:         m.line("id", "", priceIDLengthMax),
		LookupKey:  m.line("lookup_key", "", lookupKeyLengthMax),
		UnitAmount: m.whole("unit_amount", catalogRange{1, AmountMax, "leave it out for a price that costs nothing"}, 0),
		Currency:   m.line("currency", "", lookupKeyLengthMax),
	}
	switch {
	case m.has("id") && m.has("lookup_key"):
		m.fail("lookup_key", CatalogRulePriceName, "an entry names a price by id or by lookup_key, not by both; write two entries")
	case !m.has("id") && !m.has("lookup_key"):
		m.r.fail(m.node, m.path, CatalogRulePriceName, "an entry names a price by id or by lookup_key; this one has neither")
	}
	if p.Currency != "" && !catalogCurrency.MatchString(p.Currency) {
		m.fail("currency", CatalogRuleUnknownValue, fmt.Sprintf("%q isn't a currency as Stripe writes it, such as usd", catalogQuote(p.Currency)))
	}
	if m.has("unit_amount") || m.has("currency") {
		m.require("unit_amount", "currency")
	}
	p.Interval, p.IntervalCount = m.interval()
	m.distinct("id")
	m.distinct("lookup_key")
	return p
}

// interval reads how often a plan's price is billed. Months of credits don't
// fit into days and weeks, so prices by these can't carry a plan (B1, B4).
func (m catalogMap) interval() (string, int) {
	if !m.has("interval") {
		m.contradict("needs an interval: month or year", "interval_count")
		return "", 0
	}
	switch m.values["interval"].Value {
	case "day", "week":
		m.fail("interval", CatalogRuleInterval, "a plan's price is billed by month or year: credits come in months, which days and weeks don't fill")
		return "", 0
	}
	interval := m.choice("interval", IntervalMonth, IntervalYear)
	countMax := int64(intervalMonthsMax)
	if interval == IntervalYear {
		countMax /= 12
	}
	return interval, int(m.whole("interval_count", catalogRange{min: 1, max: countMax}, 1))
}

// distinct refuses a price that stands elsewhere in the catalogue already: an
// item with that price couldn't tell which plan or pack it buys.
func (m catalogMap) distinct(key string) {
	node := m.values[key]
	if node == nil || node.Kind != yaml.ScalarNode {
		return
	}
	name := key + " " + node.Value
	if first, taken := m.r.prices[name]; taken && node.Value != "" {
		m.fail(key, CatalogRuleDuplicatePrice, fmt.Sprintf("the price %q stands on line %d already", catalogQuote(node.Value), first))
		return
	}
	m.r.prices[name] = node.Line
}
