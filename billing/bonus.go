package billing

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
)

// Errors of bonus credits.
var (
	ErrBonusEnded   = errors.New("the credits would have ended already")
	ErrBonusUnknown = errors.New("no bonus was granted under that key")
)

// BonusIn asks for bonus credits to be granted to an account, or to be taken back (L11).
type BonusIn struct {
	Book    int64
	Holder  string // the member whose allocation it is; empty: the pool or the personal account
	Credits int64
	Key     string // the same key with the same request gives the first answer again (L6)
	Actor   string
	Memo    string

	ExpiresAt *time.Time // of a grant: nil means never
	Grant     string     // of a take: the key of the grant to take from, wherever it lies; empty: any, in the account
}

// bonusKey keeps the keys of operators apart from those that the rules make.
func bonusKey(key string) string { return "bonus:" + key }

// request makes the ledger's request. Its hash is of all that was asked for, so that the
// key can't be used again for something else.
func (in BonusIn) request(operation string, at time.Time) (ledger.Request, error) {
	if in.Key == "" {
		return ledger.Request{}, ledger.ErrKeyMissing
	}
	asked, err := json.Marshal(struct {
		Operation string
		BonusIn
	}{operation, in})
	if err != nil {
		return ledger.Request{}, fmt.Errorf("hashing the request: %w", err)
	}
	hash := sha256.Sum256(asked)
	return ledger.Request{Key: bonusKey(in.Key), Hash: hash[:], Actor: in.Actor, At: at, Holder: in.Holder, Memo: in.Memo}, nil
}

// GrantBonus grants bonus credits to a pool, an allocation or a personal account. They
// never roll over: they live until they end. What enters a pool or a personal account
// pays its debt first.
func GrantBonus(ctx context.Context, tx pgx.Tx, c *Catalog, in BonusIn, at time.Time) (*ledger.Entry, error) {
	return changeBonus(ctx, tx, c, in, "grant", at, func(s *State, r ledger.Request) (*ledger.Entry, error) {
		if in.ExpiresAt != nil && !in.ExpiresAt.After(at) {
			return nil, ErrBonusEnded
		}
		account, _ := s.Book.Account(ledger.Main)
		if in.Holder != "" {
			// Opened again for a member who has left and come back.
			account = s.Book.MakeAllocation(in.Holder, at)
		}
		return s.Book.Grant(r, account, ledger.LotIn{
			Source: ledger.Bonus, Origin: r.Key, EffectiveAt: at, ExpiresAt: in.ExpiresAt,
		}, in.Credits)
	})
}

// TakeBonus takes unspent bonus credits back that an operator granted: all that is asked
// for or nothing, and none that are held or frozen. Credits of a trial, and bonus credits
// that somebody contributed, are not the operator's to take.
func TakeBonus(ctx context.Context, tx pgx.Tx, c *Catalog, in BonusIn, at time.Time) (*ledger.Entry, error) {
	return changeBonus(ctx, tx, c, in, "take", at, func(s *State, r ledger.Request) (*ledger.Entry, error) {
		draws, err := bonusDraws(s.Book, in)
		if err != nil {
			return nil, err
		}
		if sum := ledger.Sum(draws); sum < in.Credits {
			return nil, &ledger.InsufficientError{Wanted: in.Credits, Available: sum}
		}
		return s.Book.TakeBack(r, draws)
	})
}

// changeBonus does one of the two to a settled book, unless the key was used before.
func changeBonus(ctx context.Context, tx pgx.Tx, c *Catalog, in BonusIn, operation string, at time.Time,
	do func(*State, ledger.Request) (*ledger.Entry, error),
) (*ledger.Entry, error) {
	r, err := in.request(operation, at)
	if err != nil {
		return nil, err
	}
	if in.Credits < 1 || in.Credits > ledger.CreditsMax {
		return nil, &ledger.AmountError{Credits: in.Credits}
	}
	want := ledger.Want{Book: in.Book, Keys: []string{r.Key}}
	if in.Grant != "" {
		want.Origins = []string{bonusKey(in.Grant)}
	}
	state, err := OpenState(ctx, tx, c, at, want)
	if err != nil {
		return nil, err
	}
	if first, err := state.Book.Answered(r); first != nil || err != nil {
		return first, err
	}
	if err := state.Settle(at); err != nil {
		return nil, err
	}
	entry, err := do(state, r)
	if err != nil {
		return nil, err
	}
	if err := state.Settle(at); err != nil {
		return nil, err
	}
	return entry, Save(ctx, tx, state)
}

func bonusAccount(b *ledger.Book, holder string) (*ledger.Account, bool) {
	if holder == "" {
		return b.Account(ledger.Main)
	}
	return b.AllocationOf(holder)
}

// bonusDraws chooses what to take: of one grant wherever in the book it lies, or of all
// in one account, in the draw order.
func bonusDraws(b *ledger.Book, in BonusIn) ([]ledger.Draw, error) {
	if in.Grant != "" {
		lot, ok := b.Lot(bonusKey(in.Grant))
		if !ok {
			return nil, fmt.Errorf("grant %q: %w", in.Grant, ErrBonusUnknown)
		}
		return b.Take(lot, in.Credits), nil
	}
	account, ok := bonusAccount(b, in.Holder)
	if !ok {
		return nil, ledger.ErrAccountNotFound
	}
	var draws []ledger.Draw
	left := in.Credits
	for _, p := range b.Portions() {
		if p.Account != account || !grantedBonus(p.Lot) {
			continue
		}
		if n := min(left, p.Free()); n > 0 {
			draws = append(draws, ledger.Draw{Portion: p, Credits: n})
			left -= n
		}
	}
	return draws, nil
}

// grantedBonus tells whether a lot is one that an operator granted: a trial's lot turns
// with its series, and what people put in has a contributor.
func grantedBonus(lot *ledger.Lot) bool {
	return lot.Source == ledger.Bonus && lot.Series == "" && lot.Contributor == ""
}
