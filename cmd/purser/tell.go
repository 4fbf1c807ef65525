package main

import (
	"context"
	"log/slog"
)

// demoCommand tells the story. It takes no database: the story isn't for anybody's own.
type demoCommand struct {
	Show showFlags `embed:""`
}

// Run tells it.
func (c *demoCommand) Run(ctx context.Context, p *program) error {
	logger := p.logger()
	return runDemo(ctx, p.out, demoOptions{JSON: c.Show.JSON, Logger: logger.With(slog.String("command", "demo"))})
}

// devUpCommand leaves the demo running. As the demo, it takes nobody's own database.
type devUpCommand struct {
	Listen        string   `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where purser listens."`
	StripeListen  string   `default:"127.0.0.1:8089" placeholder:"HOST:PORT" help:"Where the local Stripe listens; on this machine only."`
	ProductListen string   `default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"Where a product in miniature listens, which leads to the team page; on this machine only."`
	Log           logFlags `embed:""`
}

// Run stays until a signal comes.
func (c *devUpCommand) Run(ctx context.Context, p *program) error {
	return runDev(ctx, p.out, devOptions{Listen: c.Listen, StripeListen: c.StripeListen, ProductListen: c.ProductListen, Logger: c.Log.logger(p.err)})
}

// devAdvanceCommand moves the clock.
type devAdvanceCommand struct {
	Step   string `arg:"" help:"By how much, as 1mo, 3d or 2h; or to an instant, as 2026-03-01T00:00:00Z."`
	Stripe string `name:"stripe" default:"http://127.0.0.1:8089" placeholder:"URL" help:"Where the local Stripe of purser dev is."`
}

// Run asks for it.
func (c *devAdvanceCommand) Run(ctx context.Context, p *program) error {
	return advance(ctx, p.out, c.Stripe, c.Step)
}
