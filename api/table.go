package api

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"
)

// Format says how a list is answered.
type Format struct {
	Format string `query:"format" enum:"json,csv" doc:"csv, or Accept: text/csv, gives all that match as a file"`
	Accept string `header:"Accept" maxLength:"1000"`
}

func (f Format) csv() bool {
	return f.Format == "csv" || f.Format == "" && strings.Contains(f.Accept, "text/csv")
}

// table is a list that is answered in pages, or all of it as a file.
type table[R any] struct {
	name string // of the file, without its ending
	head []string
	row  func(R) []string // of plain cells
}

// source is what one request asks of a table. T is the answer as JSON.
type source[R, T any] struct {
	// rows reads at most so many rows after a row; nil: from where the request begins.
	rows  func(ctx context.Context, tx pgx.Tx, last *R, limit int) ([]R, error)
	limit int // of a page
	page  func(rows []R) T
}

// exported is an answer that is JSON or a file.
type exported struct {
	Status      int
	ContentType string `header:"Content-Type"`
	ETag        string `header:"ETag"`
	Body        func(huma.Context)
}

// listing registers a table. open finds out who may see what; it runs in the snapshot in
// which the first rows are read.
func listing[I, R, T any](s *Server, sp spec, t table[R], format func(*I) Format, open func(context.Context, pgx.Tx, *call, *I) (source[R, T], error)) {
	sp.method, sp.scopes, sp.export, sp.refusals = http.MethodGet, reads, true, []int{http.StatusNotFound}
	op := sp.operation()
	op.Responses = map[string]*huma.Response{
		"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"application/json": {Schema: document[T]{}.Schema(s.huma.OpenAPI().Components.Schemas)},
			"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString}},
		}},
		"304": {Description: "Nothing has changed since the ETag"},
	}
	huma.Register(s.huma, op, func(ctx context.Context, in *I) (*exported, error) {
		c, asFile := callOf(ctx), format(in).csv()
		var src source[R, T]
		var rows []R
		err := s.lookBriefly(ctx, func(tx pgx.Tx) (err error) {
			if src, err = open(ctx, tx, c, in); err != nil {
				return err
			}
			limit := src.limit + 1 // one more tells whether more follow
			if asFile {
				limit = exportChunk
			}
			rows, err = src.rows(ctx, tx, nil, limit)
			return err
		})
		if err != nil {
			return nil, fail(c, err)
		}
		if asFile {
			return &exported{Status: http.StatusOK, ContentType: "text/csv; charset=utf-8", Body: func(hc huma.Context) {
				hc.SetHeader("Content-Disposition", `attachment; filename="`+t.name+`.csv"`)
				hc.SetStatus(http.StatusOK)
				export(ctx, s, c, hc.BodyWriter(), t, src, rows)
			}}, nil
		}
		out, err := answer(c, http.StatusOK, src.page(rows))
		if err != nil {
			return nil, fail(c, err)
		}
		return asJSON(out), nil
	})
}

func asJSON[T any](out *seen[T]) *exported {
	return &exported{Status: out.Status, ContentType: "application/json", ETag: out.ETag, Body: func(hc huma.Context) {
		hc.SetStatus(out.Status)
		if out.Status != http.StatusNotModified {
			_, _ = hc.BodyWriter().Write(out.Body.raw)
		}
	}}
}

// exportChunk is how many rows an export reads at once: its memory stays flat, and no
// transaction is open while it waits for the reader.
const exportChunk = 500

// export writes all that matches. What goes wrong in the middle breaks the connection off:
// a file that ends early must not look whole.
func export[R, T any](ctx context.Context, s *Server, c *call, w io.Writer, t table[R], src source[R, T], rows []R) {
	out := csv.NewWriter(s.patient(w))
	_ = out.Write(t.head)
	for {
		for _, r := range rows {
			_ = out.Write(t.row(r))
		}
		out.Flush()
		if out.Error() != nil {
			breakOff(c, t.name, out.Error())
		}
		if len(rows) < exportChunk {
			return
		}
		last := rows[len(rows)-1]
		err := s.lookBriefly(ctx, func(tx pgx.Tx) (err error) {
			rows, err = src.rows(ctx, tx, &last, exportChunk)
			return err
		})
		if err != nil {
			breakOff(c, t.name, err)
		}
	}
}

// lookBriefly is look for a file's pieces: the file may take long, no transaction may.
func (s *Server) lookBriefly(ctx context.Context, do func(tx pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return s.look(ctx, do)
}

func breakOff(c *call, name string, err error) {
	c.failed = errors.Join(c.failed, fmt.Errorf("exporting %s: %w", name, err))
	panic(http.ErrAbortHandler)
}

// plainCells keeps a spreadsheet from taking a cell for a formula.
func plainCells(row []string) []string {
	for i, cell := range row {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			row[i] = "'" + cell
		}
	}
	return row
}

// csvTime writes an instant, and nothing of one that there isn't.
func csvTime(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// patientWriter gives the reader of an answer some time for each write. So a file may take
// as long as a slow reader needs, and one who has stopped reading holds no connection.
type patientWriter struct {
	io.Writer
	deadline func(time.Time) error
	until    func() time.Time
}

// patient is for answers that may take longer than the server lets others.
func (s *Server) patient(w io.Writer) io.Writer {
	response, ok := w.(http.ResponseWriter)
	if !ok {
		return w
	}
	return patientWriter{w, http.NewResponseController(response).SetWriteDeadline, func() time.Time { return s.cfg.Wall().Add(s.cfg.Patience) }}
}

func (w patientWriter) Write(b []byte) (int, error) {
	if err := w.deadline(w.until()); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, fmt.Errorf("giving the reader time: %w", err)
	}
	return w.Writer.Write(b)
}
