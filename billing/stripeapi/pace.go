package stripeapi

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// waitMax is how long a call waits for its turn. Who would have to wait longer is told at once: a job
// that is tried again later holds no worker meanwhile.
const waitMax = 30 * time.Second

var errWaitTooLong = errors.New("the wait for our turn would be too long")

// pace decides when the next request may leave. Reads and writes are counted apart, as Stripe does; a
// 429 holds up both.
type pace struct {
	now    func() time.Time
	sleep  func(context.Context, time.Duration) error
	reads  *lane
	writes *lane

	mu    sync.Mutex
	until time.Time // nobody sends before
}

func newPace(cfg Config) *pace {
	return &pace{now: cfg.Now, sleep: cfg.Sleep, reads: newLane(cfg.RequestsPerSecond), writes: newLane(cfg.RequestsPerSecond)}
}

// lane gives out turns, and remembers when the last requests left.
type lane struct {
	*rate.Limiter

	mu     sync.Mutex
	left   []time.Time // of as many as may leave within one second, the oldest at next
	oldest int
}

func newLane(perSecond float64) *lane {
	// Within one second at most rate + burst leave, and a quarter more than the default rates is
	// just what Stripe allows.
	burst := max(1, int(perSecond/4))
	return &lane{Limiter: rate.NewLimiter(rate.Limit(perSecond), burst), left: make([]time.Time, burst+int(perSecond))}
}

// early is how much too early it is for one more to leave; if it isn't, that one leaves. Turns
// alone don't keep to the limit: when a process goes on that stood still for a while, the turns
// of all who waited have come.
func (l *lane) early(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := l.left[l.oldest].Add(time.Second).Sub(now); wait > 0 {
		return wait
	}
	l.left[l.oldest] = now
	l.oldest = (l.oldest + 1) % len(l.left)
	return 0
}

// wait returns when a request of this method may leave.
func (p *pace) wait(ctx context.Context, method string) error {
	l := p.writes
	if method == http.MethodGet {
		l = p.reads
	}
	for {
		if err := p.sitOut(ctx); err != nil {
			return err
		}
		if err := p.queue(ctx, l); err != nil {
			return err
		}
		// A pause that began while we queued sends us back to the end of the queue. Otherwise all who
		// queued would leave together in the moment in which it ends.
		if p.pause() > 0 {
			continue
		}
		early := l.early(p.now())
		if early <= 0 {
			return nil
		}
		if err := p.sleep(ctx, early); err != nil {
			return err
		}
	}
}

// sitOut waits until no pause holds. Pauses may be prolonged while we wait.
func (p *pace) sitOut(ctx context.Context) error {
	for {
		left := p.pause()
		if left <= 0 {
			return ctx.Err()
		}
		if left > waitMax {
			return errWaitTooLong
		}
		if err := p.sleep(ctx, left); err != nil {
			return err
		}
	}
}

func (p *pace) queue(ctx context.Context, l *lane) error {
	now := p.now()
	turn := l.ReserveN(now, 1)
	left := turn.DelayFrom(now)
	if left > waitMax {
		turn.CancelAt(now)
		return errWaitTooLong
	}
	if left <= 0 {
		return nil
	}
	if err := p.sleep(ctx, left); err != nil {
		turn.CancelAt(p.now())
		return err
	}
	return nil
}

// hold stops everybody for d from now on.
func (p *pace) hold(d time.Duration) {
	until := p.now().Add(d)
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.until) {
		p.until = until
	}
}

// pause is how long the current pause still lasts.
func (p *pace) pause() time.Duration {
	p.mu.Lock()
	until := p.until
	p.mu.Unlock()
	return until.Sub(p.now())
}
