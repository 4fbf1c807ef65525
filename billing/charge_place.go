package billing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// chargePlace is what a charge paid for and where that lies.
type chargePlace struct {
	purchase *Purchase
	sub      Location // of the subscription, if it paid an invoice of one
	state    string   // as it is to be kept: settled, unless it waits
	waits    string   // what for
	home     int64    // the book in which the purchase or the subscription lives
	kept     keptCharge
	origins  map[int64][]string // of the lots that it paid for, by book
	books    []int64            // home, where those lots lie, and where some of it was taken back
}

// The states in which charges are kept. All but the first wait.
const (
	chargeSettled   = "settled"
	chargeUnpaid    = "unpaid"    // its purchase isn't known as paid
	chargeUnplaced  = "unplaced"  // its subscription lives nowhere, or buys nothing of ours
	chargeUngranted = "ungranted" // what it paid for isn't granted
)

// purchaseOf finds the purchase that a charge paid: by our metadata, or by the payment or
// the invoice that we know it by.
func purchaseOf(ctx context.Context, db DB, c Charge) (*Purchase, error) {
	rows, err := db.Query(ctx, `
		SELECT `+purchaseColumns+` FROM purchases
		WHERE id = $1 OR ($2 <> '' AND payment_intent_id = $2) OR ($3 <> '' AND invoice_id = $3)
		ORDER BY id = $1 DESC LIMIT 1`, c.Metadata[MetadataPurchase], c.PaymentIntentID, c.InvoiceID)
	if err != nil {
		return nil, fmt.Errorf("finding the purchase of charge %s: %w", c.ID, err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Purchase])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil //nolint:nilnil // it paid none
	}
	if err != nil {
		return nil, fmt.Errorf("finding the purchase of charge %s: %w", c.ID, err)
	}
	return &p, nil
}

// UnpaidPurchase gives the purchase that a charge paid, if we haven't heard that it is
// paid: that is to be booked before a refund of it.
func UnpaidPurchase(ctx context.Context, db DB, c Charge) (*Purchase, error) {
	p, err := purchaseOf(ctx, db, c)
	if p == nil || err != nil || p.State == PurchasePaid {
		return nil, err
	}
	return p, nil
}

// findCharge finds what a charge paid for. Without the locks of its books the answer may
// be outdated when it is used.
func findCharge(ctx context.Context, tx pgx.Tx, c Charge) (*chargePlace, error) {
	place := &chargePlace{state: chargeSettled}
	var err error
	if place.purchase, err = purchaseOf(ctx, tx, c); err != nil {
		return nil, err
	}
	switch sub := c.Fetched.Subscription; {
	case place.purchase != nil:
		place.home = place.purchase.home()
		if place.purchase.State != PurchasePaid {
			place.state, place.waits = chargeUnpaid, fmt.Sprintf("purchase %s isn't known as paid yet", place.purchase.ID)
		}
	case sub != nil:
		if place.sub, err = Find(ctx, tx, sub.ID); err != nil {
			return nil, err
		}
		place.home = place.sub.BookID
		if place.sub.state != statePlaced {
			place.state, place.waits = chargeUnplaced, fmt.Sprintf("subscription %s has no place yet: %s", sub.ID, place.sub.reason)
		}
	default:
		return place, nil
	}
	if place.kept, err = loadCharge(ctx, tx, c.ID); err != nil || place.state != chargeSettled {
		return place, err
	}
	return place, place.findLots(ctx, tx, c)
}

// findLots finds the lots that the charge paid for, in whatever books they lie.
func (p *chargePlace) findLots(ctx context.Context, tx pgx.Tx, c Charge) error {
	roots := slices.Clone(p.kept.roots)
	if p.purchase != nil {
		roots = append(roots, topUpKey(p.purchase.ID))
	} else {
		periods, err := loadPeriods(ctx, tx, c.Fetched.Subscription.ID, paidSpan(c.Lines))
		if err != nil {
			return err
		}
		roots = append(roots, rootsOf(periods)...)
	}
	slices.Sort(roots)
	lots, err := ledger.Descendants(ctx, tx, slices.Compact(roots))
	if err != nil {
		return err
	}
	p.origins = map[int64][]string{}
	p.books = []int64{p.home}
	for _, l := range lots {
		p.origins[l.Book] = append(p.origins[l.Book], l.Origin)
		p.books = append(p.books, l.Book)
	}
	for _, taken := range p.kept.clawbacks {
		p.books = append(p.books, taken.BookID)
	}
	slices.Sort(p.books)
	p.books = slices.Compact(p.books)
	return nil
}

func (p *Purchase) home() int64 {
	if p.HomeBookID != nil {
		return *p.HomeBookID
	}
	return p.BookID
}

// paidSpan is the time that an invoice's lines pay for, all of them.
func paidSpan(lines []InvoiceLine) span {
	var s span
	for _, l := range lines {
		if l.PriceID == "" {
			continue
		}
		if s.start.IsZero() || l.From.Before(s.start) {
			s.start = l.From
		}
		s.end = later(s.end, l.To)
	}
	return s
}

// loadPeriods loads the periods of a subscription that lie in a span of time, or begin
// before it and reach into it.
func loadPeriods(ctx context.Context, tx pgx.Tx, sub string, in span) ([]*Period, error) {
	rows, err := tx.Query(ctx, `
		SELECT `+periodColumns+`
		FROM periods p WHERE p.subscription_id = $1 AND p.start_at < $3 AND p.full_end_at > $2 ORDER BY p.number`, sub, in.start, in.end)
	if err != nil {
		return nil, fmt.Errorf("reading the periods that were paid for: %w", err)
	}
	defer rows.Close()
	found := &Sub{}
	if err := scanPeriods(rows, map[string]*Sub{sub: found}); err != nil {
		return nil, fmt.Errorf("reading the periods that were paid for: %w", err)
	}
	return found.Periods, nil
}

// rootsOf gives the origins of the first lots of periods, of those that were granted.
func rootsOf(periods []*Period) []string {
	var roots []string
	for _, p := range periods {
		if p.LotOrigin != "" {
			roots = append(roots, ledger.Root(p.LotOrigin))
		}
	}
	return roots
}

// checkAgain is when Stripe is asked again about a charge that waits: soon at first, and
// then every day.
func checkAgain(c Charge, at time.Time) time.Time {
	return at.Add(min(max(at.Sub(c.CreatedAt), 10*time.Minute), 24*time.Hour))
}
