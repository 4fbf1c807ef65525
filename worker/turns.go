package worker

import (
	"context"
	"sync"
)

// turns lets the jobs of one process fetch an object one after the other. Fetched at the
// same time it would be fetched in vain: only one of the answers is needed, and Stripe
// refuses some of those who ask for one object at once. What keeps the order right,
// between processes too, is the ticket.
type turns struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when its holder leaves
}

// take waits for an object's turn. The caller leaves it once, or more often.
func (t *turns) take(ctx context.Context, id string) (leave func(), err error) {
	for {
		t.mu.Lock()
		busy, taken := t.busy[id]
		if !taken {
			if t.busy == nil {
				t.busy = map[string]chan struct{}{}
			}
			mine := make(chan struct{})
			t.busy[id] = mine
			t.mu.Unlock()
			return sync.OnceFunc(func() {
				t.mu.Lock()
				defer t.mu.Unlock()
				delete(t.busy, id)
				close(mine)
			}), nil
		}
		t.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
