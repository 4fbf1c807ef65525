package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// Names of the cookies. A browser takes one that begins with __Host- only over https, for
// this host alone and from nobody else; plain http on one's own machine has to do without.
const (
	cookieSecure = "__Host-purser"
	cookiePlain  = "purser_page"
	zoneCookie   = "purser_zone" // the browser's time zone, which a script tells
)

var cookieText = base64.RawURLEncoding

const secretSize = 32

func (s *Server) cookieName() string {
	if s.secure {
		return cookieSecure
	}
	return cookiePlain
}

func (s *Server) setCookie(w http.ResponseWriter, secret []byte, age time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: cookieText.EncodeToString(secret), Path: "/", MaxAge: int(age.Seconds()), HttpOnly: true,
		Secure: s.secure, SameSite: http.SameSiteLaxMode, // Lax, so that Stripe's pages and the product's lead back
	})
}

func hashOf(secret []byte) []byte {
	sum := sha256.Sum256(secret)
	return sum[:]
}

// secretOf reads the cookie; nil if there is none that can be ours.
func (s *Server) secretOf(r *http.Request) []byte {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return nil
	}
	secret, err := cookieText.DecodeString(c.Value)
	if err != nil || len(secret) != secretSize {
		return nil
	}
	return secret
}

func (s *Server) registerSessions() {
	s.mux.HandleFunc("GET "+Root+"/open/{token}", s.open)
	s.mux.HandleFunc("GET "+Root+"/{$}", s.home)
	s.mux.HandleFunc("GET "+Root, s.home)
	s.mux.HandleFunc("POST "+Root+"/leave", s.leave)
}

// open begins a session with its link.
func (s *Server) open(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead { // somebody only looks whether the link leads anywhere
		w.WriteHeader(http.StatusOK)
		return
	}
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret)
	link := sha256.Sum256([]byte(r.PathValue("token")))
	var session teams.PageSession
	err := pgx.BeginFunc(r.Context(), s.cfg.Pool, func(tx pgx.Tx) (err error) {
		session, err = teams.OpenPageSession(r.Context(), tx, link[:], hashOf(secret), s.cfg.Wall())
		return err
	})
	switch {
	case errors.Is(err, teams.ErrPageSessionUnknown):
		s.refuse(w, r, nil, refusal{Status: http.StatusNotFound, Code: "link_unknown"})
	case errors.Is(err, teams.ErrPageSessionOver):
		s.refuse(w, r, nil, refusal{Status: http.StatusGone, Code: "link_used", Back: session.ReturnURL})
	case err != nil:
		s.sorry(w, r, err)
	default:
		s.setCookie(w, secret, session.EndsAt.Sub(s.cfg.Wall()))
		http.Redirect(w, r, homeOf(session), http.StatusSeeOther)
	}
}

// homeOf is where a session begins.
func homeOf(session teams.PageSession) string {
	if session.TeamID != "" {
		return teamPath(session.TeamID)
	}
	return Root + "/account"
}

func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	if v := s.visit(w, r); v != nil {
		http.Redirect(w, r, homeOf(v.session), http.StatusSeeOther)
	}
}

// leave ends the session and leads back to the product.
func (s *Server) leave(w http.ResponseWriter, r *http.Request) {
	v := s.visit(w, r)
	if v == nil || !v.proven(w) {
		return
	}
	if err := teams.EndPageSession(r.Context(), s.cfg.Pool, v.session.ID, s.cfg.Wall()); err != nil {
		s.sorry(w, r, err)
		return
	}
	s.setCookie(w, nil, -time.Second)
	// A link, not a redirect: where it leads is no page that forms may be sent to.
	v.render(w, http.StatusOK, view{Screen: "message", Title: v.T("left.title"), Data: calm{Text: v.T("left.text"), Back: v.session.ReturnURL}})
}

// visit finds out whose request it is. Without a session it answers so, and gives nil.
func (s *Server) visit(w http.ResponseWriter, r *http.Request) *visit {
	secret := s.secretOf(r)
	if secret == nil {
		s.refuse(w, r, nil, refusal{Status: http.StatusUnauthorized, Code: "no_session"})
		return nil
	}
	session, err := teams.FindPageSession(r.Context(), s.cfg.Pool, hashOf(secret), s.cfg.Wall())
	switch {
	case errors.Is(err, teams.ErrPageSessionUnknown):
		s.refuse(w, r, nil, refusal{Status: http.StatusUnauthorized, Code: "no_session"})
		return nil
	case errors.Is(err, teams.ErrPageSessionOver):
		s.over(w, r, session, err)
		return nil
	case err != nil:
		s.sorry(w, r, err)
		return nil
	}
	v := &visit{s: s, r: r, session: session, secret: secret, By: teams.Actor{User: session.UserID}, At: s.cfg.Now()}
	v.speech = s.speechFor(r, session.Locale, session.TimeZone)
	return v
}

// over says that a session is over, and to who has left its team that this is why.
func (s *Server) over(w http.ResponseWriter, r *http.Request, session teams.PageSession, why error) {
	said := refusal{Status: http.StatusUnauthorized, Code: "session_over"}
	v := &visit{s: s, r: r, session: session, speech: s.speechFor(r, session.Locale, session.TimeZone)}
	if errors.Is(why, teams.ErrPageSessionLeft) {
		err := teams.CheckDeparted(r.Context(), s.cfg.Pool, session.TeamID, session.UserID)
		var departed *teams.Departed
		if err != nil && !errors.As(err, &departed) {
			s.sorry(w, r, err)
			return
		}
		if departed != nil {
			said = v.departed(departed)
		}
	}
	s.refuse(w, r, v, said)
}

// visit is one request of somebody who is there.
type visit struct {
	*speech
	s       *Server
	r       *http.Request
	session teams.PageSession
	secret  []byte
	By      teams.Actor
	At      time.Time // by the clock that credits follow

	Person  teams.User
	Team    *teams.Team // whose page it is; nil: the user's own
	Role    teams.Role
	Told    *note    // what became of what was sent before
	Problem *refusal // why what was sent is refused
	form    form     // what was sent
	here    string   // the path of the page that is shown, if it isn't the request's
}

// findTeam lets nobody see a team but the one that the session is for, and there only
// members.
func (v *visit) findTeam(ctx context.Context, tx pgx.Tx) error {
	var err error
	if v.Person, err = teams.GetUser(ctx, tx, v.By.User); err != nil {
		return err
	}
	id := v.r.PathValue("team")
	if id == "" {
		if v.session.TeamID != "" {
			return errNotHere
		}
		return nil
	}
	if v.session.TeamID != "" && v.session.TeamID != id {
		return errNotHere
	}
	team, role, err := teams.Look(ctx, tx, id, v.By)
	v.Team, v.Role = &team, role
	var refused *teams.Refusal
	if errors.As(err, &refused) {
		// Whoever was there before is told so.
		if gone := teams.CheckDeparted(ctx, tx, id, v.By.User); gone != nil {
			return gone
		}
	}
	return err
}

// errNotHere says that the session is for another page.
var errNotHere = &teams.Refusal{Class: teams.NotFound, Code: "page_unknown", Detail: "there is no such page"}

// Manages tells whether the user manages the team.
func (v *visit) Manages() bool { return v.Role.Manages() }
