package gather

import (
	"cmp"
	"context"
	"errors"
	"math/bits"
	"sync"
	"time"
)

var (
	// ErrFull says that too many are waiting: nothing was done, come back later.
	ErrFull = errors.New("too many requests are waiting")
	// ErrBusy says that what the request needs stayed locked by somebody else through
	// all tries: nothing was done.
	ErrBusy = errors.New("locked by somebody else")
	// ErrClosed says that the Gatherer takes no more: nothing was done.
	ErrClosed = errors.New("closed")
)

// Config sets the limits. Zero values mean the defaults.
type Config struct {
	// Lanes is how many batches may run at once; 4. Give each one connection.
	Lanes int
	// BatchMax is how many requests one batch may hold; 512.
	BatchMax int
	// KeyMax is how many requests of one key a batch may hold while other keys are about;
	// BatchMax. A long batch keeps others waiting even when they have a lane, since all share
	// the processors.
	KeyMax int
	// QueueMax is how many requests may wait, over all keys; 8192. One key gets at most
	// as many places as are left free.
	QueueMax int
	// Timeout bounds one call of the function; 10 s. When a batch fails, trying its
	// requests one by one may take as long again, for all of them together.
	Timeout time.Duration
	// RetryAfter is how long a key rests after an answer said Again; 5 ms.
	RetryAfter time.Duration
	// RetryMax is how often a request is tried again before ErrBusy; 200.
	RetryMax int
}

func (c Config) withDefaults() Config {
	c.Lanes = cmp.Or(max(c.Lanes, 0), 4)
	c.BatchMax = cmp.Or(max(c.BatchMax, 0), 512)
	c.KeyMax = cmp.Or(max(c.KeyMax, 0), c.BatchMax)
	c.QueueMax = cmp.Or(max(c.QueueMax, 0), 8192)
	c.Timeout = cmp.Or(max(c.Timeout, 0), 10*time.Second)
	c.RetryAfter = cmp.Or(max(c.RetryAfter, 0), 5*time.Millisecond)
	c.RetryMax = cmp.Or(max(c.RetryMax, 0), 200)
	return c
}

// Answer is what became of one request in a batch.
type Answer[Out any] struct {
	Value Out
	Err   error
	// Again says that nothing was done because somebody else has the key locked. The
	// request goes back to the front of its key's queue, and Value and Err are ignored.
	// To keep a key's order, say it of all requests of that key in the batch.
	Again bool
}

// Gatherer gathers concurrent callers of Do into calls of one function.
type Gatherer[In, Out any] struct {
	cfg Config
	do  func(ctx context.Context, batch []In) ([]Answer[Out], error)

	mu sync.Mutex
	// keys holds each key that has somebody waiting or is in a running batch.
	keys map[uint64]*queue[In, Out]
	// ready holds the keys that a lane may take, the longest waiting first. The others
	// are in a running batch or rest.
	ready   []*queue[In, Out]
	company int // for how many batches more it counts that several keys were about
	waiting int
	running int
	closed  bool
	drained chan struct{}
	stats   Stats
}

// New returns a Gatherer that serves batches with do. It has no goroutines while nobody
// calls.
//
// do is given at least one and at most BatchMax requests and returns one answer for
// each, in their order. It may keep and change the slice. An error says that nothing was
// done for any of them; of a batch of one the caller gets just that error, otherwise each
// request is tried again alone. do must return when its context ends. It runs on up to
// Lanes goroutines at once, never with one key on two of them.
func New[In, Out any](cfg Config, do func(ctx context.Context, batch []In) ([]Answer[Out], error)) *Gatherer[In, Out] {
	cfg = cfg.withDefaults()
	return &Gatherer[In, Out]{
		cfg:     cfg,
		do:      do,
		keys:    make(map[uint64]*queue[In, Out]),
		drained: make(chan struct{}),
		stats:   Stats{Sizes: make([]uint64, bits.Len(uint(cfg.BatchMax-1))+1)},
	}
}

// request is one caller of Do.
type request[In, Out any] struct {
	ctx   context.Context // the caller's; asked only whether the caller is still there
	in    In
	queue *queue[In, Out]
	tries int
	done  chan Answer[Out] // has room for the answer, so a lane never waits for a caller
}

// Do has in served in some batch and returns its answer. Callers of one key are served
// in the order in which they called. The key is a hash: two things of the same hash
// share a queue and nothing else.
//
// ErrFull, ErrClosed and ErrBusy mean that nothing was done. When ctx ends first, Do
// returns its error at once; the request is dropped if its batch hasn't begun and
// otherwise goes on, so the caller can't know which without asking again.
func (g *Gatherer[In, Out]) Do(ctx context.Context, key uint64, in In) (Out, error) {
	var none Out
	if err := ctx.Err(); err != nil {
		return none, err
	}
	r := &request[In, Out]{ctx: ctx, in: in, done: make(chan Answer[Out], 1)}
	if err := g.enqueue(key, r); err != nil {
		return none, err
	}
	select {
	case answer := <-r.done:
		return answer.Value, answer.Err
	case <-ctx.Done():
	}
	// What is known is told, even when both came at once.
	select {
	case answer := <-r.done:
		return answer.Value, answer.Err
	default:
		return none, ctx.Err()
	}
}

// Close takes no more requests and returns when all that were taken are answered. When
// ctx ends first it returns ctx's error, and those still waiting go on being served.
func (g *Gatherer[In, Out]) Close(ctx context.Context) error {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		g.tellDrained()
	}
	g.mu.Unlock()
	select {
	case <-g.drained:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tellDrained lets Close return once the last request is answered. It is called where
// that may just have happened; only one such call finds it so.
func (g *Gatherer[In, Out]) tellDrained() {
	if g.closed && g.running == 0 && len(g.keys) == 0 {
		close(g.drained)
	}
}
