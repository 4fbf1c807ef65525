package web

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// derived is a key of its own for each purpose, of a cookie that is itself stored nowhere.
func (v *visit) derived(purpose string) []byte {
	mac := hmac.New(sha256.New, v.secret)
	mac.Write([]byte(purpose))
	return mac.Sum(nil)
}

// CSRF is the proof that a form was made by this page for this session.
func (v *visit) CSRF() string { return cookieText.EncodeToString(v.derived("form")) }

// proven tells whether what was sent carries that proof, and answers if it doesn't.
func (v *visit) proven(w http.ResponseWriter) bool {
	if v.r.PostFormValue("csrf") != "" && subtle.ConstantTimeCompare([]byte(v.r.PostFormValue("csrf")), []byte(v.CSRF())) == 1 {
		return true
	}
	v.s.refuse(w, v.r, v, refusal{Status: http.StatusForbidden, Code: "foreign"})
	return false
}

func (v *visit) cipher() cipher.AEAD {
	block, err := aes.NewCipher(v.derived("seal"))
	if err != nil {
		panic(err) // the key has the right length
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // so has the block
	}
	return aead
}

// seal writes something so that only this session can read it: an answer may tell the link
// of an invitation, which nobody finds in the database.
func (v *visit) seal(value any) ([]byte, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return v.cipher().Seal(nil, nil, plain, nil), nil
}

var errSealed = errors.New("sealed by another session")

func (v *visit) unseal(sealed []byte, into any) error {
	plain, err := v.cipher().Open(nil, nil, sealed, nil)
	if err != nil {
		return errSealed
	}
	if err := json.Unmarshal(plain, into); err != nil {
		return fmt.Errorf("unsealing: %w", err)
	}
	return nil
}

// NewKey is the key of one form, so that it is done once however often it is sent.
func (v *visit) NewKey() string {
	b := make([]byte, 18)
	_, _ = rand.Read(b)
	return "page-" + cookieText.EncodeToString(b)
}
