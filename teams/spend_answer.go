package teams

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"purser/ledger"
)

// SpendOut is its answer.
type SpendOut struct {
	Team     string
	Answer   SpendAnswer
	Replayed bool
}

// SpendAnswer is all that the first answer says (S3). It is stored with the entry, so
// that a repeated key gets the same again, whatever has changed since.
type SpendAnswer struct {
	Entry     ledger.EntryRef `json:"entry"` // the one that drew: of a personal spend it lies in the user's book
	User      string          `json:"user"`
	Credits   int64           `json:"credits"`
	At        time.Time       `json:"at"`
	ExpiresAt *time.Time      `json:"expires_at,omitempty"` // of a hold
	Released  int64           `json:"released,omitempty"`   // of a capture: what went back
	Paid      []PaidFrom      `json:"paid_from"`
	Available int64           `json:"available"` // to the member, afterwards
	FellBack  bool            `json:"fell_back,omitempty"`
}

// PaidFrom is what one account paid.
type PaidFrom struct {
	Account string `json:"account"` // pool, allocation, personal
	Credits int64  `json:"credits"`
	Lots    []Lot  `json:"lots"`
}

// Lot is a part of one lot.
type Lot struct {
	Lot     int64         `json:"lot"`
	Source  ledger.Source `json:"source"`
	Credits int64         `json:"credits"`
}

// told says what an entry did.
func (d *desk) told(e *ledger.Entry) SpendAnswer {
	return SpendAnswer{
		Entry: ledger.EntryRef{Book: e.Book, Sequence: e.Sequence}, User: e.Holder, Credits: e.Credits, At: e.At,
		ExpiresAt: e.EndsAt, Paid: paidFrom(d.states[e.Book].Book, e),
	}
}

// remember stores the answer with the entry that keeps the key: of what another book
// paid, that is the entry in the team's book.
func (d *desk) remember(team *Team, in SpendIn, entry *ledger.Entry, out *SpendOut) {
	keeper := entry
	if keeper.Book != team.BookID {
		keeper, _ = d.states[team.BookID].Book.Known(ledgerKey(in.Key))
	}
	keeper.Answer, _ = json.Marshal(out.Answer) // of strings, numbers and instants: it can't fail
}

// replay gives the first answer again.
func (d *desk) replay(team *Team, in SpendIn, first *ledger.Entry) (*SpendOut, error) {
	out := &SpendOut{Team: team.ID, Replayed: true}
	if err := json.Unmarshal(first.Answer, &out.Answer); err != nil {
		return nil, fmt.Errorf("reading the first answer to %q: %w", in.Key, err)
	}
	return out, nil
}

// paidFrom lists what an entry drew, by account.
func paidFrom(b *ledger.Book, e *ledger.Entry) []PaidFrom {
	paid := []PaidFrom{}
	for _, d := range e.Drawn() {
		account, ok := b.Account(d.Account)
		if !ok {
			continue
		}
		if n := len(paid); n == 0 || paid[n-1].Account != string(account.Kind) {
			paid = append(paid, PaidFrom{Account: string(account.Kind)})
		}
		last := &paid[len(paid)-1]
		last.Credits += d.Credits
		if lot, ok := b.LotByID(d.Lot); ok {
			last.Lots = append(last.Lots, Lot{Lot: lot.ID, Source: lot.Source, Credits: d.Credits})
		}
	}
	return paid
}

// asRefusal turns the ledger's errors into refusals that say what to do.
func asRefusal(err error) error {
	var amount *ledger.AmountError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &amount):
		return refuseField("amount_invalid", "credits", "%s", amount.Error())
	case errors.Is(err, ledger.ErrKeyMissing):
		return refuseField("key_missing", "Idempotency-Key", "a write needs an idempotency key")
	case errors.Is(err, ledger.ErrKeyReused):
		return refuse(Conflict, "key_reused", "the idempotency key was used for another request")
	case errors.Is(err, ledger.ErrHoldExpired):
		return refuse(Conflict, "hold_expired", "the hold has expired")
	case errors.Is(err, ledger.ErrHoldSettled):
		return refuse(Conflict, "hold_settled", "the hold is captured or released already")
	case errors.Is(err, ledger.ErrHoldNotFound):
		return refuse(NotFound, "hold_not_found", "there is no such hold here")
	case errors.Is(err, ledger.ErrEntryNotFound):
		return refuse(NotFound, "spend_not_found", "there is no such spend here")
	case errors.Is(err, ledger.ErrMoreThanHeld):
		return refuseField("more_than_held", "credits", "more than is held can't be captured")
	case errors.Is(err, ledger.ErrMoreThanSpent):
		return refuseField("more_than_spent", "credits", "more than is left of the spend can't be reversed")
	}
	return err
}
