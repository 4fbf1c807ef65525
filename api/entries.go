package api

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
	"purser/teams"
)

// Entry is one thing that happened to credits. It is never changed.
type Entry struct {
	ID        string          `json:"id"`
	Kind      string          `json:"kind"`
	Credits   int64           `json:"credits"`
	At        time.Time       `json:"at" doc:"When it counts"`
	CreatedAt time.Time       `json:"created_at" doc:"When it was written"`
	Actor     string          `json:"actor" doc:"Who asked: a user, backend, or purser itself"`
	UserID    string          `json:"user_id,omitempty" doc:"The member or user whom it concerns"`
	Memo      string          `json:"memo,omitempty" doc:"Why; of a move its reason"`
	Reference string          `json:"reference,omitempty"`
	Key       string          `json:"key,omitempty" doc:"The idempotency key; absent of what no request asked for"`
	Metadata  json.RawMessage `json:"metadata,omitempty"`
	Of        string          `json:"of,omitempty" doc:"The entry that this one settles or gives back"`
	EndsAt    *time.Time      `json:"ends_at,omitempty" doc:"Of a hold, when it ends by itself"`
	Postings  []Posting       `json:"postings" doc:"Which credits went from where to where"`
}

// Posting moves credits of one lot from one account to another.
type Posting struct {
	LotID   string  `json:"lot_id"`
	Source  string  `json:"source" enum:"monthly,rollover,purchase,bonus"`
	From    Account `json:"from"`
	To      Account `json:"to"`
	Credits int64   `json:"credits"`
}

// Account is one account of a team or a user, or one of purser's own beside it.
type Account struct {
	Kind   string `json:"kind" enum:"pool,personal,allocation,held,issued,spent,expired,clawed_back,debt,clearing"`
	UserID string `json:"user_id,omitempty" doc:"Of an allocation"`
}

func (a Account) String() string {
	if a.UserID == "" {
		return a.Kind
	}
	return a.Kind + ":" + a.UserID
}

// entryID is the id under which an entry is known: of a hold, the hold's.
func entryID(kind ledger.EntryKind, book, sequence int64) string {
	if kind == ledger.KindHold {
		return refID("hold", book, sequence)
	}
	return refID("ent", book, sequence)
}

func viewEntry(book int64) func(ledger.LineDetail) Entry {
	return func(l ledger.LineDetail) Entry {
		e := Entry{
			ID: entryID(l.Kind, book, l.Sequence), Kind: string(l.Kind), Credits: l.Credits, At: l.At.UTC(), CreatedAt: l.CreatedAt.UTC(),
			Actor: l.Actor, UserID: l.Holder, Memo: l.Memo, Reference: l.Reference, Key: teams.ClientKey(l.Key), Metadata: l.Metadata,
			EndsAt: utcOrNil(l.EndsAt), Postings: mapped(l.Postings, func(p ledger.LinePosting) Posting {
				return Posting{
					LotID: refID("lot", book, p.Lot), Source: string(p.Source), Credits: p.Credits,
					From: Account{Kind: p.From, UserID: p.FromHolder}, To: Account{Kind: p.To, UserID: p.ToHolder},
				}
			}),
		}
		switch l.Kind {
		case ledger.KindCapture, ledger.KindRelease, ledger.KindHoldExpiry:
			e.Of = refID("hold", book, l.Undoes)
		case ledger.KindReversal:
			e.Of = refID("ent", book, l.Undoes)
		}
		return e
	}
}

// EntriesFilter chooses entries.
type EntriesFilter struct {
	Paging
	Format
	UserID    string            `query:"user_id" maxLength:"200" doc:"Only those that concern this member, transfers from the member included"`
	Kinds     []string          `query:"kind" maxItems:"30" doc:"Only these kinds, separated by commas"`
	Reference string            `query:"reference" maxLength:"200" doc:"Only those with exactly this reference"`
	Metadata  map[string]string `query:"metadata,deepObject,explode" doc:"metadata[name]=text: only those whose metadata says that at its top, compared as text; needs from, and to at most 366 days later. Up to ten"`
	From      time.Time         `query:"from" doc:"Only those that count from this instant on"`
	To        time.Time         `query:"to" doc:"Only those that count before this instant"`
}

// metadataFieldsMax bounds what a list is filtered by.
const metadataFieldsMax = 10

