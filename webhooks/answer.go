package webhooks

import (
	"encoding/json"
	"errors"
	"net/http"

	"purser/billing"
)

// refusal is why a delivery isn't acknowledged. Its code is stable; its detail
// tells the sender nothing about us. The cause is for our log alone.
type refusal struct {
	status int
	code   string
	detail string
	cause  error
}

func (r *refusal) Error() string { return r.detail }
func (r *refusal) Unwrap() error { return r.cause }

// The refusals of E1 that don't come from reading the event.
var (
	errMethod    = &refusal{http.StatusMethodNotAllowed, "method_not_allowed", "Events are delivered with POST.", nil}
	errTooLarge  = &refusal{http.StatusRequestEntityTooLarge, "body_too_large", "The body is larger than 1 MiB.", nil}
	errBody      = &refusal{http.StatusBadRequest, "body_unreadable", "The body ended early.", nil}
	errSignature = &refusal{http.StatusBadRequest, "signature_invalid", "The Stripe-Signature header doesn't sign this body with a secret of this endpoint.", nil}
	errTimestamp = &refusal{http.StatusBadRequest, "signature_outside_tolerance", "The signature's time is more than 5 minutes from now.", nil}
	errOtherMode = &refusal{http.StatusBadRequest, "event_of_other_mode", "The event's livemode isn't the mode that this endpoint serves.", nil}
)

// retryAfterSeconds is what we ask of a sender while the database is away.
const retryAfterSeconds = "10"

// unavailable makes whatever kept us from recording a reason to send again.
func unavailable(cause error) *refusal {
	return &refusal{http.StatusServiceUnavailable, "unavailable", "The event couldn't be recorded. Send it again.", cause}
}

// asRefusal is the one map from an error to an answer.
func asRefusal(err error) *refusal {
	if refused, ok := errors.AsType[*refusal](err); ok {
		return refused
	}
	if bad, ok := errors.AsType[*billing.EventError](err); ok {
		return &refusal{http.StatusBadRequest, bad.Code, bad.Detail, nil}
	}
	return unavailable(err)
}

// problem is RFC 9457's problem document with our code.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func writeProblem(w http.ResponseWriter, r *refusal) {
	switch r.status {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfterSeconds)
	}
	writeJSON(w, r.status, "application/problem+json",
		problem{"about:blank", http.StatusText(r.status), r.status, r.code, r.detail})
}

func writeOutcome(w http.ResponseWriter, result outcome) {
	writeJSON(w, http.StatusOK, "application/json", struct {
		Outcome outcome `json:"outcome"`
	}{result})
}

// writeJSON answers. Nothing can be done about a caller that no longer listens:
// the event is recorded or it isn't, and a retry will tell.
func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
