package api

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// APIKey lets a backend call the API.
type APIKey struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Scopes     []string   `json:"scopes"`
	CreatedBy  string     `json:"created_by"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at" doc:"To the minute"`
	RevokedAt  *time.Time `json:"revoked_at"`
}

func viewKey(k teams.APIKey) APIKey {
	return APIKey{
		ID: k.ID, Name: k.Name, Scopes: mapped(k.Scopes, func(s teams.Scope) string { return string(s) }), CreatedBy: k.CreatedBy,
		CreatedAt: k.CreatedAt.UTC(), LastUsedAt: utcOrNil(k.LastUsedAt), RevokedAt: utcOrNil(k.RevokedAt),
	}
}

// NewAPIKey is a key with what its owner sends.
type NewAPIKey struct {
	APIKey
	Token string `json:"token" doc:"Send it as Authorization: Bearer. Only its hash is kept"`
}

// APIKeys are all keys.
type APIKeys struct {
	Items []APIKey `json:"items"`
}

// CreateKeyIn makes a key.
type CreateKeyIn struct {
	Writing
	Body struct {
		Name   string   `json:"name" minLength:"1" maxLength:"200" doc:"What it is for"`
		Scopes []string `json:"scopes" minItems:"1" maxItems:"4" enum:"spend,read,manage,operate" doc:"What it may do; none implies another"`
	}
}

// RevokeKeyIn ends a key.
type RevokeKeyIn struct {
	Writing
	ID string `path:"key" minLength:"1" maxLength:"100" doc:"The part of the key before its secret: pk_…"`
}

func (s *Server) registerKeys() {
	write(s, spec{
		id: "create-api-key", method: http.MethodPost, path: "/v1/api-keys", tag: "Operator", scopes: operate, status: http.StatusCreated,
		secret: true, summary: "Make an API key",
	}, nowhere[CreateKeyIn], func(ctx context.Context, tx pgx.Tx, c *call, in *CreateKeyIn) (NewAPIKey, error) {
		if err := c.onlyBackend(); err != nil {
			return NewAPIKey{}, err
		}
		id, token, hash := NewKey(randomBytes)
		key := teams.APIKey{
			ID: id, Name: in.Body.Name, Scopes: mapped(in.Body.Scopes, func(s string) teams.Scope { return teams.Scope(s) }),
			CreatedBy: c.keyID, CreatedAt: c.at,
		}
		return NewAPIKey{APIKey: viewKey(key), Token: token}, teams.CreateKey(ctx, tx, key, hash)
	})
	read(s, spec{
		id: "list-api-keys", method: http.MethodGet, path: "/v1/api-keys", tag: "Operator", scopes: operate, summary: "List API keys, the newest first",
	}, func(ctx context.Context, tx pgx.Tx, c *call, _ *Reading) (APIKeys, error) {
		if err := c.onlyBackend(); err != nil {
			return APIKeys{}, err
		}
		keys, err := teams.ListKeys(ctx, tx)
		return APIKeys{Items: mapped(keys, viewKey)}, err
	})
	write(s, spec{
		id: "revoke-api-key", method: http.MethodPost, path: "/v1/api-keys/{key}/revoke", tag: "Operator", scopes: operate,
		summary: "End an API key", doc: "Other processes believe it for two seconds more.", refusals: []int{http.StatusNotFound},
	}, nowhere[RevokeKeyIn], func(ctx context.Context, tx pgx.Tx, c *call, in *RevokeKeyIn) (RevokedKey, error) {
		if err := c.onlyBackend(); err != nil {
			return RevokedKey{}, err
		}
		c.after = func() { s.keys.forget(in.ID) }
		return RevokedKey{ID: in.ID, RevokedAt: c.at.UTC()}, teams.RevokeKey(ctx, tx, in.ID, c.at)
	})
}

// RevokedKey is a key that opens nothing any more.
type RevokedKey struct {
	ID        string    `json:"id"`
	RevokedAt time.Time `json:"revoked_at"`
}
