package gather

import "slices"

// queue holds one key's callers in order of arrival.
type queue[In, Out any] struct {
	key     uint64
	waiting []*request[In, Out]
	// again collects those of a finished batch that go back to the front.
	again []*request[In, Out]
}

// batch is what a lane serves next: requests, and the queues they came from.
type batch[In, Out any] struct {
	queues   []*queue[In, Out]
	requests []*request[In, Out]
}

// enqueue puts r behind the others of its key, or refuses it.
func (g *Gatherer[In, Out]) enqueue(key uint64, r *request[In, Out]) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	q, known := g.keys[key]
	if !known {
		q = &queue[In, Out]{key: key}
	}
	if g.full(q) {
		g.stats.Refused++
		return ErrFull
	}
	r.queue = q
	q.waiting = append(q.waiting, r)
	g.waiting++
	if !known {
		g.keys[key] = q
		g.ready = append(g.ready, q)
		g.wake()
	}
	return nil
}

// Full tells whether a caller of that key would get ErrFull now, so that who can't be
// served can be told so before anything is made ready for it.
func (g *Gatherer[In, Out]) Full(key uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	q, known := g.keys[key]
	if !known {
		q = &queue[In, Out]{}
	}
	return !g.closed && g.full(q)
}

// full tells whether a queue may have no more waiting: the more a key has, the more room
// it must leave to the others.
func (g *Gatherer[In, Out]) full(q *queue[In, Out]) bool {
	return len(q.waiting) >= g.cfg.QueueMax-g.waiting
}

// wake starts a lane if there is one idle and something to do for it. The caller holds
// the lock.
func (g *Gatherer[In, Out]) wake() {
	if len(g.ready) > 0 && g.running < g.cfg.Lanes {
		g.running++
		go g.run()
	}
}

// run is one lane: it serves batches as long as there is a key ready. It doesn't run on
// the goroutine of a caller, as that one must be able to leave while the batch goes on.
func (g *Gatherer[In, Out]) run() {
	for {
		b, found := g.take()
		if !found {
			return
		}
		g.finish(b, g.serve(b.requests))
	}
}

// take fills the next batch, or ends the lane when nothing is ready.
func (g *Gatherer[In, Out]) take() (batch[In, Out], bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.ready) > 0 {
		b := batch[In, Out]{queues: g.takeShare()}
		b.requests = g.fill(b.queues)
		if len(b.requests) == 0 {
			g.release(b.queues)
			continue
		}
		g.stats.count(len(b.requests))
		// What this lane leaves is for the next one.
		g.wake()
		return b, true
	}
	g.running--
	g.tellDrained()
	return batch[In, Out]{}, false
}

// takeShare takes one lane's share of all keys from those that are ready. Rounded down,
// so that while few keys are active a quiet one goes alone, not along with a loud one.
func (g *Gatherer[In, Out]) takeShare() []*queue[In, Out] {
	share := max(len(g.keys)/g.cfg.Lanes, 1)
	n := min(share, g.cfg.BatchMax, len(g.ready))
	taken := slices.Clone(g.ready[:n])
	clear(g.ready[:n])
	g.ready = g.ready[n:]
	return taken
}

// companyBatches is for how many batches it is remembered that several keys were about:
// who asks now and then should find the others' batches short each time.
const companyBatches = 100

// keyMax is how many requests of one key the next batch may hold.
func (g *Gatherer[In, Out]) keyMax() int {
	if len(g.keys) > 1 {
		g.company = companyBatches
	}
	if g.company == 0 {
		return g.cfg.BatchMax
	}
	g.company--
	return g.cfg.KeyMax
}

// fill takes one request of each queue in turn until the batch is full or each has as many
// in it as it may, or is empty.
func (g *Gatherer[In, Out]) fill(queues []*queue[In, Out]) []*request[In, Out] {
	var requests []*request[In, Out]
	left := slices.Clone(queues)
	for turns := g.keyMax(); turns > 0 && len(left) > 0; turns-- {
		some := left[:0]
		for _, q := range left {
			if len(requests) == g.cfg.BatchMax {
				return requests
			}
			if r := g.next(q); r != nil {
				requests = append(requests, r)
				some = append(some, q)
			}
		}
		left = some
	}
	return requests
}

// next takes the first request of q whose caller is still there, and drops those before
// it; nil when there is none.
func (g *Gatherer[In, Out]) next(q *queue[In, Out]) *request[In, Out] {
	for len(q.waiting) > 0 {
		r := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		g.waiting--
		err := r.ctx.Err()
		if err == nil {
			return r
		}
		g.stats.Dropped++
		r.done <- Answer[Out]{Err: err}
	}
	return nil
}

// finish gives the callers of a batch their answers, puts back those to be tried again,
// and lets other lanes have the keys.
func (g *Gatherer[In, Out]) finish(b batch[In, Out], answers []Answer[Out]) {
	g.mu.Lock()
	for i, r := range b.requests {
		switch {
		case !answers[i].Again:
		case r.tries == g.cfg.RetryMax:
			answers[i] = Answer[Out]{Err: ErrBusy}
		default:
			r.tries++
			r.queue.again = append(r.queue.again, r)
			g.stats.Again++
			g.waiting++
		}
	}
	g.release(b.queues)
	g.mu.Unlock()
	for i, r := range b.requests {
		if !answers[i].Again {
			r.done <- answers[i]
		}
	}
}

// release lets go of a batch's queues: the empty ones are forgotten, locked ones rest
// for a while, the others are ready, behind those that waited meanwhile.
func (g *Gatherer[In, Out]) release(queues []*queue[In, Out]) {
	for _, q := range queues {
		switch {
		case len(q.again) > 0:
			q.waiting = append(q.again, q.waiting...)
			q.again = nil
			g.rest(q)
		case len(q.waiting) > 0:
			g.ready = append(g.ready, q)
		default:
			delete(g.keys, q.key)
		}
	}
}
