package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"purser/api"
	"purser/teams"
)

// benchServer is the API as it is served to products.
type benchServer struct {
	pool   *pgxpool.Pool
	api    *api.Server
	http   *http.Server
	listen net.Listener
}

// makeKey makes the API key that the load generator has.
func (b *bench) makeKey(ctx context.Context) (err error) {
	_, b.token, err = newKey(ctx, b.db.Pool, "bench", []teams.Scope{teams.ScopeSpend}, "bench", b.start)
	return err
}

// serve starts the server. Its log is written as ever, and thrown away.
func (b *bench) serve(ctx context.Context, alone bool) (*benchServer, error) {
	cfg, err := poolConfig(b.db.URL)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = benchConnections
	s := &benchServer{}
	if s.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, fmt.Errorf("opening connections: %w", err)
	}
	s.api, err = api.New(ctx, api.Config{
		Pool: s.pool, Catalog: b.catalog, NewID: newID, Now: b.now, Wall: b.now, Logger: slog.New(slog.NewJSONHandler(io.Discard, nil)),
		Rate: 1 << 30, Alone: alone,
	})
	if err != nil {
		s.pool.Close()
		return nil, err
	}
	if s.listen, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, errors.Join(fmt.Errorf("listening: %w", err), s.stop(ctx))
	}
	s.http = &http.Server{Handler: s.api, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() { _ = s.http.Serve(s.listen) }() // what fails here fails at the client, too
	return s, nil
}

func (s *benchServer) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	var err error
	if s.http != nil {
		err = s.http.Shutdown(ctx)
	}
	if err = errors.Join(err, s.api.Close(ctx)); err != nil {
		return fmt.Errorf("stopping the server: %w", err)
	}
	s.pool.Close()
	return nil
}

// spends lets a load generator of another process at the server.
func (b *bench) spends(ctx context.Context, alone bool) (benchLoad, error) {
	prefix := "gathered"
	if alone {
		prefix = "alone"
	}
	if err := b.settle(ctx); err != nil {
		return benchLoad{}, err
	}
	s, err := b.serve(ctx, alone)
	if err != nil {
		return benchLoad{}, err
	}
	b.say("measuring spends, %s", prefix)
	load, err := generate(ctx, benchOrder{
		Address: s.listen.Addr().String(), Token: b.token, Prefix: prefix, Clients: b.command.Clients, Pools: b.command.Pools,
		Members: b.members(), Warm: benchWarm, Count: time.Duration(b.command.Seconds) * time.Second,
	})
	return load, errors.Join(err, s.stop(ctx))
}

// settle lets the database finish what was written before, so that no measurement pays
// for another's.
func (b *bench) settle(ctx context.Context) error {
	b.say("settling the database")
	for _, sql := range []string{`VACUUM ANALYZE`, `CHECKPOINT`} {
		if _, err := b.db.Pool.Exec(ctx, sql); err != nil {
			return fmt.Errorf("settling the database: %w", err)
		}
	}
	return nil
}
