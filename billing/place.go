package billing

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Slot is a place where a subscription may live: a team, or with an empty TeamID its
// owner's personal account.
type Slot struct {
	TeamID string
	BookID int64
	Taken  bool // a subscription that has not ended lives there
}

// PlaceIn is what decides where a new subscription goes.
type PlaceIn struct {
	Capable  bool   // its plan allows teams
	Named    *Slot  // the team in its metadata
	Earlier  *Slot  // where the same customer's ended subscription lives
	Owned    []Slot // the owner's teams
	Personal Slot
}

// Place says where a new subscription goes (B13): to the team that its metadata names;
// to the place of the same customer's ended subscription; to the owner's only team
// without one; to the owner's personal account.
func Place(in PlaceIn) Slot {
	if in.Named != nil && !in.Named.Taken {
		return *in.Named
	}
	if in.Earlier != nil && (in.Earlier.TeamID == "" || in.Capable && !in.Earlier.Taken) {
		return *in.Earlier
	}
	if in.Capable {
		if only := onlyFree(in.Owned); only != nil {
			return *only
		}
	}
	return in.Personal
}

func onlyFree(owned []Slot) *Slot {
	var only *Slot
	for i := range owned {
		if owned[i].Taken {
			continue
		}
		if only != nil {
			return nil
		}
		only = &owned[i]
	}
	return only
}

// read finds out, from what is committed, where the customer's ended subscription lives
// and which of the teams have a subscription.
func (in *PlaceIn) read(ctx context.Context, tx pgx.Tx, sub *Subscription) (err error) {
	if in.Earlier, err = earlierPlace(ctx, tx, sub.CustomerID, sub.ID); err != nil {
		return err
	}
	return in.readTaken(ctx, tx)
}

// readTaken finds out which of the teams have a subscription.
func (in *PlaceIn) readTaken(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `
		SELECT team_id FROM subscriptions
		WHERE team_id = ANY($1) AND team_id <> '' AND status NOT IN ('canceled', 'incomplete_expired')`, in.teams())
	if err != nil {
		return fmt.Errorf("reading which teams have a subscription: %w", err)
	}
	taken := map[string]bool{}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("reading which teams have a subscription: %w", err)
	}
	for _, id := range ids {
		taken[id] = true
	}
	for _, slot := range []*Slot{in.Named, in.Earlier} {
		if slot != nil {
			slot.Taken = taken[slot.TeamID]
		}
	}
	for i := range in.Owned {
		in.Owned[i].Taken = taken[in.Owned[i].TeamID]
	}
	return nil
}

func (in *PlaceIn) teams() []string {
	ids := []string{}
	for _, slot := range []*Slot{in.Named, in.Earlier} {
		if slot != nil && slot.TeamID != "" {
			ids = append(ids, slot.TeamID)
		}
	}
	for _, slot := range in.Owned {
		ids = append(ids, slot.TeamID)
	}
	return ids
}

// earlierPlace finds where the same customer's latest ended subscription lives.
func earlierPlace(ctx context.Context, tx pgx.Tx, customerID, not string) (*Slot, error) {
	rows, err := tx.Query(ctx, `
		SELECT team_id, book_id, false FROM subscriptions
		WHERE customer_id = $1 AND id <> $2 AND state = 'placed' AND status IN ('canceled', 'incomplete_expired')
		ORDER BY created_at DESC, id DESC LIMIT 1`, customerID, not)
	if err != nil {
		return nil, fmt.Errorf("finding the customer's earlier subscription: %w", err)
	}
	slots, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Slot])
	if err != nil || len(slots) == 0 {
		return nil, err
	}
	return &slots[0], nil
}
