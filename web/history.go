package web

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
	"purser/teams"
)

// line is an entry as a history shows it.
type line struct {
	ledger.LineDetail
	Actor  string // who asked, by name
	Whom   string // whom it concerns, by name
	From   []string
	To     []string
	Source []ledger.Source
	Why    string
}

// historyPage is a page of a history.
type historyPage struct {
	Lines   []line
	Kinds   []string
	Members []memberRow // to choose from; none of a large team, or for a plain member
	All     bool        // of all members
	Older   string
	CSV     string
}

// historyKinds are the kinds that a history is filtered by.
var historyKinds = []ledger.EntryKind{
	ledger.KindGrant, ledger.KindSpend, ledger.KindHold, ledger.KindCapture, ledger.KindRelease, ledger.KindReversal, ledger.KindAllocation,
	ledger.KindReclaim, ledger.KindTransfer, ledger.KindContribution, ledger.KindContributionIn, ledger.KindRollover, ledger.KindExpiry,
	ledger.KindTakeBack, ledger.KindClawback, ledger.KindClawbackUndone, ledger.KindFreeze, ledger.KindThaw, ledger.KindHoldExpiry,
	ledger.KindSpendElsewhere, ledger.KindAssignment, ledger.KindAssignmentIn, ledger.KindRedate, ledger.KindDebt, ledger.KindDebtIn,
}

func (s *Server) registerHistory() {
	for _, root := range []string{Root + "/teams/{team}", Root + "/account"} {
		s.page(root+"/history", s.history)
		s.mux.HandleFunc("GET "+root+"/history.csv", s.historyFile)
	}
}

// chosenHistory is what the filter chooses, narrowed to what the user may see: of a team those who
// manage it see all, others what concerns themselves.
func (v *visit) chosenHistory(ctx context.Context, tx pgx.Tx) (ledger.HistoryFilter, error) {
	f := ledger.HistoryFilter{Book: v.Person.BookID, Reference: v.form.Text("reference")}
	if v.Team != nil {
		f.Book, f.Holder = v.Team.BookID, v.form.Text("member")
		switch {
		case !v.Manages():
			f.Holder = v.By.User
		case strings.Contains(f.Holder, "@"): // an address; whoever has left is found by id
			id, err := v.findMember(ctx, tx, "member")
			if err != nil {
				return f, err
			}
			f.Holder = id
		}
	}
	if kind := ledger.EntryKind(v.form.Get("kind")); slices.Contains(historyKinds, kind) {
		f.Kinds = []ledger.EntryKind{kind}
	}
	var err1, err2 error
	f.From, err1 = v.day("from", 0)
	f.To, err2 = v.day("to", 1)
	f.Before, _ = strconv.ParseInt(v.form.Get("before"), 10, 64)
	return f, errors.Join(err1, err2)
}

// day reads a day as the viewer has it: its start, or that of the day so many later.
func (v *visit) day(name string, later int) (*time.Time, error) {
	text := v.form.Text(name)
	if text == "" {
		return nil, nil
	}
	day, err := time.ParseInLocation(time.DateOnly, text, v.zone)
	if err != nil {
		return nil, &teams.Refusal{Class: teams.Rule, Code: "day_invalid", Field: name, Detail: "a day is written as 2026-03-31"}
	}
	day = day.AddDate(0, 0, later)
	return &day, nil
}

func (s *Server) history(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
	f, err := v.chosenHistory(ctx, tx)
	if err != nil {
		why := v.refusalOf(err)
		v.Problem = &why
	}
	f.Limit = pageSize + 1
	rows, err := ledger.FilterHistory(ctx, tx, f)
	if err != nil {
		return view{}, err
	}
	p := &historyPage{CSV: v.Path("history.csv")}
	if q := v.r.URL.RawQuery; q != "" {
		p.CSV += "?" + q
	}
	for _, kind := range historyKinds {
		p.Kinds = append(p.Kinds, string(kind))
	}
	if len(rows) > pageSize {
		rows = rows[:pageSize]
		p.Older = v.Query("before", strconv.FormatInt(rows[pageSize-1].Sequence, 10))
	}
	if p.Lines, err = v.lines(ctx, tx, rows); err != nil {
		return view{}, err
	}
	if p.All = v.Team != nil && v.Manages(); p.All {
		members := &movePage{Kind: moveKind{To: true}}
		err = s.offer(ctx, tx, v, members)
		p.Members = members.Members
	}
	return view{"history", v.T("history.title"), p}, err
}

