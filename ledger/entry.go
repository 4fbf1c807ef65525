package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
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
	KindDebt           EntryKind = "debt"   // a debt that follows its purchase out of the book
	KindDebtIn         EntryKind = "debt_in"
	KindSpendElsewhere EntryKind = "spend_elsewhere" // the key is this book's, another one paid
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
	Answer    json.RawMessage // what the first answer said beside the postings; whoever asked sets it before Write
	Undoes    int64           // the entry that this one settles or gives back
	Peer      *EntryRef       // the other half of a move between two books, or what paid elsewhere
	Lot       int64           // the lot that was frozen, thawed or redated; such an entry has no postings
	EndsAt    *time.Time      // when a hold ends by itself, or a redated lot; nil: never
	Postings  []Posting
	Replayed  bool // the first answer to a repeated key

	held []Drawn
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

// Drawn is credits of one lot that a spend, a capture or a hold took from an account.
type Drawn struct {
	Lot     int64
	Account int32
	Credits int64
}

// Drawn says what a spend, a capture or a hold was paid from, in the order in which it
// was drawn. Of other kinds it is empty.
func (e *Entry) Drawn() []Drawn {
	if e.Kind == KindHold {
		return e.held
	}
	var drawn []Drawn
	for _, p := range e.Postings {
		if p.To == Spent {
			drawn = append(drawn, Drawn{Lot: p.Lot, Account: p.From, Credits: p.Credits})
		}
	}
	return drawn
}

// ownKeys begin the keys of entries that the ledger itself causes. No request may use
// them: one could otherwise take the key that an expiry will need.
const ownKeys = "ledger:"

// Answered gives the first answer to a request whose key was used before, ErrKeyReused
// when that was for another request, and nil when the key is new. The hash must be set.
func (b *Book) Answered(r Request) (*Entry, error) { return b.replay("", &r) }

// replay is Answered as the first step of every decision. It also rounds the request's
// instant to what the database keeps, so that a decision doesn't depend on whether its
// book was written in between.
func (b *Book) replay(kind EntryKind, r *Request) (*Entry, error) {
	switch {
	case r.Key == "":
		return nil, ErrKeyMissing
	case strings.HasPrefix(r.Key, ownKeys) && r.Key != b.peerKey:
		return nil, fmt.Errorf("key %q: %w", r.Key, ErrKeyReserved)
	case r.Actor == "":
		return nil, ErrActorMissing
	}
	r.At = micro(r.At)
	if len(r.Hash) == 0 {
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

// own makes the request for an entry that the ledger itself causes. The sequence makes
// its key new every time: such entries are decided from the state, never asked for twice.
func (b *Book) own(kind EntryKind, of int64, at time.Time) Request {
	return Request{
		Key: fmt.Sprintf("%s%s:%d:%d", ownKeys, kind, of, b.NextNumber()), Hash: []byte(kind), Actor: "purser", At: at,
	}
}

// peer makes the request for the other half of an entry of this book. Its key says
// which entry that is.
func (e *Entry) peer(r Request) Request {
	r.Key = fmt.Sprintf("%speer:%d:%d", ownKeys, e.Book, e.Sequence)
	return r
}

// micro rounds an instant down to what the database keeps.
func micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func microOrNil(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	rounded := micro(*t)
	return &rounded
}
