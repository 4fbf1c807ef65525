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
	"purser/webhooks"
	"purser/worker"
)

// benchConnections is how many connections the server has beside its lanes; without
// gathering all spends share them.
const benchConnections = 16

// benchSecret is what the events are signed with.
const benchSecret = "whsec_bench"

// benchServer is the API as it is served to products, and the receiver as it is to Stripe.
type benchServer struct {
	pool   *pgxpool.Pool
	api    *api.Server
	http   *http.Server
	listen net.Listener
}

// makeKey makes the API key that the load generator has.
func (b *bench) makeKey(ctx context.Context) (err error) {
	_, b.token, err = newKey(ctx, b.db.Pool, "bench", []teams.Scope{teams.ScopeSpend, teams.ScopeRead}, "bench", b.start)
	return err
}

// benchServing says how to serve.
type benchServing struct {
	alone bool // a transaction each
	queue int  // how many spends may wait; 0: the default
}

// serve starts the server. Its log is written as ever, and thrown away.
func (b *bench) serve(ctx context.Context, how benchServing) (*benchServer, error) {
	cfg, err := poolConfig(b.db.URL)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = benchConnections
	s := &benchServer{}
	if s.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, fmt.Errorf("opening connections: %w", err)
	}
	log := slog.New(slog.NewJSONHandler(io.Discard, nil))
	s.api, err = api.New(ctx, api.Config{
		Pool: s.pool, Catalog: b.catalog, NewID: newID, Now: b.now, Wall: b.now, Logger: log, Rate: 1 << 30, Alone: how.alone, QueueMax: how.queue,
	})
	if err != nil {
		s.pool.Close()
		return nil, err
	}
	stage, err := worker.NewStager(s.pool, log)
	if err != nil {
		return nil, errors.Join(err, s.stop(ctx))
	}
	mux := http.NewServeMux()
	mux.Handle("/", s.api)
	mux.Handle("/webhooks/stripe", webhooks.New(webhooks.Config{
		Pool: s.pool, Stage: stage.Events, Secrets: []string{benchSecret}, Now: b.now, Logger: log, Alone: how.alone,
	}))
	if s.listen, err = (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, errors.Join(fmt.Errorf("listening: %w", err), s.stop(ctx))
	}
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
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

// order is what a load generator is to ask of a server.
func (b *bench) order(s *benchServer, kind benchKind, prefix string) benchOrder {
	return b.orderAt(s.listen.Addr().String(), kind, prefix)
}

func (b *bench) orderAt(address string, kind benchKind, prefix string) benchOrder {
	return benchOrder{
		Address: address, Kind: kind, Token: b.token, Secret: benchSecret, Prefix: prefix, Clients: b.clients, Pools: b.pools,
		Members: b.members, Warm: benchWarm, Count: b.count,
	}
}

// load lets a load generator of another process at a server, after what was written before
// is settled.
func (b *bench) load(ctx context.Context, kind benchKind, alone bool) (load benchLoad, err error) {
	prefix := "gathered"
	if alone {
		prefix = "alone"
	}
	if err := b.settle(ctx); err != nil {
		return load, err
	}
	s, err := b.serve(ctx, benchServing{alone: alone})
	if err != nil {
		return load, err
	}
	load, err = b.generate(ctx, b.order(s, kind, prefix))
	return load, errors.Join(err, s.stop(ctx))
}

// generate shows how far the load generator is.
func (b *bench) generate(ctx context.Context, order benchOrder) (load benchLoad, err error) {
	err = b.during("measuring "+string(order.Kind)+", "+order.Prefix, order.Warm+order.Count, func() (err error) {
		load, err = generate(ctx, order)
		return err
	})
	return load, err
}