// lines gives entries the names of people and places.
func (v *visit) lines(ctx context.Context, tx pgx.Tx, rows []ledger.LineDetail) ([]line, error) {
	ids := map[string]bool{}
	for _, r := range rows {
		ids[r.Actor], ids[r.Holder] = true, true
		for _, p := range r.Postings {
			ids[p.FromHolder], ids[p.ToHolder] = true, true
		}
	}
	var list []string
	for id := range ids {
		list = append(list, id)
	}
	people, err := teams.People(ctx, tx, list)
	if err != nil {
		return nil, err
	}
	name := func(id string) string { return Named(people[id], id) }
	out := make([]line, len(rows))
	for i, r := range rows {
		l := line{LineDetail: r, Actor: v.actor(people, r.Actor), Why: v.Memo(r)}
		if r.Holder != "" {
			l.Whom = name(r.Holder)
		}
		for _, p := range r.Postings {
			l.From = once(l.From, v.account(p.From, p.FromHolder, name))
			l.To = once(l.To, v.account(p.To, p.ToHolder, name))
			if !slices.Contains(l.Source, p.Source) {
				l.Source = append(l.Source, p.Source)
			}
		}
		l.From, l.To = v.withoutTransit(l.From), v.withoutTransit(l.To)
		out[i] = l
	}
	return out, nil
}

// withoutTransit leaves out what credits only pass through within one entry.
func (v *visit) withoutTransit(places []string) []string {
	if transit := v.Word("place", "clearing"); len(places) > 1 {
		return slices.DeleteFunc(places, func(one string) bool { return one == transit })
	}
	return places
}

func once(list []string, one string) []string {
	if slices.Contains(list, one) {
		return list
	}
	return append(list, one)
}

// actor is who asked: a user by name, or one of the words for who isn't one.
func (v *visit) actor(people map[string]teams.User, id string) string {
	if u, ok := people[id]; ok {
		return Named(u, id)
	}
	return v.Word("actor", id)
}

// account is where credits lie, for people.
func (v *visit) account(kind, holder string, name func(string) string) string {
	if holder != "" {
		return name(holder)
	}
	return v.Word("place", kind)
}

// csvChunk is how many rows a file reads at once, and csvPatience how long its reader may
// take for them.
const (
	csvChunk    = 500
	csvPatience = 30 * time.Second
)

var csvHead = []string{"at", "kind", "credits", "from", "to", "user_id", "actor", "memo", "reference"}

// historyFile is the history as a file, with plain ids and instants in UTC for whoever
// reckons with it.
func (s *Server) historyFile(w http.ResponseWriter, r *http.Request) {
	v := s.visit(w, r)
	if v == nil {
		return
	}
	v.form = form{r.URL.Query()}
	var f ledger.HistoryFilter
	err := pgx.BeginTxFunc(r.Context(), s.cfg.Pool, snapshot, func(tx pgx.Tx) error {
		if err := v.findTeam(r.Context(), tx); err != nil {
			return err
		}
		var err error
		f, err = v.chosenHistory(r.Context(), tx)
		return err
	})
	if err != nil {
		s.refuse(w, r, v, v.refusalOf(err))
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="credits.csv"`)
	out := csv.NewWriter(w)
	_ = out.Write(csvHead)
	for f.Limit, f.Before = csvChunk, 0; ; {
		rows, err := s.fileRows(r, f)
		if err != nil {
			noteFailure(r.Context(), fmt.Errorf("writing the history: %w", err))
			panic(http.ErrAbortHandler) // a file that ends early must not look whole
		}
		_ = http.NewResponseController(w).SetWriteDeadline(s.cfg.Wall().Add(csvPatience))
		for _, l := range rows {
			_ = out.Write(csvRow(l))
		}
		if out.Flush(); out.Error() != nil || len(rows) < csvChunk {
			return
		}
		f.Before = rows[len(rows)-1].Sequence
	}
}

// fileRows reads a piece of a file. The file may take long, no transaction may.
func (s *Server) fileRows(r *http.Request, f ledger.HistoryFilter) (rows []ledger.LineDetail, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), requestTimeout)
	defer cancel()
	err = pgx.BeginTxFunc(ctx, s.cfg.Pool, snapshot, func(tx pgx.Tx) error {
		rows, err = ledger.FilterHistory(ctx, tx, f)
		return err
	})
	return rows, err
}

func csvRow(l ledger.LineDetail) []string {
	side := func(of func(ledger.LinePosting) (string, string)) string {
		var names []string
		for _, p := range l.Postings {
			kind, holder := of(p)
			if holder != "" {
				kind += ":" + holder
			}
			names = once(names, kind)
		}
		return strings.Join(names, " ")
	}
	cells := []string{
		l.At.UTC().Format(time.RFC3339), string(l.Kind), strconv.FormatInt(l.Credits, 10),
		side(func(p ledger.LinePosting) (string, string) { return p.From, p.FromHolder }),
		side(func(p ledger.LinePosting) (string, string) { return p.To, p.ToHolder }), l.Holder, l.Actor, l.Memo, l.Reference,
	}
	for i, cell := range cells {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) { // a spreadsheet would take it for a formula
			cells[i] = "'" + cell
		}
	}
	return cells
}
