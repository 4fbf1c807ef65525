package localstripe

// behaviour is what a payment method does when it is attached or charged, as Stripe's test cards do.
type behaviour struct {
	brand, last4  string
	code, decline string // of the refusal; empty when it can be charged
	message       string
	refusesAttach bool   // the refusal comes already when it is attached
	authenticates string // "", "always", or "on_session": set up for off-session use, but asked for on session
	dispute       string // the status that a dispute opens with, right after the charge
	refundFails   bool
	pendingRefund bool
	slow          bool // a bank debit: the money comes, or doesn't, days later
	slowlyRefused bool
}

const (
	declined             = "card_declined"
	genericMessage       = "Your card was declined."
	fundsMessage         = "Your card has insufficient funds."
	authenticationFailed = "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent again."
	authenticationMsg    = "Your card was declined. This transaction requires authentication."
)

// behaviours go by Stripe's names for its test payment methods.
var behaviours = map[string]behaviour{
	"pm_card_visa":                                     {brand: "visa", last4: "4242"},
	"pm_card_visa_debit":                               {brand: "visa", last4: "5556"},
	"pm_card_mastercard":                               {brand: "mastercard", last4: "4444"},
	"pm_card_amex":                                     {brand: "amex", last4: "8431"},
	"pm_card_discover":                                 {brand: "discover", last4: "1117"},
	"pm_card_us":                                       {brand: "visa", last4: "4242"},
	"pm_card_chargeCustomerFail":                       {brand: "visa", last4: "0341", code: declined, decline: "generic_decline", message: genericMessage},
	"pm_card_chargeDeclined":                           refusing("0002", declined, "generic_decline", genericMessage),
	"pm_card_visa_chargeDeclined":                      refusing("0002", declined, "generic_decline", genericMessage),
	"pm_card_chargeDeclinedInsufficientFunds":          refusing("9995", declined, "insufficient_funds", fundsMessage),
	"pm_card_visa_chargeDeclinedInsufficientFunds":     refusing("9995", declined, "insufficient_funds", fundsMessage),
	"pm_card_visa_chargeDeclinedLostCard":              refusing("9987", declined, "lost_card", genericMessage),
	"pm_card_visa_chargeDeclinedStolenCard":            refusing("9979", declined, "stolen_card", genericMessage),
	"pm_card_chargeDeclinedFraudulent":                 refusing("0019", declined, "fraudulent", genericMessage),
	"pm_card_chargeDeclinedExpiredCard":                refusing("0069", "expired_card", "", "Your card has expired."),
	"pm_card_chargeDeclinedIncorrectCvc":               refusing("0127", "incorrect_cvc", "", "Your card's security code is incorrect."),
	"pm_card_chargeDeclinedProcessingError":            refusing("0119", "processing_error", "", "An error occurred while processing your card. Try again in a little bit."),
	"pm_card_visa_chargeDeclinedVelocityLimitExceeded": refusing("6975", declined, "card_velocity_exceeded", "Your card was declined for making repeated attempts too frequently or exceeding its amount limit."),
	"pm_card_authenticationRequired":                   {brand: "visa", last4: "3184", authenticates: "always"},
	"pm_card_threeDSecure2Required":                    {brand: "visa", last4: "3220", authenticates: "always"},
	"pm_card_authenticationRequiredOnSetup":            {brand: "visa", last4: "3155", authenticates: "on_session"},
	"pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": {
		brand: "visa", last4: "8260", authenticates: "always", code: declined, decline: "insufficient_funds", message: fundsMessage,
	},
	"pm_card_createDispute":                   {brand: "visa", last4: "0259", dispute: "needs_response"},
	"pm_card_createDisputeProductNotReceived": {brand: "visa", last4: "2685", dispute: "needs_response"},
	"pm_card_createDisputeInquiry":            {brand: "visa", last4: "1976", dispute: "warning_needs_response"},
	"pm_card_refundFail":                      {brand: "visa", last4: "5126", refundFails: true},
	"pm_card_pendingRefund":                   {brand: "visa", last4: "7726", pendingRefund: true},
	"pm_usBankAccount_success":                {brand: "us_bank_account", last4: "6789", slow: true},
	"pm_usBankAccount_insufficientFunds": {
		brand: "us_bank_account", last4: "2227", slow: true, slowlyRefused: true,
		code: "payment_intent_payment_attempt_failed", decline: "insufficient_funds", message: "The customer's bank account has insufficient funds.",
	},
}

// bankAccount is slow; Stripe's second Austrian test number fails in the end.
func bankAccount(kind, iban string) behaviour {
	does := behaviours["pm_usBankAccount_success"]
	if iban == "AT861904300235473202" || iban == "IT60X0542811101000000123456" {
		does = behaviours["pm_usBankAccount_insufficientFunds"]
	}
	does.brand = kind
	return does
}

func refusing(last4, code, decline, message string) behaviour {
	return behaviour{brand: "visa", last4: last4, code: code, decline: decline, message: message, refusesAttach: true}
}

// numbers are the cards that can be typed into the Checkout page, or sent as card[number].
var numbers = map[string]string{
	"4242424242424242": "pm_card_visa", "4000056655665556": "pm_card_visa_debit", "5555555555554444": "pm_card_mastercard",
	"4000000000000341": "pm_card_chargeCustomerFail", "4000000000000002": "pm_card_chargeDeclined",
	"4000000000009995": "pm_card_chargeDeclinedInsufficientFunds", "4000000000009987": "pm_card_visa_chargeDeclinedLostCard",
	"4000000000009979": "pm_card_visa_chargeDeclinedStolenCard", "4000000000000069": "pm_card_chargeDeclinedExpiredCard",
	"4000000000000127": "pm_card_chargeDeclinedIncorrectCvc", "4000000000000119": "pm_card_chargeDeclinedProcessingError",
	"4000002760003184": "pm_card_authenticationRequired", "4000000000003220": "pm_card_threeDSecure2Required",
	"4000002500003155": "pm_card_authenticationRequiredOnSetup",
	"4000008260003178": "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
	"4000000000000259": "pm_card_createDispute", "4000000000001976": "pm_card_createDisputeInquiry",
	"4000000000005126": "pm_card_refundFail", "4000000000007726": "pm_card_pendingRefund",
}

// refusal is the card error of a charge that doesn't go through, or nil.
func (b behaviour) refusal() *apiError {
	if b.code == "" {
		return nil
	}
	return &apiError{status: 402, kind: "card_error", code: b.code, declineCode: b.decline, message: b.message}
}

// hardDeclines are never tried again by dunning until there is another payment method.
var hardDeclines = map[string]bool{
	"lost_card": true, "stolen_card": true, "pickup_card": true, "incorrect_number": true, "revocation_of_authorization": true,
	"revocation_of_all_authorizations": true, "authentication_required": true, "highest_risk_level": true, "transaction_not_allowed": true,
}
