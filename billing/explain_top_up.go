package billing

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// TopUpExplanation says why an automatic top-up did or did not buy (N2).
type TopUpExplanation struct {
	Setting AutoTopUp `json:"-"`
	Last    *Purchase `json:"-"` // the last that it made

	State  string   `json:"state"`
	Reason string   `json:"reason,omitempty"`
	Helps  []string `json:"helps"`
	Why    Sayings  `json:"why"`
}

func explainTopUp(ctx context.Context, tx pgx.Tx, book, available int64) (*TopUpExplanation, error) {
	s, err := GetAutoTopUp(ctx, tx, book)
	if errors.Is(err, ErrNoAutoTopUp) {
		s, err = AutoTopUp{BookID: book, State: TopUpOff}, nil
	}
	if err != nil {
		return nil, err
	}
	e := &TopUpExplanation{Setting: s, State: s.State, Reason: s.Reason, Helps: s.Helps(), Why: Sayings{s.sayingAt(available)}}
	if s.Pack == "" {
		return e, nil
	}
	made, err := ListPurchases(ctx, tx, PurchaseFilter{TeamID: s.TeamID, UserID: s.UserID, Kind: PurchaseAuto, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(made) > 0 {
		e.Last = &made[0]
		e.Why = append(e.Why, made[0].saying())
	}
	return e, nil
}

// sayingAt is Saying beside what is available now.
func (s AutoTopUp) sayingAt(available int64) Saying {
	if s.State == TopUpReady && available > s.Threshold {
		return NewSaying("top_up.ready", "Automatic top-up buys %[2]s once %[1]d credits or fewer are available; there are %[3]d.",
			s.Threshold, PackName(s.Pack), available)
	}
	return s.Saying()
}

// saying says what became of an automatic purchase.
func (p Purchase) saying() Saying {
	switch {
	case p.State == PurchasePaid && p.PaidAt != nil:
		return NewSaying("top_up.last.paid", "It last bought %d credits, on %s.", p.Credits, *p.PaidAt)
	case p.DeclineCode != "" && p.State == PurchaseFailed:
		return NewSaying("top_up.last.declined", "Its last attempt, to buy %d credits on %s, was declined: %s.", p.Credits, p.CreatedAt, DeclineCode(p.DeclineCode))
	case p.State == PurchaseFailed, p.State == PurchaseExpired:
		return NewSaying("top_up.last.failed", "Its last attempt, to buy %d credits on %s, came to nothing: %s.", p.Credits, p.CreatedAt, TopUpReason(p.Reason))
	}
	return NewSaying("top_up.last.under_way", "Its last attempt, to buy %d credits on %s, is under way.", p.Credits, p.CreatedAt)
}
