package web

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
)

// Config is what the page needs of the world.
type Config struct {
	Pool    *pgxpool.Pool
	Catalog *billing.Catalog
	Stripe  billing.Stripe // opens its checkout and its billing portal
	// StageTopUps stages the decision of automatic top-ups that somebody has just set.
	StageTopUps func(ctx context.Context, tx pgx.Tx, books []int64) error

	NewID  func(kind string) string
	Now    func() time.Time // the clock that credits follow
	Wall   func() time.Time // the clock that sessions follow
	Logger *slog.Logger

	URL       string   // the service's public address, as https://credits.example.com
	StripeAt  []string // origins of Stripe's pages; none: Stripe's own
	AcceptURL string   // where an invitation is accepted, with {token} in it
	Brand     Brand
}

// Brand is how the page shows the product.
type Brand struct {
	Name   string            // "": purser
	Logo   string            // the address of an image; "": none
	Colour string            // as #3457d5; "": ours
	Words  map[string]string // texts to use instead of ours, by their keys
}

// Root is where the page begins. All its paths begin with it.
const Root = "/page"

// Limits of every request.
const (
	bodyMax        = 256 << 10
	requestTimeout = 25 * time.Second
)

// stripesOwn are the origins of Stripe's own pages.
var stripesOwn = []string{"https://checkout.stripe.com", "https://billing.stripe.com"}

// Server is the page as an http.Handler.
type Server struct {
	cfg     Config
	secure  bool // the address is https
	mux     *http.ServeMux
	foreign *http.CrossOriginProtection
	policy  string // Content-Security-Policy
	texts   *library
	screens map[string]*screenTemplate
	assets  map[string]asset
}

// New makes the page.
func New(cfg Config) (*Server, error) {
	if err := CheckURL(cfg.URL); err != nil {
		return nil, err
	}
	if cfg.Brand.Name == "" {
		cfg.Brand.Name = "purser"
	}
	if len(cfg.StripeAt) == 0 {
		cfg.StripeAt = stripesOwn
	}
	s := &Server{cfg: cfg, secure: cfg.URL[:5] == "https", mux: http.NewServeMux(), foreign: http.NewCrossOriginProtection()}
	if err := s.foreign.AddTrustedOrigin(cfg.URL); err != nil {
		return nil, fmt.Errorf("the page's address: %w", err)
	}
	var err error
	if s.texts, err = readTexts(cfg.Brand.Words); err != nil {
		return nil, err
	}
	if s.assets, err = readAssets(cfg.Brand.Colour); err != nil {
		return nil, err
	}
	if s.screens, err = s.readScreens(); err != nil {
		return nil, err
	}
	if s.policy, err = policyOf(cfg); err != nil {
		return nil, err
	}
	s.register()
	return s, nil
}

// CheckURL tells what is wrong with an address for the page: beyond this machine it must be
// https, or the cookie would go over the wire for all to read.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%q is not an origin such as https://credits.example.com", address)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q must be https: plain http is for this machine alone", address)
	}
	return nil
}

// LinkURL is the address that opens a page session, with {token} for its token.
func LinkURL(address string) string { return address + Root + "/open/{token}" }

// register makes the routes, page by page.
func (s *Server) register() {
	s.registerAssets()
	s.registerSessions()
	s.registerOverview()
	s.registerMine()
	s.registerMembers()
	s.registerMoves()
	s.registerUsage()
	s.registerHistory()
	s.registerExplain()
	s.registerBilling()
	s.registerSettings()
	s.registerTeams()
	s.mux.HandleFunc("/", s.unknown)
}
