package billing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// ErrNoAutoTopUp says that nobody ever switched automatic top-up on there.
var ErrNoAutoTopUp = errors.New("no automatic top-up was ever switched on here")

const autoTopUpColumns = `book_id, team_id, user_id, is_on, threshold, pack, credits_max, amount_max, currency, payment_method_id, changed_by,
	changed_at, state, reason, in_flight, declines, series_at, tried_with, check_at`

// GetAutoTopUp gives the automatic top-up of a book.
func GetAutoTopUp(ctx context.Context, db DB, book int64) (AutoTopUp, error) {
	rows, err := db.Query(ctx, `SELECT `+autoTopUpColumns+` FROM auto_top_ups WHERE book_id = $1`, book)
	if err != nil {
		return AutoTopUp{}, fmt.Errorf("reading the automatic top-up of book %d: %w", book, err)
	}
	s, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[AutoTopUp])
	if errors.Is(err, pgx.ErrNoRows) {
		return AutoTopUp{}, fmt.Errorf("book %d: %w", book, ErrNoAutoTopUp)
	}
	if err != nil {
		return AutoTopUp{}, fmt.Errorf("reading the automatic top-up of book %d: %w", book, err)
	}
	return s, nil
}

// DueTopUps lists the books whose automatic top-up is to be decided.
func DueTopUps(ctx context.Context, db DB, at time.Time, limit int) ([]int64, error) {
	rows, err := db.Query(ctx, `SELECT book_id FROM auto_top_ups WHERE check_at <= $1 ORDER BY check_at LIMIT $2`, at, limit)
	if err != nil {
		return nil, fmt.Errorf("listing automatic top-ups to decide: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("listing automatic top-ups to decide: %w", err)
	}
	return list, nil
}

// PutOffTopUp has an automatic top-up that couldn't be decided looked at later, so that it
// doesn't stand before the others for ever.
func PutOffTopUp(ctx context.Context, db DB, book int64, until time.Time) error {
	if _, err := db.Exec(ctx, `UPDATE auto_top_ups SET check_at = $2 WHERE book_id = $1 AND check_at < $2`, book, until); err != nil {
		return fmt.Errorf("putting the automatic top-up of book %d off: %w", book, err)
	}
	return nil
}

// storeTopUp writes where an automatic top-up stands. The book is locked.
func storeTopUp(ctx context.Context, tx pgx.Tx, s AutoTopUp) error {
	_, err := tx.Exec(ctx, `
		UPDATE auto_top_ups SET state = $2, reason = $3, in_flight = $4, declines = $5, series_at = $6, tried_with = $7, check_at = $8
		WHERE book_id = $1`, s.BookID, s.State, s.Reason, s.InFlight, s.Declines, s.SeriesAt, s.TriedWith, s.CheckAt)
	if err != nil {
		return fmt.Errorf("writing the automatic top-up of book %d: %w", s.BookID, err)
	}
	return nil
}

// topUpMonth adds up what a book's automatic top-ups bought in the calendar month. An
// attempt counts in the month in which it was made, unless it came to nothing, and a
// payment in the month in which it was made, too (P3).
func topUpMonth(ctx context.Context, tx pgx.Tx, book int64, at time.Time) (TopUpMonth, error) {
	start, end := CalendarMonth(at)
	var m TopUpMonth
	err := tx.QueryRow(ctx, `
		SELECT COALESCE(sum(credits), 0)::bigint, COALESCE(sum(amount), 0)::bigint FROM purchases
		WHERE book_id = $1 AND kind = 'auto' AND created_at >= $2::timestamptz - interval '60 days' AND state NOT IN ('failed', 'expired')
		AND ((created_at >= $2 AND created_at < $3) OR (paid_at >= $2 AND paid_at < $3))`, book, start, end).Scan(&m.Credits, &m.Amount)
	if err != nil {
		return m, fmt.Errorf("adding up what book %d bought this month: %w", book, err)
	}
	return m, nil
}

// BeginTopUpIn asks whether credits are to be bought for a book.
type BeginTopUpIn struct {
	BookID     int64
	PurchaseID string // of the purchase, if there will be one
	Now        func() time.Time
	// Prices gives what a pack costs, as it was fetched from Stripe before.
	Prices map[string]PackPrice
	// Payer finds who pays, once the book is locked.
	Payer func(ctx context.Context, tx pgx.Tx, s AutoTopUp) (userID, customerID string, err error)
}

// BeginTopUp decides under the book's lock whether to buy (P2), and writes the purchase.
// It is committed before Stripe is asked for money; without a purchase there is nothing
// to be asked for.
func BeginTopUp(ctx context.Context, tx pgx.Tx, c *Catalog, in BeginTopUpIn) (*Purchase, error) {
	state, err := openForTopUp(ctx, tx, c, in)
	if err != nil {
		return nil, err
	}
	setting, err := GetAutoTopUp(ctx, tx, in.BookID)
	if err != nil {
		return nil, err
	}
	p := Purchase{
		ID: in.PurchaseID, BookID: in.BookID, TeamID: setting.TeamID, Pack: setting.Pack, State: PurchaseCreated, Kind: PurchaseAuto,
		CreatedBy: "auto_top_up", CreatedAt: state.at, Attempt: setting.Declines + 1,
	}
	if p.UserID, p.CustomerID, err = in.Payer(ctx, tx, setting); err != nil {
		return nil, err
	}
	decide := state.topUpIn(setting)
	if decide.Disputed, err = HasOpenDispute(ctx, tx, in.BookID); err != nil {
		return nil, err
	}
	decide.Customer = p.CustomerID
	if price, ok := in.Prices[setting.Pack]; ok {
		decide.Price = &price
	}
	if decide.Month, err = topUpMonth(ctx, tx, in.BookID, state.at); err != nil {
		return nil, err
	}
	d := DecideTopUp(decide)
	already, before := setting.InFlight != nil, setting
	setting = setting.next(d)
	if already || d.State != TopUpBuying {
		if err := tellTopUp(ctx, tx, before, setting, nil, state.at); err != nil {
			return nil, err
		}
		return nil, storeTopUp(ctx, tx, setting)
	}
	p.take(decide, d.Packs)
	p.PaymentMethodID = state.paymentMethod(setting, p.CustomerID)
	setting.InFlight = &p.ID
	if err := storeTopUp(ctx, tx, setting); err != nil {
		return nil, err
	}
	return &p, insertTopUp(ctx, tx, p)
}

// tellTopUp tells what became of an automatic top-up, when that is new (N1).
func tellTopUp(ctx context.Context, tx pgx.Tx, before, after AutoTopUp, p *Purchase, at time.Time) error {
	data := NoticeData{}
	if after.Reason != "" {
		data["reason"] = after.Reason
	}
	if p != nil {
		data["purchase_id"], data["credits"] = p.ID, p.Credits
	}
	var kinds []NoticeKind
	if p != nil && p.State == PurchaseFailed {
		data["decline_code"] = p.DeclineCode
		kinds = append(kinds, NoticeTopUpFailed)
	}
	if after.State != before.State {
		switch after.State {
		case TopUpAction:
			data["url"] = p.URL
			kinds = append(kinds, NoticeTopUpAction)
		case TopUpCapped:
			kinds = append(kinds, NoticeTopUpCapped)
		case TopUpSuspended:
			kinds = append(kinds, NoticeTopUpSuspended)
		}
	}
	for _, kind := range kinds {
		if err := Tell(ctx, tx, Notice{BookID: after.BookID, Kind: kind, At: at, Data: data}); err != nil {
			return err
		}
	}
	return nil
}

// take fills in what is bought.
func (p *Purchase) take(in TopUpIn, packs int64) {
	amount := packs * in.Price.Amount
	p.Packs, p.Credits, p.ExpiryMonths = packs, packs*in.Pack.Credits, in.Pack.ExpiryMonths
	p.Amount, p.Currency, p.PriceID = &amount, in.Price.Currency, in.Price.ID
	p.DueAt = askAgain(p.CreatedAt, topUpPatience)
}

// paymentMethod is what an automatic top-up is paid with: what was chosen for it, or what
// pays the subscription. Without either Stripe takes the customer's default.
func (s *State) paymentMethod(setting AutoTopUp, customer string) string {
	if setting.PaymentMethodID != "" {
		return setting.PaymentMethodID
	}
	for _, sub := range s.Subs {
		if sub.Facts.CustomerID == customer && !sub.Facts.Status.Ended() && sub.Facts.PaymentMethodID != "" {
			return sub.Facts.PaymentMethodID
		}
	}
	return ""
}

// topUpPatience is how long after an automatic purchase began the sweep takes it up, if
// whoever began it was stopped.
const topUpPatience = 2 * time.Minute

func insertTopUp(ctx context.Context, tx pgx.Tx, p Purchase) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO purchases (id, book_id, team_id, user_id, customer_id, pack, credits, expiry_months, state, created_by, created_at, due_at,
		                       kind, packs, attempt, price_id, amount, currency, payment_method_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
		p.ID, p.BookID, p.TeamID, p.UserID, p.CustomerID, p.Pack, p.Credits, p.ExpiryMonths, p.State, p.CreatedBy, p.CreatedAt, p.DueAt,
		p.Kind, p.Packs, p.Attempt, p.PriceID, p.Amount, p.Currency, p.PaymentMethodID)
	if err != nil {
		return fmt.Errorf("writing the purchase: %w", err)
	}
	return nil
}

