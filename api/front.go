package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// requestIDMax bounds the ids that callers give their requests.
const requestIDMax = 128

// ServeHTTP gives the request an id, an answer and a line in the log.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := s.cfg.Wall()
	c := &call{requestID: r.Header.Get("X-Request-Id")}
	if !visible(c.requestID, requestIDMax) {
		c.requestID = s.cfg.NewID("req")
	}
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
	h := w.Header()
	h.Set("X-Request-Id", c.requestID)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	rec := &recorder{ResponseWriter: w}
	defer func() { s.log(r, rec, c, s.cfg.Wall().Sub(began)) }()
	defer func() {
		if value := recover(); value != nil {
			s.panicked(rec, c, value)
		}
	}()
	defer s.under.Add(-1)
	if s.under.Add(1) > int64(s.cfg.RequestMax) {
		answerProblem(rec, c, problem("overloaded", ""))
		return
	}
	// The mux would answer an unclean path with a redirect in HTML.
	if p := r.URL.EscapedPath(); p != "/" && strings.TrimSuffix(p, "/") != path.Clean(p) {
		answerProblem(rec, c, problem("route_unknown", ""))
		return
	}
	s.mux.ServeHTTP(rec, r)
}

func (s *Server) panicked(w *recorder, c *call, value any) {
	if value == http.ErrAbortHandler { //nolint:errorlint,err113 // the very value
		panic(value)
	}
	c.failed = errors.Join(c.failed, fmt.Errorf("panic: %v\n%s", value, debug.Stack()))
	if w.status == 0 {
		answerProblem(w, c, problem("internal", ""))
	}
}

// log writes one line: no secrets, no bodies, and the route instead of the path, which
// could hold a person's id.
func (s *Server) log(r *http.Request, w *recorder, c *call, took time.Duration) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("request_id", c.requestID), slog.String("method", r.Method), slog.String("route", r.Pattern),
		slog.Int("status", w.status), slog.Duration("took", took), slog.String("key", c.keyID),
	}
	if c.failed != nil && w.status >= http.StatusInternalServerError {
		level = slog.LevelError
		attrs = append(attrs, slog.Any("error", c.failed))
	}
	s.cfg.Logger.LogAttrs(r.Context(), level, "request", attrs...)
}

// methods are those that any route may have.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// unknown answers where no route is: 405 where another method would have one.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, m := range methods {
		other := *r
		other.Method = m
		if _, pattern := s.mux.Handler(&other); pattern != "/" && pattern != "" && m != r.Method {
			allowed = append(allowed, m)
		}
	}
	p := problem("route_unknown", "")
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		p = problem("method_not_allowed", "")
	}
	answerProblem(w, callOf(r.Context()), p)
}

// answerProblem answers where huma doesn't.
func answerProblem(w http.ResponseWriter, c *call, p *Problem) {
	p.RequestID = c.requestID
	c.failed = errors.Join(c.failed, p.cause)
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	body, err := encode(p)
	c.failed = errors.Join(c.failed, err)
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
}

// recorder notes the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// visible tells whether a text is 1 to lengthMax visible ASCII characters.
func visible(text string, lengthMax int) bool {
	return text != "" && len(text) <= lengthMax && !strings.ContainsFunc(text, func(r rune) bool { return r < '!' || r > '~' })
}

// seconds writes a duration as Retry-After does, rounded up.
func seconds(d time.Duration) string { return strconv.Itoa(max(1, int(math.Ceil(d.Seconds())))) }
