package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// TopUpInvoice is what Stripe says of the invoice by which an automatic top-up is paid.
type TopUpInvoice struct {
	ID              string
	PurchaseID      string // as our metadata names it
	CustomerID      string
	Status          string // draft, open, paid, void, uncollectible
	AmountPaid      int64
	Currency        string
	PaidAt          *time.Time
	HostedURL       string
	PaymentIntentID string
	Payment         string // the payment's status; "": nothing was tried yet
	DeclineCode     string // why the payment was declined
	DeclineMessage  string
	PaymentMethodID string // that was declined
}

// TopUpNext is what is to be asked of Stripe next.
type TopUpNext string

// What is to be asked of Stripe.
const (
	TopUpDone TopUpNext = ""     // nothing
	TopUpPay  TopUpNext = "pay"  // it was stopped before anybody tried to pay
	TopUpVoid TopUpNext = "void" // declined, or nobody authenticated in time: nobody may pay it any more
)

// topUpLinkLives is how long the page on which a payment can be authenticated is good for.
const topUpLinkLives = 24 * time.Hour

// authenticationRequired is the decline that is none (P3): somebody has to confirm.
const authenticationRequired = "authentication_required"

// topUpResult is what an invoice says of the purchase that it pays.
type topUpResult struct {
	state, reason, url string
	dueAt              *time.Time
	next               TopUpNext
}

// readTopUp works out what an invoice says of its purchase.
func readTopUp(p Purchase, inv TopUpInvoice, at time.Time) topUpResult {
	switch inv.Status {
	case "paid":
		return topUpResult{state: PurchasePaid}
	case "void", "uncollectible":
		if p.Reason == TopUpAuthenticate {
			return topUpResult{state: PurchaseExpired, reason: "nobody authenticated the payment within a day"}
		}
		return topUpResult{state: PurchaseFailed, reason: inv.declined()}
	}
	switch {
	case inv.DeclineCode == authenticationRequired || inv.Payment == "requires_action":
		until := p.CreatedAt.Add(topUpLinkLives)
		r := topUpResult{state: PurchaseOpen, reason: TopUpAuthenticate, url: inv.HostedURL, dueAt: &until}
		if !at.Before(until) {
			r.next = TopUpVoid
		}
		return r
	case inv.DeclineCode != "":
		return topUpResult{state: p.State, reason: inv.declined(), dueAt: askAgain(at, topUpPatience), next: TopUpVoid}
	case inv.Payment == "processing":
		return topUpResult{state: PurchaseProcessing, reason: "the payment is on its way", dueAt: askAgain(at, time.Hour)}
	}
	r := topUpResult{state: p.State, reason: p.Reason, dueAt: askAgain(at, topUpPatience), next: TopUpPay}
	if !at.Before(p.CreatedAt.Add(TopUpKeysLive)) {
		r.next = TopUpVoid // the gap of then is not that of now
	}
	return r
}

// TopUpKeysLive is for how long an automatic purchase that was stopped on its way may be
// taken up by repeating its steps: Stripe remembers their keys for a day.
const TopUpKeysLive = 23 * time.Hour

func (inv TopUpInvoice) declined() string {
	switch {
	case inv.DeclineMessage != "":
		return inv.DeclineMessage
	case inv.DeclineCode != "":
		return inv.DeclineCode
	}
	return "its invoice was voided at Stripe"
}

// ApplyTopUp books what Stripe says of the invoice of an automatic top-up. Whichever of
// event, answer and sweep comes first settles it; the credits are posted once (P1, P4).
func ApplyTopUp(ctx context.Context, tx pgx.Tx, c *Catalog, inv TopUpInvoice, ticket int64, now func() time.Time) (Outcome, TopUpNext, error) {
	p, err := GetPurchase(ctx, tx, inv.PurchaseID)
	if errors.Is(err, ErrPurchaseUnknown) {
		return Outcome{State: EventUnmatched, Reason: fmt.Sprintf("purchase %s is not known here", inv.PurchaseID)}, TopUpDone, nil
	}
	if err != nil {
		return Outcome{}, TopUpDone, err
	}
	if err := ledger.Lock(ctx, tx, p.BookID); err != nil {
		return Outcome{}, TopUpDone, fmt.Errorf("locking the book of purchase %s: %w", p.ID, err)
	}
	at := now()
	if applied, err := ApplyTicket(ctx, tx, inv.ID, ticket, at); err != nil || !applied {
		return Outcome{State: EventDone, Reason: "overtaken by a later fetch", Stale: true}, TopUpDone, err
	}
	locked := p.BookID
	if p, err = GetPurchase(ctx, tx, p.ID); err != nil {
		return Outcome{}, TopUpDone, err
	}
	if p.BookID != locked { // its team has closed meanwhile
		return Outcome{}, TopUpDone, ErrMoved
	}
	if p.State == PurchasePaid || p.Kind != PurchaseAuto {
		return Outcome{State: EventDone}, TopUpDone, nil
	}
	setting, err := GetAutoTopUp(ctx, tx, p.BookID)
	// Its team was closed: on the buyer's own account nobody ever switched one on, and
	// nothing waits for this one.
	if err != nil && !errors.Is(err, ErrNoAutoTopUp) {
		return Outcome{}, TopUpDone, err
	}
	return followTopUp(ctx, tx, c, setting, p, inv, at)
}

