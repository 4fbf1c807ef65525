package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
)

// makeFloor makes the tables of the floor: a counter for each pool, and a list.
func (b *bench) makeFloor(ctx context.Context) error {
	_, err := b.db.Pool.Exec(ctx, `
		CREATE TABLE bench_pools (id bigint PRIMARY KEY, balance bigint NOT NULL);
		CREATE TABLE bench_spends (pool_id bigint NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, credits bigint NOT NULL, PRIMARY KEY (pool_id, id));
		CREATE TABLE bench_events (id bigint PRIMARY KEY, body bytea NOT NULL)`)
	if err != nil {
		return fmt.Errorf("making the floor's tables: %w", err)
	}
	_, err = b.db.Pool.Exec(ctx, `INSERT INTO bench_pools (id, balance) SELECT n, $2 FROM generate_series(0, $1 - 1) AS n`, b.pools, int64(benchPlenty))
	if err != nil {
		return fmt.Errorf("filling the floor's tables: %w", err)
	}
	return nil
}

// floor measures what the database does of itself with a transaction for each of what is
// asked for. No HTTP, no lots, no limits, no keys.
func (b *bench) floor(ctx context.Context, one func(ctx context.Context, b *bench, pool *pgxpool.Pool, n int64) error) (perSecond float64, err error) {
	if err := b.settle(ctx); err != nil {
		return 0, err
	}
	cfg, err := poolConfig(b.db.URL)
	if err != nil {
		return 0, err
	}
	cfg.MaxConns = benchConnections
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return 0, fmt.Errorf("opening connections: %w", err)
	}
	defer pool.Close()
	window := newBenchWindow(b.now().Add(benchWarm), b.count)
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range min(benchConnections, b.clients) {
		g.Go(func() error {
			for !window.over(b.now()) {
				if err := one(ctx, b, pool, next.Add(1)); err != nil {
					return fmt.Errorf("measuring the floor: %w", err)
				}
				_ = window.counts(b.now())
			}
			return nil
		})
	}
	err = b.during("measuring the floor", benchWarm+b.count, g.Wait)
	return rounded(float64(window.counted.Load()) / window.took().Seconds()), err
}

// floorSpend takes a spend from a pool's row and writes it down.
func floorSpend(ctx context.Context, b *bench, pool *pgxpool.Pool, n int64) error {
	id := n % int64(b.pools)
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE bench_pools SET balance = balance - $2 WHERE id = $1`, id, benchCredits); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO bench_spends (pool_id, credits) VALUES ($1, $2)`, id, benchCredits)
		return err
	})
}

// floorPair does that twice, as a hold and its capture do.
func floorPair(ctx context.Context, b *bench, pool *pgxpool.Pool, n int64) error {
	if err := floorSpend(ctx, b, pool, n); err != nil {
		return err
	}
	return floorSpend(ctx, b, pool, n)
}

// floorEvent writes an event's body under its id.
func floorEvent(ctx context.Context, _ *bench, pool *pgxpool.Pool, n int64) error {
	_, err := pool.Exec(ctx, `INSERT INTO bench_events (id, body) VALUES ($1, $2)`, n, benchEventBody("evt_floor", "sub_floor", 0))
	return err
}
