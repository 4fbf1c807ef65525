package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// Purchase is a pack that somebody is buying or has bought.
type Purchase struct {
	ID              string     `db:"id"`
	BookID          int64      `db:"book_id"`
	TeamID          string     `db:"team_id"`
	UserID          string     `db:"user_id"`
	CustomerID      string     `db:"customer_id"`
	Pack            string     `db:"pack"`
	Credits         int64      `db:"credits"`
	ExpiryMonths    int        `db:"expiry_months"`
	State           string     `db:"state"`
	Reason          string     `db:"reason"`
	SessionID       *string    `db:"session_id"`
	PaymentIntentID string     `db:"payment_intent_id"`
	URL             string     `db:"url"`
	Amount          *int64     `db:"amount"`
	Currency        string     `db:"currency"`
	CreatedBy       string     `db:"created_by"`
	CreatedAt       time.Time  `db:"created_at"`
	PaidAt          *time.Time `db:"paid_at"`
	PostedAt        *time.Time `db:"posted_at"`
	DueAt           *time.Time `db:"due_at"`

	// Of an automatic top-up (P2).
	Kind    string `db:"kind"`
	Packs   int64  `db:"packs"`   // how many of the pack
	Attempt int    `db:"attempt"` // of its series, from 1
	PriceID string `db:"price_id"`
	// PaymentMethodID is what it is paid with; "": the customer's default.
	PaymentMethodID string  `db:"payment_method_id"`
	InvoiceID       *string `db:"invoice_id"`
	DeclineCode     string  `db:"decline_code"`

	// Of a purchase of which money was given back, or that is disputed (R1, R2).
	HomeBookID *int64 `db:"home_book_id"` // where its credits live; nil: where they were bought for
	Refunded   int64  `db:"refunded"`     // money
	TakenBack  int64  `db:"taken_back"`   // credits
	Dispute    string `db:"dispute"`      // the latest one's status, in Stripe's words
}

// The kinds of purchase.
const (
	PurchaseCheckout = "checkout" // somebody pays on a page at Stripe
	PurchaseAuto     = "auto"     // an automatic top-up
)

// The states of a purchase.
const (
	PurchaseCreated    = "created"    // written, Stripe not yet asked
	PurchaseOpen       = "open"       // somebody may pay
	PurchaseProcessing = "processing" // paid with a method that takes its time
	PurchasePaid       = "paid"       // the credits are posted
	PurchaseFailed     = "failed"
	PurchaseExpired    = "expired"
)

// Errors of purchases.
var (
	ErrPackUnknown     = errors.New("no such pack in the catalogue")
	ErrPurchaseUnknown = errors.New("no such purchase")
)

const purchaseColumns = `id, book_id, team_id, user_id, customer_id, pack, credits, expiry_months, state, reason, session_id,
	payment_intent_id, url, amount, currency, created_by, created_at, paid_at, posted_at, due_at,
	kind, packs, attempt, price_id, payment_method_id, invoice_id, decline_code,
	home_book_id, refunded, taken_back, dispute`

// checkoutPatience is how long after a purchase began the sweep first asks Stripe about
// it by itself: an event normally tells long before.
const checkoutPatience = 10 * time.Minute