func openForTopUp(ctx context.Context, tx pgx.Tx, c *Catalog, in BeginTopUpIn) (*State, error) {
	if err := ledger.Lock(ctx, tx, in.BookID); err != nil {
		return nil, fmt.Errorf("locking book %d: %w", in.BookID, err)
	}
	at := in.Now()
	states, err := OpenStates(ctx, tx, c, at, ledger.Want{Book: in.BookID})
	if err != nil {
		return nil, err
	}
	// What is due by the clock counts as done, and is written by whoever writes next.
	if err := states[0].Settle(at); err != nil {
		return nil, err
	}
	return states[0], nil
}

// topUpIn is what a settled state tells of whether to buy.
func (s *State) topUpIn(setting AutoTopUp) TopUpIn {
	in := TopUpIn{At: s.at, Setting: setting, Debt: s.Book.Owed(), Rules: s.Catalog.WithoutSubscription.TopUp}
	if account, ok := s.Book.Account(ledger.Main); ok {
		in.Available = account.Available(s.at)
	}
	if sub := s.Leading(s.at); sub != nil {
		in.Status = sub.Facts.Status
		if plan, ok := s.Catalog.Plan(sub.Lead(s.Catalog)); ok {
			in.Rules = plan.TopUp
		}
	}
	in.Pack, _ = s.Catalog.Pack(setting.Pack)
	return in
}
