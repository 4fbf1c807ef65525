package api

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"purser/ledger"
	"purser/teams"
)

// LimitState is a member's limit as it stands.
type LimitState struct {
	Kind     string     `json:"kind" enum:"period,total"`
	Credits  int64      `json:"credits" doc:"The cap; 0 blocks"`
	Used     int64      `json:"used" doc:"Drawn from the pool: spent or held, and not given back"`
	Left     int64      `json:"left"`
	ResetsAt *time.Time `json:"resets_at" doc:"When a limit per period starts anew"`
}

func viewLimit(l *teams.LimitState) *LimitState {
	if l == nil {
		return nil
	}
	return &LimitState{Kind: l.Kind, Credits: l.Credits, Used: l.Used, Left: l.Left, ResetsAt: utcOrNil(l.ResetsAt)}
}

// utcOrNil is an instant as everything here writes it. The database driver gives instants
// in the machine's zone.
func utcOrNil(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}

// refID writes the id of something in a book: its kind, the book and the number there.
// To clients it is opaque.
func refID(kind string, book, number int64) string {
	return fmt.Sprintf("%s_%d_%d", kind, book, number)
}

// parseRef reads such an id. One that can't be names nothing.
func parseRef(kind, id string) (ledger.EntryRef, bool) {
	rest, ok := strings.CutPrefix(id, kind+"_")
	book, number, both := strings.Cut(rest, "_")
	if !ok || !both {
		return ledger.EntryRef{}, false
	}
	b, err1 := strconv.ParseInt(book, 10, 64)
	n, err2 := strconv.ParseInt(number, 10, 64)
	ref := ledger.EntryRef{Book: b, Sequence: n}
	return ref, err1 == nil && err2 == nil && b > 0 && n > 0 && id == refID(kind, b, n)
}

// mapped makes a view of each, and never null of none.
func mapped[A, B any](list []A, view func(A) B) []B {
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = view(a)
	}
	return out
}
