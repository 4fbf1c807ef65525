package api

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
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
	UserID    string    `query:"user_id" maxLength:"200" doc:"Only those that concern this member"`
	Kinds     []string  `query:"kind" maxItems:"30" doc:"Only these kinds, separated by commas"`
	Reference string    `query:"reference" maxLength:"200" doc:"Only those with exactly this reference"`
	From      time.Time `query:"from" doc:"Only those that count from this instant on"`
	To        time.Time `query:"to" doc:"Only those that count before this instant"`
	Format    string    `query:"format" enum:"json,csv" doc:"csv, or Accept: text/csv, gives all that match as a file"`
	Accept    string    `header:"Accept" maxLength:"1000"`
}

func (f EntriesFilter) csv() bool {
	return f.Format == "csv" || f.Format == "" && strings.Contains(f.Accept, "text/csv")
}

func (f EntriesFilter) of(book int64) (ledger.HistoryFilter, error) {
	out := ledger.HistoryFilter{Book: book, Holder: f.UserID, Reference: f.Reference, Limit: f.Limit + 1}
	for _, k := range f.Kinds {
		out.Kinds = append(out.Kinds, ledger.EntryKind(k))
	}
	if !f.From.IsZero() {
		out.From = &f.From
	}
	if !f.To.IsZero() {
		out.To = &f.To
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

// exported is an answer that is JSON or a file.
type exported struct {
	Status      int
	ContentType string `header:"Content-Type"`
	ETag        string `header:"ETag"`
	Body        func(huma.Context)
}

// history registers a list of entries. book finds whose, and who may see them.
func history[I any](s *Server, sp spec, filter func(*I) *EntriesFilter, book func(context.Context, pgx.Tx, *call, *I) (int64, error)) {
	sp.method, sp.tag, sp.scopes, sp.export, sp.refusals = http.MethodGet, "Credits", reads, true, []int{http.StatusNotFound}
	op := sp.operation()
	op.Responses = map[string]*huma.Response{
		"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"application/json": {Schema: document[Page[Entry]]{}.Schema(s.huma.OpenAPI().Components.Schemas)},
			"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString}},
		}},
		"304": {Description: "Nothing has changed since the ETag"},
	}
	huma.Register(s.huma, op, func(ctx context.Context, in *I) (*exported, error) {
		c, f := callOf(ctx), filter(in)
		var chosen ledger.HistoryFilter
		var rows []ledger.LineDetail
		err := s.look(ctx, func(tx pgx.Tx) error {
			id, err := book(ctx, tx, c, in)
			if err != nil {
				return err
			}
			if chosen, err = f.of(id); err != nil {
				return err
			}
			if f.csv() {
				chosen.Limit = exportChunk
			}
			rows, err = ledger.FilterHistory(ctx, tx, chosen)
			return err
		})
		if err != nil {
			return nil, fail(c, err)
		}
		if f.csv() {
			return &exported{Status: http.StatusOK, ContentType: "text/csv; charset=utf-8", Body: func(hc huma.Context) {
				hc.SetHeader("Content-Disposition", `attachment; filename="entries.csv"`)
				hc.SetStatus(http.StatusOK)
				s.export(ctx, c, hc.BodyWriter(), chosen, rows)
			}}, nil
		}
		out, err := answer(c, http.StatusOK, page("entries", f.Paging, rows, sequenceOf, viewEntry(chosen.Book)))
		if err != nil {
			return nil, fail(c, err)
		}
		return &exported{Status: out.Status, ContentType: "application/json", ETag: out.ETag, Body: func(hc huma.Context) {
			hc.SetStatus(out.Status)
			if out.Status != http.StatusNotModified {
				_, _ = hc.BodyWriter().Write(out.Body.raw)
			}
		}}, nil
	})
}

func sequenceOf(l ledger.LineDetail) string { return strconv.FormatInt(l.Sequence, 10) }

// exportChunk is how many entries an export reads at once: its memory stays flat, and no
// transaction is open while it waits for the reader.
const exportChunk = 500

// export writes all that matches. What goes wrong in the middle breaks the connection off:
// a file that ends early must not look whole.
func (s *Server) export(ctx context.Context, c *call, w io.Writer, f ledger.HistoryFilter, rows []ledger.LineDetail) {
	out := csv.NewWriter(w)
	_ = out.Write(csvHead)
	for {
		for _, e := range mapped(rows, viewEntry(f.Book)) {
			_ = out.Write(csvRow(e))
		}
		out.Flush()
		if len(rows) < f.Limit || out.Error() != nil {
			return
		}
		f.Before = rows[len(rows)-1].Sequence
		err := s.look(ctx, func(tx pgx.Tx) (err error) {
			rows, err = ledger.FilterHistory(ctx, tx, f)
			return err
		})
		if err != nil {
			c.failed = fmt.Errorf("exporting entries: %w", err)
			panic(http.ErrAbortHandler)
		}
	}
}

var csvHead = []string{"id", "at", "created_at", "kind", "credits", "from", "to", "user_id", "actor", "memo", "reference", "key", "of"}

func csvRow(e Entry) []string {
	row := []string{
		e.ID, e.At.Format(time.RFC3339Nano), e.CreatedAt.Format(time.RFC3339Nano), e.Kind, strconv.FormatInt(e.Credits, 10),
		places(e.Postings, func(p Posting) Account { return p.From }), places(e.Postings, func(p Posting) Account { return p.To }),
		e.UserID, e.Actor, e.Memo, e.Reference, e.Key, e.Of,
	}
	for i, cell := range row {
		// A spreadsheet would take it for a formula.
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			row[i] = "'" + cell
		}
	}
	return row
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
