package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"purser/internal/localpg"
)

// database is an open database, and the private server behind it if there is one.
type database struct {
	Pool  *pgxpool.Pool
	URL   string
	local *localpg.Server
}

// openDatabase opens the database that url names, or without one a private PostgreSQL in
// dir, which is started if it isn't running.
func openDatabase(ctx context.Context, url, dir string, logger *slog.Logger) (*database, error) {
	d := &database{URL: url}
	if url == "" {
		local, err := startLocal(ctx, dir, logger)
		if err != nil {
			return nil, err
		}
		d.local, d.URL = local, local.URL("purser")
	}
	cfg, err := pgxpool.ParseConfig(d.URL)
	if err != nil {
		return nil, fmt.Errorf("reading PURSER_DATABASE_URL: it must look like postgres://user@host:5432/database: %w", err)
	}
	cfg.ConnConfig.RuntimeParams["application_name"] = "purser"
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if cfg.MaxConns < 16 {
		cfg.MaxConns = 16
	}
	if d.Pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		d.Close()
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	ping, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if err := d.Pool.Ping(ping); err != nil {
		d.Close()
		return nil, fmt.Errorf("reaching the database: %w", err)
	}
	return d, nil
}

func startLocal(ctx context.Context, dir string, logger *slog.Logger) (*localpg.Server, error) {
	if dir == "" {
		var err error
		if dir, err = localpg.DefaultDir(); err != nil {
			return nil, err
		}
	}
	local, err := localpg.Start(ctx, localpg.Config{Dir: dir, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("starting the private PostgreSQL: %w", err)
	}
	if err := local.EnsureDatabase(ctx, "purser"); err != nil {
		_ = local.Stop()
		return nil, fmt.Errorf("making the database: %w", err)
	}
	return local, nil
}

// Close closes the pool and stops the private server, unless another process owns it.
func (d *database) Close() {
	if d.Pool != nil {
		d.Pool.Close()
	}
	if d.local != nil {
		_ = d.local.Stop()
	}
}
