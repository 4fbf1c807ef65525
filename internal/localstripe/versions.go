package localstripe

import "regexp"

// versionPattern is how Stripe names its versions: by a date, and since 2024-09-30 by a word too.
var versionPattern = regexp.MustCompile(`^20\d\d-\d\d-\d\d(\.[a-z]+)?$`)

// firstWithoutPeriods is the API version from which subscriptions and invoices have another shape.
const firstWithoutPeriods = "2025-03-31"

// inVersion is an event's envelope as an endpoint of another API version gets it: always with that version's name, and
// from 2025-03-31 on without the fields that moved then. A reader of 2023-10-16 parses it without an error, and wrongly.
func inVersion(envelope obj, version string) obj {
	if envelope["api_version"] = version; version == APIVersion {
		return envelope
	}
	if version < firstWithoutPeriods {
		return envelope
	}
	about, _ := envelope["data"].(obj)["object"].(obj)
	switch about["object"] {
	case "subscription":
		movePeriods(about)
	case "invoice":
		moveParents(about)
	}
	return envelope
}

// movePeriods: each item has a period of its own.
func movePeriods(sub obj) {
	items, _ := sub["items"].(obj)
	data, _ := items["data"].([]any)
	for _, entry := range data {
		it, _ := entry.(obj)
		it["current_period_start"], it["current_period_end"] = sub["current_period_start"], sub["current_period_end"]
	}
	delete(sub, "current_period_start")
	delete(sub, "current_period_end")
}

// moveParents: what an invoice or a line comes of is its parent, and its payments are a list of their own.
func moveParents(inv obj) {
	inv["parent"] = nil
	if id, ok := inv["subscription"].(string); ok {
		details, _ := inv["subscription_details"].(obj)
		inv["parent"] = obj{
			"type": "subscription_details", "quote_details": nil,
			"subscription_details": obj{"metadata": details["metadata"], "subscription": id},
		}
	}
	for _, gone := range []string{"charge", "paid", "paid_out_of_band", "payment_intent", "quote", "subscription", "subscription_details"} {
		delete(inv, gone)
	}
	lines, _ := inv["lines"].(obj)
	data, _ := lines["data"].([]any)
	for _, entry := range data {
		l, _ := entry.(obj)
		p, _ := l["price"].(obj)
		l["pricing"] = obj{
			"price_details": obj{"price": p["id"], "product": p["product"]}, "type": "price_details", "unit_amount_decimal": p["unit_amount_decimal"],
		}
		for _, gone := range []string{"invoice_item", "plan", "price", "proration", "subscription", "subscription_item", "type", "unit_amount_excluding_tax"} {
			delete(l, gone)
		}
	}
}
