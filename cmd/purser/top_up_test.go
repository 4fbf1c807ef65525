package main

import (
	"fmt"
	"testing"

	"purser/api"
)

func TestTopUp(t *testing.T) {
	t.Parallel()
	c := newCLI(t)
	c.team("100", "ann")

	shows(t, c.ok("top-up", "show", "--team", "acme"), `^on +no$`, `^state +off$`, `^sentence +Automatic top-up is off`, `^helps +switch_on$`)
	c.fails(exitUsage, []string{"--pack", "--credits-max", "--amount-max"}, "top-up", "set", "--team", "acme", "--threshold", "10")
	c.fails(exitFailed, []string{"switching the automatic top-up off", "no automatic top-up was ever switched on"}, "top-up", "off", "--team", "acme")
	set := []string{"top-up", "set", "--team", "acme", "--threshold", "10", "--pack", "pack_1000", "--credits-max", "5000", "--amount-max", "20000", "--key", "k1"}
	t.Run("P2_SetAndChange", func(t *testing.T) {
		v := did[api.AutoTopUp](c, set...)
		if !v.v.On || v.v.Threshold != 10 || v.v.Pack != "pack_1000" || v.v.CreditsPerMonthMax != 5000 || v.v.AmountPerMonthMax != 20000 || v.v.Currency != "usd" ||
			v.v.State != "ready" || v.v.NextCheckAt == nil || v.v.ChangedBy != "operator" {
			t.Errorf("%+v", v)
		}
		if again := did[api.AutoTopUp](c, set...); !again.Replayed || fmt.Sprint(again.v.Helps) != fmt.Sprint(v.v.Helps) || again.v.Threshold != 10 {
			t.Errorf("%+v", again)
		}
		// What isn't named stays.
		c.ok("top-up", "set", "--team", "acme", "--threshold", "0", "--payment-method", "pm_1", "--as", "olga")
		now := decoded[api.AutoTopUp](c, "top-up", "show", "--team", "acme")
		if !now.On || now.Threshold != 0 || now.CreditsPerMonthMax != 5000 || now.PaymentMethodID != "pm_1" || now.ChangedBy != "olga" {
			t.Errorf("%+v", now)
		}
		off := did[api.AutoTopUp](c, "top-up", "off", "--team", "acme").v
		if off.On || off.State != "off" || off.Pack != "pack_1000" {
			t.Errorf("%+v", off)
		}
		if on := did[api.AutoTopUp](c, "top-up", "set", "--team", "acme").v; !on.On || on.PaymentMethodID != "pm_1" {
			t.Errorf("%+v", on)
		}
	})
	t.Run("T15_OfAPersonalAccount", func(t *testing.T) {
		v := did[api.AutoTopUp](c, "top-up", "set", "--user", "ann", "--pack", "pack_1000", "--credits-max", "1000", "--amount-max", "9000", "--as", "ann").v
		if v.UserID != "ann" || v.TeamID != "" || v.Threshold != 0 {
			t.Errorf("%+v", v)
		}
		shows(t, c.ok("top-up", "show", "--user", "ann"), `^user +ann$`, `^state +ready$`, `^sentence +Automatic top-up buys pack_1000 once 0 credits or fewer are available`)
	})
	t.Run("Refused", func(t *testing.T) {
		c.fails(exitFailed, []string{"(role_forbids)"}, "top-up", "show", "--team", "acme", "--as", "ann")
		c.fails(exitFailed, []string{"(role_forbids)"}, "top-up", "set", "--team", "acme", "--as", "ann", "--threshold", "1")
		c.fails(exitFailed, []string{"setting the automatic top-up", "(pack_not_found)"}, "top-up", "set", "--team", "acme", "--pack", "gold")
		c.fails(exitFailed, []string{"(caps_invalid)"}, "top-up", "set", "--team", "acme", "--credits-max", "1")
		c.fails(exitUsage, []string{"--team"}, "top-up", "show")
	})
}