func (f EntriesFilter) of(book int64, at time.Time) (ledger.HistoryFilter, error) {
	out := ledger.HistoryFilter{Book: book, Holder: f.UserID, Reference: f.Reference, Metadata: f.Metadata}
	for _, k := range f.Kinds {
		out.Kinds = append(out.Kinds, ledger.EntryKind(k))
	}
	out.From, out.To = givenTime(f.From), givenTime(f.To)
	if len(f.Metadata) > 0 {
		// Nothing but the entries themselves says what is in them.
		if len(f.Metadata) > metadataFieldsMax {
			return out, wrongPlace("query.metadata", "may name ten fields")
		}
		if !f.To.IsZero() {
			at = f.To
		}
		if f.From.IsZero() || at.Sub(f.From) > daysMax*24*time.Hour {
			return out, wrongPlace("query.from", "must be given with metadata, at most 366 days before to, or before now")
		}
	}
	last, err := f.after("entries")
	if err != nil || last == "" {
		return out, err
	}
	if out.Before, err = strconv.ParseInt(last, 10, 64); err != nil || out.Before < 1 {
		return out, problem("cursor_invalid", "")
	}
	return out, nil
}

// givenTime is nil of one that was left out.
func givenTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// history registers a list of entries. book finds whose, and who may see them.
func history[I any](s *Server, sp spec, filter func(*I) *EntriesFilter, book func(context.Context, pgx.Tx, *call, *I) (int64, error)) {
	sp.tag = "Credits"
	entries := table[ledger.LineDetail]{name: "entries", head: csvHead, row: func(l ledger.LineDetail) []string { return csvRow(viewEntry(l.Book)(l)) }}
	listing(s, sp, entries, func(in *I) Format { return filter(in).Format },
		func(ctx context.Context, tx pgx.Tx, c *call, in *I) (source[ledger.LineDetail, Page[Entry]], error) {
			f := filter(in)
			src := source[ledger.LineDetail, Page[Entry]]{limit: f.Limit}
			id, err := book(ctx, tx, c, in)
			if err != nil {
				return src, err
			}
			chosen, err := f.of(id, c.at)
			if err != nil {
				return src, err
			}
			src.rows = func(ctx context.Context, tx pgx.Tx, last *ledger.LineDetail, limit int) ([]ledger.LineDetail, error) {
				next := chosen
				if next.Limit = limit; last != nil {
					next.Before = last.Sequence
				}
				return ledger.FilterHistory(ctx, tx, next)
			}
			src.page = func(rows []ledger.LineDetail) Page[Entry] {
				return page("entries", f.Paging, rows, func(l ledger.LineDetail) string { return strconv.FormatInt(l.Sequence, 10) }, viewEntry(id))
			}
			return src, nil
		})
}

var csvHead = []string{"id", "at", "created_at", "kind", "credits", "from", "to", "user_id", "actor", "memo", "reference", "key", "of"}

func csvRow(e Entry) []string {
	return plainCells([]string{
		e.ID, csvTime(&e.At), csvTime(&e.CreatedAt), e.Kind, strconv.FormatInt(e.Credits, 10),
		places(e.Postings, func(p Posting) Account { return p.From }), places(e.Postings, func(p Posting) Account { return p.To }),
		e.UserID, e.Actor, e.Memo, e.Reference, e.Key, e.Of,
	})
}

// places names the accounts on one side of an entry, each once.
func places(postings []Posting, side func(Posting) Account) string {
	var names []string
	seen := map[Account]bool{}
	for _, p := range postings {
		if a := side(p); !seen[a] {
			seen[a] = true
			names = append(names, a.String())
		}
	}
	return strings.Join(names, " ")
}

func (s *Server) registerEntries() {
	type teamEntries struct {
		Reading
		TeamPath
		EntriesFilter
	}
	history(s, spec{
		id: "list-team-entries", path: "/v1/teams/{team}/entries", summary: "List what happened to a team's credits, the newest first",
		doc: "A plain member sees what concerns oneself.",
	}, func(in *teamEntries) *EntriesFilter { return &in.EntriesFilter },
		func(ctx context.Context, tx pgx.Tx, c *call, in *teamEntries) (int64, error) {
			team, role, err := teams.Look(ctx, tx, in.TeamID, c.by)
			if err != nil {
				return 0, err
			}
			in.UserID, err = ownOnly(c, role, in.UserID)
			return team.BookID, err
		})
	type userEntries struct {
		Reading
		UserPath
		EntriesFilter
	}
	history(s, spec{
		id: "list-user-entries", path: "/v1/users/{user}/entries", summary: "List what happened to a user's personal credits, the newest first",
	}, func(in *userEntries) *EntriesFilter { return &in.EntriesFilter },
		func(ctx context.Context, tx pgx.Tx, c *call, in *userEntries) (int64, error) {
			if err := c.onlySelf(in.UserPath.UserID); err != nil {
				return 0, err
			}
			user, err := teams.GetUser(ctx, tx, in.UserPath.UserID)
			return user.BookID, err
		})
}

// ownOnly narrows what a plain member asks for to what concerns that member.
func ownOnly(c *call, role teams.Role, userID string) (string, error) {
	switch {
	case role.Manages():
		return userID, nil
	case userID != "" && userID != c.by.User:
		return "", problem("role_forbids", "a member sees what concerns oneself")
	}
	return c.by.User, nil
}
