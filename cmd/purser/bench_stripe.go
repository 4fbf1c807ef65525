package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"purser/internal/localstripe"
)

// benchStripe is a local Stripe in a process of its own: in purser's, the two would share
// one scheduler and one garbage collector, and nobody could tell whose time it was.
type benchStripe struct {
	stripeAt
	cmd  *exec.Cmd
	in   io.WriteCloser
	said *json.Decoder
}

// benchChanges asks it to change subscriptions' seats at a rate, in turns.
type benchChanges struct {
	Subscriptions []benchSold
	First, Count  int
	Rate          int // a second; 0: each when the one before was answered
}

// benchChanged is its answer.
type benchChanged struct{ Error string }

// benchSold is a subscription at the local Stripe.
type benchSold struct{ ID, Item string }

// startBenchStripe starts it. It ends when its standard input does.
func startBenchStripe(ctx context.Context) (*benchStripe, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	s := &benchStripe{cmd: exec.CommandContext(ctx, self, "bench", "stripe")}
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err == nil {
		s.in, err = s.cmd.StdinPipe()
	}
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("starting a local Stripe: %w", err)
	}
	s.said = json.NewDecoder(out)
	if err := s.said.Decode(&s.stripeAt); err != nil {
		return nil, errors.Join(fmt.Errorf("starting a local Stripe: %w", err), s.close())
	}
	return s, nil
}

func (s *benchStripe) close() error {
	if err := errors.Join(s.in.Close(), s.cmd.Wait()); err != nil {
		return fmt.Errorf("ending the local Stripe: %w", err)
	}
	return nil
}

// change has subscriptions changed, and waits until they are.
func (s *benchStripe) change(order benchChanges) error {
	if err := json.NewEncoder(s.in).Encode(order); err != nil {
		return fmt.Errorf("telling the local Stripe what to change: %w", err)
	}
	var done benchChanged
	if err := s.said.Decode(&done); err != nil {
		return fmt.Errorf("reading what the local Stripe changed: %w", err)
	}
	if done.Error != "" {
		return fmt.Errorf("changing subscriptions: %s", done.Error)
	}
	return nil
}

// benchStripeCommand is the local Stripe's process. People have no use for it.
type benchStripeCommand struct{}

// Run serves the local Stripe, and changes what standard input asks for, until that ends.
func (c *benchStripeCommand) Run(ctx context.Context, p *program) error {
	// Making a connection costs more than most of what is asked over it.
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = benchClientsMax
	server, err := localstripe.Start(localstripe.Config{Start: storyStart, Wall: p.now, Seed: 1})
	if err != nil {
		return fmt.Errorf("starting the local Stripe: %w", err)
	}
	at := stripeAt{URL: server.URL(), Key: server.Key()}
	out := json.NewEncoder(p.out)
	err = out.Encode(at)
	for orders := json.NewDecoder(bufio.NewReader(os.Stdin)); err == nil; {
		var order benchChanges
		if err = orders.Decode(&order); err == nil {
			var done benchChanged
			if failed := order.run(ctx, p.now, at); failed != nil {
				done.Error = failed.Error()
			}
			err = out.Encode(done)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, server.Close())
}

// run makes the changes, each when its time has come.
func (o benchChanges) run(ctx context.Context, now func() time.Time, at stripeAt) error {
	if len(o.Subscriptions) == 0 {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	if o.Rate == 0 {
		g.SetLimit(1)
	}
	begun := now()
	for n := range o.Count {
		if o.Rate > 0 {
			time.Sleep(begun.Add(time.Duration(n) * time.Second / time.Duration(o.Rate)).Sub(now()))
		}
		g.Go(func() error { return o.change(ctx, at, o.First+n) })
	}
	return g.Wait()
}

// change changes a subscription's seats at Stripe, who tells of it.
func (o benchChanges) change(ctx context.Context, at stripeAt, n int) error {
	sub := o.Subscriptions[n%len(o.Subscriptions)]
	return at.post(ctx, "/v1/subscriptions/"+sub.ID, url.Values{
		"items[0][id]": {sub.Item}, "items[0][quantity]": {fmt.Sprint(5 + (n/len(o.Subscriptions))%4)}, "proration_behavior": {"none"},
	}, nil)
}

// control asks for something that Stripe doesn't have.
func (a stripeAt) control(ctx context.Context, path string, in any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("telling the local Stripe: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL+"/_local"+path, strings.NewReader(string(body)))
	if err != nil {
		return fmt.Errorf("telling the local Stripe: %w", err)
	}
	return answer(req, nil)
}
