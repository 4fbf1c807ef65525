package ledger

import (
	"errors"
	"fmt"
)

// CreditsMax is the most that one posting may move (L1). It keeps sums of many
// postings far from the end of int64.
const CreditsMax = 1_000_000_000_000

// bookMax is the most that may ever enter a book: a million times CreditsMax, and a
// ninth of what int64 can count.
const bookMax = 1_000_000 * CreditsMax

// Errors that a caller can act on. Each is a rule of the ledger; what HTTP makes of
// them is the API's business.
var (
	ErrBookNotFound    = errors.New("book not found")
	ErrEntryNotFound   = errors.New("entry not found")
	ErrHoldNotFound    = errors.New("hold not found")
	ErrLotNotFound     = errors.New("lot not found")
	ErrAccountNotFound = errors.New("account not found")
	ErrAccountClosed   = errors.New("the allocation is closed")
	ErrKeyMissing      = errors.New("idempotency key is missing")
	ErrKeyReserved     = errors.New("idempotency key is one that the ledger keeps for itself")
	ErrActorMissing    = errors.New("it isn't said who asks")
	ErrKeyReused       = errors.New("idempotency key was used for another request")
	ErrHoldSettled     = errors.New("hold is settled already")
	ErrHoldExpired     = errors.New("hold has expired")
	ErrMoreThanHeld    = errors.New("more than is held")
	ErrMoreThanSpent   = errors.New("more than is left of the spend")
	ErrSameAccount     = errors.New("the credits are in that account already")
	ErrLotInvalid      = errors.New("a lot needs an origin, and an end that isn't before its start")
	ErrBookFull        = errors.New("the book can't hold that many credits")
)

// AmountError says that an amount is outside 1 … CreditsMax.
type AmountError struct{ Credits int64 }

func (e *AmountError) Error() string {
	return fmt.Sprintf("credits must be between 1 and %d, got %d", int64(CreditsMax), e.Credits)
}

// InsufficientError says how much could have been drawn, and from where.
type InsufficientError struct {
	Wanted    int64
	Available int64
	Accounts  []int32 // the accounts that were asked, in order
}

func (e *InsufficientError) Error() string {
	return fmt.Sprintf("%d credits wanted, %d available", e.Wanted, e.Available)
}

func checkCredits(credits int64) error {
	if credits < 1 || credits > CreditsMax {
		return &AmountError{Credits: credits}
	}
	return nil
}
