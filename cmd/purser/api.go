package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"purser/api"
	"purser/web"
	"purser/worker"
)

// apiFlags say how the API answers.
type apiFlags struct {
	Rate      int    `name:"api-rate" env:"PURSER_API_RATE" default:"5000" help:"How many requests a second each API key may make."`
	Requests  int    `name:"api-requests" env:"PURSER_API_REQUESTS" default:"10000" help:"How many requests may be under way at once; more are answered 503 with Retry-After."`
	Queue     int    `name:"api-queue" env:"PURSER_API_QUEUE" default:"8192" help:"How many spends may wait at once for the commit before; more are answered 503 with Retry-After. One team gets half of the places."`
	Alone     bool   `name:"api-alone" env:"PURSER_API_ALONE" help:"Give each spend a transaction of its own instead of gathering them: slower, for comparison."`
	AcceptURL string `name:"accept-url" env:"PURSER_ACCEPT_URL" placeholder:"URL" help:"The page of your product on which an invitation is accepted, with {token} where its token goes. Without it answers carry the token only."`
}

// check gives what is wrong.
func (f apiFlags) check() []string {
	var wrong []string
	if f.Rate < 1 || f.Rate > 1_000_000 {
		wrong = append(wrong, fmt.Sprintf("set PURSER_API_RATE to a number from 1 to 1000000, not %d", f.Rate))
	}
	if f.Requests < 1 || f.Requests > 1_000_000 {
		wrong = append(wrong, fmt.Sprintf("set PURSER_API_REQUESTS to a number from 1 to 1000000, not %d", f.Requests))
	}
	if f.Queue < 1 || f.Queue > 1_000_000 {
		wrong = append(wrong, fmt.Sprintf("set PURSER_API_QUEUE to a number from 1 to 1000000, not %d", f.Queue))
	}
	if f.AcceptURL == "" {
		return wrong
	}
	u, err := url.Parse(strings.ReplaceAll(f.AcceptURL, "{token}", "x"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Count(f.AcceptURL, "{token}") != 1 {
		wrong = append(wrong, "set PURSER_ACCEPT_URL to an address with {token} in it, as https://app.example.com/join?token={token}")
	}
	return wrong
}

// openAPI makes the API of this service.
func (s *service) openAPI(ctx context.Context) error {
	stage, err := worker.NewStager(s.cfg.Pool, s.cfg.Logger)
	if err != nil {
		return err
	}
	link := ""
	if address := s.cfg.Page.at(s.listen.Addr()); address != "" {
		link = web.LinkURL(address)
	}
	s.api, err = api.New(ctx, api.Config{
		Pool: s.cfg.Pool, Catalog: s.cfg.Catalog, Stripe: s.cfg.Stripe, Stage: stage.Events, StageTopUps: stage.TopUps, NewID: newID, Now: s.cfg.Now, Wall: s.cfg.Wall,
		Logger: s.cfg.Logger, Rate: s.cfg.API.Rate, RequestMax: s.cfg.API.Requests, QueueMax: s.cfg.API.Queue, Alone: s.cfg.API.Alone, AcceptURL: s.cfg.API.AcceptURL, PageURL: link,
	})
	return err
}

// beside answers with the API and the page, except on the paths of the service itself.
func (s *service) beside(own http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz", "/readyz", "/webhooks/stripe":
			own.ServeHTTP(w, r)
		default:
			if ofPage(r.URL.Path) {
				s.servePage(w, r)
				return
			}
			s.api.ServeHTTP(w, r)
		}
	})
}

// closeAPI waits for spends under way, if there is an API.
func (s *service) closeAPI(ctx context.Context) error {
	if s.api == nil {
		return nil
	}
	return s.api.Close(ctx)
}
