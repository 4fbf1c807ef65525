package api

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
)

// remembered is an answer as it is stored: as text, for jsonb keeps no bytes; or sealed,
// when it holds a secret that the database must not know.
type remembered struct {
	Body   string `json:"body,omitempty"`
	Sealed []byte `json:"sealed,omitempty"`
}

// closed makes an answer ready to be stored. One with a secret is sealed with the API key
// that asked: the database keeps that key's hash only.
func closed(c *call, sp *spec, raw []byte) (remembered, error) {
	if !sp.secret {
		return remembered{Body: string(raw)}, nil
	}
	box, err := sealer(c)
	if err != nil {
		return remembered{}, err
	}
	return remembered{Sealed: box.Seal(nil, nil, raw, c.hash)}, nil
}

// open gives the answer again. A sealed one opens for the same API key only.
func (a remembered) open(c *call) ([]byte, error) {
	if a.Sealed == nil {
		return []byte(a.Body), nil
	}
	box, err := sealer(c)
	if err != nil {
		return nil, err
	}
	raw, err := box.Open(nil, nil, a.Sealed, c.hash)
	if err != nil {
		return nil, problem("answer_sealed", "")
	}
	return raw, nil
}

func sealer(c *call) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(c.secret), nil, "answer", 32)
	if err != nil {
		return nil, fmt.Errorf("deriving the seal: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making the seal: %w", err)
	}
	box, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("making the seal: %w", err)
	}
	return box, nil
}

// randomBytes fills b; crypto/rand never fails.
func randomBytes(b []byte) { _, _ = rand.Read(b) }
