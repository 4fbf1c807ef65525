package localstripe

import (
	"fmt"
	"time"
)

// The words of invoice lines. Stripe's exact wording could not be checked; see Unverified.

func itemDescription(it *item) string {
	p := it.price
	return fmt.Sprintf("%d × %s (%s)", it.quantity, p.product.name, p.rate())
}

// rate is a price as lines say it: "at $10.00 / month".
func (p *price) rate() string {
	every := "once"
	if r := p.recurring; r != nil {
		every = r.interval
		if r.count > 1 {
			every = fmt.Sprintf("%d %ss", r.count, r.interval)
		}
	}
	if p.tiersMode != "" {
		return "tiered / " + every
	}
	return "at " + money(p.currency, cents(rat(p.unit))) + " / " + every
}

func money(currency string, amount int64) string {
	sign := map[string]string{"usd": "$", "eur": "€", "gbp": "£"}[currency]
	minus := ""
	if amount < 0 {
		minus, amount = "-", -amount
	}
	if sign == "" {
		return fmt.Sprintf("%s%d.%02d %s", minus, amount/100, amount%100, currency)
	}
	return fmt.Sprintf("%s%s%d.%02d", minus, sign, amount/100, amount%100)
}

func prorationDescription(which string, p *price, quantity, at int64) string {
	what := p.product.name
	if quantity != 1 {
		what = fmt.Sprintf("%d × %s", quantity, what)
	}
	return fmt.Sprintf("%s time on %s after %s", which, what, time.Unix(at, 0).UTC().Format("02 Jan 2006"))
}
