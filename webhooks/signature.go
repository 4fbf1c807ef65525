package webhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// tolerance is how far a signature's time may lie from ours, in either direction.
const tolerance = 5 * time.Minute

// signaturesMax bounds how many signatures of one header are looked at. Stripe
// sends one per active secret, which are two at most.
const signaturesMax = 16

// timestampMax is the last second of the year 9999, so that no instant overflows.
const timestampMax = 253_402_300_799

// verify checks the Stripe-Signature header of a body: one of its v1 signatures
// must be made with one of the secrets, over the header's time and the body, and
// that time must be near. The signature is judged before the time, so that only
// who holds a secret learns anything about our clock. All comparing is in
// constant time.
func verify(body []byte, header string, secrets [][]byte, now time.Time) error {
	stamp, signatures, ok := parseSignature(header)
	if !ok {
		return errSignature
	}
	seconds, err := strconv.ParseUint(stamp, 10, 63)
	if err != nil || seconds > timestampMax {
		return errSignature
	}
	if !signed(body, stamp, signatures, secrets) {
		return errSignature
	}
	if skew := now.Sub(time.Unix(int64(seconds), 0)); skew > tolerance || skew < -tolerance {
		return errTimestamp
	}
	return nil
}

// parseSignature reads "t=…,v1=…,v1=…,v0=…". Other schemes are passed over; v0 is
// Stripe's mark of a test, not a signature. Two times would leave open which one
// was signed.
func parseSignature(header string) (stamp string, signatures [][]byte, ok bool) {
	for pair := range strings.SplitSeq(header, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(pair), "=")
		if !found {
			return "", nil, false
		}
		switch name {
		case "t":
			if stamp != "" {
				return "", nil, false
			}
			stamp = value
		case "v1":
			signature, err := hex.DecodeString(value)
			if err != nil || len(signature) != sha256.Size || len(signatures) == signaturesMax {
				continue
			}
			signatures = append(signatures, signature)
		}
	}
	return stamp, signatures, stamp != "" && len(signatures) > 0
}

// signed reports whether any of the signatures is that of any of the secrets.
func signed(body []byte, stamp string, signatures, secrets [][]byte) bool {
	match := false
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(stamp))
		mac.Write([]byte{'.'})
		mac.Write(body)
		expected := mac.Sum(nil)
		for _, signature := range signatures {
			if hmac.Equal(signature, expected) {
				match = true
			}
		}
	}
	return match
}
