package localstripe

import (
	"strings"
	"testing"

	"github.com/stripe/stripe-go/v76"
)

// TestCards holds Stripe's own names to what Stripe's table of test cards says they do.
func TestCards(t *testing.T) {
	for name, want := range map[string]struct {
		code    stripe.ErrorCode
		decline stripe.DeclineCode
	}{
		"pm_card_visa": {}, "pm_card_mastercard": {}, "pm_card_amex": {}, "pm_card_visa_debit": {}, "pm_card_us": {}, "pm_card_discover": {},
		"pm_card_chargeDeclined":                                        {stripe.ErrorCodeCardDeclined, stripe.DeclineCodeGenericDecline},
		"pm_card_visa_chargeDeclined":                                   {stripe.ErrorCodeCardDeclined, stripe.DeclineCodeGenericDecline},
		"pm_card_chargeCustomerFail":                                    {stripe.ErrorCodeCardDeclined, stripe.DeclineCodeGenericDecline},
		"pm_card_chargeDeclinedInsufficientFunds":                       {stripe.ErrorCodeCardDeclined, stripe.DeclineCodeInsufficientFunds},
		"pm_card_visa_chargeDeclinedInsufficientFunds":                  {stripe.ErrorCodeCardDeclined, stripe.DeclineCodeInsufficientFunds},
		"pm_card_visa_chargeDeclinedLostCard":                           {stripe.ErrorCodeCardDeclined, stripe.DeclineCodeLostCard},
		"pm_card_visa_chargeDeclinedStolenCard":                         {stripe.ErrorCodeCardDeclined, stripe.DeclineCodeStolenCard},
		"pm_card_visa_chargeDeclinedVelocityLimitExceeded":              {stripe.ErrorCodeCardDeclined, stripe.DeclineCodeCardVelocityExceeded},
		"pm_card_chargeDeclinedFraudulent":                              {stripe.ErrorCodeCardDeclined, stripe.DeclineCodeFraudulent},
		"pm_card_chargeDeclinedExpiredCard":                             {stripe.ErrorCodeExpiredCard, ""},
		"pm_card_chargeDeclinedIncorrectCvc":                            {stripe.ErrorCodeIncorrectCVC, ""},
		"pm_card_chargeDeclinedProcessingError":                         {stripe.ErrorCodeProcessingError, ""},
		"pm_card_authenticationRequired":                                {stripe.ErrorCodeAuthenticationRequired, "authentication_required"},
		"pm_card_threeDSecure2Required":                                 {stripe.ErrorCodeAuthenticationRequired, "authentication_required"},
		"pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": {stripe.ErrorCodeAuthenticationRequired, "authentication_required"},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			pi, err := w.api.PaymentIntents.New(&stripe.PaymentIntentParams{
				Amount: stripe.Int64(500), Currency: stripe.String("usd"), PaymentMethod: stripe.String(name), OffSession: stripe.Bool(true), Confirm: stripe.Bool(true),
			})
			if want.code == "" {
				same(t, "status", must(pi, err)(t).Status, stripe.PaymentIntentStatusSucceeded)
				return
			}
			refused := stripeError(t, err)
			same(t, "status", refused.HTTPStatusCode, 402)
			same(t, "code", refused.Code, want.code)
			same(t, "decline code", refused.DeclineCode, want.decline)
			left := must(w.api.PaymentIntents.Get(refused.PaymentIntent.ID, nil))(t)
			same(t, "left", left.Status, stripe.PaymentIntentStatusRequiresPaymentMethod)
			same(t, "last error", left.LastPaymentError.Code, want.code)
			h := must(w.api.Charges.Get(refused.ChargeID, nil))(t)
			same(t, "charge", h.Status, stripe.ChargeStatusFailed)
			same(t, "failure", h.FailureCode, string(want.code))
		})
	}

	t.Run("OnSessionTheBankAsksAndThenTheCardMayStillBeDeclined", func(t *testing.T) {
		for name, want := range map[string]stripe.PaymentIntentStatus{
			"pm_card_authenticationRequired":                                stripe.PaymentIntentStatusSucceeded,
			"pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": stripe.PaymentIntentStatusRequiresPaymentMethod,
		} {
			w := open(t)
			pi := must(w.api.PaymentIntents.New(&stripe.PaymentIntentParams{
				Amount: stripe.Int64(500), Currency: stripe.String("usd"), PaymentMethod: stripe.String(name), Confirm: stripe.Bool(true),
				ReturnURL: stripe.String("http://127.0.0.1/done"),
			}))(t)
			same(t, "asks", pi.Status, stripe.PaymentIntentStatusRequiresAction)
			same(t, "where", strings.HasPrefix(pi.NextAction.RedirectToURL.URL, w.URL()), true)
			err := w.Authenticate(pi.ID, true)
			same(t, name, must(w.api.PaymentIntents.Get(pi.ID, nil))(t).Status, want)
			same(t, "refused", err != nil, want != stripe.PaymentIntentStatusSucceeded)
		}
	})

	t.Run("SetUpForOffSessionUseItAsksOnSessionOnly", func(t *testing.T) {
		w := open(t)
		u := w.payer("pm_card_authenticationRequiredOnSetup")
		same(t, "off session", must(w.charge(u, u0(w, u), 500))(t).Status, stripe.PaymentIntentStatusSucceeded)
		si := must(w.api.SetupIntents.New(&stripe.SetupIntentParams{
			Customer: stripe.String(u.ID), PaymentMethod: stripe.String("pm_card_authenticationRequiredOnSetup"), Confirm: stripe.Bool(true),
			ReturnURL: stripe.String("http://127.0.0.1/done"),
		}))(t)
		same(t, "at setup", si.Status, stripe.SetupIntentStatusRequiresAction)
	})

	t.Run("ChargebacksComeRightAfterTheCharge", func(t *testing.T) {
		for name, want := range map[string]stripe.DisputeStatus{
			"pm_card_createDispute": stripe.DisputeStatusNeedsResponse, "pm_card_createDisputeProductNotReceived": stripe.DisputeStatusNeedsResponse,
			"pm_card_createDisputeInquiry": stripe.DisputeStatusWarningNeedsResponse,
		} {
			w := open(t)
			u := w.payer(name)
			pi := must(w.charge(u, u0(w, u), 500))(t)
			same(t, "succeeded all the same", pi.Status, stripe.PaymentIntentStatusSucceeded)
			list := w.api.Disputes.List(&stripe.DisputeListParams{PaymentIntent: stripe.String(pi.ID)})
			same(t, "disputed", list.Next(), true)
			same(t, name, list.Dispute().Status, want)
			same(t, "money withdrawn", contains(w.kinds(""), "charge.dispute.funds_withdrawn"), want == stripe.DisputeStatusNeedsResponse)
		}
	})

	t.Run("EveryNumberHasAMethodAndEveryMethodABrand", func(t *testing.T) {
		for number, name := range numbers {
			does, ok := behaviours[name]
			if !ok || !strings.HasSuffix(number, does.last4) && name != "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds" {
				t.Errorf("%s is %s, whose last four are %s", number, name, does.last4)
			}
		}
	})
}
