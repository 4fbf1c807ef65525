package web_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
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
		b.get("/page/teams/acme/explain").want(200, "It would buy but waits: a payment is disputed.")
	})
	t.Run("N2_AMemberIsToldAsYou_AndAnAdminIsToldOfTheMember", func(t *testing.T) {
		w.as("bob", "acme").want(200, "You have the team's credits, and features of your own", "700 credits are set aside for you; held: 0", "After that you draw on the pool, which has 3,300 available",
			"You have used 300 of the team's credits").wantNot("The member")
		w.as("abe", "acme").get("/page/teams/acme/members/bob").want(200, "The member has the team's credits", "700 credits are set aside for the member")
	})
}
