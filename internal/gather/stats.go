package gather

import (
	"math/bits"
	"slices"
)

// Stats says what a Gatherer is doing and has done since New.
type Stats struct {
	// Queued is how many requests wait now, Running how many lanes are at work.
	Queued, Running int
	// Batches were begun, with Requests in them; a request tried again counts again.
	Batches, Requests uint64
	// Sizes[i] counts the batches of at most 2^i requests, and more than 2^(i-1).
	Sizes []uint64
	// Again counts requests put back because of a lock, Alone those tried by themselves
	// after their batch had failed.
	Again, Alone uint64
	// Refused counts callers who got ErrFull, Dropped those who left before their batch.
	Refused, Dropped uint64
}

// Stats returns a copy that no one changes.
func (g *Gatherer[In, Out]) Stats() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	stats := g.stats
	stats.Sizes = slices.Clone(stats.Sizes)
	stats.Queued, stats.Running = g.waiting, g.running
	return stats
}

// count counts a batch of that size.
func (s *Stats) count(size int) {
	s.Batches++
	s.Requests += uint64(size)
	s.Sizes[bits.Len(uint(size-1))]++
}
