package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"
)

// EntryKind says what an entry records.
type EntryKind string

// The kinds of entry.
const (
	KindGrant          EntryKind = "grant"
	KindTakeBack       EntryKind = "take_back" // fewer seats, a smaller plan, a period cut short
	KindSpend          EntryKind = "spend"
	KindHold           EntryKind = "hold"
	KindCapture        EntryKind = "capture"
	KindRelease        EntryKind = "release"
	KindHoldExpiry     EntryKind = "hold_expiry"
	KindReversal       EntryKind = "reversal"
	KindAllocation     EntryKind = "allocation"
	KindReclaim        EntryKind = "reclaim"
	KindTransfer       EntryKind = "transfer"
	KindContribution   EntryKind = "contribution"
	KindContributionIn EntryKind = "contribution_in"
	KindAssignment     EntryKind = "assignment"
	KindAssignmentIn   EntryKind = "assignment_in"
	KindRollover       EntryKind = "rollover"
	KindExpiry         EntryKind = "expiry"
	KindClawback       EntryKind = "clawback"
	KindClawbackUndone EntryKind = "clawback_undone"
	KindFreeze         EntryKind = "freeze"
	KindThaw           EntryKind = "thaw"
	KindRedate         EntryKind = "redate" // a lot's end moved; no credits did
	KindSpendElsewhere EntryKind = "spend_elsewhere"
)

// Request says who asks for a write, under which key, and when it counts.
type Request struct {
	Key       string
	Hash      []byte // of the whole request, so that a key can't be used for another; nil: the ledger makes one
	Actor     string
	At        time.Time
	Holder    string // on whose behalf, when it is somebody's
	Memo      string
	Reference string
	Metadata  json.RawMessage
}

// Entry is one thing that happened in a book. It is never changed.
type Entry struct {
	Book      int64
	Sequence  int64
	Kind      EntryKind
	Key       string
	Hash      []byte
	Actor     string
	At        time.Time
	CreatedAt time.Time // when it was written; zero until then
	Credits   int64
	Holder    string
	Memo      string
	Reference string
	Metadata  json.RawMessage
	Undoes    int64     // the entry that this one settles or gives back
	Peer      *EntryRef // the other half of a move between two books
	Postings  []Posting
	Replayed  bool // the first answer to a repeated key

	holdEnd   time.Time // of a new hold
	holdDraws []holdDraw
}

// EntryRef names an entry in some book.
type EntryRef struct {
	Book     int64
	Sequence int64
}

// Posting moves credits of one lot from one account to another.
type Posting struct {
	Lot     int64
	From    int32
	To      int32
	Credits int64
}

type holdDraw struct {
	Lot     int64
	Account int32
	Credits int64
}

// replay answers a key that was used before: with the first entry when the request is
// the same, with ErrKeyReused when it isn't. Nil means that the key is new.
func (b *Book) replay(kind EntryKind, r *Request) (*Entry, error) {
	if r.Key == "" {
		return nil, ErrKeyMissing
	}
	if r.Hash == nil {
		sum := sha256.Sum256([]byte(string(kind) + "\x00" + r.Key))
		r.Hash = sum[:]
	}
	first, ok := b.known[r.Key]
	if !ok {
		return nil, nil
	}
	if !bytes.Equal(first.Hash, r.Hash) {
		return nil, fmt.Errorf("key %q: %w", r.Key, ErrKeyReused)
	}
	again := *first
	again.Replayed = true
	return &again, nil
}

// begin makes the entry that a decision fills. Nothing may fail after it.
func (b *Book) begin(kind EntryKind, r Request, credits int64) *Entry {
	e := &Entry{
		Book: b.ID, Sequence: b.nextSequence(), Kind: kind, Key: r.Key, Hash: r.Hash, Actor: r.Actor, At: r.At,
		Credits: credits, Holder: r.Holder, Memo: r.Memo, Reference: r.Reference, Metadata: r.Metadata,
	}
	b.entries = append(b.entries, e)
	b.known[e.Key] = e
	return e
}

// post adds a posting to an entry and moves the credits in memory.
func (b *Book) post(e *Entry, lot *Lot, from, to int32, credits int64) {
	e.Postings = append(e.Postings, Posting{Lot: lot.ID, From: from, To: to, Credits: credits})
	b.shift(lot, from, -credits)
	b.shift(lot, to, credits)
}

func (b *Book) shift(lot *Lot, account int32, credits int64) {
	a, _ := b.Account(account)
	a.Balance += credits
	a.delta += credits
	switch {
	case drawable(account):
		p := b.portion(lot, a)
		p.Balance += credits
		p.dirty = true
	case account != Debt:
		b.systemDelta[portionKey{lot.ID, account}] += credits
	}
}

// hold marks credits of a portion as held; a negative number gives them back.
func (b *Book) hold(p *Portion, credits int64) {
	p.Held += credits
	p.dirty = true
	p.Account.Held += credits
	p.Account.heldDelta += credits
}

// serial makes a key for an entry that the ledger itself causes. The sequence makes it
// new every time: such entries are decided from the state, never asked for twice.
func (b *Book) serial(format string, args ...any) string {
	return fmt.Sprintf(format, args...) + fmt.Sprintf(":%d", b.sequence+1)
}
