package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/api"
	"purser/teams"
)

// newKey makes an API key. Its token is known here only: the database keeps a hash of it.
func newKey(ctx context.Context, db *pgxpool.Pool, name string, scopes []teams.Scope, by string, at time.Time) (teams.APIKey, string, error) {
	id, token, hash := api.NewKey(func(b []byte) { _, _ = rand.Read(b) })
	key := teams.APIKey{ID: id, Name: name, Scopes: scopes, CreatedBy: by, CreatedAt: at}
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error { return teams.CreateKey(ctx, tx, key, hash) })
	if err != nil {
		return key, "", fmt.Errorf("making an API key: %w", err)
	}
	return key, token, nil
}

// product is the backend of a product that uses purser: it has an API key, and says who
// acts.
type product struct {
	url, token string
	asked      int // each write has a key of its own
}

// newProduct gives the stage a product that may do everything.
func (s *stage) newProduct(ctx context.Context) (*product, error) {
	every := []teams.Scope{teams.ScopeSpend, teams.ScopeRead, teams.ScopeManage, teams.ScopeOperate}
	_, token, err := newKey(ctx, s.db.Pool, "the product's backend", every, "operator", s.now())
	return &product{url: s.svc.URL(), token: token}, err
}

// answerMax bounds what is read of an answer.
const answerMax = 4 << 20

// call makes one request of purser's API. Without a user the backend itself acts.
func (p *product) call(ctx context.Context, user, method, path, body string) (status int, raw []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("asking purser for %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	if user != "" {
		req.Header.Set("Purser-User", user)
	}
	if method != http.MethodGet {
		p.asked++
		req.Header.Set("Idempotency-Key", fmt.Sprintf("request-%d", p.asked))
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("asking purser for %s: %w", path, err)
	}
	defer func() { _ = res.Body.Close() }()
	if raw, err = io.ReadAll(io.LimitReader(res.Body, answerMax)); err != nil {
		return 0, nil, fmt.Errorf("reading purser's answer for %s: %w", path, err)
	}
	return res.StatusCode, raw, nil
}
