package billing

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// AutoTopUpIn is what somebody chooses for an automatic top-up.
type AutoTopUpIn struct {
	BookID          int64
	TeamID, UserID  string // one of them
	On              bool
	Threshold       int64
	Pack            string
	CreditsMax      int64 // in a calendar month; needed, as the next
	AmountMax       int64
	Currency        string // of AmountMax; "": that of the pack's price in the catalogue
	PaymentMethodID string // "": the customer's default
	By              string
}

// SettingError says which part of a setting breaks which rule.
type SettingError struct {
	Field  string
	Code   string
	Detail string
}

func (e *SettingError) Error() string { return e.Field + " " + e.Detail }

var currencyWord = regexp.MustCompile(`^[a-z]{3}$`)

// check holds a setting against the catalogue and the rules of its place (P2).
func (in *AutoTopUpIn) check(c *Catalog, rules TopUpRules) error {
	pack, known := c.Pack(in.Pack)
	if known && in.Currency == "" {
		in.Currency = pack.Price.Currency
	}
	switch {
	case in.Threshold < 0 || in.Threshold > ledger.CreditsMax:
		return &SettingError{"threshold", "threshold_invalid", "must be between 0 and 1,000,000,000,000"}
	case !known:
		return &SettingError{"pack", "pack_not_found", fmt.Sprintf("names %q, which the catalogue doesn't have", in.Pack)}
	case in.CreditsMax < 1 || in.CreditsMax > ledger.CreditsMax:
		return &SettingError{"credits_per_month_max", "caps_invalid", "must be between 1 and 1,000,000,000,000: a cap in credits is needed"}
	case in.AmountMax < 1 || in.AmountMax > ledger.CreditsMax:
		return &SettingError{"amount_per_month_max", "caps_invalid", "must be between 1 and 1,000,000,000,000: a cap in money is needed"}
	case !currencyWord.MatchString(in.Currency):
		return &SettingError{"currency", "currency_invalid", "must be three lower-case letters: the catalogue doesn't say what the pack is paid in"}
	case pack.Price.Currency != "" && in.Currency != pack.Price.Currency:
		return &SettingError{"currency", "currency_invalid", "must be " + pack.Price.Currency + ", in which the pack is paid"}
	case len(in.PaymentMethodID) > 255:
		return &SettingError{"payment_method_id", "payment_method_invalid", "must be an id of Stripe's"}
	case !in.On:
		return nil // what is off may keep what the plan forbids by now
	case !rules.Auto:
		return &SettingError{"on", "auto_top_up_forbidden", "can't be true: the plan has no automatic top-up"}
	case !rules.AllowsPack(in.Pack):
		return &SettingError{"pack", "pack_not_sold", fmt.Sprintf("names %q, which the plan doesn't sell", in.Pack)}
	case in.CreditsMax < pack.Credits:
		return &SettingError{"credits_per_month_max", "caps_invalid", "is less than one pack brings, so nothing could ever be bought"}
	case in.AmountMax < pack.Price.UnitAmount:
		return &SettingError{"amount_per_month_max", "caps_invalid", "is less than one pack costs, so nothing could ever be bought"}
	case rules.AutoCreditsPerMonthMax > 0 && in.CreditsMax > rules.AutoCreditsPerMonthMax:
		return &SettingError{"credits_per_month_max", "caps_invalid", fmt.Sprintf("may be at most %d on this plan", rules.AutoCreditsPerMonthMax)}
	case rules.AutoAmountPerMonthMax > 0 && in.AmountMax > rules.AutoAmountPerMonthMax:
		return &SettingError{"amount_per_month_max", "caps_invalid", fmt.Sprintf("may be at most %d on this plan", rules.AutoAmountPerMonthMax)}
	}
	return nil
}

