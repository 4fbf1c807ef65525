package teams

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// Spender is where a spend or a hold was asked for: a team, or with TeamID "" a user's
// personal account.
type Spender struct {
	TeamID string
	UserID string // of a personal account
}

// SpendSeen is a spend or a capture, with the team in which it was asked for, if it was.
type SpendSeen struct {
	ledger.SpendRecord
	TeamID string
}

// HoldSeen is a hold, with the team in which it was asked for, if it was.
type HoldSeen struct {
	ledger.HoldRecord
	TeamID string
}

// GetSpend gives a spend or a capture as it stands. A plain member sees one's own, and a
// user all that the user's personal account paid, in whatever team.
func GetSpend(ctx context.Context, tx pgx.Tx, of Spender, by Actor, ref ledger.EntryRef) (SpendSeen, error) {
	v, err := openViewer(ctx, tx, of, by)
	if err != nil {
		return SpendSeen{}, err
	}
	s := SpendSeen{TeamID: of.TeamID}
	s.SpendRecord, err = ledger.ReadSpend(ctx, tx, ref)
	if errors.Is(err, ledger.ErrEntryNotFound) || err == nil && !v.has(s.Book, s.Peer) {
		return SpendSeen{}, unknown(OpReverse)
	}
	if err != nil {
		return SpendSeen{}, err
	}
	if err := v.maySee(s.Holder); err != nil {
		return SpendSeen{}, err
	}
	teams, err := teamsOf(ctx, tx, s.Peer)
	if s.TeamID == "" && s.Peer != nil {
		s.TeamID = teams[s.Peer.Book]
	}
	return s, err
}

// GetHold gives a hold as it stands at an instant. Who sees it, GetSpend says.
func GetHold(ctx context.Context, tx pgx.Tx, of Spender, by Actor, ref ledger.EntryRef, at instant) (HoldSeen, error) {
	v, err := openViewer(ctx, tx, of, by)
	if err != nil {
		return HoldSeen{}, err
	}
	record, err := ledger.ReadHold(ctx, tx, ref, at)
	if errors.Is(err, ledger.ErrHoldNotFound) || err == nil && !v.has(record.Book, record.Peer) {
		return HoldSeen{}, unknown(OpCapture)
	}
	if err != nil {
		return HoldSeen{}, err
	}
	if err := v.maySee(record.Holder); err != nil {
		return HoldSeen{}, err
	}
	list, err := holdsSeen(ctx, tx, of, []ledger.HoldRecord{record})
	if err != nil {
		return HoldSeen{}, err
	}
	return list[0], nil
}

// ListHolds gives the open holds on a team's credits, or on a user's personal account,
// those that end first first. A plain member sees one's own. What members hold of their
// personal accounts is theirs and stands in no team's list.
func ListHolds(ctx context.Context, tx pgx.Tx, of Spender, by Actor, f ledger.OpenHoldsFilter) ([]HoldSeen, error) {
	v, err := openViewer(ctx, tx, of, by)
	if err != nil {
		return nil, err
	}
	f.Book = v.book
	if of.TeamID != "" && !v.role.Manages() {
		if f.Holder != "" && f.Holder != by.User {
			return nil, v.maySee(f.Holder)
		}
		f.Holder = by.User
	}
	list, err := ledger.OpenHolds(ctx, tx, f)
	if err != nil {
		return nil, err
	}
	return holdsSeen(ctx, tx, of, list)
}

// viewer is somebody who may look into a team or a personal account.
type viewer struct {
	Spender
	book int64
	role Role
	by   Actor
}

func openViewer(ctx context.Context, db billing.DB, of Spender, by Actor) (viewer, error) {
	v := viewer{Spender: of, by: by, role: Owner}
	if of.TeamID != "" {
		team, role, err := Look(ctx, db, of.TeamID, by)
		v.book, v.role = team.BookID, role
		return v, err
	}
	if !by.Backend() && by.User != of.UserID {
		return v, errUserUnknown(of.UserID)
	}
	user, err := GetUser(ctx, db, of.UserID)
	if errors.Is(err, ErrUserUnknown) {
		return v, errUserUnknown(of.UserID)
	}
	v.book = user.BookID
	return v, err
}

// has tells whether an entry is of this place: it lies in its book, or a personal account
// paid it for the team.
func (v viewer) has(book int64, peer *ledger.EntryRef) bool {
	return book == v.book || v.TeamID != "" && peer != nil && peer.Book == v.book
}

func (v viewer) maySee(holder string) error {
	if v.role.Manages() || holder == v.by.User {
		return nil
	}
	return refuse(Forbidden, "role_forbids", "a %s sees what concerns oneself", v.role)
}

func holdsSeen(ctx context.Context, db billing.DB, of Spender, list []ledger.HoldRecord) ([]HoldSeen, error) {
	peers := make([]*ledger.EntryRef, len(list))
	for i, h := range list {
		peers[i] = h.Peer
	}
	teams, err := teamsOf(ctx, db, peers...)
	if err != nil {
		return nil, err
	}
	seen := make([]HoldSeen, len(list))
	for i, h := range list {
		seen[i] = HoldSeen{HoldRecord: h, TeamID: of.TeamID}
		if of.TeamID == "" && h.Peer != nil {
			seen[i].TeamID = teams[h.Peer.Book]
		}
	}
	return seen, nil
}

// teamsOf finds the teams whose books asked for what personal accounts paid.
func teamsOf(ctx context.Context, db billing.DB, peers ...*ledger.EntryRef) (map[int64]string, error) {
	var books []int64
	for _, p := range peers {
		if p != nil {
			books = append(books, p.Book)
		}
	}
	if books == nil {
		return nil, nil
	}
	rows, err := db.Query(ctx, `SELECT book_id, id FROM teams WHERE book_id = ANY($1)`, books)
	if err != nil {
		return nil, fmt.Errorf("finding whose spends they are: %w", err)
	}
	found := map[int64]string{}
	var book int64
	var id string
	if _, err := pgx.ForEachRow(rows, []any{&book, &id}, func() error { found[book] = id; return nil }); err != nil {
		return nil, fmt.Errorf("finding whose spends they are: %w", err)
	}
	return found, nil
}
