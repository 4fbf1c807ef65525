package localstripe

import (
	"container/heap"
	"context"
	"fmt"
	"time"
)

// clock is a time that moves only when told to, and what is due on it. The default clock has no id;
// the others are Stripe's test clocks, which the customers created with them follow.
type clock struct {
	id, name string
	now      int64
	created  int64
	deletes  int64
	status   string
	due      moments
	sequence int64
}

// moment is something that happens by itself. What it does checks first whether it still applies, so
// nothing ever needs to be taken out of the heap.
type moment struct {
	at, sequence int64
	do           func()
}

type moments []moment

func (m moments) Len() int { return len(m) }
func (m moments) Less(i, j int) bool {
	return m[i].at < m[j].at || m[i].at == m[j].at && m[i].sequence < m[j].sequence
}
func (m moments) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m *moments) Push(v any)   { *m = append(*m, v.(moment)) }
func (m *moments) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}

// at plans something. A moment that is already over happens at the clock's next move.
func (c *clock) at(when int64, do func()) {
	c.sequence++
	heap.Push(&c.due, moment{at: when, sequence: c.sequence, do: do})
}

// next gives the earliest moment up to a limit.
func (c *clock) next(limit int64) (int64, bool) {
	if len(c.due) == 0 || c.due[0].at > limit {
		return 0, false
	}
	return max(c.due[0].at, c.now), true
}

// runDue does all that is due now, also what became due while doing it.
func (c *clock) runDue() {
	for len(c.due) > 0 && c.due[0].at <= c.now {
		heap.Pop(&c.due).(moment).do()
	}
}

// OnAdvance registers a function that is called after each stop of Advance, outside every lock. It may
// call the API, but not Advance.
func (s *Server) OnAdvance(told func(time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callbacks = append(s.callbacks, told)
}

// Advance moves the default clock, stopping at every moment that is due on the way. When ctx ends, the
// clock stays at the stop that it has reached.
func (s *Server) Advance(ctx context.Context, to time.Time) error {
	s.advancing.Lock()
	defer s.advancing.Unlock()
	return s.advance(ctx, s.clock, to.Unix())
}

func (s *Server) advance(ctx context.Context, c *clock, to int64) error {
	s.mu.Lock()
	if now := c.now; to < now {
		s.mu.Unlock()
		return fmt.Errorf("advancing the clock: %s lies before %s", stamp(to), stamp(now))
	}
	s.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("advancing the clock: %w", err)
		}
		at, more := s.stop(c, to)
		for _, told := range s.told() {
			told(time.Unix(at, 0).UTC())
		}
		if !more {
			return nil
		}
	}
}

// stop moves to the next due moment, or to the end. Whether the end was reached is the second answer.
func (s *Server) stop(c *clock, to int64) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cause = cause{}
	at, more := c.next(to)
	if !more {
		c.now = to
		return to, false
	}
	c.now = at
	c.runDue()
	_, left := c.next(to)
	return at, left || at < to
}

func (s *Server) told() []func(time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]func(time.Time){}, s.callbacks...)
}

func stamp(at int64) string { return time.Unix(at, 0).UTC().Format(time.RFC3339) }
