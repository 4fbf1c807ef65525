package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
)

// Config is what the API needs of the world.
type Config struct {
	Pool    *pgxpool.Pool
	Catalog *billing.Catalog
	Stripe  billing.Stripe // sells packs
	// Stage stages the jobs of events that waited for a customer.
	Stage func(ctx context.Context, tx pgx.Tx, args []billing.EventArgs) error
	// StageTopUps stages the decision of automatic top-ups whose credits ran low.
	StageTopUps func(ctx context.Context, tx pgx.Tx, books []int64) error

	NewID  func(kind string) string
	Now    func() time.Time // the clock that credits follow
	Wall   func() time.Time // the clock that durations and rates follow
	Logger *slog.Logger

	Version    string        // of the binary, for the document
	Rate       int           // requests a second for each key; 0: RateDefault
	RequestMax int           // requests under way at once, past which callers are told to come back; 0: RequestMaxDefault
	QueueMax   int           // spends that wait for the commit before, past which callers are told to come back; 0: QueueMaxDefault
	Alone      bool          // a transaction for each spend, instead of gathering them
	Patience   time.Duration // with a file's reader, for each write; 0: PatienceDefault
	AcceptURL  string        // where an invitation is accepted, with {token} in it; "": answers carry the token only
	PageURL    string        // where a page session's link is opened, with {token} in it; "": there is no page
}

// RateDefault is how many requests a second each API key may make.
const RateDefault = 5000

// What may be under way and wait at once: more is refused at once, so that a flood costs
// neither memory nor those who came before it their answer.
const (
	RequestMaxDefault = 10_000
	QueueMaxDefault   = 8_192
)

// PatienceDefault is how long the reader of a file may take for each piece of it.
const PatienceDefault = 30 * time.Second

// Limits of every request.
const (
	bodyMax        = 64 << 10
	requestTimeout = 25 * time.Second
	exportTimeout  = 30 * time.Minute
)

// Server is the API as an http.Handler.
type Server struct {
	cfg   Config
	mux   *http.ServeMux
	huma  huma.API
	keys  *keyring
	lanes *lanes
	under atomic.Int64 // requests under way
}

// New makes the API and opens the connections of its lanes. Close closes them.
func New(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Rate == 0 {
		cfg.Rate = RateDefault
	}
	if cfg.RequestMax == 0 {
		cfg.RequestMax = RequestMaxDefault
	}
	if cfg.QueueMax == 0 {
		cfg.QueueMax = QueueMaxDefault
	}
	if cfg.Patience == 0 {
		cfg.Patience = PatienceDefault
	}
	s := &Server{cfg: cfg, mux: http.NewServeMux()}
	s.keys = newKeyring(cfg)
	var err error
	if s.lanes, err = openLanes(ctx, cfg); err != nil {
		return nil, fmt.Errorf("opening the lanes: %w", err)
	}
	s.register()
	return s, nil
}

// Close takes no more spends and waits for those under way.
func (s *Server) Close(ctx context.Context) error { return s.lanes.close(ctx) }

// register makes the routes and, of them, the document.
func (s *Server) register() {
	cfg := huma.DefaultConfig("purser", "1")
	cfg.Info.Description = documentText
	cfg.DocsPath, cfg.SchemasPath = "", ""
	cfg.CreateHooks = nil
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"apiKey": {Type: "http", Scheme: "bearer", Description: "An API key: pk_…. Its scopes open operations."},
	}
	s.huma = humago.New(s.mux, cfg)
	s.huma.UseMiddleware(s.gate)
	s.registerUsers()
	s.registerTeams()
	s.registerPool()
	s.registerSpends()
	s.registerMembers()
	s.registerInvitations()
	s.registerMoves()
	s.registerEntries()
	s.registerUsage()
	s.registerMemberships()
	s.registerCatalog()
	s.registerPurchases()
	s.registerAutoTopUps()
	s.registerSubscriptions()
	s.registerAssigning()
	s.registerPortal()
	s.registerExplain()
	s.registerClosing()
	s.registerNotices()
	s.registerBonus()
	s.registerSuspensions()
	s.registerKeys()
	s.registerPageSessions()
	s.mux.HandleFunc("GET /problems", problemsPage)
	s.mux.HandleFunc("/", s.unknown)
}

// Document is the OpenAPI document as YAML.
func (s *Server) Document() ([]byte, error) { return s.huma.OpenAPI().YAML() }

const documentText = `The credits of teams that pay by the seat.

Authenticate with ` + "`Authorization: Bearer pk_…`" + `. A key has scopes: spend, read, manage, operate. Without
` + "`Purser-User`" + ` the product's backend itself asks, whom no role limits; with it that user's role in the team decides.

Every write needs an ` + "`Idempotency-Key`" + `: the same request again with the same key gets the first answer again and does
nothing; another request with that key is refused. What was refused is not remembered, so it may be tried again with its key.

Credits are whole numbers. Instants are RFC 3339 in UTC. Lists have ` + "`items`" + ` and, if there is more, ` + "`next`" + ` to give as ` + "`cursor`" + `.
Refusals are problem+json (RFC 9457) with a stable ` + "`code`" + `; /problems explains each.`
