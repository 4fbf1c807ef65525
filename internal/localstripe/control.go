package localstripe

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// control is the API under /_local, which Stripe doesn't have: the clock, the deliveries, the person at
// the payment page.
func (s *Server) control(mux *http.ServeMux) {
	routes := map[string]func(r *http.Request) (any, error){
		"GET /_local/unverified":            listUnverified,
		"GET /_local/clock":                 s.showClock,
		"POST /_local/clock":                s.moveClock,
		"POST /_local/checkout/{id}/pay":    s.controlPay,
		"POST /_local/events/{id}/resend":   s.controlResend,
		"POST /_local/events/resend-all":    s.controlResend,
		"POST /_local/deliveries":           s.controlFaults,
		"POST /_local/deliveries/release":   s.controlRelease,
		"POST /_local/deliveries/flush":     s.controlFlush,
		"POST /_local/trouble":              s.controlTrouble,
		"DELETE /_local/trouble":            func(*http.Request) (any, error) { s.Soothe(); return obj{}, nil },
		"POST /_local/dunning":              s.controlDunning,
		"POST /_local/payment_methods/{id}": s.controlMethod,
	}
	s.moreControl(routes)
	for pattern, run := range routes {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			answer, err := run(r)
			status := http.StatusOK
			if err != nil {
				status, answer = http.StatusBadRequest, obj{"error": err.Error()}
				var known *apiError
				if errors.As(err, &known) {
					status = known.status
				}
			}
			writeJSON(w, status, encode(answer))
		})
	}
}

// body reads JSON; an empty body is an empty request.
func body(r *http.Request, into any) error {
	if r.ContentLength == 0 {
		return nil
	}
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, bodyMax))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	return nil
}

func (s *Server) showClock(*http.Request) (any, error) {
	return obj{"now": s.Now().Format(time.RFC3339)}, nil
}

func (s *Server) moveClock(r *http.Request) (any, error) {
	var in struct{ To, By string }
	if err := body(r, &in); err != nil {
		return nil, err
	}
	to, err := target(s.Now(), in.To, in.By)
	if err != nil {
		return nil, err
	}
	if err := s.Advance(r.Context(), to); err != nil {
		return nil, err
	}
	return s.showClock(r)
}

// target reads "to" as a time, or "by" as a number and a unit: s, m, h, d, w, mo, y.
func target(now time.Time, to, by string) (time.Time, error) {
	if to != "" {
		at, err := time.Parse(time.RFC3339, to)
		if err != nil {
			return at, fmt.Errorf("reading to: %w", err)
		}
		return at, nil
	}
	digits := strings.TrimRight(by, "abcdefghijklmnopqrstuvwxyz")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 {
		return now, fmt.Errorf("by must be a number and one of s, m, h, d, w, mo, y, such as 1mo; it is %q", by)
	}
	switch strings.TrimPrefix(by, digits) {
	case "s":
		return now.Add(time.Duration(n) * time.Second), nil
	case "m":
		return now.Add(time.Duration(n) * time.Minute), nil
	case "h":
		return now.Add(time.Duration(n) * time.Hour), nil
	case "d":
		return now.AddDate(0, 0, n), nil
	case "w":
		return now.AddDate(0, 0, 7*n), nil
	case "mo":
		return addMonths(now, n), nil
	case "y":
		return addMonths(now, 12*n), nil
	}
	return now, fmt.Errorf("by must end in one of s, m, h, d, w, mo, y; it is %q", by)
}

func (s *Server) controlPay(r *http.Request) (any, error) {
	var in Payment
	if err := body(r, &in); err != nil {
		return nil, err
	}
	if err := s.PaySession(r.Context(), r.PathValue("id"), in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	cs, err := s.session(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return cs.render(s), nil
}

func (s *Server) controlResend(r *http.Request) (any, error) {
	in := struct {
		Times   int
		Shuffle uint64
	}{Times: 1}
	if err := body(r, &in); err != nil {
		return nil, err
	}
	var ids []string
	if id := r.PathValue("id"); id != "" {
		ids = append(ids, id)
	}
	return obj{"deliveries": int64(s.Resend(in.Times, in.Shuffle, ids...))}, nil
}

func (s *Server) controlFaults(r *http.Request) (any, error) {
	var in Faults
	if err := body(r, &in); err != nil {
		return nil, err
	}
	s.SetDelivery(in)
	return obj{
		"drop": anyList(in.Drop), "hold": anyList(in.Hold), "duplicate": int64(in.Duplicate), "twin": anyList(in.Twin), "wait": in.Wait,
		"delay": int64(in.Delay), "version": in.Version, "down": anyList(in.Down),
	}, nil
}

func (s *Server) controlRelease(r *http.Request) (any, error) {
	var in struct{ Shuffle uint64 }
	if err := body(r, &in); err != nil {
		return nil, err
	}
	return obj{"deliveries": int64(s.Release(in.Shuffle))}, nil
}

func (s *Server) controlFlush(r *http.Request) (any, error) {
	return obj{}, s.Flush(r.Context())
}

func (s *Server) controlTrouble(r *http.Request) (any, error) {
	var in Trouble
	if err := body(r, &in); err != nil {
		return nil, err
	}
	s.Disturb(in)
	return obj{}, nil
}

func (s *Server) controlDunning(r *http.Request) (any, error) {
	var in struct {
		Retries []string
		Then    string
	}
	if err := body(r, &in); err != nil {
		return nil, err
	}
	d := Dunning{Then: in.Then}
	start := time.Unix(0, 0).UTC()
	for _, by := range in.Retries {
		at, err := target(start, "", by)
		if err != nil {
			return nil, err
		}
		d.Retries = append(d.Retries, at.Sub(start))
	}
	return obj{}, s.SetDunning(d)
}

func (s *Server) controlMethod(r *http.Request) (any, error) {
	var in struct{ Behaves string }
	if err := body(r, &in); err != nil {
		return nil, err
	}
	return obj{}, s.SetCard(r.PathValue("id"), in.Behaves)
}

// SetCard makes a payment method behave from now on like one of Stripe's test methods: a card that was
// good yesterday has insufficient funds today.
func (s *Server) SetCard(id, behaves string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	does, ok := behaviours[behaves]
	if !ok {
		return fmt.Errorf("setting card %s: there is no test method %q", id, behaves)
	}
	m, ok := s.methods.get(id)
	if !ok {
		return noSuch(404, "PaymentMethod", id, "payment_method")
	}
	// It stays the card that it is: only what the bank says changes.
	does.brand, does.last4 = m.does.brand, m.does.last4
	m.does = does
	return nil
}
