package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"purser/teams"
)

// keysCreateCommand makes an API key.
type keysCreateCommand struct {
	Name     string        `arg:"" help:"What the key is for."`
	Scopes   []teams.Scope `required:"" placeholder:"SCOPES" help:"What it may do, separated by commas: spend, read, manage, operate."`
	By       string        `default:"operator" placeholder:"NAME" help:"Who makes it."`
	Show     showFlags     `embed:""`
	Database databaseFlags `embed:""`
}

// keyView is an API key as it is shown. The token is shown once, when the key is made.
type keyView struct {
	ID         string        `json:"id"`
	Name       string        `json:"name"`
	Scopes     []teams.Scope `json:"scopes"`
	CreatedBy  string        `json:"created_by"`
	CreatedAt  time.Time     `json:"created_at"`
	LastUsedAt *time.Time    `json:"last_used_at"`
	RevokedAt  *time.Time    `json:"revoked_at"`
	Token      string        `json:"token,omitempty"`
}

func viewKey(k teams.APIKey) keyView {
	v := keyView{ID: k.ID, Name: k.Name, Scopes: k.Scopes, CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt.UTC(), LastUsedAt: k.LastUsedAt, RevokedAt: k.RevokedAt}
	for _, t := range []*time.Time{v.LastUsedAt, v.RevokedAt} {
		if t != nil {
			*t = t.UTC()
		}
	}
	return v
}

func (v keyView) scopes() string {
	names := make([]string, len(v.Scopes))
	for i, s := range v.Scopes {
		names[i] = string(s)
	}
	return strings.Join(names, ",")
}

// Run makes it and prints what the backend is to send.
func (c *keysCreateCommand) Run(ctx context.Context, p *program) error {
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		key, token, err := newKey(ctx, db, c.Name, c.Scopes, c.By, p.now())
		if err != nil {
			return err
		}
		view := viewKey(key)
		view.Token = token
		return printThing(p, c.Show.JSON, view, [][]string{
			{"key", view.ID}, {"name", view.Name}, {"scopes", view.scopes()}, {"token", token + "  (shown this once)"},
		})
	})
}

// keysListCommand lists API keys.
type keysListCommand struct {
	Show     showFlags     `embed:""`
	Database databaseFlags `embed:""`
}

// Run lists.
func (c *keysListCommand) Run(ctx context.Context, p *program) error {
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		keys, err := teams.ListKeys(ctx, db)
		if err != nil {
			return err
		}
		return paged(mapped(keys, viewKey), len(keys), func(v keyView) string { return v.ID }).print(p, c.Show.JSON,
			[]string{"KEY", "NAME", "SCOPES", "SINCE", "LAST USED", "REVOKED"}, func(v keyView) []string {
				return []string{v.ID, v.Name, v.scopes(), stamp(v.CreatedAt), stampOr(v.LastUsedAt, "never"), stampOr(v.RevokedAt, "")}
			})
	})
}

// keysRevokeCommand ends an API key.
type keysRevokeCommand struct {
	ID       string        `arg:"" help:"The key's id: pk_…, without its secret."`
	Database databaseFlags `embed:""`
}

// Run revokes. Processes that know the key ask for it again within seconds.
func (c *keysRevokeCommand) Run(ctx context.Context, p *program) error {
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		if err := teams.RevokeKey(ctx, db, c.ID, p.now()); err != nil {
			return fmt.Errorf("revoking the API key: %w", err)
		}
		_, err := fmt.Fprintf(p.out, "%s opens nothing any more\n", plain(c.ID))
		return err
	})
}