func followTopUp(ctx context.Context, tx pgx.Tx, c *Catalog, setting AutoTopUp, p Purchase, inv TopUpInvoice, at time.Time) (Outcome, TopUpNext, error) {
	out := Outcome{State: EventDone}
	before := p.State
	r := readTopUp(p, inv, at)
	p.State, p.Reason, p.URL, p.DueAt = r.state, r.reason, r.url, r.dueAt
	p.InvoiceID, p.PaymentIntentID, p.DeclineCode = &inv.ID, inv.PaymentIntentID, inv.DeclineCode
	if setting.InFlight == nil || *setting.InFlight != p.ID {
		// Somebody paid an old one after all: the credits come, and nothing else changes.
		setting.InFlight = nil
	}
	if p.State == PurchasePaid {
		if err := payTopUp(ctx, tx, c, &p, inv, at); err != nil {
			return Outcome{}, TopUpDone, err
		}
		out.Books = []int64{p.BookID}
	}
	if r.next == TopUpPay && !setting.On {
		r.next = TopUpVoid // switched off before anybody tried to pay
	}
	if setting.InFlight != nil {
		next := setting.follow(p, inv, at)
		if err := tellTopUp(ctx, tx, setting, next, &p, at); err != nil {
			return Outcome{}, TopUpDone, err
		}
		if err := storeTopUp(ctx, tx, next); err != nil {
			return Outcome{}, TopUpDone, err
		}
	} else if before == PurchaseFailed || before == PurchaseExpired {
		// What came to nothing stays so, unless it was paid.
		if p.State != PurchasePaid {
			return out, TopUpDone, nil
		}
	}
	return out, r.next, storePurchase(ctx, tx, p)
}

// follow is how an automatic top-up stands once its purchase stands so.
func (s AutoTopUp) follow(p Purchase, inv TopUpInvoice, at time.Time) AutoTopUp {
	switch p.State {
	case PurchasePaid:
		return s.bought(at)
	case PurchaseFailed:
		switch {
		case p.DeclineCode != "":
		case !s.On || !at.Before(p.CreatedAt.Add(TopUpKeysLive)):
			s.InFlight = nil
			return s.again(at)
		default:
			return s.suspended(TopUpVoided)
		}
		return s.declined(p, p.DeclineCode, inv.PaymentMethodID, at)
	case PurchaseExpired:
		s.InFlight = nil
		return s.again(at)
	case PurchaseOpen:
		s.State, s.Reason = TopUpAction, TopUpAuthenticate
	}
	return s
}

// payTopUp posts the credits of a paid automatic top-up.
func payTopUp(ctx context.Context, tx pgx.Tx, c *Catalog, p *Purchase, inv TopUpInvoice, at time.Time) error {
	paid := at
	if inv.PaidAt != nil {
		paid = *inv.PaidAt
	}
	p.Reason, p.URL, p.DeclineCode, p.PaidAt, p.PostedAt, p.DueAt = "", "", "", &paid, &at, nil
	p.Amount, p.Currency = &inv.AmountPaid, inv.Currency
	states, err := OpenStates(ctx, tx, c, at, ledger.Want{Book: p.BookID, Keys: []string{topUpKey(p.ID)}})
	if err != nil {
		return err
	}
	if err := postTopUp(states[0], *p, paid, at); err != nil {
		return err
	}
	if err := states[0].Settle(at); err != nil {
		return err
	}
	return Save(ctx, tx, states[0])
}

// LoseTopUp ends an automatic purchase for which Stripe has no invoice. If Stripe refused
// even to try, since there is no payment method, say, it is suspended until somebody does
// something about that: triedWith is the customer's payment method. Otherwise whether to
// buy is decided anew.
func LoseTopUp(ctx context.Context, tx pgx.Tx, id, reason string, refused bool, triedWith string, now func() time.Time) error {
	p, err := GetPurchase(ctx, tx, id)
	if err != nil {
		return err
	}
	if err := ledger.Lock(ctx, tx, p.BookID); err != nil {
		return fmt.Errorf("locking the book of purchase %s: %w", id, err)
	}
	at := now()
	if p, err = GetPurchase(ctx, tx, id); err != nil || p.State != PurchaseCreated {
		return err
	}
	if err := PurchaseLost(ctx, tx, id, reason); err != nil {
		return err
	}
	setting, err := GetAutoTopUp(ctx, tx, p.BookID)
	if err != nil || setting.InFlight == nil || *setting.InFlight != id {
		return err
	}
	setting.InFlight = nil
	if refused {
		setting.TriedWith = triedWith
		p.State = PurchaseFailed
		next := setting.suspended(TopUpRefused)
		if err := tellTopUp(ctx, tx, setting, next, &p, at); err != nil {
			return err
		}
		return storeTopUp(ctx, tx, next)
	}
	return storeTopUp(ctx, tx, setting.again(at))
}

// TopUpInvoiced remembers the invoice that Stripe made for an automatic purchase.
func TopUpInvoiced(ctx context.Context, db DB, purchase, invoice string) error {
	_, err := db.Exec(ctx, `UPDATE purchases SET invoice_id = $2 WHERE id = $1 AND invoice_id IS NULL`, purchase, invoice)
	if err != nil {
		return fmt.Errorf("remembering the invoice of purchase %s: %w", purchase, err)
	}
	return nil
}
