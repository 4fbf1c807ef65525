package webhooks

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const fuzzSecret = "whsec_fuzz"

var fuzzNow = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// header signs a body as Stripe does.
func header(body []byte, secret string, at time.Time) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
}

// receiverInto is a receiver whose deliveries go into a function instead of a
// database, so that a fuzzer comes to many.
func receiverInto(record func(delivery)) *receiver {
	return &receiver{
		secrets: [][]byte{[]byte(fuzzSecret)},
		now:     func() time.Time { return fuzzNow },
		logger:  slog.New(slog.DiscardHandler),
		timeout: time.Second,
		record: func(_ context.Context, d delivery) (outcome, error) {
			record(d)
			return "", nil
		},
	}
}

// FuzzReceive shows that whatever is sent, signed or not, the receiver never
// panics, answers 200, 400 or 413 and JSON, records what it acknowledges and
// nothing else, and records only what PostgreSQL's text columns take.
func FuzzReceive(f *testing.F) {
	const valid = `{"id":"evt_1","object":"event","type":"invoice.paid","created":1709208000,"livemode":false,"data":{"object":{"id":"in_1","object":"invoice","customer":"cus_1"}}}`
	for _, body := range []string{
		valid, `null`, `[]`, `{}`, ``, `{`, "\ufeff" + valid, valid + valid,
		strings.Replace(valid, `"evt_1"`, `"evt_\u0000"`, 1),
		strings.Replace(valid, `"in_1"`, "\"in_\xff\"", 1),
		strings.Replace(valid, `"cus_1"`, `{"id":"cus_1","deleted":true}`, 1),
		strings.Replace(valid, `1709208000`, `1e400`, 1),
		strings.Replace(valid, `"data"`, `"Data"`, 1),
		strings.Replace(valid, `"event"`, `"v2.core.event"`, 1),
	} {
		f.Add([]byte(body), "")
	}
	f.Add([]byte(valid), header([]byte(valid), fuzzSecret, fuzzNow))
	f.Add([]byte(valid), header([]byte(valid), fuzzSecret, fuzzNow.Add(time.Hour)))
	f.Add([]byte(valid), "t=1709208000,v1=,v1=00,v0=x,t=")
	f.Add([]byte(valid), "=,=,==,t==,v1")

	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		forged := signature != "" && signature != header(body, fuzzSecret, fuzzNow)
		if signature == "" {
			signature = header(body, fuzzSecret, fuzzNow)
		}
		var taken []delivery
		handler := receiverInto(func(d delivery) { taken = append(taken, d) })
		request := httptest.NewRequest(http.MethodPost, "/webhooks/stripe", strings.NewReader(string(body)))
		request.Header.Set("Stripe-Signature", signature)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)

		switch answer.Code {
		case http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		default:
			t.Fatalf("answered %d %s", answer.Code, answer.Body)
		}
		if !json.Valid(answer.Body.Bytes()) {
			t.Fatalf("answered %s, which isn't JSON", answer.Body)
		}
		if (answer.Code == http.StatusOK) != (len(taken) == 1) {
			t.Fatalf("answered %d and recorded %d", answer.Code, len(taken))
		}
		if forged && len(taken) > 0 && !signedByHand(body, signature) {
			t.Fatalf("took a delivery signed %q", signature)
		}
		for _, d := range taken {
			e := d.event
			if string(e.Body) != string(body) || e.ID == "" {
				t.Fatalf("recorded %+v of %q", e, body)
			}
			for _, s := range []string{e.ID, e.Type, e.APIVersion, e.Account, e.ObjectKind, e.ObjectID, e.CustomerID} {
				if !utf8.ValidString(s) || strings.ContainsRune(s, 0) || len(s) > 255 {
					t.Fatalf("%q can't be stored", s)
				}
			}
		}
	})
}

// signedByHand is a second, slower reading of the header: some v1 in it is the
// signature of the time in it and the body.
func signedByHand(body []byte, signature string) bool {
	var stamp string
	for pair := range strings.SplitSeq(signature, ",") {
		if value, ok := strings.CutPrefix(strings.TrimSpace(pair), "t="); ok {
			stamp = value
		}
	}
	mac := hmac.New(sha256.New, []byte(fuzzSecret))
	mac.Write([]byte(stamp + "." + string(body)))
	return strings.Contains(strings.ToLower(signature), "v1="+hex.EncodeToString(mac.Sum(nil)))
}

func TestManySignaturesAreLookedAtInBounds(t *testing.T) {
	t.Parallel()
	body := []byte(`{}`)
	good := header(body, fuzzSecret, fuzzNow)
	stamp, v1, _ := strings.Cut(good, ",")
	bad := ",v1=" + strings.Repeat("00", sha256.Size)
	secrets := [][]byte{[]byte(fuzzSecret)}
	if err := verify(body, stamp+strings.Repeat(bad, signaturesMax-1)+","+v1, secrets, fuzzNow); err != nil {
		t.Errorf("the last signature that is looked at: %v", err)
	}
	if err := verify(body, stamp+strings.Repeat(bad, signaturesMax)+","+v1, secrets, fuzzNow); !errors.Is(err, errSignature) {
		t.Errorf("a signature too many: %v", err)
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, size := range []int{1 << 10, 6 << 10, 1 << 20} {
		body := []byte(strings.Repeat("x", size))
		signature := header(body, fuzzSecret, fuzzNow)
		secrets := [][]byte{[]byte("whsec_fresh"), []byte(fuzzSecret)}
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := verify(body, signature, secrets, fuzzNow); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReceive is a whole delivery without the database: reading, verifying,
// parsing, answering.
func BenchmarkReceive(b *testing.B) {
	body := `{"id":"evt_1","object":"event","type":"invoice.paid","created":1709208000,"livemode":false,"data":{"object":{"id":"in_1","object":"invoice","customer":"cus_1","lines":[` +
		strings.Repeat(`{"id":"il_1","quantity":5},`, 220) + `{}]}}}`
	signature := header([]byte(body), fuzzSecret, fuzzNow)
	handler := receiverInto(func(delivery) {})
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		request := httptest.NewRequest(http.MethodPost, "/webhooks/stripe", strings.NewReader(body))
		request.Header.Set("Stripe-Signature", signature)
		answer := httptest.NewRecorder()
		if handler.ServeHTTP(answer, request); answer.Code != http.StatusOK {
			b.Fatal(answer.Body)
		}
	}
}
