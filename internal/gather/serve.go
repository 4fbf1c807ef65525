package gather

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
)

// Panic is the error that the callers of a batch get when serving it panicked.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Unwrap returns what was panicked with if that is an error.
func (p *Panic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// serve returns an answer for each request. It calls do with all of them, and if that
// fails with each of them alone.
func (g *Gatherer[In, Out]) serve(requests []*request[In, Out]) []Answer[Out] {
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.Timeout)
	answers, err := g.call(ctx, requests)
	cancel()
	switch {
	case err == nil && len(answers) == len(requests):
		return answers
	case err == nil:
		// The call went through, so it isn't repeated. Whose answer is missing, nobody knows.
		err = fmt.Errorf("got %d answers for %d requests", len(answers), len(requests))
		return slices.Repeat([]Answer[Out]{{Err: err}}, len(requests))
	case len(requests) == 1:
		return []Answer[Out]{{Err: err}}
	}
	return g.serveAlone(requests, err)
}

// serveAlone tries each request of a failed batch by itself, in order. All together get
// one more Timeout: with a database that hangs, a full batch would otherwise keep its
// lane for hours.
func (g *Gatherer[In, Out]) serveAlone(requests []*request[In, Out], failure error) []Answer[Out] {
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.Timeout)
	defer cancel()
	answers := make([]Answer[Out], len(requests))
	locked := make(map[*queue[In, Out]]bool)
	alone := 0
	for i, r := range requests {
		switch {
		case locked[r.queue]:
			// It may not overtake the one before it, which is to be tried again.
			answers[i].Again = true
		case ctx.Err() != nil:
			answers[i].Err = fmt.Errorf("no time left to try it alone after its batch failed: %w", failure)
		default:
			alone++
			answers[i] = g.serveOne(ctx, r)
			locked[r.queue] = answers[i].Again
		}
	}
	g.mu.Lock()
	g.stats.Alone += uint64(alone)
	g.mu.Unlock()
	return answers
}

func (g *Gatherer[In, Out]) serveOne(ctx context.Context, r *request[In, Out]) Answer[Out] {
	answers, err := g.call(ctx, []*request[In, Out]{r})
	switch {
	case err != nil:
		return Answer[Out]{Err: err}
	case len(answers) != 1:
		return Answer[Out]{Err: fmt.Errorf("got %d answers for 1 request", len(answers))}
	}
	return answers[0]
}

// call calls do and turns a panic into an error, which concerns this batch only.
func (g *Gatherer[In, Out]) call(ctx context.Context, requests []*request[In, Out]) (answers []Answer[Out], err error) {
	defer func() {
		if value := recover(); value != nil {
			answers, err = nil, &Panic{Value: value, Stack: debug.Stack()}
		}
	}()
	ins := make([]In, len(requests))
	for i, r := range requests {
		ins[i] = r.in
	}
	return g.do(ctx, ins)
}

// rest keeps a locked key from the lanes for a moment, and then puts it before the
// others, as its first request has waited longest. Lanes go on with other keys.
func (g *Gatherer[In, Out]) rest(q *queue[In, Out]) {
	time.AfterFunc(g.cfg.RetryAfter, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.ready = slices.Insert(g.ready, 0, q)
		g.wake()
	})
}
