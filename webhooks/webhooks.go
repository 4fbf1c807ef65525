// Package webhooks answers whether what was posted to us is an event of Stripe's
// that is now safely in the inbox.
//
// A delivery is verified, read as far as its envelope, recorded and acknowledged
// (E1). The event and the job that will work it are committed in one transaction
// before Stripe hears 200, so an acknowledged event is never lost and an event
// that couldn't be recorded is sent again. What an event means is nobody's
// business here: nothing is fetched, interpreted or booked.
//
// Signatures are checked with crypto/hmac rather than by stripe-go: that library
// belongs to the package that calls Stripe, it accepts timestamps from any future,
// and its clock can't be given.
package webhooks

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
)

// BodyMax is the largest body that is read, in bytes. An event with all the
// metadata that Stripe allows is about a tenth of it.
const BodyMax = 1 << 20

// defaultTimeout leaves a slow database some room and still answers before
// Stripe gives up waiting.
const defaultTimeout = 10 * time.Second

// Config is what a receiver needs. Pool, Stage and Now must be set.
type Config struct {
	Pool *pgxpool.Pool

	// Stage inserts the jobs that will work the events, in the transaction that
	// records them.
	Stage func(ctx context.Context, tx pgx.Tx, args []billing.EventArgs) error

	// Secrets are the endpoint's signing secrets: one, or two while one is being
	// rotated. Empty ones are left out, since anybody could sign with them; without
	// any, every delivery is refused.
	Secrets []string

	Livemode bool             // whether this deployment serves live mode
	Now      func() time.Time // the clock that signatures are judged by
	Logger   *slog.Logger     // nil means slog.Default()
	Timeout  time.Duration    // for recording a delivery; 0 means 10 s
	Alone    bool             // a transaction for each delivery, instead of gathering them
	QueueMax int              // how many deliveries may wait; past that senders are told to come back; 0 means 1024
}

// receiver is the handler.
type receiver struct {
	secrets  [][]byte
	livemode bool
	now      func() time.Time
	logger   *slog.Logger
	timeout  time.Duration
	record   func(ctx context.Context, d delivery) (outcome, error)
}

// New returns the handler for POST /webhooks/stripe. It answers JSON: 200 with an
// outcome, or a problem (RFC 9457) with a stable code. It may be called by any
// number of requests at once. How long a sender may take over its body is the
// server's ReadTimeout to say.
func New(c Config) http.Handler {
	r := &receiver{
		livemode: c.Livemode,
		now:      c.Now,
		logger:   c.Logger,
		timeout:  c.Timeout,
	}
	for _, secret := range c.Secrets {
		if secret != "" {
			r.secrets = append(r.secrets, []byte(secret))
		}
	}
	if r.logger == nil {
		r.logger = slog.Default()
	}
	if r.timeout <= 0 {
		r.timeout = defaultTimeout
	}
	c.Timeout = r.timeout
	r.record = newRecorder(c).record
	return r
}

// ServeHTTP receives one delivery, answers it and logs one line about it, which
// never holds the body, the signature or a secret.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	start := r.now()
	event, result, err := r.receive(w, req)
	var refused *refusal
	if err != nil {
		refused = asRefusal(err)
		writeProblem(w, refused)
		result = outcome(refused.code)
	} else {
		writeOutcome(w, result)
	}
	r.log(req.Context(), event, result, refused, r.now().Sub(start))
}

// receive takes one delivery from its bytes to the inbox.
func (r *receiver) receive(w http.ResponseWriter, req *http.Request) (billing.Event, outcome, error) {
	if req.Method != http.MethodPost {
		return billing.Event{}, "", errMethod
	}
	body, err := readBody(w, req)
	if err != nil {
		return billing.Event{}, "", err
	}
	at := r.now()
	if err := verify(body, req.Header.Get("Stripe-Signature"), r.secrets, at); err != nil {
		return billing.Event{}, "", err
	}
	event, err := billing.ParseEvent(body)
	if err != nil {
		return billing.Event{}, "", err
	}
	if event.Livemode != r.livemode {
		return event, "", errOtherMode
	}
	event.ReceivedAt, event.Origin = at, billing.FromWebhook

	// Not under the request's own context: a caller that hangs up must not undo
	// what is nearly recorded, for itself or for others in the same transaction.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(req.Context()), r.timeout)
	defer cancel()
	result, err := r.record(ctx, delivery{event})
	if err != nil {
		return event, "", unavailable(err)
	}
	return event, result, nil
}

// readBody reads the body whole or not at all.
func readBody(w http.ResponseWriter, req *http.Request) ([]byte, error) {
	if req.ContentLength > BodyMax {
		return nil, errTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, BodyMax))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, errBody
	}
	return body, nil
}

// log writes the delivery's line. What an unverified body calls itself isn't
// known here, and so isn't logged.
func (r *receiver) log(ctx context.Context, event billing.Event, result outcome, refused *refusal, took time.Duration) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("event", event.ID),
		slog.String("type", event.Type),
		slog.String("outcome", string(result)),
		slog.Duration("duration", took),
	}
	if refused != nil {
		level = slog.LevelWarn
		if refused.cause != nil {
			level = slog.LevelError
			attrs = append(attrs, slog.String("error", refused.cause.Error()))
		}
	}
	r.logger.LogAttrs(ctx, level, "stripe delivery", attrs...)
}
