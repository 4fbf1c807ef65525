package localstripe

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// call is one request to the API, as a handler sees it.
type call struct {
	*Server
	*params
	request *http.Request
}

func (c *call) id() string { return c.request.PathValue("id") }

// handler carries out one call under the mutex and answers the object to send.
type handler func(c *call) (any, error)

// cause is what an event tells of the request behind it.
type cause struct{ request, key string }

const bodyMax = 1 << 20

// api wraps a handler with what all calls share: the key, the version, the form, idempotency, expansion.
func (s *Server) api(run handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		requestID := s.id("req")
		s.mu.Unlock()
		w.Header().Set("Request-Id", requestID)
		w.Header().Set("Stripe-Version", APIVersion)
		if err := authenticate(r); err != nil {
			s.answerError(w, err)
			return
		}
		in, err := readParams(w, r)
		if err != nil {
			s.answerError(w, err)
			return
		}
		c := &call{Server: s, params: in, request: r}
		s.disturbed(w, c, requestID, func(w http.ResponseWriter) { s.carryOut(w, c, requestID, run) })
	}
}

// carryOut runs the handler, or replays the answer that the idempotency key had before.
func (s *Server) carryOut(w http.ResponseWriter, c *call, requestID string, run handler) {
	key := c.request.Header.Get("Idempotency-Key")
	s.mu.Lock()
	defer s.mu.Unlock()
	if key != "" && c.request.Method == http.MethodPost {
		w.Header().Set("Idempotency-Key", key)
		before, err := s.replayed(c, key)
		if err != nil {
			s.answerErrorLocked(w, err)
			return
		}
		if before != nil {
			w.Header().Set("Idempotent-Replayed", "true")
			w.Header().Set("Original-Request", before.request)
			writeJSON(w, before.status, before.body)
			return
		}
	}
	s.cause = cause{request: requestID, key: key}
	body, err := s.run(c, run)
	s.cause = cause{}
	status := http.StatusOK
	if err != nil {
		advise(w, err)
		status, body = s.errorBody(err)
	}
	if key != "" && c.request.Method == http.MethodPost && worthKeeping(status) {
		s.keep(c, key, replay{request: requestID, status: status, body: body})
	}
	writeJSON(w, status, body)
}

func (s *Server) run(c *call, run handler) ([]byte, error) {
	answer, err := run(c)
	if err == nil {
		err = c.finish()
	}
	if o, ok := answer.(obj); ok && err == nil {
		err = s.expand(o, c.strings("expand"))
	}
	if err != nil {
		return nil, err
	}
	return encode(answer), nil
}

func (s *Server) errorBody(err error) (int, []byte) {
	var known *apiError
	if !errors.As(err, &known) {
		s.log.Error("local Stripe failed", "error", err)
		known = &apiError{status: 500, kind: "api_error", message: err.Error()}
	}
	return known.status, encode(known.render(s))
}

func (s *Server) answerError(w http.ResponseWriter, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answerErrorLocked(w, err)
}

func (s *Server) answerErrorLocked(w http.ResponseWriter, err error) {
	advise(w, err)
	status, body := s.errorBody(err)
	writeJSON(w, status, body)
}

// advise says whether a retry is worth it, where Stripe is known to: a lock or a key in use is soon free, and what was
// refused will be refused again.
func advise(w http.ResponseWriter, err error) {
	var refused *apiError
	if !errors.As(err, &refused) {
		return
	}
	again := refused.code == "lock_timeout" || refused.status == http.StatusConflict
	if again || refused.status >= 400 && refused.status < http.StatusTooManyRequests {
		w.Header().Set("Stripe-Should-Retry", strconv.FormatBool(again))
	}
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A caller who hung up doesn't need the answer.
	_, _ = w.Write(append(body, '\n'))
}

func authenticate(r *http.Request) error {
	unauthorized := func(message string) error {
		return &apiError{status: 401, kind: invalidRequest, message: message}
	}
	key, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if encoded, basic := strings.CutPrefix(r.Header.Get("Authorization"), "Basic "); basic {
		decoded, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return unauthorized("Invalid basic authorization.")
		}
		key, _, _ = strings.Cut(string(decoded), ":")
		bearer = true
	}
	switch {
	case !bearer || key == "":
		return unauthorized("You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').")
	case strings.HasPrefix(key, "sk_live_"), strings.HasPrefix(key, "rk_live_"):
		return unauthorized("This is the local Stripe, which moves no money: it refuses live keys. Use a key that begins with sk_test_.")
	case !strings.HasPrefix(key, "sk_test_") && !strings.HasPrefix(key, "rk_test_"):
		return unauthorized("Invalid API Key provided. The local Stripe accepts any key that begins with sk_test_ or rk_test_.")
	}
	if v := r.Header.Get("Stripe-Version"); v != "" && v != APIVersion {
		return invalid("", "The local Stripe speaks API version %s only, not %s.", APIVersion, v)
	}
	return nil
}

func readParams(w http.ResponseWriter, r *http.Request) (*params, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMax))
	if err != nil {
		return nil, invalid("", "Reading the request's body: %s", err)
	}
	return parseForm(r.URL.RawQuery, string(body))
}

func (s *Server) unknownRoute(w http.ResponseWriter, r *http.Request) {
	s.api(func(*call) (any, error) {
		return nil, &apiError{
			status: 404, kind: invalidRequest,
			message: "Unrecognized request URL (" + r.Method + ": " + r.URL.Path + "). The local Stripe has no such route.",
		}
	})(w, r)
}
