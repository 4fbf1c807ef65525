package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// benchOrder is what the load generator is told on its standard input.
type benchOrder struct {
	Address string // on this machine
	Token   string
	Prefix  string // of the keys
	Clients int
	Pools   int
	Members int // of each pool's team
	Warm    time.Duration
	Count   time.Duration
}

// benchLoad is what it counted.
type benchLoad struct {
	Acknowledged int64 // warming up included
	Retries      int64 // after a 503, with the same key, as its answer asks for
	Errors       int64
	FirstError   string
	PerSecond    float64
	P50, P99     float64 // milliseconds
}

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
	host, _, err := net.SplitHostPort(o.Address)
	ip := net.ParseIP(host)
	switch {
	case err != nil || !ip.IsLoopback():
		return usage("the load generator asks a server on this machine only, not %q", o.Address)
	case o.Clients < 1 || o.Clients > benchClientsMax, o.Pools < 1, o.Members < 1, o.Warm+o.Count > 2*benchSecondsMax*time.Second:
		return usage("the load generator is run by purser bench spends")
	}
	return nil
}

// benchClients are all clients: each has a connection, and asks for the next spend when
// it has the answer to the one before.
type benchClients struct {
	order      benchOrder
	now        func() time.Time
	begin, end time.Time // of what counts
	next       atomic.Int64
	retries    atomic.Int64

	mu    sync.Mutex
	load  benchLoad
	times []time.Duration
}

func (o benchOrder) run(ctx context.Context, now func() time.Time) benchLoad {
	c := &benchClients{order: o, now: now, begin: now().Add(o.Warm)}
	c.end = c.begin.Add(o.Count)
	var clients sync.WaitGroup
	for range o.Clients {
		clients.Go(func() { c.client(ctx) })
	}
	clients.Wait()
	slices.Sort(c.times)
	c.load.Retries = c.retries.Load()
	c.load.PerSecond = rounded(float64(len(c.times)) / o.Count.Seconds())
	c.load.P50, c.load.P99 = quantile(c.times, 50), quantile(c.times, 99)
	return c.load
}

// rounded leaves two digits: more would be noise.
func rounded(n float64) float64 { return math.Round(100*n) / 100 }

// quantile gives one of sorted durations in milliseconds.
func quantile(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	d := sorted[(len(sorted)-1)*percent/100]
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

// client spends until the time is up. One that fails stops: what became of its spend
// nobody knows.
func (c *benchClients) client(ctx context.Context) {
	var acknowledged int64
	var times []time.Duration
	err := c.spend(ctx, func(asked, answered time.Time) {
		acknowledged++
		if !answered.Before(c.begin) && answered.Before(c.end) {
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

// spend speaks HTTP/1.1 over one connection that is kept. net/http's own client would
// take about as much of the machine as the server that is measured.
func (c *benchClients) spend(ctx context.Context, done func(asked, answered time.Time)) error {
	conn, err := (&net.Dialer{Timeout: benchPatience}).DialContext(ctx, "tcp", c.order.Address)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for ctx.Err() == nil {
		asked := c.now()
		n := c.next.Add(1)
		if !asked.Before(c.end) || n > benchSpendsMax {
			return nil
		}
		if err := c.ask(conn, in, c.request(n)); err != nil {
			return err
		}
		done(asked, c.now())
	}
	return nil
}

// ask asks until it is answered with other than 503: the same request with the same key
// spends once, however often it comes.
func (c *benchClients) ask(conn net.Conn, in *bufio.Reader, request []byte) error {
	for {
		at := c.now()
		if err := conn.SetDeadline(at.Add(benchPatience)); err != nil {
			return fmt.Errorf("asking: %w", err)
		}
		if _, err := conn.Write(request); err != nil {
			return fmt.Errorf("asking: %w", err)
		}
		err := readAnswer(in)
		if !errors.Is(err, errBenchAgain) || at.After(c.end.Add(benchPatience)) {
			return err
		}
		c.retries.Add(1)
		time.Sleep(benchPause)
	}
}

// benchPause is how long a client waits before it asks again.
const benchPause = 100 * time.Millisecond

// errBenchAgain says that the server had too much to do.
var errBenchAgain = errors.New("answered with 503")

// request is the n-th spend: the pools take turns, and in each its members.
func (c *benchClients) request(n int64) []byte {
	team, member := int(n)%c.order.Pools, int(n)/c.order.Pools%c.order.Members
	body := fmt.Sprintf(`{"user_id":%q,"credits":%d}`, benchMember(team, member), benchCredits)
	return fmt.Appendf(nil, "POST /v1/teams/%s/spends HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
		"Idempotency-Key: %s-%d\r\nContent-Length: %d\r\n\r\n%s",
		benchTeam(team), c.order.Address, c.order.Token, c.order.Prefix, n, len(body), body)
}

func readAnswer(in *bufio.Reader) error {
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<16))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	switch res.StatusCode {
	case http.StatusCreated:
		return nil
	case http.StatusServiceUnavailable:
		return fmt.Errorf("%w: %s", errBenchAgain, oneLine(string(body)))
	default:
		return fmt.Errorf("answered with %d: %s", res.StatusCode, oneLine(string(body)))
	}
}
