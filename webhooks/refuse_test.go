package webhooks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/webhooks"
)

// TestReceiverRefuses holds every refusal of E1 against one inbox that already
// has an event in it: the code, and that not a byte has changed.
func TestReceiverRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.deliver(t, event("evt_known")).want(t, http.StatusOK, "recorded")
	before := b.state(t)
	body := event("evt_1")
	stamp := fmt.Sprint(noon.Unix())
	good := v1(body, secret, stamp)

	signed := func(body string) *http.Request { return request(body, signature(body, secret, noon)) }
	for name, c := range map[string]struct {
		request *http.Request
		status  int
		code    string
	}{
		"E1_NoSignature":           {request(body, ""), 400, "signature_invalid"},
		"E1_GarbageSignature":      {request(body, "garbage"), 400, "signature_invalid"},
		"E1_NoTime":                {request(body, "v1="+good), 400, "signature_invalid"},
		"E1_NoV1":                  {request(body, "t="+stamp+",v0="+good), 400, "signature_invalid"},
		"E1_EmptyV1":               {request(body, "t="+stamp+",v1="), 400, "signature_invalid"},
		"E1_HalfASignature":        {request(body, "t="+stamp+",v1="+good[:32]), 400, "signature_invalid"},
		"E1_TwoTimes":              {request(body, "t="+stamp+",t="+stamp+",v1="+good), 400, "signature_invalid"},
		"E1_TimeNotANumber":        {request(body, "t=noon,v1="+v1(body, secret, "noon")), 400, "signature_invalid"},
		"E1_TimeNegative":          {request(body, "t=-1,v1="+v1(body, secret, "-1")), 400, "signature_invalid"},
		"E1_TimeBeyondAnyYear":     {request(body, "t=9223372036854775807,v1="+v1(body, secret, "9223372036854775807")), 400, "signature_invalid"},
		"E1_TimeSwapped":           {request(body, "t="+fmt.Sprint(noon.Unix()+1)+",v1="+good), 400, "signature_invalid"},
		"E1_SignatureOfOtherBody":  {request(body+" ", "t="+stamp+",v1="+good), 400, "signature_invalid"},
		"E1_SignedByAnotherSecret": {request(body, signature(body, "whsec_other", noon)), 400, "signature_invalid"},
		"E1_OutsideFiveMinutes":    {request(body, signature(body, secret, noon.Add(-time.Hour))), 400, "signature_outside_tolerance"},

		"E1_Null":             {signed(`null`), 400, "event_not_an_event"},
		"E1_AnArray":          {signed(`[]`), 400, "event_not_an_event"},
		"E1_AnotherObject":    {signed(event("evt_1", `"event"`, `"charge"`)), 400, "event_not_an_event"},
		"E1_NoId":             {signed(event("evt_1", `"id": "evt_1",`, ``)), 400, "event_id_missing"},
		"E1_EmptyId":          {signed(event("")), 400, "event_id_missing"},
		"E1_IdWithNUL":        {signed(event(`evt_\u0000`)), 400, "event_id_invalid"},
		"E1_IdWithoutEnd":     {signed(event(strings.Repeat("e", 256))), 400, "event_id_invalid"},
		"E1_Nothing":          {signed(``), 400, "event_not_json"},
		"E1_NotJSON":          {signed(`id=evt_1`), 400, "event_not_json"},
		"E1_HalfAnEvent":      {signed(body[:100]), 400, "event_not_json"},
		"E1_ThinEvent":        {signed(event("evt_1", `"event"`, `"v2.core.event"`)), 400, "event_thin"},
		"E1_CreatedAString":   {signed(event("evt_1", `1709208000`, `"2024-02-29T12:00:00Z"`)), 400, "event_thin"},
		"E1_CreatedAFloat":    {signed(event("evt_1", `1709208000`, `1709208000.5`)), 400, "event_created_invalid"},
		"E1_OtherMode":        {signed(event("evt_1", `"livemode": false`, `"livemode": true`)), 400, "event_of_other_mode"},
		"E1_KnownIdOtherMode": {signed(event("evt_known", `"livemode": false`, `"livemode": true`)), 400, "event_of_other_mode"},
		"E1_NoMode":           {signed(event("evt_1", `"livemode": false,`, ``)), 400, "event_mode_invalid"},

		"E1_OneByteMoreThanOneMiB":       {signed(padded("evt_1", webhooks.BodyMax+1)), 413, "body_too_large"},
		"E1_TooLargeWithoutSayingSo":     {unsized(signed(padded("evt_1", webhooks.BodyMax+1))), 413, "body_too_large"},
		"E1_TooLargeAndUnsigned":         {request(padded("evt_1", webhooks.BodyMax+1), ""), 413, "body_too_large"},
		"E1_ABodyThatEndsEarlyIsNotRead": {broken(signed(body)), 400, "body_unreadable"},

		"GetIsNoDelivery":    {httptest.NewRequest(http.MethodGet, "/webhooks/stripe", nil), 405, "method_not_allowed"},
		"PutIsNoDelivery":    {method(signed(body), http.MethodPut), 405, "method_not_allowed"},
		"DeleteIsNoDelivery": {method(signed(body), http.MethodDelete), 405, "method_not_allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			a := b.send(t, c.request)
			a.want(t, c.status, c.code)
			if got := a.Header.Get("Content-Type"); got != "application/problem+json" || a.Problem != c.status {
				t.Errorf("a problem of type %q that says %d", got, a.Problem)
			}
			if got := a.Header.Get("Allow"); (got == http.MethodPost) != (c.status == 405) {
				t.Errorf("Allow: %q", got)
			}
			if after := b.state(t); after != before {
				t.Errorf("state went from %s to %s", before, after)
			}
		})
	}
}

