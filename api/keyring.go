package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"purser/teams"
)

const (
	// keyFresh is how long a key is believed without asking the database again, and so how
	// long a key that another process revoked still opens this one.
	keyFresh = 2 * time.Second
	// keyPatience bounds asking the database for one.
	keyPatience = 5 * time.Second
	lastUseStep = time.Minute
)

// keyring finds API keys, and counts their requests.
type keyring struct {
	cfg   Config
	ask   singleflight.Group
	mu    sync.Mutex
	known map[string]*knownKey
	rates map[string]*rate.Limiter
}

// knownKey is a key as the database had it a moment ago.
type knownKey struct {
	teams.APIKey
	hash  []byte
	until time.Time
}

func newKeyring(cfg Config) *keyring {
	return &keyring{cfg: cfg, known: map[string]*knownKey{}, rates: map[string]*rate.Limiter{}}
}

// NewKey makes an API key out of randomness: its id, what its owner sends, and the hash
// that is kept.
func NewKey(random func([]byte)) (id, token string, secretHash []byte) {
	name, secret := make([]byte, 10), make([]byte, 32)
	random(name)
	random(secret)
	id = "pk_" + idText.EncodeToString(name)
	text := secretText.EncodeToString(secret)
	return id, id + "_" + text, hashSecret(text)
}

func hashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// splitToken gives the id and the secret of what follows Bearer.
func splitToken(token string) (id, secret string, ok bool) {
	rest, ok := strings.CutPrefix(token, "pk_")
	name, secret, both := strings.Cut(rest, "_")
	return "pk_" + name, secret, ok && both && visible(name, 64) && visible(secret, 128)
}

// find gives the key that a token names, if the secret is right.
func (k *keyring) find(ctx context.Context, token string) (*knownKey, error) {
	id, secret, ok := splitToken(token)
	if !ok {
		return nil, problem("unauthorized", "")
	}
	key, err := k.get(ctx, id)
	if errors.Is(err, teams.ErrKeyUnknown) {
		return nil, problem("unauthorized", "")
	}
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(key.hash, hashSecret(secret)) != 1 {
		return nil, problem("unauthorized", "")
	}
	return key, nil
}

func (k *keyring) get(ctx context.Context, id string) (*knownKey, error) {
	k.mu.Lock()
	key := k.known[id]
	k.mu.Unlock()
	if key != nil && k.cfg.Wall().Before(key.until) {
		return key, nil
	}
	// One asks for all who wait, and goes on when that one leaves.
	found, err, _ := k.ask.Do(id, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keyPatience)
		defer cancel()
		return k.read(ctx, id)
	})
	if err != nil {
		return nil, err
	}
	return found.(*knownKey), nil
}

func (k *keyring) read(ctx context.Context, id string) (*knownKey, error) {
	key, hash, err := teams.FindKey(ctx, k.cfg.Pool, id)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		delete(k.known, id)
		return nil, fmt.Errorf("finding the API key: %w", err)
	}
	known := &knownKey{APIKey: key, hash: hash, until: k.cfg.Wall().Add(keyFresh)}
	k.known[id] = known
	return known, nil
}

// used notes the key's use, to the minute: a write for every call would be a hot row for
// nothing. That it fails is no reason to refuse the call.
func (k *keyring) used(ctx context.Context, key *knownKey) {
	at := k.cfg.Now()
	k.mu.Lock()
	due := key.LastUsedAt == nil || at.Sub(*key.LastUsedAt) >= lastUseStep
	if due {
		key.LastUsedAt = &at
	}
	k.mu.Unlock()
	if !due {
		return
	}
	if err := teams.KeyUsed(ctx, k.cfg.Pool, key.ID, at); err != nil {
		k.cfg.Logger.WarnContext(ctx, "an API key's use wasn't noted", slog.Any("error", err))
	}
}

// forget makes this process ask the database again: the key was revoked.
func (k *keyring) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.known, id)
}

// wait is how long a key's next request has to wait; 0 lets it in.
func (k *keyring) wait(id string) time.Duration {
	k.mu.Lock()
	limiter := k.rates[id]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Limit(k.cfg.Rate), k.cfg.Rate)
		k.rates[id] = limiter
	}
	k.mu.Unlock()
	at := k.cfg.Wall()
	r := limiter.ReserveN(at, 1)
	delay := r.DelayFrom(at)
	if delay > 0 {
		r.CancelAt(at)
	}
	return delay
}
