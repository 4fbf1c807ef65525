package localstripe

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	attemptsMax  = 12
	firstBackoff = 20 * time.Millisecond
	backoffMax   = 2 * time.Second
)

// send tries until the endpoint answers 2xx, backing off between attempts.
func (o *outbox) send(d *delivery) {
	if !o.pause(d.delay) {
		return
	}
	backoff := firstBackoff
	for attempt := 1; ; attempt++ {
		state, err := o.attempt(d)
		if err != nil {
			state = deliveryDue
			if attempt == attemptsMax {
				state = deliveryGivenUp
			}
		}
		o.note(d, state, attempt, err)
		if state != deliveryDue {
			return
		}
		if !o.pause(backoff) {
			return
		}
		backoff = min(2*backoff, backoffMax)
	}
}

// pause is false when everything ended meanwhile.
func (o *outbox) pause(length time.Duration) bool {
	if length == 0 {
		return true
	}
	pause := time.NewTimer(length)
	defer pause.Stop()
	select {
	case <-o.ctx.Done():
		return false
	case <-pause.C:
		return true
	}
}

func (o *outbox) note(d *delivery, state deliveryState, attempt int, err error) {
	o.mu.Lock()
	d.state, d.attempts, d.lastErr = state, attempt, err
	close(o.moved)
	o.moved = make(chan struct{})
	o.mu.Unlock()
	if err != nil {
		o.server.log.Debug("local Stripe delivery failed", "event", d.event, "type", d.kind, "attempt", attempt, "error", err)
	}
}

func (o *outbox) attempt(d *delivery) (deliveryState, error) {
	select {
	case o.slots <- struct{}{}:
		defer func() { <-o.slots }()
	case <-o.ctx.Done():
		return deliveryDue, o.ctx.Err()
	}
	url, secrets, ok := o.server.target(d.endpoint)
	if !ok {
		return deliveryCancelled, nil
	}
	if o.down(url) {
		return deliveryDue, fmt.Errorf("delivering %s: %w", d.event, errEndpointDown)
	}
	request, err := http.NewRequestWithContext(o.ctx, http.MethodPost, url, bytes.NewReader(d.body))
	if err != nil {
		return deliveryDue, fmt.Errorf("delivering %s: %w", d.event, err)
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("User-Agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
	request.Header.Set("Stripe-Signature", signature(o.server.wall().Unix(), d.body, secrets...))
	response, err := o.client.Do(request)
	if err != nil {
		return deliveryDue, fmt.Errorf("delivering %s: %w", d.event, err)
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return deliveryDue, fmt.Errorf("delivering %s: the endpoint answered %s", d.event, response.Status)
	}
	return deliveryDone, nil
}

func (s *Server) target(id string) (url string, secrets []string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.endpoints.get(id)
	if !ok || e.deleted || e.status != "enabled" {
		return "", nil, false
	}
	secrets = []string{e.secret}
	if s.clock.now < e.rolledUntil {
		secrets = append(secrets, e.rolled)
	}
	return e.url, secrets, true
}

// signature is the Stripe-Signature header: v1 is HMAC-SHA256 of "t.body"; v0 is what test mode adds and
// nobody checks.
func signature(at int64, body []byte, secrets ...string) string {
	stamped := strconv.FormatInt(at, 10)
	sign := func(key string) string {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(stamped + "."))
		mac.Write(body)
		return hex.EncodeToString(mac.Sum(nil))
	}
	header := "t=" + stamped
	for _, secret := range secrets {
		header += ",v1=" + sign(secret)
	}
	return header + ",v0=" + sign("v0"+secrets[0])
}
