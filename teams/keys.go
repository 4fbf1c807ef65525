package teams

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// Scope is what an API key may do.
type Scope string

// The scopes.
const (
	ScopeSpend   Scope = "spend"
	ScopeRead    Scope = "read"
	ScopeManage  Scope = "manage"
	ScopeOperate Scope = "operate"
)

// APIKey lets a backend call the API. Only a hash of its secret is kept.
type APIKey struct {
	ID         string     `db:"id" json:"id"`
	Name       string     `db:"name" json:"name"`
	Scopes     []Scope    `db:"scopes" json:"scopes"`
	CreatedBy  string     `db:"created_by" json:"created_by"`
	CreatedAt  time.Time  `db:"created_at" json:"created_at"`
	LastUsedAt *time.Time `db:"last_used_at" json:"last_used_at"`
	RevokedAt  *time.Time `db:"revoked_at" json:"revoked_at"`
}

// ErrKeyUnknown says that no key has that secret, or that it was revoked.
var ErrKeyUnknown = errors.New("no such API key")

const keyColumns = `id, name, scopes, created_by, created_at, last_used_at, revoked_at`

// CreateKey stores a new key. The secret is shown once by whoever made it.
func CreateKey(ctx context.Context, tx pgx.Tx, k APIKey, secretHash []byte) error {
	if k.Name == "" || len([]rune(k.Name)) > nameLengthMax {
		return refuseField("name_invalid", "name", "a name has between 1 and %d characters", nameLengthMax)
	}
	if len(k.Scopes) == 0 {
		return refuseField("scopes_invalid", "scopes", "a key needs at least one of spend, read, manage, operate")
	}
	for _, s := range k.Scopes {
		if !slices.Contains([]Scope{ScopeSpend, ScopeRead, ScopeManage, ScopeOperate}, s) {
			return refuseField("scopes_invalid", "scopes", "%q is none of spend, read, manage, operate", s)
		}
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO api_keys (id, name, secret_hash, scopes, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		k.ID, k.Name, secretHash, k.Scopes, k.CreatedBy, k.CreatedAt)
	if err != nil {
		return fmt.Errorf("storing the API key: %w", err)
	}
	return nil
}

// FindKey gives the key with that id and its secret's hash, unless it was revoked. Whoever
// asks compares the hash in constant time.
func FindKey(ctx context.Context, db billing.DB, id string) (k APIKey, secretHash []byte, err error) {
	err = db.QueryRow(ctx, `SELECT `+keyColumns+`, secret_hash FROM api_keys WHERE id = $1 AND revoked_at IS NULL`, id).Scan(
		&k.ID, &k.Name, &k.Scopes, &k.CreatedBy, &k.CreatedAt, &k.LastUsedAt, &k.RevokedAt, &secretHash)
	if errors.Is(err, pgx.ErrNoRows) {
		return APIKey{}, nil, ErrKeyUnknown
	}
	if err != nil {
		return APIKey{}, nil, fmt.Errorf("looking the API key up: %w", err)
	}
	return k, secretHash, nil
}

// lastUseStep is how exactly the last use is remembered: a write for every call would be
// a hot row for nothing.
const lastUseStep = time.Minute

// KeyUsed remembers when a key was used last, to the minute.
func KeyUsed(ctx context.Context, db billing.DB, id string, at time.Time) error {
	_, err := db.Exec(ctx, `
		UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3)`, id, at, at.Add(-lastUseStep))
	if err != nil {
		return fmt.Errorf("remembering the key's use: %w", err)
	}
	return nil
}

// ListKeys lists API keys, the newest first.
func ListKeys(ctx context.Context, db billing.DB) ([]APIKey, error) {
	rows, err := db.Query(ctx, `SELECT `+keyColumns+` FROM api_keys ORDER BY created_at DESC, id DESC LIMIT 1000`)
	if err != nil {
		return nil, fmt.Errorf("listing API keys: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[APIKey])
	if err != nil {
		return nil, fmt.Errorf("listing API keys: %w", err)
	}
	return list, nil
}

// RevokeKey ends a key for good.
func RevokeKey(ctx context.Context, db billing.DB, id string, at time.Time) error {
	tag, err := db.Exec(ctx, `UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1`, id, at)
	if err != nil {
		return fmt.Errorf("revoking the API key: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return refuse(NotFound, "api_key_not_found", "there is no API key %q", id)
	}
	return nil
}
