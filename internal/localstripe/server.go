package localstripe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// APIVersion is the one version that is spoken here.
const APIVersion = "2023-10-16"

// Config says where the server listens and where its clock stands.
type Config struct {
	Listen string           // default "127.0.0.1:0"; anything but loopback is refused
	Start  time.Time        // where the clock stands; default: Wall's now
	Wall   func() time.Time // signs webhooks; default: the movable clock
	Logger *slog.Logger     // default: silent
	Seed   uint64           // every id is derived from it
}

// Server is one Stripe account in test mode.
type Server struct {
	log  *slog.Logger
	wall func() time.Time
	url  string
	key  string
	http *http.Server
	done chan struct{} // closed when the listener's goroutine has ended

	advancing sync.Mutex // one Advance at a time
	callbacks []func(time.Time)

	mu      sync.Mutex // guards everything below
	seed    uint64
	counter uint64
	clock   *clock          // the default one; test clocks are beside it
	cause   cause           // the request that is being carried out, if any
	batch   *[]pendingEvent // within together
	replays map[string]*replay
	flying  map[string]bool // idempotency keys of calls that are delayed
	dunning Dunning
	trouble []Trouble
	soothed chan struct{} // closed when trouble is over; nil: nobody waits for that
	state

	out *outbox
}

// state is the account's objects.
type state struct {
	account       account
	clocks        table[*clock]
	customers     table[*customer]
	products      table[*product]
	prices        table[*price]
	methods       table[*paymentMethod]
	coupons       table[*coupon]
	codes         table[*promotionCode]
	subscriptions table[*subscription]
	schedules     table[*schedule]
	items         table[*item]
	usage         table[*usageRecord]
	invoiceItems  table[*invoiceItem]
	invoices      table[*invoice]
	intents       table[*paymentIntent]
	charges       table[*charge]
	refunds       table[*refund]
	disputes      table[*dispute]
	setups        table[*setupIntent]
	sessions      table[*checkoutSession]
	portals       table[*portalSession]
	configs       table[*configuration]
	events        table[*event]
	endpoints     table[*endpoint]
}

type finder interface {
	find(id string) (entity, bool)
}

func (s *state) tables() []finder {
	return []finder{
		&s.clocks, &s.customers, &s.products, &s.prices, &s.coupons, &s.codes, &s.methods, &s.subscriptions, &s.schedules, &s.items, &s.invoiceItems,
		&s.invoices, &s.refunds, &s.disputes, &s.setups, &s.intents, &s.charges, &s.sessions, &s.portals, &s.configs, &s.events, &s.endpoints,
	}
}

// Start listens and serves until Close.
func Start(cfg Config) (*Server, error) {
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Start.IsZero() {
		if cfg.Wall == nil {
			return nil, errors.New("starting the local Stripe: Config needs Start or Wall")
		}
		cfg.Start = cfg.Wall()
	}
	listener, err := listenLoopback(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("starting the local Stripe: %w", err)
	}
	s := &Server{
		log: cfg.Logger, wall: cfg.Wall, url: "http://" + listener.Addr().String(), done: make(chan struct{}),
		seed: cfg.Seed, clock: &clock{now: cfg.Start.Unix()}, replays: map[string]*replay{}, flying: map[string]bool{}, dunning: defaultDunning(),
	}
	if s.wall == nil {
		s.wall = s.Now
	}
	s.key = "sk_test_" + s.token(24)
	s.account = account{id: "acct_" + s.token(16), created: s.clock.now}
	s.out = newOutbox(s)
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.done)
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("local Stripe stopped serving", "error", err)
		}
	}()
	return s, nil
}

// listenLoopback refuses to open a port that others could reach: the key is no secret and the control
// API asks for none.
func listenLoopback(address string) (net.Listener, error) {
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	if !resolved.IP.IsLoopback() {
		return nil, fmt.Errorf("%s is not a loopback address", address)
	}
	return net.ListenTCP("tcp", resolved)
}

// URL is the base of the API, without the /v1.
func (s *Server) URL() string { return s.url }

// Key is a key that the server accepts; any other sk_test_ or rk_test_ key will do.
func (s *Server) Key() string { return s.key }

// Now is where the clock stands.
func (s *Server) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Unix(s.clock.now, 0).UTC()
}

// Close stops serving and delivering. Deliveries in flight are given up, and so are calls that take long.
func (s *Server) Close() error {
	s.out.close()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	<-s.done
	return err
}