// SetAutoTopUp switches an automatic top-up on or off, or changes it. Whether to buy is
// decided at once (P2). Switching it on again, or another card, ends a suspension (P3);
// other changes don't, nor do they shorten the wait between declined attempts.
func SetAutoTopUp(ctx context.Context, tx pgx.Tx, c *Catalog, in AutoTopUpIn, at time.Time) (AutoTopUp, error) {
	state, err := OpenState(ctx, tx, c, at, ledger.Want{Book: in.BookID})
	if err != nil {
		return AutoTopUp{}, err
	}
	if err := state.Settle(at); err != nil {
		return AutoTopUp{}, err
	}
	before, err := GetAutoTopUp(ctx, tx, in.BookID)
	if err != nil && !errors.Is(err, ErrNoAutoTopUp) {
		return AutoTopUp{}, err
	}
	if err := in.check(c, state.topUpIn(before).Rules); err != nil {
		return AutoTopUp{}, err
	}
	after := before.changed(in, at)
	_, err = tx.Exec(ctx, `
		INSERT INTO auto_top_ups (`+autoTopUpColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
		ON CONFLICT (book_id) DO UPDATE SET
			is_on = EXCLUDED.is_on, threshold = EXCLUDED.threshold, pack = EXCLUDED.pack, credits_max = EXCLUDED.credits_max,
			amount_max = EXCLUDED.amount_max, currency = EXCLUDED.currency, payment_method_id = EXCLUDED.payment_method_id,
			changed_by = EXCLUDED.changed_by, changed_at = EXCLUDED.changed_at, state = EXCLUDED.state, reason = EXCLUDED.reason,
			in_flight = EXCLUDED.in_flight, declines = EXCLUDED.declines, series_at = EXCLUDED.series_at,
			tried_with = EXCLUDED.tried_with, check_at = EXCLUDED.check_at`,
		after.BookID, after.TeamID, after.UserID, after.On, after.Threshold, after.Pack, after.CreditsMax, after.AmountMax, after.Currency,
		after.PaymentMethodID, after.ChangedBy, after.ChangedAt, after.State, after.Reason, after.InFlight, after.Declines, after.SeriesAt,
		after.TriedWith, after.CheckAt)
	if err != nil {
		return AutoTopUp{}, fmt.Errorf("writing the automatic top-up of book %d: %w", in.BookID, err)
	}
	return after, nil
}

// changed is how an automatic top-up stands once somebody changed it.
func (s AutoTopUp) changed(in AutoTopUpIn, at time.Time) AutoTopUp {
	// Asking for it again while it is suspended is switching it on again.
	fresh := in.On && (!s.On || s.State == TopUpSuspended) || in.PaymentMethodID != s.PaymentMethodID
	s.BookID, s.TeamID, s.UserID, s.On = in.BookID, in.TeamID, in.UserID, in.On
	s.Threshold, s.Pack, s.CreditsMax, s.AmountMax, s.Currency = in.Threshold, in.Pack, in.CreditsMax, in.AmountMax, in.Currency
	s.PaymentMethodID, s.ChangedBy, s.ChangedAt = in.PaymentMethodID, in.By, at
	switch {
	case fresh || s.State == "":
		return s.resumed(at)
	case s.InFlight != nil:
		return s
	}
	return s.again(at)
}

// CardChanged ends the suspension of every automatic top-up that a customer pays, since
// there is another card to try (P3), and gives back the books that are to be decided.
func CardChanged(ctx context.Context, tx pgx.Tx, customerID, paymentMethodID string, at time.Time) ([]int64, error) {
	if paymentMethodID == "" {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `
		SELECT a.book_id FROM auto_top_ups a
		CROSS JOIN LATERAL (
			SELECT customer_id FROM purchases p WHERE p.book_id = a.book_id AND p.kind = 'auto' ORDER BY created_at DESC LIMIT 1) last
		WHERE a.state IN ('suspended', 'retrying') AND a.payment_method_id = '' AND last.customer_id = $1 AND a.tried_with <> $2 ORDER BY a.book_id`,
		customerID, paymentMethodID)
	if err != nil {
		return nil, fmt.Errorf("finding what customer %s pays automatically: %w", customerID, err)
	}
	books, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil || len(books) == 0 {
		return nil, err
	}
	if err := ledger.Lock(ctx, tx, books...); err != nil {
		return nil, err
	}
	for _, book := range books {
		s, err := GetAutoTopUp(ctx, tx, book)
		if err != nil {
			return nil, err
		}
		if s.State != TopUpSuspended && s.State != TopUpRetrying {
			continue
		}
		if err := storeTopUp(ctx, tx, s.resumed(at)); err != nil {
			return nil, err
		}
	}
	return books, nil
}
