package gather_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"purser/internal/gather"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// item is a request that says whose it is and which.
type item struct {
	key uint64
	n   int
}

type (
	answers = []gather.Answer[int]
	serve   = func(ctx context.Context, batch []item) (answers, error)
)

// echo answers each request with its own number.
func echo(batch []item) answers {
	out := make(answers, len(batch))
	for i, in := range batch {
		out[i].Value = in.n
	}
	return out
}

// desk serves batches: it notes each, holds it while the gate is shut, and then lets
// the test's function answer.
type desk struct {
	*gather.Gatherer[item, int]
	answer serve

	mu      sync.Mutex
	shut    chan struct{} // nil while the gate is open
	batches [][]item
}

// open returns a desk that answers with answer, or echoes when that is nil.
func open(cfg gather.Config, answer serve) *desk {
	d := &desk{answer: answer}
	if answer == nil {
		d.answer = func(_ context.Context, batch []item) (answers, error) { return echo(batch), nil }
	}
	d.Gatherer = gather.New(cfg, d.serve)
	return d
}

func (d *desk) serve(ctx context.Context, batch []item) (answers, error) {
	d.mu.Lock()
	d.batches = append(d.batches, slices.Clone(batch))
	shut := d.shut
	d.mu.Unlock()
	if shut != nil {
		<-shut
	}
	return d.answer(ctx, batch)
}

// close shuts the gate for all batches that begin from now on.
func (d *desk) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = make(chan struct{})
}

// reopen lets the batches at the gate go on.
func (d *desk) reopen() {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.shut)
	d.shut = nil
}

func (d *desk) seen() [][]item {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.batches)
}

func (d *desk) sizes() []int {
	var sizes []int
	for _, b := range d.seen() {
		sizes = append(sizes, len(b))
	}
	return sizes
}

// reply is what a caller got; read it once done is closed or synctest.Wait returned.
type reply struct {
	value int
	err   error
	done  chan struct{}
}

func (r *reply) returned() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// call calls Do on a goroutine of its own and waits until it is queued or answered, so
// that calls arrive in the order of the test.
func (d *desk) call(ctx context.Context, in item) *reply {
	r := &reply{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.value, r.err = d.Do(ctx, in.key, in)
	}()
	synctest.Wait()
	return r
}

// calls calls Do for every item in turn.
func (d *desk) calls(t *testing.T, items ...item) []*reply {
	t.Helper()
	var replies []*reply
	for _, in := range items {
		replies = append(replies, d.call(t.Context(), in))
	}
	return replies
}

// busy shuts the gate and occupies a lane with one request of the key; the batch goes
// on when the gate is reopened.
func (d *desk) busy(t *testing.T, key uint64) *reply {
	t.Helper()
	d.close()
	return d.call(t.Context(), item{key, -1})
}

// answered waits for all replies and checks that each caller got its own number.
func answered(t *testing.T, replies []*reply, items []item) {
	t.Helper()
	for i, r := range replies {
		<-r.done
		if r.err != nil || r.value != items[i].n {
			t.Errorf("%+v got %d, %v", items[i], r.value, r.err)
		}
	}
}

func failed(t *testing.T, r *reply, want error) {
	t.Helper()
	<-r.done
	if !errors.Is(r.err, want) {
		t.Errorf("got %d, %v; want %v", r.value, r.err, want)
	}
}

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// numbered returns n items of one key.
func numbered(key uint64, n int) []item {
	items := make([]item, n)
	for i := range items {
		items[i] = item{key, i}
	}
	return items
}
