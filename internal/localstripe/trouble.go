package localstripe

import (
	"net/http"
	"strings"
	"time"
)

// Trouble makes calls to the API fail. Each applies to its first Times matching calls, then is over.
type Trouble struct {
	Method string        `json:"method"` // empty: any
	Path   string        `json:"path"`   // a beginning, such as /v1/invoices; empty: any
	Times  int           `json:"times"`  // 0: once
	Status int           `json:"status"` // the error's status; 0: the connection is cut
	Code   string        `json:"code"`   // such as rate_limit, lock_timeout
	Delay  time.Duration `json:"delay"`  // in nanoseconds, before the answer
	After  bool          `json:"after"`  // the call is carried out first: only its answer is lost
	Header http.Header   `json:"header"`
	// Kept lets an error of 500 and above be what the call's idempotency key answers from then on, as Stripe does once
	// it has begun to carry a call out.
	Kept bool `json:"kept"`
}

// Disturb adds trouble to come.
func (s *Server) Disturb(t Trouble) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.Times == 0 {
		t.Times = 1
	}
	s.trouble = append(s.trouble, t)
}

// Soothe ends all trouble, and the waits that are under way.
func (s *Server) Soothe() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = nil
	if s.soothed != nil {
		close(s.soothed)
		s.soothed = nil
	}
}

// soothing is closed when trouble is over.
func (s *Server) soothing() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.soothed == nil {
		s.soothed = make(chan struct{})
	}
	return s.soothed
}

func (s *Server) nextTrouble(r *http.Request) (Trouble, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.trouble {
		t := &s.trouble[i]
		if t.Times > 0 && (t.Method == "" || t.Method == r.Method) && strings.HasPrefix(r.URL.Path, t.Path) {
			t.Times--
			return *t, true
		}
	}
	return Trouble{}, false
}

// disturbed carries a call out, with the trouble that is meant for it.
func (s *Server) disturbed(w http.ResponseWriter, c *call, requestID string, carryOut func(http.ResponseWriter)) {
	r := c.request
	if key := r.Header.Get("Idempotency-Key"); s.isFlying(key) {
		s.answerError(w, Trouble{Status: http.StatusConflict}.answer())
		return
	}
	soothed := s.soothing()
	t, ok := s.nextTrouble(r)
	if !ok {
		carryOut(w)
		return
	}
	if t.After {
		carryOut(lostAnswer{http.Header{}})
	}
	if t.Delay > 0 {
		defer s.fly(r.Header.Get("Idempotency-Key"))()
		pause := time.NewTimer(t.Delay)
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-soothed:
		case <-r.Context().Done():
			return
		}
	}
	if t.Status == 0 {
		if t.Delay > 0 && !t.After {
			carryOut(w) // late, but an answer
			return
		}
		panic(http.ErrAbortHandler)
	}
	for name, values := range t.Header {
		w.Header()[name] = values
	}
	if t.Kept && t.Status >= http.StatusInternalServerError {
		s.keepFailure(c, requestID, t)
	}
	s.answerError(w, t.answer())
}

func (s *Server) keepFailure(c *call, requestID string, t Trouble) {
	key := c.request.Header.Get("Idempotency-Key")
	if key == "" || c.request.Method != http.MethodPost {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status, body := s.errorBody(t.answer())
	s.keep(c, key, replay{request: requestID, status: status, body: body})
}

func (s *Server) isFlying(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flying[key]
}

// fly marks a key as in flight until the answer is called.
func (s *Server) fly(key string) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flying[key] = key != ""
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.flying, key)
	}
}

func (t Trouble) answer() *apiError {
	err := &apiError{status: t.Status, kind: "api_error", code: t.Code, message: "An unknown error occurred"}
	switch {
	case t.Status == http.StatusTooManyRequests && t.Code == "lock_timeout":
		err.kind, err.message = invalidRequest, "This object cannot be accessed right now because another API request or Stripe process is currently accessing it."
	case t.Status == http.StatusTooManyRequests:
		err.kind, err.code, err.message = invalidRequest, "rate_limit", "Request rate limit exceeded."
	case t.Status == http.StatusConflict:
		err.kind, err.code, err.message = "idempotency_error", "idempotency_key_in_use", "There is currently another in-progress request using this Idempotent Key."
	case t.Status < 500:
		err.kind, err.message = invalidRequest, "This request was refused on demand."
	}
	return err
}

// lostAnswer swallows what nobody will read.
type lostAnswer struct{ header http.Header }

func (l lostAnswer) Header() http.Header         { return l.header }
func (l lostAnswer) Write(b []byte) (int, error) { return len(b), nil }
func (l lostAnswer) WriteHeader(int)             {}
