package teams

import "fmt"

// Class orders refusals as S4 checks them.
type Class int

// The classes of S4, in its order.
const (
	NotFound  Class = iota + 1 // it doesn't exist, or not here
	Suspended                  // the team or the user is suspended
	Forbidden                  // role, scope or access forbid it
	Conflict                   // the state forbids it, or a key was used for another request
	Rule                       // a rule forbids it, whatever the state
	Short                      // a limit or too few credits
)

// Refusal says that a rule forbids what was asked for. It changes nothing. The code is
// stable; the detail is for people.
type Refusal struct {
	Class  Class
	Code   string
	Field  string // the field of the request that breaks the rule, if one does
	Detail string

	// Of class Short: what stopped it, how much there is, and what would help (T7).
	Available int64
	Limit     *LimitState
	Helps     []string

	Expires *int64 // of a closing: how many credits will expire
}

func (r *Refusal) Error() string { return r.Detail }

func refuse(class Class, code, format string, args ...any) *Refusal {
	return &Refusal{Class: class, Code: code, Detail: fmt.Sprintf(format, args...)}
}

func refuseField(code, field, format string, args ...any) *Refusal {
	return &Refusal{Class: Rule, Code: code, Field: field, Detail: fmt.Sprintf(format, args...)}
}
