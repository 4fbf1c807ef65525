package web_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// Whatever billing and teams explain, the page says in words of its own, with all that is
// told: so they can be translated.
func TestSay_EverySentenceIsInTheTexts(t *testing.T) {
	t.Parallel()
	texts := readTexts(t)
	sentence := regexp.MustCompile(`(?s)(?:NewSaying|\bsay)\(\s*"([a-z_.]+)",\s*"((?:[^"\\]|\\.)*)"`)
	hole := regexp.MustCompile(`%(?:\[\d\])?[dqs]`)
	found := 0
	for _, pattern := range []string{"../billing/*.go", "../teams/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range sentence.FindAllStringSubmatch(string(raw), -1) {
				found++
				key := "said." + m[1]
				text := texts[key] + texts[key+".other"]
				if text == "" {
					t.Errorf("%s: there is no text %s for %q", file, key, m[2])
				}
				told := len(hole.FindAllString(m[2], -1))
				if m[1] == "member.refused" || m[1] == "top_up.declined" {
					continue // the page tells no code, and a count only where there are several
				}
				if holes := strings.Count(text, "{"); holes != told {
					t.Errorf("%s: %s tells %d things, %q tells %d", file, key, holes, m[2], told)
				}
				if rest, of := strings.CutPrefix(m[1], "member."); of && texts["said.you."+rest]+texts["said.you."+rest+".other"] == "" {
					t.Errorf("there is no text said.you.%s", rest)
				}
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d sentences are found", found)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	team := w.acme()
	t.Run("N2_APoolIsExplainedInTheViewersWordsAndNumbers", func(t *testing.T) {
		w.as("abe", "acme").get("/page/teams/acme/explain").want(200,
			"The plan “team” is active, with 5 seats. The period runs from 10 Mar 2026, 12:00 to 10 Apr 2026, 12:00.",
			"5,000 credits were granted for this period, and 0 taken back since.",
			"The total of 5,500 is what was used (1,500), is held (0), set aside for members (700), frozen (0) and available (3,300).",
			"On 10 Apr 2026, 12:00, 2,500 credits roll over", "5,000 credits are granted, if the renewal is paid",
			"Where they came from", "Monthly 5,000", "Bonus 500",
			"Automatic top-up off It is off, so nothing is bought by itself.")
		b := w.browser()
		b.get(w.linkIn("ann", "acme", "de-DE", "Pacific/Auckland")).get("/page/teams/acme/explain").want(200, "The total of 5.500", "11 Apr 2026, 00:00")
	})
	t.Run("N2_WhyAnAutomaticTopUpDidNotBuy", func(t *testing.T) {
		b := w.as("abe", "acme").get(billingAt)
		b.submit(billingAt+"/auto-top-up", "on", "yes", "threshold", "100", "pack", "pack_1000", "credits_max", "5000", "amount_max", "50").want(200)
		b.get("/page/teams/acme/explain").want(200, "Automatic top-up on It buys 1,000 credits once 100 credits or fewer are left. There are 3,300.")
		w.Must(func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE auto_top_ups SET state = 'waiting', reason = 'dispute_open' WHERE book_id = $1`, team.BookID)
			return err
		})
		b.get("/page/teams/acme/explain").want(200, "It would buy, but is waiting: a payment is disputed.")
	})
	t.Run("N2_AMemberIsToldAsYou_AndAnAdminIsToldOfTheMember", func(t *testing.T) {
		w.as("bob", "acme").want(200, "You have the team's credits, and features of your own", "700 credits are set aside for you; held: 0", "After that you draw on the pool, which has 3,300 available",
			"You have used 300 of the team's credits").wantNot("The member")
		w.as("abe", "acme").get("/page/teams/acme/members/bob").want(200, "The member has the team's credits", "700 credits are set aside for the member")
	})
}

// Each of the codes that Stripe documents for a declined payment has words of its own; of
// four of them, and of a blocked risk, they are those of a decline without a reason.
func TestDeclines(t *testing.T) {
	t.Parallel()
	texts := readTexts(t)
	t.Run("P5_EveryDocumentedCodeHasWords", func(t *testing.T) {
		t.Parallel()
		for code := range strings.FieldsSeq(`
			approve_with_id authentication_required call_issuer card_not_supported card_velocity_exceeded currency_not_supported do_not_honor
			do_not_try_again duplicate_transaction expired_card fraudulent generic_decline incorrect_cvc incorrect_number incorrect_pin incorrect_zip
			insufficient_funds invalid_account invalid_amount invalid_cvc invalid_expiry_month invalid_expiry_year invalid_number invalid_pin
			issuer_not_available lost_card merchant_blacklist new_account_information_available no_action_taken not_permitted offline_pin_required
			online_or_offline_pin_required pickup_card pin_try_exceeded processing_error reenter_transaction restricted_card
			revocation_of_all_authorizations revocation_of_authorization security_violation service_not_allowed stolen_card stop_payment_order
			testmode_decline transaction_not_allowed try_again_later withdrawal_count_limit_exceeded
			card_declined authentication_not_handled payment_intent_authentication_failure`) {
			if text := texts["decline."+code]; text == "" || strings.Contains(text, "_") {
				t.Errorf("%s says %q", code, text)
			}
		}
		for _, code := range []string{"fraudulent", "lost_card", "stolen_card", "merchant_blacklist", "highest_risk_level"} {
			if text := texts["decline."+code]; text != texts["decline.generic_decline"] {
				t.Errorf("%s tells whoever pays %q", code, text)
			}
		}
	})
	t.Run("P5_ACodeThatIsNewAtStripeIsNamed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		w.topUpOn("9000")
		id := w.autoBought(billing.TopUpInvoice{Status: "void", Payment: "requires_payment_method", DeclineCode: "stolen_card", PaymentMethodID: "pm_1"})
		b := w.as("ann", "acme").get(billingAt).want(200, "the bank gives no reason; ask the bank").wantNot("stolen")
		w.Must(func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), `UPDATE purchases SET decline_code = 'brand_new' WHERE id = $1`, id)
			return err
		})
		b.get(billingAt).want(200, "the payment was declined, and Stripe calls it “brand_new”")
	})
}
