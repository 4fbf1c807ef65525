package web

import (
	"regexp"
	"strconv"
	"time"

	"purser/ledger"
)

// ownMemos are the reasons that purser itself writes down, in English, with the keys of
// their texts. What people write stays as they wrote it.
var ownMemos = []struct {
	key     string
	written *regexp.Regexp
}{
	{"period", regexp.MustCompile(`^the period of (?P<at>\S+), (?P<n>\d+) seats$`)},
	{"seats", regexp.MustCompile(`^(?P<n>\d+) seats from now on$`)},
	{"rolled", regexp.MustCompile(`^rolled over into the period of (?P<at>\S+)$`)},
	{"turned", regexp.MustCompile(`^the period has turned$`)},
	{"owed", regexp.MustCompile(`^owed at the turn of the period$`)},
	{"cut", regexp.MustCompile(`^the period was cut short$`)},
	{"end_moved", regexp.MustCompile(`^the period's end moved$`)},
	{"team_closed", regexp.MustCompile(`^the team was closed$`)},
	{"left_team", regexp.MustCompile(`^left the team$`)},
	{"went_home", regexp.MustCompile(`^what a member bought or put in went home$`)},
	{"subscription", regexp.MustCompile(`^subscription (?P<what>\S+) \S+$`)},
	{"pack", regexp.MustCompile(`^pack (?P<pack>.+)$`)},
	{"refund", regexp.MustCompile(`^money was given back: charge \S+$`)},
	{"refund_failed", regexp.MustCompile(`^a refund failed: charge \S+$`)},
	{"disputed", regexp.MustCompile(`^disputed: charge \S+$`)},
	{"undisputed", regexp.MustCompile(`^no dispute is open any more: charge \S+$`)},
	{"lot_ended", regexp.MustCompile(`^lot \d+ has ended$`)},
}

// Memo is why an entry was made, in the viewer's words where the words are purser's.
func (v *visit) Memo(l ledger.LineDetail) string {
	switch l.Kind {
	case ledger.KindSpend, ledger.KindHold, ledger.KindCapture, ledger.KindRelease, ledger.KindReversal, ledger.KindAllocation,
		ledger.KindTransfer, ledger.KindContribution, ledger.KindContributionIn:
		return l.Memo // people's
	}
	for _, own := range ownMemos {
		if found := own.written.FindStringSubmatch(l.Memo); found != nil {
			return v.T("memo."+own.key, v.remembered(own.written.SubexpNames(), found)...)
		}
	}
	return l.Memo
}

// remembered reads what a memo tells: what is counted first, as texts want it.
func (v *visit) remembered(names, found []string) []any {
	var told []any
	for i, name := range names {
		switch name {
		case "n":
			n, _ := strconv.ParseInt(found[i], 10, 64)
			told = append([]any{n}, told...)
		case "at":
			at, err := time.Parse(time.RFC3339, found[i])
			if err != nil {
				return []any{found[i]}
			}
			told = append(told, v.Day(at))
		case "pack":
			told = append(told, v.Pack(found[i]))
		case "what":
			told = append(told, found[i])
		}
	}
	return told
}
