package billing

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Describe writes the catalogue as tables for people, every default filled in,
// and its warnings below. An error of w ends the writing silently, as printing
// to a closed terminal does.
func (c *Catalog) Describe(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, plan := range c.Plans {
		fmt.Fprintf(table, "plan %s\t%s\n", plan.Name, plan.Title)
		for _, row := range plan.describe() {
			fmt.Fprintf(table, "  %s\t%s\n", row[0], row[1])
		}
		table.Flush()
		fmt.Fprintln(w)
	}
	for _, pack := range c.Packs {
		fmt.Fprintf(table, "pack %s\t%s\n", pack.Name, pack.Title)
		fmt.Fprintf(table, "  price\t%s\n  credits\t%d\n  expiry\t%s\n", pack.Price.describe(), pack.Credits, pack.expiry())
		table.Flush()
		fmt.Fprintln(w)
	}
	without := c.WithoutSubscription
	fmt.Fprintln(table, "without subscription\t")
	fmt.Fprintf(table, "  teams\t%s\n  features\t%s\n  top-ups\t%s\n",
		describeTeams(without.Teams, without.MembersMax), describeWords(without.Features), without.TopUp.describe())
	table.Flush()
	if len(c.Warnings) > 0 {
		fmt.Fprintf(w, "\n%d to think over\n", len(c.Warnings))
	}
	for _, warning := range c.Warnings {
		fmt.Fprintf(w, "  %s\n", warning)
	}
	fmt.Fprintf(w, "\ncontent %s\n", c.Hash)
}

func (p Plan) describe() [][2]string {
	per, more, fewer := " a seat", "more seats", "fewer seats"
	if p.Counting == CountingPerSubscription {
		// It has no seats; its credits change when the plan does (B11).
		per, more, fewer = " a subscription", "upgrade", "downgrade"
	}
	rows := make([][2]string, 0, 16)
	for i, price := range p.Prices {
		label := "price"
		if i > 0 {
			label = ""
		}
		rows = append(rows, [2]string{label, price.describe()})
	}
	trial := "no credits"
	if p.TrialCredits > 0 {
		trial = fmt.Sprintf("%d%s", p.TrialCredits, per)
	}
	grant := "when its invoice is paid; a renewal's payment is awaited for " + catalogDays(p.RenewalGrace)
	if p.GrantRule == GrantRulePeriodStart {
		grant = "at the period's start, paid or not"
	}
	return append(rows,
		[2]string{"monthly credits", fmt.Sprintf("%d%s", p.MonthlyCredits, per)},
		[2]string{"trial", trial},
		[2]string{"granted", grant},
		[2]string{"rollover", p.Rollover.describe()},
		[2]string{more, p.describeIncrease()},
		[2]string{fewer, p.describeDecrease()},
		[2]string{"teams", describeTeams(p.Teams, p.MembersMax)},
		[2]string{"features", describeWords(p.Features)},
		[2]string{"top-ups", p.TopUp.describe()},
	)
}

func (p Plan) describeIncrease() string {
	share := "the whole month's credits"
	if p.Proration {
		share = "credits for the time left"
	}
	if p.Increase == IncreasePaid {
		return share + ", when paid"
	}
	return share + ", at once"
}

func (p Plan) describeDecrease() string {
	if p.SeatDecrease == SeatDecreaseNextPeriod {
		return "credits stay until the period ends"
	}
	return "unspent credits are taken back at once"
}

func (p Price) describe() string {
	text := "id " + p.ID
	if p.LookupKey != "" {
		text = "lookup key " + p.LookupKey
	}
	if p.UnitAmount > 0 {
		// Currencies differ in their decimals, so the smallest unit is shown.
		text += fmt.Sprintf(", %d %s (smallest unit)", p.UnitAmount, p.Currency)
	}
	switch {
	case p.IntervalCount == 1:
		text += ", every " + p.Interval
	case p.IntervalCount > 1:
		text += fmt.Sprintf(", every %d %ss", p.IntervalCount, p.Interval)
	}
	return text
}

func (r Rollover) describe() string {
	text := "none: unspent credits expire"
	switch r.Mode {
	case RolloverAll:
		text = "all unspent credits"
	case RolloverCap:
		text = fmt.Sprintf("up to %d credits a seat", r.CapPerSeat)
	case RolloverPercent:
		text = fmt.Sprintf("up to %d %% of the period's grant", r.Percent)
	}
	if r.MaxAgeTurns > 0 {
		text += fmt.Sprintf(", through %d turns", r.MaxAgeTurns)
	}
	return text
}

func (r TopUpRules) describe() string {
	if !r.Allowed {
		return "none"
	}
	text := "all packs"
	if len(r.Packs) > 0 {
		text = strings.Join(r.Packs, ", ")
	}
	text += fmt.Sprintf(", up to %d at once", r.CountMax)
	if !r.Auto {
		return text + "; not automatically"
	}
	text += "; automatically"
	if r.AutoCreditsPerMonthMax < CreditsMax {
		text += fmt.Sprintf(", up to %d credits a month", r.AutoCreditsPerMonthMax)
	}
	if r.AutoAmountPerMonthMax < AmountMax {
		text += fmt.Sprintf(", up to %d (smallest unit) a month", r.AutoAmountPerMonthMax)
	}
	return text
}

func (p Pack) expiry() string {
	if p.NeverExpires {
		return "never"
	}
	return fmt.Sprintf("%d months after the payment", p.ExpiryMonths)
}

func describeTeams(allowed bool, membersMax int) string {
	if !allowed {
		return "no"
	}
	return fmt.Sprintf("up to %d members", membersMax)
}

func describeWords(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
