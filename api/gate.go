package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"purser/teams"
)

// gate lets a request through to its operation once it is known who asks for what, and
// how often already.
func (s *Server) gate(ctx huma.Context, next func(huma.Context)) {
	r, w := humago.Unwrap(ctx)
	c := callOf(r.Context())
	sp := ctx.Operation().Metadata[specKey].(*spec)
	// Before anything is read: in a flood those who are refused would otherwise take the time
	// in which the others are served.
	if sp.gathered && s.lanes.full(r.PathValue("team"), r.PathValue("user")) {
		answerProblem(w, c, problem("overloaded", ""))
		return
	}
	if err := s.admit(c, sp, w, r); err != nil {
		answerProblem(w, c, problemOf(err))
		return
	}
	limit := requestTimeout
	if sp.export && (Format{Format: r.URL.Query().Get("format"), Accept: r.Header.Get("Accept")}).csv() {
		limit = exportTimeout
	}
	bounded, cancel := context.WithTimeout(ctx.Context(), limit)
	defer cancel()
	next(huma.WithContext(ctx, bounded))
}

func (s *Server) admit(c *call, sp *spec, w http.ResponseWriter, r *http.Request) error {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		w.Header().Set("WWW-Authenticate", "Bearer")
		return problem("unauthorized", "")
	}
	token = strings.TrimSpace(token)
	key, err := s.keys.find(r.Context(), token)
	if err != nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		return err
	}
	c.keyID, c.secret, c.at = key.ID, token, s.cfg.Now()
	s.keys.used(r.Context(), key)
	if wait := s.keys.wait(key.ID); wait > 0 {
		p := problem("rate_limited", "")
		p.retry = wait
		return p
	}
	if !slices.ContainsFunc(sp.scopes, func(scope teams.Scope) bool { return slices.Contains(key.Scopes, scope) }) {
		return problem("scope_missing", "the operation needs a key with the scope "+joined(sp.scopes, " or "))
	}
	c.by.User, c.noneMatch = r.Header.Get("Purser-User"), r.Header.Get("If-None-Match")
	if err := checkTexts(c, r); err != nil {
		return err
	}
	return s.readWrite(c, sp, w, r)
}

func joined(scopes []teams.Scope, by string) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return strings.Join(names, by)
}

// checkTexts refuses what no column can hold before anybody asks the database for it.
func checkTexts(c *call, r *http.Request) error {
	user := c.by.User
	if !utf8.ValidString(user) || utf8.RuneCountInString(user) > 200 || strings.ContainsFunc(user, unicode.IsControl) {
		return wrongPlace("header.Purser-User", "must be a user's id")
	}
	if storableText(r.URL.Path) != nil {
		return wrongPlace("path", "must be UTF-8 without U+0000")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return wrongPlace("query", "can't be read")
	}
	for name, values := range query {
		for _, v := range append(values, name) {
			if storableText(v) != nil {
				return wrongPlace("query", "must be UTF-8 without U+0000")
			}
		}
	}
	return nil
}

func wrongPlace(location, message string) *Problem {
	p := problem("request_invalid", "")
	p.Errors = []FieldError{{Location: location, Message: message}}
	return p
}

// readWrite reads the body and, of a write, the key, and works out the request's hash.
func (s *Server) readWrite(c *call, sp *spec, w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return problem("body_too_large", "")
	case err != nil:
		return problem("body_timeout", "the body couldn't be read")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if !isJSON(r.Header.Get("Content-Type")) {
		return problem("content_type_unknown", "")
	}
	plain, err := canonical(body)
	if err != nil {
		return problem("json_invalid", err.Error())
	}
	if sp.keyless {
		return nil
	}
	c.key = r.Header.Get("Idempotency-Key")
	switch {
	case c.key == "":
		return problem("key_missing", "")
	case !visible(c.key, 255):
		return problem("key_invalid", "")
	}
	c.hash = hashOf(sp.id, r.URL.EscapedPath(), plain, c.by.User)
	return nil
}

func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == "application/json"
}
