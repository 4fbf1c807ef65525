package web

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"golang.org/x/text/currency"

	"purser/billing"
	"purser/teams"
)

// registerTopUp sets the automatic top-up (P2).
func (s *Server) registerTopUp(root string, page showing) {
	s.act(root+"/billing/auto-top-up", func(ctx context.Context, tx pgx.Tx, v *visit) (done, error) {
		in, err := s.topUpAsked(ctx, tx, v)
		if err != nil {
			return done{}, err
		}
		setting, err := teams.SetAutoTopUp(ctx, tx, s.cfg.Catalog, in, v.At)
		if err != nil {
			return done{}, err
		}
		said := "topup.off"
		if setting.On {
			said = "topup.on"
		}
		return done{note{Text: v.T(said)}, v.Path("billing")}, s.cfg.StageTopUps(ctx, tx, []int64{setting.BookID})
	}, page)
}

// topUpAsked reads the form. What it doesn't ask for stays as it is.
func (s *Server) topUpAsked(ctx context.Context, tx pgx.Tx, v *visit) (in teams.TopUpSetting, err error) {
	in = teams.TopUpSetting{By: v.By, On: v.form.Get("on") == "yes", Pack: v.form.Get("pack")}
	in.TeamID, in.UserID = v.ofPlace()
	was, err := teams.GetAutoTopUp(ctx, tx, in.TeamID, in.UserID, v.By)
	if err != nil {
		return in, err
	}
	in.PaymentMethodID, in.Currency = was.PaymentMethodID, was.Currency
	if pack, ok := s.cfg.Catalog.Pack(in.Pack); ok && pack.Price.Currency != "" {
		in.Currency = pack.Price.Currency
	} else if code := strings.ToLower(v.form.Text("currency")); code != "" {
		in.Currency = code
	}
	if in.Threshold, err = v.form.credits("threshold"); err != nil {
		return in, err
	}
	if in.CreditsMax, err = v.form.credits("credits_max"); err != nil {
		return in, err
	}
	in.AmountMax, err = v.form.money("amount_max", in.Currency)
	return in, err
}

// money reads an amount as people write it, with a point or a comma before the cents, and
// gives it in the currency's smallest unit.
func (f form) money(name, code string) (int64, error) {
	wrong := &teams.Refusal{Class: teams.Rule, Code: "money_invalid", Field: name, Detail: "that is no amount of money"}
	scale := 2
	if unit, err := currency.ParseISO(code); err == nil {
		scale, _ = currency.Standard.Rounding(unit)
	}
	text := f.Text(name)
	whole, cents := text, ""
	if i := strings.LastIndexAny(text, ".,"); i >= 0 && len(text)-i-1 == scale && scale > 0 {
		whole, cents = text[:i], text[i+1:]
	}
	if !wholeNumber(whole) || cents == "" && strings.HasSuffix(text, ".") {
		return 0, wrong
	}
	n, err := strconv.ParseInt(thousandsMarks.Replace(whole)+cents+strings.Repeat("0", scale-len(cents)), 10, 64)
	if err != nil || n < 0 {
		return 0, wrong
	}
	return n, nil
}

// Amount is money as its field has it: with a point, and without a currency.
func (v *visit) Amount(amount int64, code string) string {
	scale := 2
	if unit, err := currency.ParseISO(code); err == nil {
		scale, _ = currency.Standard.Rounding(unit)
	}
	digits := strconv.FormatInt(amount, 10)
	for len(digits) <= scale {
		digits = "0" + digits
	}
	if scale == 0 {
		return digits
	}
	return digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// Set is what a field of a top-up has: nothing, as long as nobody has ever set it.
func (v *visit) Set(t billing.AutoTopUp, text string) string {
	if t.Pack == "" {
		return ""
	}
	return text
}

// CurrencyOf is what a top-up's money is in, as people know it.
func (v *visit) CurrencyOf(t billing.AutoTopUp) string {
	code := t.Currency
	if pack, ok := v.s.cfg.Catalog.Pack(t.Pack); ok && pack.Price.Currency != "" {
		code = pack.Price.Currency
	}
	if code == "" && len(v.s.cfg.Catalog.Packs) > 0 {
		code = v.s.cfg.Catalog.Packs[0].Price.Currency
	}
	return strings.ToUpper(code)
}

// Plain is a number as a field has it.
func (v *visit) Plain(n int64) string { return strconv.FormatInt(n, 10) }

// PackPrice is what a pack costs, if the catalogue says so.
func (v *visit) PackPrice(p billing.Pack) string {
	if p.Price.UnitAmount == 0 || p.Price.Currency == "" {
		return ""
	}
	return v.Money(p.Price.UnitAmount, p.Price.Currency)
}