func TestReceiverOfLiveModeRefusesTestEvents(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *webhooks.Config) { c.Livemode = true })
	b.deliver(t, event("evt_1")).want(t, http.StatusBadRequest, "event_of_other_mode")
	b.wantCounts(t, 0, 0)
	b.deliver(t, event("evt_1", `"livemode": false`, `"livemode": true`)).want(t, http.StatusOK, "recorded")
	b.wantCounts(t, 1, 1)
}

func TestReceiverWithoutASecretRefusesEverything(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *webhooks.Config) { c.Secrets = []string{""} })
	body := event("evt_1")
	b.send(t, request(body, signature(body, "", noon))).want(t, http.StatusBadRequest, "signature_invalid")
	b.wantCounts(t, 0, 0)
}

// unsized hides how long the body is, as a chunked request does.
func unsized(r *http.Request) *http.Request {
	r.ContentLength = -1
	r.Body = io.NopCloser(r.Body)
	return r
}

// broken cuts the connection in the middle of the body.
func broken(r *http.Request) *http.Request {
	r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, 50), iotest.ErrReader(io.ErrUnexpectedEOF)))
	return r
}

// TestReceiverOverARealConnection holds what a recorder can't show: the limit and
// a hang-up as a server sees them.
func TestReceiverOverARealConnection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	server := httptest.NewServer(b.handler)
	t.Cleanup(server.Close)
	post := func(body io.Reader, header string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Stripe-Signature", header)
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	fits, large := padded("evt_1", webhooks.BodyMax), padded("evt_2", webhooks.BodyMax+1)
	if got := post(io.MultiReader(strings.NewReader(fits)), signature(fits, secret, noon)); got != http.StatusOK {
		t.Errorf("E1: 1 MiB in chunks got %d", got)
	}
	if got := post(io.MultiReader(strings.NewReader(large)), signature(large, secret, noon)); got != http.StatusRequestEntityTooLarge {
		t.Errorf("E1: a byte more in chunks got %d", got)
	}
	b.wantCounts(t, 1, 1)

	connection, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	body := event("evt_3")
	fmt.Fprintf(connection, "POST / HTTP/1.1\r\nHost: x\r\nStripe-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
		signature(body[:100], secret, noon), len(body), body[:100])
	connection.Close()
	deadline := time.After(30 * time.Second)
	for seen := ""; !strings.Contains(seen, "body_unreadable"); seen += b.log.take() {
		select {
		case <-deadline:
			t.Fatal("the hang-up was never noticed")
		case <-time.After(time.Millisecond):
		}
	}
	b.wantCounts(t, 1, 1)
}

func method(r *http.Request, name string) *http.Request {
	r.Method = name
	return r
}

func TestReceiverLogsOneLineThatTellsNoSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fails := webhooks.New(func() webhooks.Config {
		c := b.config
		c.Stage = func(context.Context, pgx.Tx, []billing.EventArgs) error { return errors.New("no room in the queue") }
		return c
	}())
	private := event("evt_1", `"customer"`, `"email": "private@example.com", "customer"`)
	for _, c := range []struct {
		name, body, header, outcome, event, level string
		handler                                   http.Handler
	}{
		{"Recorded", private, signature(private, secret, noon), "recorded", "evt_1", "INFO", b.handler},
		{"Known", private, signature(private, secret, noon), "known", "evt_1", "INFO", b.handler},
		{"BadSignature", private, signature(private, "whsec_x", noon), "signature_invalid", "", "WARN", b.handler},
		{"NotJSON", "private@example.com", signature("private@example.com", secret, noon), "event_not_json", "", "WARN", b.handler},
		{"Unavailable", event("evt_2"), signature(event("evt_2"), secret, noon), "unavailable", "evt_2", "ERROR", fails},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.log.take()
			c.handler.ServeHTTP(httptest.NewRecorder(), request(c.body, c.header))
			text := b.log.take()
			var line struct {
				Level, Msg, Event, Type, Outcome string
				Duration                         *int64
			}
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatalf("not one line: %v\n%s", err, text)
			}
			if line.Level != c.level || line.Outcome != c.outcome || line.Event != c.event || line.Duration == nil {
				t.Errorf("logged %s", text)
			}
			for _, private := range []string{secret, "private@example.com", strings.TrimPrefix(c.header, fmt.Sprintf("t=%d,v1=", noon.Unix()))} {
				if strings.Contains(text, private) {
					t.Errorf("the log tells %q", private)
				}
			}
		})
	}
}
