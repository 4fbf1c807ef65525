package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// PageSession is a link that opens the hosted page once.
type PageSession struct {
	ID        string    `json:"id"`
	URL       string    `json:"url" doc:"Lead the user's browser there at once: it opens the page once"`
	ExpiresAt time.Time `json:"expires_at" doc:"Until when the link may be opened"`
}

// PageSessionIn asks for a page session.
type PageSessionIn struct {
	Writing
	Body struct {
		UserID    string `json:"user_id" minLength:"1" maxLength:"200" doc:"Who looks and acts, as your product has made sure of; made at this mention"`
		TeamID    string `json:"team_id,omitempty" maxLength:"200" doc:"The team to look at, of which the user is a member. Left out: the user's own page, with all teams of the user"`
		ReturnURL string `json:"return_url" minLength:"1" maxLength:"2000" doc:"Where the page leads back to: a page of your product"`
		Locale    string `json:"locale,omitempty" maxLength:"35" doc:"As en-GB; left out: as the browser says"`
		TimeZone  string `json:"time_zone,omitempty" maxLength:"64" doc:"As Europe/Berlin; left out: as the browser says"`
	}
}

func (s *Server) registerPageSessions() {
	write(s, spec{
		id: "create-page-session", method: http.MethodPost, path: "/v1/page_sessions", tag: "Page", scopes: manage, status: http.StatusCreated,
		refusals: []int{http.StatusNotFound}, secret: true, summary: "Open the hosted page for a user",
		doc: "Answers a link that opens the page once, within five minutes. What the user may do there, the user's role decides.",
	}, func(ctx context.Context, db billing.DB, in *PageSessionIn) (int64, error) {
		if in.Body.TeamID != "" {
			return teamBook(ctx, db, in.Body.TeamID)
		}
		return userBook(ctx, db, in.Body.UserID)
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *PageSessionIn) (PageSession, error) {
		if err := c.onlySelf(in.Body.UserID); err != nil {
			return PageSession{}, err
		}
		if s.cfg.PageURL == "" {
			return PageSession{}, problem("page_without_address", "")
		}
		if !isPage(in.Body.ReturnURL) {
			return PageSession{}, wrongPlace("body.return_url", "must be the address of a page")
		}
		token, hash := NewToken()
		made, err := teams.CreatePageSession(ctx, tx, teams.PageSessionIn{
			ID: s.cfg.NewID("page"), UserID: in.Body.UserID, TeamID: in.Body.TeamID, ReturnURL: in.Body.ReturnURL, Locale: in.Body.Locale,
			TimeZone: in.Body.TimeZone, LinkHash: hash,
		}, s.cfg.Wall())
		return PageSession{ID: made.ID, URL: strings.ReplaceAll(s.cfg.PageURL, "{token}", token), ExpiresAt: made.LinkEndsAt.UTC()}, err
	})
}
