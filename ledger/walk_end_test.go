package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// repeat asks for a step again that was posted, or for another one under its key.
func (w *walk) repeat(t *rapid.T) {
	if len(w.done) == 0 {
		t.Skip("nothing was done yet")
	}
	s := rapid.SampledFrom(w.done).Draw(t, "step")
	if rapid.Bool().Draw(t, "elsewhen") { // else within the same opened books, if it was there
		w.write()
	}
	if w.books == nil || w.books[s.book].known[s.request.Key] == nil {
		w.write()
		var wants [2]Want
		wants[s.book].Keys = []string{s.request.Key}
		w.open(wants)
	}
	r := s.request
	r.At = w.at
	another := rapid.Bool().Draw(t, "another")
	if another {
		r.Hash = []byte("another")
	}
	e, err := s.do(r, w.books)
	switch {
	case another && !errors.Is(err, ErrKeyReused):
		t.Fatalf("%s with another hash: got %v", s.name, err)
	case !another && (err != nil || !e.Replayed || e.Sequence != s.entry || !bytes.Equal(e.Hash, r.Hash)):
		t.Fatalf("%s again: got %+v, %v, want entry %d again", s.name, e, err, s.entry)
	}
	w.compare(s.name + " again")
}

// finish writes, and looks at what the database says.
func (w *walk) finish() {
	w.write()
	w.open([2]Want{})
	w.write()
	found := []string{}
	sum, err := Audit(w.ctx, w.tx, func(d Difference) error {
		found = append(found, d.String())
		return nil
	})
	if err != nil || len(found) > 0 {
		w.t.Fatalf("the audit finds %s (%v)", strings.Join(found, "\n"), err)
	}
	if sum.Books < 2 {
		w.t.Fatalf("audited %+v", sum)
	}
	for i, id := range w.ids {
		books, err := View(w.ctx, w.tx, w.at, Want{Book: id})
		if err != nil {
			w.t.Fatal(err)
		}
		for _, since := range []time.Time{w.window[i], start, w.at.Add(-24 * time.Hour)} {
			if got, want := w.used(books[0], since), w.models[i].used(since); !slices.Equal(got, want) {
				w.t.Fatalf("used since %v: the ledger says %q, the model %q", since, got, want)
			}
		}
	}
}

func (w *walk) used(b *Book, since time.Time) []string {
	usage, err := UsageSince(w.ctx, w.tx, b, since)
	if err != nil {
		w.t.Fatal(err)
	}
	var lines []string
	for _, u := range usage {
		for _, c := range []Class{ClassMonthly, ClassPurchased, ClassRollover, ClassBonus, ClassContributed} {
			if n := *u.Of(c); n != 0 {
				lines = append(lines, fmt.Sprintf("%s %s %d", u.Holder, c, n))
			}
		}
	}
	slices.Sort(lines)
	return lines
}
