package stripeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// answerMax is more than any answer of Stripe's: a page of 100 events with all the metadata that is
// allowed is a third of it.
const answerMax = 32 << 20

// The pauses between attempts double from one to the next. They aren't scattered at random: what comes
// back together is spread by the pace anyway.
const (
	firstDelay = 500 * time.Millisecond
	lastDelay  = 8 * time.Second
)

var (
	errRedirected = errors.New("Stripe's address redirects elsewhere")
	errUnreadable = errors.New("the answer can't be read, so it isn't Stripe's")
	errTooLarge   = errors.New("the answer is larger than any of Stripe's")
)

// transport sends a request when its turn has come, and again where that is safe: reads always, writes
// because each carries an idempotency key.
type transport struct {
	base    http.RoundTripper
	pace    *pace
	timeout time.Duration
	retries int
	log     *slog.Logger
	now     func() time.Time
	sleep   func(context.Context, time.Duration) error
}

func newTransport(cfg Config, base http.RoundTripper) *transport {
	return &transport{
		base: base, pace: newPace(cfg), timeout: cfg.Timeout, retries: cfg.MaxRetries,
		log: cfg.Logger, now: cfg.Now, sleep: cfg.Sleep,
	}
}

// outcome is how one attempt ended: with an answer, read to its end, or with an error.
type outcome struct {
	response *http.Response
	code     string // of Stripe's error, "" if there is none
	err      error
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	for attempt := 0; ; attempt++ {
		if err := t.pace.wait(req.Context(), req.Method); err != nil {
			return nil, err
		}
		begun := t.now()
		end := t.try(req)
		t.tell(req, end, attempt, t.now().Sub(begun))
		delay := t.delay(end, attempt)
		if end.rateLimited() {
			t.pace.hold(delay)
		}
		if attempt >= t.retries || delay > waitMax || req.Context().Err() != nil || !end.mayRepeat(req.Method) {
			return end.response, end.err
		}
		if end.rateLimited() {
			continue // the pause holds us up like everybody else
		}
		if err := t.sleep(req.Context(), delay); err != nil {
			return nil, err
		}
	}
}

// try makes one attempt and reads the whole answer, so that a connection lost in its middle counts as a
// failed attempt, not as a broken answer.
func (t *transport) try(req *http.Request) outcome {
	ctx, cancel := context.WithTimeout(req.Context(), t.timeout)
	defer cancel()
	once := req.Clone(ctx)
	// stripe-go puts the machine's name and kernel into this header.
	once.Header.Del("X-Stripe-Client-User-Agent")
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return outcome{err: err}
		}
		once.Body = body
	}
	response, err := t.base.RoundTrip(once)
	if err != nil {
		return outcome{err: err}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerMax+1))
	if err != nil {
		return outcome{err: err}
	}
	if len(body) > answerMax {
		return outcome{err: errTooLarge}
	}
	return settle(response, body)
}

// settle puts the body back for stripe-go to read. An error page of a proxy is replaced by an error in
// Stripe's form, because stripe-go would drop the status and quote the page.
func settle(response *http.Response, body []byte) outcome {
	end := outcome{response: response}
	if response.StatusCode >= 400 {
		var refused struct {
			Error *struct {
				Code string `json:"code"`
			} `json:"error"`
		}
		if json.Unmarshal(body, &refused) != nil || refused.Error == nil {
			body = []byte(`{"error": {"type": "api_error", "message": "the answer isn't in the form of Stripe's errors"}}`)
		} else {
			end.code = refused.Error.Code
		}
	}
	if h, kept := response.Request.Context().Value(heardKey{}).(*heard); kept && response.StatusCode < 400 && json.Valid(body) {
		h.body, body = body, []byte("{}")
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	response.ContentLength = int64(len(body))
	return end
}

// rateLimited tells whether we were too fast. Waiting for an object's lock is the business of one call.
func (o outcome) rateLimited() bool {
	return o.err == nil && o.response.StatusCode == http.StatusTooManyRequests && o.code != "lock_timeout"
}

// mayRepeat tells whether another attempt is safe and of use.
func (o outcome) mayRepeat(method string) bool {
	if o.err != nil {
		return !errors.Is(o.err, errTooLarge)
	}
	status := o.response.StatusCode
	if status < 400 {
		return false
	}
	if status == http.StatusTooManyRequests {
		return true
	}
	switch o.response.Header.Get("Stripe-Should-Retry") {
	case "true":
		return true
	case "false":
		return false
	}
	switch status {
	case http.StatusConflict: // an earlier attempt with this key is still at work
		return true
	case http.StatusInternalServerError:
		// Stripe remembers a write's 500 under its key and would only say it again.
		return method == http.MethodGet
	}
	return status > http.StatusInternalServerError
}

// delay is how long to wait before the next attempt: what Stripe asks for, else twice the last delay.
func (t *transport) delay(o outcome, attempt int) time.Duration {
	if o.err == nil {
		if asked, ok := retryAfter(o.response.Header.Get("Retry-After"), t.now()); ok {
			return asked
		}
	}
	return min(lastDelay, firstDelay<<min(attempt, 10))
}

// retryAfter reads seconds or a date.
func retryAfter(header string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}

// tell logs an attempt without headers, bodies or queries: they hold keys, addresses and amounts.
func (t *transport) tell(req *http.Request, o outcome, attempt int, took time.Duration) {
	fields := []any{"method", req.Method, "path", req.URL.Path, "attempt", attempt + 1, "took", took}
	level := slog.LevelDebug
	switch {
	case o.err != nil:
		level = slog.LevelWarn
		fields = append(fields, "error", o.err)
	default:
		fields = append(fields, "status", o.response.StatusCode, "request_id", o.response.Header.Get("Request-Id"))
		if o.code != "" {
			fields = append(fields, "code", o.code)
		}
		if o.response.StatusCode >= 500 || o.response.StatusCode == http.StatusTooManyRequests {
			level = slog.LevelWarn
		}
	}
	t.log.Log(req.Context(), level, "called Stripe", fields...)
}
