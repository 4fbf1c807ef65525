package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"purser/billing"
)

// benchProcessesMax bounds the servers: each has twenty connections.
const benchProcessesMax = 4

// benchServeOrder is what one of several servers is told on its standard input, which is
// closed when it is to end.
type benchServeOrder struct{ URL string }

// benchServeCommand is one of several servers on one database, each a process of its own.
// People have no use for it.
type benchServeCommand struct{}

// Run serves, and says where.
func (c *benchServeCommand) Run(ctx context.Context, p *program) error {
	var order benchServeOrder
	told := json.NewDecoder(os.Stdin)
	if err := told.Decode(&order); err != nil || order.URL == "" {
		return usage("this server is run by purser bench spends")
	}
	b := &bench{db: &database{URL: order.URL}, catalog: billing.DemoCatalog(), now: p.now}
	s, err := b.serve(ctx, benchServing{})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(p.out, s.listen.Addr()); err != nil {
		return errors.Join(err, s.stop(ctx))
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, s.stop(ctx))
}

// benchProcess is such a server, seen from outside.
type benchProcess struct {
	cmd     *exec.Cmd
	told    io.WriteCloser
	address string
}

func (b *bench) startProcess(ctx context.Context) (*benchProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	s := &benchProcess{cmd: exec.CommandContext(ctx, self, "bench", "serve")}
	s.cmd.Stderr = os.Stderr
	if s.told, err = s.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("speaking to a server: %w", err)
	}
	said, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("listening to a server: %w", err)
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a server: %w", err)
	}
	if err := json.NewEncoder(s.told).Encode(benchServeOrder{b.db.URL}); err != nil {
		return nil, errors.Join(fmt.Errorf("telling a server: %w", err), s.stop())
	}
	if s.address, err = bufio.NewReader(said).ReadString('\n'); err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for a server: %w", err), s.stop())
	}
	s.address = strings.TrimSpace(s.address)
	return s, nil
}

func (s *benchProcess) stop() error {
	if err := errors.Join(s.told.Close(), s.cmd.Wait()); err != nil {
		return fmt.Errorf("stopping a server: %w", err)
	}
	return nil
}

// loadSeveral lets the load generator at several processes, each with as many of the
// clients.
func (b *bench) loadSeveral(ctx context.Context, kind benchKind, processes int) (load benchLoad, err error) {
	if err := b.settle(ctx); err != nil {
		return load, err
	}
	var addresses []string
	for range processes {
		s, failed := b.startProcess(ctx)
		if failed != nil {
			return load, failed
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		addresses = append(addresses, s.address)
	}
	order := b.orderAt(addresses[0], kind, "several")
	order.Others = addresses[1:]
	return b.generate(ctx, order)
}
