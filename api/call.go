package api

import (
	"context"
	"time"

	"purser/teams"
)

// call is one request under way: what the front and the gate found out about it.
type call struct {
	requestID string
	keyID     string // of the API key
	secret    string // of the API key, to seal answers that hold secrets
	by        teams.Actor
	noneMatch string

	key  string // of a write
	hash []byte
	at   time.Time // when it came, by the clock that credits follow

	after  func() // once a write has committed
	failed error  // what went wrong inside, for the log
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// onlyBackend refuses what is nobody's business but the backend's.
func (c *call) onlyBackend() error {
	if !c.by.Backend() {
		return problem("backend_only", "")
	}
	return nil
}

// onlySelf lets users see themselves only.
func (c *call) onlySelf(userID string) error {
	if !c.by.Backend() && c.by.User != userID {
		return problem("user_not_found", "")
	}
	return nil
}
