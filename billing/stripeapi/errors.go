package stripeapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// Error is a refusal by Stripe. Where it decides what happens next it also is billing.ErrStripeGone or
// billing.ErrStripeUnavailable to errors.Is.
//
// stripe-go's own error isn't in the chain: its text is the whole answer, which may hold the client
// secret of a payment.
type Error struct {
	Status      int
	Type        string // api_error, card_error, idempotency_error, invalid_request_error
	Code        string // such as resource_missing; may be empty
	DeclineCode string
	Param       string
	Message     string
	RequestID   string // what Stripe's support asks for
	kind        error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Stripe answered %d", e.Status)
	for _, detail := range []string{e.Code, e.DeclineCode} {
		if detail != "" {
			b.WriteString(" " + detail)
		}
	}
	if e.RequestID != "" {
		b.WriteString(" to " + e.RequestID)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	return b.String()
}

// Unwrap gives the sentinel that the refusal stands for, if any.
func (e *Error) Unwrap() error { return e.kind }

// messageMax cuts what is quoted of Stripe's explanation.
const messageMax = 500

// explain turns what stripe-go returns into an error of ours.
func (c *Client) explain(err error) error {
	var refused *stripe.Error
	if errors.As(err, &refused) {
		return c.refusal(refused)
	}
	var failed *url.Error
	if !errors.As(err, &failed) {
		// stripe-go couldn't read the answer, and says so by quoting it.
		return fmt.Errorf("%w: %w", billing.ErrStripeUnavailable, errUnreadable)
	}
	err = failed.Err // without the URL in front of it, which holds the query
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("calling Stripe: %w", err)
	case errors.Is(err, errTooLarge):
		return fmt.Errorf("reading Stripe's answer: %w", err)
	}
	return fmt.Errorf("%w: %w", billing.ErrStripeUnavailable, err)
}

func (c *Client) refusal(from *stripe.Error) error {
	e := &Error{
		Status: from.HTTPStatusCode, Type: string(from.Type), Code: string(from.Code),
		DeclineCode: string(from.DeclineCode), Param: from.Param, RequestID: from.RequestID,
		// Stripe masks the key that it complains of. A proxy between us might not.
		Message: strings.ReplaceAll(from.Msg, c.key(), "[key]"),
	}
	if len(e.Message) > messageMax {
		e.Message = strings.ToValidUTF8(e.Message[:messageMax], "") + "…"
	}
	switch {
	case e.Status == http.StatusNotFound && from.Code == stripe.ErrorCodeResourceMissing:
		// A 404 alone doesn't tell of the object: an address that isn't Stripe's answers it too.
		e.kind = billing.ErrStripeGone
	case e.Status >= 500, e.Status == http.StatusTooManyRequests, e.Status == http.StatusConflict:
		e.kind = billing.ErrStripeUnavailable
	case e.Status == http.StatusBadRequest, e.Status == http.StatusPaymentRequired:
		e.kind = billing.ErrStripeRefused
	}
	return e
}
