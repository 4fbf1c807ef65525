package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
)

// policyOf is what a browser may do with the page: show it, with our own styles and
// scripts and the product's logo, and send forms to us, of which some lead on to Stripe.
func policyOf(cfg Config) (string, error) {
	images := []string{"'self'", "data:"}
	if cfg.Brand.Logo != "" {
		u, err := url.Parse(cfg.Brand.Logo)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return "", fmt.Errorf("the logo %q is not the address of an image", cfg.Brand.Logo)
		}
		images = append(images, u.Scheme+"://"+u.Host)
	}
	return strings.Join([]string{
		"default-src 'none'", "style-src 'self'", "script-src 'self'", "connect-src 'self'", "img-src " + strings.Join(images, " "),
		"form-action " + strings.Join(append([]string{"'self'"}, cfg.StripeAt...), " "), "base-uri 'none'", "frame-ancestors 'none'",
	}, "; "), nil
}

// ServeHTTP keeps other sites out and answers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := s.cfg.Wall()
	h := w.Header()
	h.Set("Content-Security-Policy", s.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if s.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	rec := &recorder{ResponseWriter: w}
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	trace := &trace{}
	r = r.WithContext(context.WithValue(ctx, traceKey{}, trace))
	defer func() {
		attrs := []slog.Attr{
			slog.String("method", r.Method), slog.String("route", r.Pattern), slog.Int("status", rec.status), slog.Duration("took", s.cfg.Wall().Sub(began)),
		}
		level := slog.LevelInfo
		if trace.failed != nil {
			level = slog.LevelError
			attrs = append(attrs, slog.Any("error", trace.failed))
		}
		s.cfg.Logger.LogAttrs(ctx, level, "page", attrs...)
	}()
	defer func() {
		if value := recover(); value != nil {
			if value == http.ErrAbortHandler { //nolint:errorlint,err113 // the very value
				panic(value)
			}
			s.sorry(rec, r, fmt.Errorf("panic: %v\n%s", value, debug.Stack()))
		}
	}()
	if err := s.foreign.Check(r); err != nil {
		s.refuse(rec, r, nil, refusal{Status: http.StatusForbidden, Code: "foreign"})
		return
	}
	if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost}, r.Method) {
		h.Set("Allow", "GET, HEAD, POST")
		s.refuse(rec, r, nil, refusal{Status: http.StatusMethodNotAllowed, Code: "method"})
		return
	}
	r.Body = http.MaxBytesReader(rec, r.Body, bodyMax)
	s.mux.ServeHTTP(rec, r)
}

// trace is what went wrong inside, for the log.
type trace struct{ failed error }

type traceKey struct{}

func noteFailure(ctx context.Context, err error) {
	if t, ok := ctx.Value(traceKey{}).(*trace); ok {
		t.failed = errors.Join(t.failed, err)
	}
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

// unknown answers where no page is.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, r, nil, refusal{Status: http.StatusNotFound, Code: "page_unknown"})
}

// sorry answers when something went wrong inside.
func (s *Server) sorry(w http.ResponseWriter, r *http.Request, err error) {
	noteFailure(r.Context(), err)
	s.refuse(w, r, nil, refusal{Status: http.StatusInternalServerError, Code: "internal"})
}
