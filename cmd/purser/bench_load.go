package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// benchOrder is what the load generator is told on its standard input.
type benchOrder struct {
	Address string   // on this machine
	Others  []string // further addresses, of servers with the same database: the clients are spread over all
	Kind    benchKind
	Token   string   // of the API
	Secret  string   // that events are signed with
	Prefix  string   // of the keys
	Objects []string // that events tell of; none: of objects that nobody has
	Clients int
	First   int // pool of those that are asked for
	Pools   int
	Members int // of each pool's team
	Rate    int // asked for each second, whether or not there was an answer; 0: each client asks when it has its answer
	Total   int // ends when so many were asked for; 0: when the time is up
	Warm    time.Duration
	Count   time.Duration
}

// benchLoad is what it counted.
type benchLoad struct {
	Acknowledged int64 // warming up included
	Retries      int64 // after a 503, with the same key, as its answer asks for
	Refused      int64 // with 429 or 503 and Retry-After, where nobody asks again
	Errors       int64
	FirstError   string
	PerSecond    float64
	P50, P99     float64 // milliseconds
}

// benchRateMax bounds how much is asked for whether or not there are answers.
const benchRateMax = 100_000

// benchSpendsMax ends a load that nothing else ends.
const benchSpendsMax = 20_000_000

// benchPatience is how long a client waits for an answer, and how long it goes on asking
// for it after the end. The server gives up before.
const benchPatience = 30 * time.Second

// generate runs the load generator as a process of its own: in the server's, the two
// would share one scheduler and one garbage collector.
func generate(ctx context.Context, order benchOrder) (load benchLoad, err error) {
	self, err := os.Executable()
	if err != nil {
		return load, fmt.Errorf("finding this program: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, order.Warm+order.Count+3*benchPatience)
	defer cancel()
	told, err := json.Marshal(order)
	if err != nil {
		return load, fmt.Errorf("telling the load generator: %w", err)
	}
	var out, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, self, "bench", "load")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(told), &out, &stderr
	if err := cmd.Run(); err != nil {
		return load, fmt.Errorf("running the load generator: %w: %s", errors.Join(ctx.Err(), err), oneLine(stderr.String()))
	}
	if err := json.Unmarshal(out.Bytes(), &load); err != nil {
		return load, fmt.Errorf("reading what the load generator counted: %w", err)
	}
	return load, nil
}

// benchLoadCommand is the load generator. People have no use for it.
type benchLoadCommand struct{}

// Run generates the load that standard input asks for.
func (c *benchLoadCommand) Run(ctx context.Context, p *program) error {
	var order benchOrder
	if err := json.NewDecoder(io.LimitReader(os.Stdin, 1<<16)).Decode(&order); err != nil {
		return usage("the load generator is run by purser bench spends")
	}
	if err := order.check(); err != nil {
		return err
	}
	return json.NewEncoder(p.out).Encode(order.run(ctx, p.now))
}

// check refuses to load any machine but this one, and to do so for long.
func (o benchOrder) check() error {
	for _, address := range append([]string{o.Address}, o.Others...) {
		host, _, err := net.SplitHostPort(address)
		if ip := net.ParseIP(host); err != nil || !ip.IsLoopback() {
			return usage("the load generator asks a server on this machine only, not %q", address)
		}
	}
	switch {
	case o.Clients < 1 || o.Clients > benchClientsMax, o.Pools < 1, o.Members < 1, o.Warm+o.Count > 2*benchSecondsMax*time.Second,
		o.Rate < 0 || o.Rate > benchRateMax, benchSteps[o.Kind] == nil:
		return usage("the load generator is run by purser bench spends")
	}
	return nil
}

// benchClients are all clients: each has a connection, and asks for the next when it has
// the answer to the one before.
type benchClients struct {
	order   benchOrder
	now     func() time.Time
	begun   time.Time
	window  *benchWindow // of what counts
	next    atomic.Int64
	retries atomic.Int64
	refused atomic.Int64

	mu    sync.Mutex
	load  benchLoad
	times []time.Duration
}

func (o benchOrder) run(ctx context.Context, now func() time.Time) benchLoad {
	begun := now()
	c := &benchClients{order: o, now: now, begun: begun, window: newBenchWindow(begun.Add(o.Warm), o.Count)}
	var clients sync.WaitGroup
	addresses := append([]string{o.Address}, o.Others...)
	for n := range o.Clients {
		clients.Go(func() { c.client(ctx, addresses[n%len(addresses)]) })
	}
	clients.Wait()
	slices.Sort(c.times)
	c.load.Retries, c.load.Refused = c.retries.Load(), c.refused.Load()
	took := c.window.took()
	if o.Total > 0 {
		took = now().Sub(c.window.begin)
	}
	c.load.PerSecond = rounded(float64(len(c.times)) / took.Seconds())
	c.load.P50, c.load.P99 = quantile(c.times, 50), quantile(c.times, 99)
	return c.load
}

// quantile gives one of sorted durations in milliseconds.
func quantile(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	d := sorted[(len(sorted)-1)*percent/100]
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

// client asks until the time is up. One that fails stops: what became of what it asked
// for nobody knows.
func (c *benchClients) client(ctx context.Context, address string) {
	var acknowledged int64
	var times []time.Duration
	err := c.goOn(ctx, address, func(asked, answered time.Time) {
		acknowledged++
		if c.window.counts(answered) {
			times = append(times, answered.Sub(asked))
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.load.Acknowledged += acknowledged
	c.times = append(c.times, times...)
	if err != nil {
		c.load.Errors++
		if c.load.FirstError == "" {
			c.load.FirstError = err.Error()
		}
	}
}

// goOn speaks HTTP/1.1 over one connection that is kept. net/http's own client would
// take about as much of the machine as the server that is measured.
func (c *benchClients) goOn(ctx context.Context, address string, done func(asked, answered time.Time)) error {
	conn, err := (&net.Dialer{Timeout: benchPatience}).DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer func() { _ = conn.Close() }()
	one := &benchConn{c: c, conn: conn, in: bufio.NewReader(conn)}
	step := benchSteps[c.order.Kind]
	for ctx.Err() == nil {
		n := c.next.Add(1)
		asked := c.turn(n)
		if c.window.over(asked) || n > benchSpendsMax || c.order.Total > 0 && n > int64(c.order.Total) {
			return nil
		}
		err := step(one, n)
		switch {
		case errors.Is(err, errBenchRefused):
			c.refused.Add(1)
		case err != nil:
			return err
		default:
			done(asked, c.now())
		}
	}
	return nil
}

// turn waits until the n-th is to be asked for, and gives that instant: whoever asks late,
// since the answers before were late, has waited since then.
func (c *benchClients) turn(n int64) time.Time {
	if c.order.Rate == 0 {
		return c.now()
	}
	at := c.begun.Add(time.Duration(n) * time.Second / time.Duration(c.order.Rate))
	time.Sleep(at.Sub(c.now()))
	return at
}