// BeginPurchase writes the purchase before Stripe is called (P1). The caller commits
// and only then asks Stripe, with the purchase's id as the idempotency key.
func BeginPurchase(ctx context.Context, tx pgx.Tx, pack *Pack, p Purchase) (Purchase, error) {
	p.Kind, p.Packs = PurchaseCheckout, 1
	p.Pack, p.Credits, p.ExpiryMonths, p.State = pack.Name, pack.Credits, pack.ExpiryMonths, PurchaseCreated
	due := p.CreatedAt.Add(checkoutPatience)
	p.DueAt = &due
	_, err := tx.Exec(ctx, `
		INSERT INTO purchases (id, book_id, team_id, user_id, customer_id, pack, credits, expiry_months, state, created_by, created_at, due_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		p.ID, p.BookID, p.TeamID, p.UserID, p.CustomerID, p.Pack, p.Credits, p.ExpiryMonths, p.State, p.CreatedBy, p.CreatedAt, p.DueAt)
	if err != nil {
		return Purchase{}, fmt.Errorf("writing the purchase: %w", err)
	}
	return p, nil
}

// PurchaseOpened remembers the checkout session that Stripe made for a purchase.
func PurchaseOpened(ctx context.Context, tx pgx.Tx, id string, session CheckoutSession) error {
	_, err := tx.Exec(ctx, `
		UPDATE purchases SET state = CASE state WHEN 'created' THEN 'open' ELSE state END, session_id = $2, url = $3
		WHERE id = $1`, id, session.ID, session.URL)
	if err != nil {
		return fmt.Errorf("opening purchase %s: %w", id, err)
	}
	return nil
}

// GetPurchase gives a purchase.
func GetPurchase(ctx context.Context, db DB, id string) (Purchase, error) {
	rows, err := db.Query(ctx, `SELECT `+purchaseColumns+` FROM purchases WHERE id = $1`, id)
	if err != nil {
		return Purchase{}, fmt.Errorf("reading purchase %s: %w", id, err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Purchase])
	if errors.Is(err, pgx.ErrNoRows) {
		return Purchase{}, fmt.Errorf("purchase %s: %w", id, ErrPurchaseUnknown)
	}
	if err != nil {
		return Purchase{}, fmt.Errorf("reading purchase %s: %w", id, err)
	}
	return p, nil
}

// DuePurchases lists purchases that Stripe is to be asked about.
func DuePurchases(ctx context.Context, db DB, at time.Time, limit int) ([]Purchase, error) {
	rows, err := db.Query(ctx, `SELECT `+purchaseColumns+` FROM purchases WHERE due_at <= $1 ORDER BY due_at LIMIT $2`, at, limit)
	if err != nil {
		return nil, fmt.Errorf("listing purchases to ask about: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Purchase])
	if err != nil {
		return nil, fmt.Errorf("listing purchases to ask about: %w", err)
	}
	return list, nil
}

// ApplyCheckout books what Stripe says of a checkout session of ours. Once it is paid
// the credits are posted, once, whichever event or fetch tells of it first (P1, P4).
func ApplyCheckout(ctx context.Context, tx pgx.Tx, c *Catalog, session CheckoutSession, ticket int64, now func() time.Time) (Outcome, error) {
	id := session.Metadata[MetadataPurchase]
	if id == "" {
		return Outcome{State: EventIgnored, Reason: "not a purchase of ours"}, nil
	}
	p, err := GetPurchase(ctx, tx, id)
	if errors.Is(err, ErrPurchaseUnknown) {
		return Outcome{State: EventUnmatched, Reason: fmt.Sprintf("purchase %s is not known here", id)}, nil
	}
	if err != nil {
		return Outcome{}, err
	}
	if err := ledger.Lock(ctx, tx, p.BookID); err != nil {
		return Outcome{}, fmt.Errorf("locking the book of purchase %s: %w", id, err)
	}
	at := now()
	if applied, err := ApplyTicket(ctx, tx, session.ID, ticket, at); err != nil || !applied {
		return Outcome{State: EventDone, Reason: "overtaken by a later fetch", Stale: true}, err
	}
	locked := p.BookID
	if p, err = GetPurchase(ctx, tx, id); err != nil {
		return Outcome{}, err
	}
	if p.BookID != locked { // its team has closed meanwhile
		return Outcome{}, ErrMoved
	}
	if p.State == PurchasePaid {
		return Outcome{State: EventDone}, nil
	}
	states, err := OpenStates(ctx, tx, c, at, ledger.Want{Book: p.BookID, Keys: []string{topUpKey(id)}})
	if err != nil {
		return Outcome{}, err
	}
	return followCheckout(ctx, tx, states[0], p, session, at)
}

func followCheckout(ctx context.Context, tx pgx.Tx, state *State, p Purchase, session CheckoutSession, at time.Time) (Outcome, error) {
	p.SessionID, p.PaymentIntentID = &session.ID, session.PaymentIntentID
	if session.InvoiceID != "" {
		p.InvoiceID = &session.InvoiceID
	}
	p.Amount, p.Currency = &session.Amount, session.Currency
	if session.CustomerID != "" {
		p.CustomerID = session.CustomerID
	}
	out := Outcome{State: EventDone}
	switch {
	case session.isPaid():
		paid := session.PaidAt
		p.State, p.Reason, p.PaidAt, p.PostedAt, p.DueAt = PurchasePaid, "", &paid, &at, nil
		if err := postTopUp(state, p, paid, at); err != nil {
			return Outcome{}, err
		}
		out.Books = []int64{p.BookID}
	case session.Status == "expired":
		p.State, p.DueAt, p.Reason = PurchaseExpired, nil, "nobody paid in time"
	case session.PaymentFailed:
		p.State, p.DueAt, p.Reason = PurchaseFailed, nil, "the payment failed"
	case session.Status == "complete":
		p.State, p.Reason = PurchaseProcessing, "the payment is on its way"
		p.DueAt = askAgain(at, time.Hour)
	default:
		p.State, p.Reason = PurchaseOpen, ""
		p.DueAt = askAgain(at, time.Hour)
	}
	if err := state.Settle(at); err != nil {
		return Outcome{}, err
	}
	if err := Save(ctx, tx, state); err != nil {
		return Outcome{}, err
	}
	return out, storePurchase(ctx, tx, p)
}

// isPaid counts nothing to pay as paid (P1).
func (s CheckoutSession) isPaid() bool {
	return s.PaymentStatus == "paid" || s.PaymentStatus == "no_payment_required" && s.Status == "complete"
}

func askAgain(at time.Time, after time.Duration) *time.Time {
	t := at.Add(after)
	return &t
}

func topUpKey(purchase string) string { return "topup:" + purchase }

// postTopUp grants the credits of a paid purchase. Their months count from the payment.
func postTopUp(state *State, p Purchase, paid, at time.Time) error {
	if err := state.Settle(at); err != nil {
		return err
	}
	var end *time.Time
	if p.ExpiryMonths > 0 {
		t := AddMonths(paid, p.ExpiryMonths)
		end = &t
	}
	account, _ := state.Book.Account(ledger.Main)
	_, err := state.Book.Grant(ledger.Request{Key: topUpKey(p.ID), Actor: p.CreatedBy, At: at, Memo: "pack " + p.Pack}, account, ledger.LotIn{
		// Stripe's clock may be ahead of ours: what was paid can be spent at once.
		Source: ledger.Purchase, Origin: topUpKey(p.ID), EffectiveAt: earlier(paid, at), ExpiresAt: end, Payer: p.CustomerID,
	}, p.Credits)
	if err != nil {
		return fmt.Errorf("posting purchase %s: %w", p.ID, err)
	}
	state.Tell(NoticeTopUpSucceeded, "", NoticeData{"purchase_id": p.ID, "credits": p.Credits, "pack": p.Pack})
	return nil
}

func storePurchase(ctx context.Context, tx pgx.Tx, p Purchase) error {
	_, err := tx.Exec(ctx, `
		UPDATE purchases SET state = $2, reason = $3, session_id = $4, payment_intent_id = $5, customer_id = $6, amount = $7,
			currency = $8, paid_at = $9, posted_at = $10, due_at = $11, url = $12, invoice_id = COALESCE(invoice_id, $13), decline_code = $14
		WHERE id = $1`, p.ID, p.State, p.Reason, p.SessionID, p.PaymentIntentID, p.CustomerID, p.Amount, p.Currency, p.PaidAt,
		p.PostedAt, p.DueAt, p.URL, p.InvoiceID, p.DeclineCode)
	if err != nil {
		return fmt.Errorf("storing purchase %s: %w", p.ID, err)
	}
	return nil
}

// NoteInvoice remembers the invoice that Stripe wrote of what was bought on its page, for
// whoever wants to see it, and tells whether there is such a purchase. Of credits it says
// nothing: they come with the session, and with nothing else (P1).
func NoteInvoice(ctx context.Context, tx pgx.Tx, inv Invoice) (bool, error) {
	if inv.PaidWith == "" || inv.SubscriptionID != "" {
		return false, nil
	}
	tag, err := tx.Exec(ctx, `
		UPDATE purchases SET invoice_id = COALESCE(invoice_id, $2)
		WHERE payment_intent_id = $1 AND payment_intent_id <> '' AND kind = 'checkout'
			AND NOT EXISTS (SELECT FROM purchases other WHERE other.invoice_id = $2 AND other.id <> purchases.id)`, inv.PaidWith, inv.ID)
	if err != nil {
		return false, fmt.Errorf("noting invoice %s: %w", inv.ID, err)
	}
	return tag.RowsAffected() > 0, nil
}

// PurchaseLost ends a purchase that can't be paid any more.
func PurchaseLost(ctx context.Context, tx pgx.Tx, id, reason string) error {
	_, err := tx.Exec(ctx, `UPDATE purchases SET state = 'failed', reason = $2, due_at = NULL WHERE id = $1 AND state <> 'paid'`, id, reason)
	if err != nil {
		return fmt.Errorf("ending purchase %s: %w", id, err)
	}
	return nil
}

// PutOffPurchase has Stripe asked about a purchase again later.
func PutOffPurchase(ctx context.Context, db DB, id string, until time.Time) error {
	if _, err := db.Exec(ctx, `UPDATE purchases SET due_at = $2 WHERE id = $1 AND due_at < $2`, id, until); err != nil {
		return fmt.Errorf("putting purchase %s off: %w", id, err)
	}
	return nil
}
