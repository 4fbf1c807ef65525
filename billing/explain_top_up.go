package billing

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// TopUpExplanation says why an automatic top-up did or did not buy (N2).
type TopUpExplanation struct {
	Setting AutoTopUp `json:"-"`
	Last    *Purchase `json:"-"` // the last that it made

	State  string   `json:"state"`
	Reason string   `json:"reason,omitempty"`
	Helps  []string `json:"helps"`
	Why    []string `json:"why"`
}

func explainTopUp(ctx context.Context, tx pgx.Tx, book, available int64) (*TopUpExplanation, error) {
	s, err := GetAutoTopUp(ctx, tx, book)
	if errors.Is(err, ErrNoAutoTopUp) {
		s, err = AutoTopUp{BookID: book, State: TopUpOff}, nil
	}
	if err != nil {
		return nil, err
	}
	e := &TopUpExplanation{Setting: s, State: s.State, Reason: s.Reason, Helps: s.Helps(), Why: []string{s.sentenceAt(available)}}
	if s.Pack == "" {
		return e, nil
	}
	made, err := ListPurchases(ctx, tx, PurchaseFilter{TeamID: s.TeamID, UserID: s.UserID, Kind: PurchaseAuto, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(made) > 0 {
		e.Last = &made[0]
		e.Why = append(e.Why, made[0].sentence())
	}
	return e, nil
}

// sentenceAt is Sentence beside what is available now.
func (s AutoTopUp) sentenceAt(available int64) string {
	if s.State == TopUpReady && available > s.Threshold {
		return fmt.Sprintf("Automatic top-up buys %s once %d credits or fewer are available; there are %d.", s.Pack, s.Threshold, available)
	}
	return s.Sentence()
}

// sentence says what became of an automatic purchase.
func (p Purchase) sentence() string {
	switch {
	case p.State == PurchasePaid && p.PaidAt != nil:
		return fmt.Sprintf("It last bought %d credits, on %s.", p.Credits, dayOf(*p.PaidAt))
	case p.DeclineCode != "" && p.State == PurchaseFailed:
		return fmt.Sprintf("Its last attempt, to buy %d credits on %s, was declined: %s.", p.Credits, dayOf(p.CreatedAt), p.DeclineCode)
	case p.State == PurchaseFailed, p.State == PurchaseExpired:
		return fmt.Sprintf("Its last attempt, to buy %d credits on %s, came to nothing: %s.", p.Credits, dayOf(p.CreatedAt), p.Reason)
	}
	return fmt.Sprintf("Its last attempt, to buy %d credits on %s, is under way.", p.Credits, dayOf(p.CreatedAt))
}
