package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// spec says of an operation what its types don't.
type spec struct {
	id, method, path string
	summary, doc     string
	tag              string
	scopes           []teams.Scope // any of them opens it
	status           int           // of success; 0: 200
	refusals         []int         // that it may answer beside those of every operation
	keyless          bool          // posts nothing, so needs no idempotency key
	secret           bool          // its answer holds a secret
	export           bool          // may be answered as a file, which takes long
	gathered         bool          // the lanes serve it
}

const specKey = "spec"

// everywhere are the refusals that every operation may answer.
var everywhere = []int{
	http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusTooManyRequests,
	http.StatusInternalServerError, http.StatusServiceUnavailable,
}

// Who names the user who acts.
type Who struct {
	User string `header:"Purser-User" maxLength:"200" doc:"The user who acts; the user's role decides. Without it the backend itself acts."`
}

// Reading is what every read may say.
type Reading struct {
	Who
	IfNoneMatch string `header:"If-None-Match" maxLength:"1000" doc:"An ETag from before: 304 if nothing has changed since"`
}

// Writing is what every write says.
type Writing struct {
	Who
	Key string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" pattern:"^[!-~]+$" doc:"New for each new request; the same again gets the first answer again"`
}

// document is an answer's body as it is sent: encoded once, so that the first answer and
// a repeated one are the same bytes.
type document[T any] struct{ raw json.RawMessage }

// MarshalJSON gives the encoded answer.
func (d document[T]) MarshalJSON() ([]byte, error) { return d.raw, nil }

// Schema documents what is encoded.
func (d document[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// seen is what a read answers.
type seen[T any] struct {
	Status int
	ETag   string `header:"ETag" doc:"Give it as If-None-Match to ask whether anything has changed"`
	Body   document[T]
}

// written is what a write answers.
type written[T any] struct {
	Status   int
	Replayed string `header:"Idempotent-Replayed" enum:"true" doc:"This is the first answer to a repeated key"`
	Body     document[T]
}

// operation is the spec as huma takes it.
func (sp *spec) operation() huma.Operation {
	if sp.status == 0 {
		sp.status = http.StatusOK
	}
	refusals := append(slices.Clone(sp.refusals), everywhere...)
	if sp.method != http.MethodGet {
		refusals = append(refusals, http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	slices.Sort(refusals)
	names := make([]string, len(sp.scopes))
	var security []map[string][]string
	for i, s := range sp.scopes {
		names[i] = string(s)
		security = append(security, map[string][]string{"apiKey": {string(s)}})
	}
	return huma.Operation{
		OperationID: sp.id, Method: sp.method, Path: sp.path, Summary: sp.summary,
		Description: strings.TrimSpace(sp.doc + "\n\nScope: " + strings.Join(names, " or ") + "."), Tags: []string{sp.tag},
		DefaultStatus: sp.status, Errors: slices.Compact(refusals), Security: security, BodyReadTimeout: -1,
		Metadata: map[string]any{specKey: sp},
	}
}

// fail is how an operation refuses: it notes for the log what went wrong inside.
func fail(c *call, err error) error {
	p := problemOf(err)
	p.RequestID = c.requestID
	c.failed = errors.Join(c.failed, p.cause)
	return p
}

// reader is an operation that reads in one snapshot.
type reader[I, T any] func(ctx context.Context, tx pgx.Tx, c *call, in *I) (T, error)

// read registers an operation that changes nothing.
func read[I, T any](s *Server, sp spec, do reader[I, T]) {
	op := sp.operation()
	if sp.method == http.MethodGet {
		op.Responses = map[string]*huma.Response{"304": {Description: "Nothing has changed since the ETag"}}
	}
	huma.Register(s.huma, op, func(ctx context.Context, in *I) (*seen[T], error) {
		c := callOf(ctx)
		var v T
		err := s.look(ctx, func(tx pgx.Tx) (err error) {
			v, err = do(ctx, tx, c, in)
			return err
		})
		if err != nil {
			return nil, fail(c, err)
		}
		out, err := answer(c, sp.status, v)
		if err != nil {
			return nil, fail(c, err)
		}
		return out, nil
	})
}

// snapshot is how reads see the database: all of it at one instant.
var snapshot = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

func (s *Server) look(ctx context.Context, do func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, s.cfg.Pool, snapshot, do)
}

// answer encodes what was read, and leaves it out if the caller has it already.
func answer[T any](c *call, status int, v T) (*seen[T], error) {
	raw, err := encode(v)
	if err != nil {
		return nil, err
	}
	out := &seen[T]{Status: status, Body: document[T]{raw}}
	etag, err := etagOf(v, raw)
	if err != nil {
		return nil, err
	}
	out.ETag = etag
	if matches(c.noneMatch, etag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

// timeless is an answer that says when it was true: by itself that is no change.
type timeless interface{ withoutAt() any }

// etagOf is a weak tag: two answers with one tag mean the same, though one may say that
// it is later.
func etagOf(v any, raw []byte) (string, error) {
	if t, ok := v.(timeless); ok {
		var err error
		if raw, err = encode(t.withoutAt()); err != nil {
			return "", err
		}
	}
	sum := sha256.Sum256(raw)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:15]) + `"`, nil
}

func matches(header, etag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || one != "" && strings.TrimPrefix(one, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}
