package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"purser/api"
	"purser/billing"
	"purser/migrations"
	"purser/web"
	"purser/webhooks"
	"purser/worker"
)

// The roles that a process may have. One process may have both; several processes of
// either may share one database.
const (
	roleAll    = "all"
	roleWeb    = "web"    // receives events; stages jobs, works none
	roleWorker = "worker" // works jobs; answers health checks only
)

// service is purser at work, as serve, dev and demo run it: the receiver, the worker and
// the health checks over one database.
type service struct {
	cfg    serviceConfig
	worker *worker.Worker
	api    *api.Server // nil where only jobs are worked
	page   *web.Server // nil where there is none
	server *http.Server
	listen net.Listener
	failed chan error
}

type serviceConfig struct {
	Pool         *pgxpool.Pool
	Catalog      *billing.Catalog
	Stripe       billing.Stripe
	Secrets      []string
	Livemode     bool
	Listen       string
	Role         string
	Now          func() time.Time // purser's clock
	Wall         func() time.Time // the clock that signatures are judged by
	Logger       *slog.Logger
	Schedules    worker.Schedules
	EventWorkers int
	EventQueue   int
	EventsKeep   int
	API          apiFlags
	Page         pageFlags
	StripeAt     []string // the origins of Stripe's pages; none: Stripe's own
}

// stopPatience is how long a stopping process waits for requests and jobs that run.
const stopPatience = 25 * time.Second

// startService migrates the database and starts what the role asks for. What it has
// started when it fails, it stops.
func startService(ctx context.Context, cfg serviceConfig) (*service, error) {
	if err := migrations.Up(ctx, cfg.Pool); err != nil {
		return nil, err
	}
	if _, err := billing.EnsureEventPartitions(ctx, cfg.Pool, cfg.Now(), 3); err != nil {
		return nil, fmt.Errorf("making the inbox's partitions: %w", err)
	}
	s := &service{cfg: cfg, failed: make(chan error, 1)}
	if cfg.Role != roleWeb {
		w, err := worker.New(worker.Config{
			Pool: cfg.Pool, Catalog: cfg.Catalog, Stripe: cfg.Stripe, Now: cfg.Now, NewID: newID, Logger: cfg.Logger,
			Schedules: cfg.Schedules, EventWorkers: cfg.EventWorkers, EventsKeep: cfg.EventsKeep,
		})
		if err != nil {
			return nil, err
		}
		s.worker = w
	}
	listen, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", cfg.Listen, err)
	}
	s.listen = listen
	handler, err := s.handler(ctx)
	if err != nil {
		return nil, errors.Join(err, listen.Close())
	}
	s.server = &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		WriteTimeout: time.Minute, // files are given more, piece by piece
	}
	if s.worker != nil {
		if err := s.worker.Start(context.WithoutCancel(ctx)); err != nil {
			return nil, errors.Join(err, listen.Close(), s.closeAPI(ctx))
		}
	}
	go func() {
		if err := s.server.Serve(listen); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serving HTTP: %w", err)
		}
	}()
	return s, nil
}

func (s *service) handler(ctx context.Context) (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answerText(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	if s.cfg.Role == roleWorker {
		return mux, nil
	}
	stage, err := worker.NewStager(s.cfg.Pool, s.cfg.Logger)
	if err != nil {
		return nil, err
	}
	mux.Handle("/webhooks/stripe", webhooks.New(webhooks.Config{
		Pool: s.cfg.Pool, Stage: stage.Events, Secrets: s.cfg.Secrets, Livemode: s.cfg.Livemode, Now: s.cfg.Wall, Logger: s.cfg.Logger,
		QueueMax: s.cfg.EventQueue,
	}))
	if err := s.openAPI(ctx); err != nil {
		return nil, err
	}
	if err := s.openPage(); err != nil {
		return nil, errors.Join(err, s.closeAPI(ctx))
	}
	return s.beside(mux), nil
}

// ready tells whether this process can do its work: the database answers and has the
// tables that this binary needs.
func (s *service) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	status, err := migrations.Check(ctx, s.cfg.Pool)
	switch {
	case err != nil:
		s.cfg.Logger.WarnContext(ctx, "not ready", slog.Any("error", err))
		answerText(w, http.StatusServiceUnavailable, "the database can't be reached")
	case !status.Current():
		answerText(w, http.StatusServiceUnavailable, "the database is not migrated")
	default:
		answerText(w, http.StatusOK, "ready")
	}
}

func answerText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text)
}

// URL is where the service listens.
func (s *service) URL() string { return "http://" + s.listen.Addr().String() }

// Failed tells when the service can't go on.
func (s *service) Failed() <-chan error { return s.failed }

// Stop takes no more requests and jobs, and waits for those that run. A job that doesn't
// end in time goes back to the queue, whole.
func (s *service) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	err := s.server.Shutdown(ctx)
	err = errors.Join(err, s.closeAPI(ctx))
	if s.worker != nil {
		err = errors.Join(err, s.worker.Stop(ctx))
	}
	return err
}
