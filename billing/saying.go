package billing

import (
	"fmt"
	"slices"
	"time"
)

// Saying is one sentence of an explanation: which one it is, and what it tells. String says
// it in English; whoever speaks otherwise knows by the code what to say.
type Saying struct {
	Code string // as total, or top_up.waiting; stable
	// Args are what it tells. One that counts credits or seats has the number first.
	// Numbers are int64, instants time.Time, and words of ours have their own types:
	// Status, ledger.Class, PackName, TopUpReason, DeclineCode.
	Args    []any
	english string
}

// NewSaying makes a saying. English is as for fmt.Sprintf.
func NewSaying(code, english string, args ...any) Saying { return Saying{code, args, english} }

// PackName is a pack in a saying, by its name.
type PackName string

// DeclineCode is in a saying what a bank says of a declined payment, in Stripe's words.
type DeclineCode string

// TopUpReason is in a saying why an automatic top-up is in its state.
type TopUpReason string

// String says what the reason means; one that isn't ours is said as it is.
func (r TopUpReason) String() string {
	if words, ours := topUpWords[string(r)]; ours {
		return words.means
	}
	return string(r)
}

// String says it in English.
func (s Saying) String() string {
	args := slices.Clone(s.Args)
	for i, arg := range args {
		if at, ok := arg.(time.Time); ok {
			args[i] = dayOf(at)
		}
	}
	return fmt.Sprintf(s.english, args...)
}

// MarshalText writes it in English.
func (s Saying) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Sayings are several, in order.
type Sayings []Saying

// say adds one.
func (s *Sayings) say(code, english string, args ...any) {
	*s = append(*s, NewSaying(code, english, args...))
}

// Strings says them in English. It is never nil.
func (s Sayings) Strings() []string {
	said := make([]string, len(s))
	for i, one := range s {
		said[i] = one.String()
	}
	return said
}

func dayOf(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
