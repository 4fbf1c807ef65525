package web

import (
	"strings"

	"purser/billing"
	"purser/ledger"
	"purser/teams"
)

// Say is a sentence of an explanation in the viewer's words. One that the texts don't have
// is said as billing says it.
func (v *visit) Say(x billing.Saying) string {
	if key := "said." + x.Code; v.Has(key) {
		return v.T(key, v.told(x.Args)...)
	}
	return x.String()
}

// SayYou is Say for the member of whom it tells.
func (v *visit) SayYou(x billing.Saying) string {
	if key := "said.you." + strings.TrimPrefix(x.Code, "member."); v.Has(key) {
		return v.T(key, v.told(x.Args)...)
	}
	return v.Say(x)
}

// told puts words of ours into the viewer's.
func (v *visit) told(args []any) []any {
	said := make([]any, len(args))
	for i, arg := range args {
		switch a := arg.(type) {
		case billing.Status:
			said[i] = v.Word("status", a)
		case ledger.Class:
			said[i] = strings.ToLower(v.Word("part", a))
		case billing.PackName:
			said[i] = v.Pack(string(a))
		case billing.TopUpReason:
			said[i] = v.Word("reason", string(a))
		case billing.DeclineCode:
			said[i] = v.Decline(string(a))
		case *teams.Refusal:
			said[i] = v.why(a.Code, a)
		default:
			said[i] = arg
		}
	}
	return said
}

// Decline is why a payment was declined, in plain words. Of a card that was lost, stolen or
// taken for fraud the texts tell no more than of any other, as Stripe asks of them: whoever
// pays may not be whose card it is.
func (v *visit) Decline(code string) string {
	if key := "decline." + code; v.Has(key) {
		return v.T(key)
	}
	return v.T("decline.unknown", code)
}
