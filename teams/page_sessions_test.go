package teams

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// pageSession asks for one for a team, or with "" for the user's own page, and gives what
// opens it.
func (w *world) pageSession(user, team string) []byte {
	w.t.Helper()
	link := []byte(w.key("link"))
	w.must(func(tx pgx.Tx) error {
		_, err := CreatePageSession(w.t.Context(), tx, PageSessionIn{
			ID: w.key("page"), UserID: user, TeamID: team, ReturnURL: "https://app.example/settings", TimeZone: "Europe/Berlin", LinkHash: link,
		}, w.at)
		return err
	})
	return link
}

func (w *world) open(link []byte) (cookie []byte, s PageSession, err error) {
	w.t.Helper()
	cookie = []byte(w.key("cookie"))
	s, err = OpenPageSession(w.t.Context(), w.tx, link, cookie, w.at)
	return cookie, s, err
}

func (w *world) found(cookie []byte) error {
	w.t.Helper()
	s, err := FindPageSession(w.t.Context(), w.tx, cookie, w.at)
	if (err == nil || errors.Is(err, ErrPageSessionOver)) && s.ReturnURL != "https://app.example/settings" {
		w.t.Errorf("nobody finds back: %+v", s)
	}
	return err
}

func TestPageSession(t *testing.T) {
	t.Parallel()
	t.Run("ALinkOpensOnceWithinFiveMinutes", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.team("acme", "ann")
		link := w.pageSession("ann", "acme")
		w.at = w.at.Add(5*time.Minute - time.Second)
		cookie, s, err := w.open(link)
		if err != nil || s.UserID != "ann" || s.TeamID != "acme" || s.TimeZone != "Europe/Berlin" {
			t.Fatalf("%+v: %v", s, err)
		}
		if _, s, err := w.open(link); !errors.Is(err, ErrPageSessionOver) || s.ReturnURL == "" || s.UserID != "" {
			t.Errorf("a second time: %+v, %v", s, err)
		}
		if err := w.found(cookie); err != nil {
			t.Error(err)
		}
		late := w.pageSession("ann", "acme")
		w.at = w.at.Add(5 * time.Minute)
		if _, _, err := w.open(late); !errors.Is(err, ErrPageSessionOver) {
			t.Errorf("after five minutes: %v", err)
		}
		if _, _, err := w.open([]byte("another link")); !errors.Is(err, ErrPageSessionUnknown) {
			t.Errorf("a link that nobody made: %v", err)
		}
	})
	t.Run("ASessionEndsAfterEightHours", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		cookie, _, err := w.open(w.pageSession("eve", ""))
		if err != nil {
			t.Fatal(err)
		}
		w.at = w.at.Add(8*time.Hour - time.Second)
		if err := w.found(cookie); err != nil {
			t.Error(err)
		}
		w.at = w.at.Add(time.Second)
		if err := w.found(cookie); !errors.Is(err, ErrPageSessionOver) {
			t.Errorf("after eight hours: %v", err)
		}
	})
	t.Run("ItIsOverOnceItsUserLeavesTheTeam_AlsoForWhoComesBack", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.team("acme", "ann")
		w.join("acme", "bob")
		cookie, _, err := w.open(w.pageSession("bob", "acme"))
		if err != nil || w.found(cookie) != nil {
			t.Fatal(err)
		}
		w.must(func(tx pgx.Tx) error {
			_, _, err := ChangeMembers(t.Context(), tx, w.catalog, "acme", []Change{{UserID: "bob", Remove: true}}, backend, w.at)
			return err
		})
		gone, err := FindPageSession(t.Context(), w.tx, cookie, w.at)
		if !errors.Is(err, ErrPageSessionOver) || !errors.Is(err, ErrPageSessionLeft) || gone.UserID != "bob" || gone.TeamID != "acme" || gone.ID != "" {
			t.Errorf("removed: %+v, %v", gone, err)
		}
		w.at = w.at.Add(time.Minute)
		w.join("acme", "bob")
		if err := w.found(cookie); !errors.Is(err, ErrPageSessionOver) || errors.Is(err, ErrPageSessionLeft) {
			t.Errorf("back again: %v", err)
		}
	})
	t.Run("ItEndsWhenAskedTo", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		cookie, s, err := w.open(w.pageSession("eve", ""))
		if err != nil {
			t.Fatal(err)
		}
		if err := EndPageSession(t.Context(), w.tx, s.ID, w.at); err != nil {
			t.Fatal(err)
		}
		if err := w.found(cookie); !errors.Is(err, ErrPageSessionOver) {
			t.Error(err)
		}
	})
	t.Run("WhoIsNotInTheTeamGetsNone", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.team("acme", "ann")
		err := w.act(func(tx pgx.Tx) error {
			_, err := CreatePageSession(t.Context(), tx, PageSessionIn{ID: "p", UserID: "eve", TeamID: "acme", ReturnURL: "https://x.example", LinkHash: []byte("l")}, w.at)
			return err
		})
		wantRefusal(t, err, NotFound, "team_not_found")
	})
	t.Run("OldOnesAreForgottenAsNewOnesCome", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		link := w.pageSession("eve", "")
		w.at = w.at.Add(8 * 24 * time.Hour)
		w.pageSession("eve", "")
		if _, _, err := w.open(link); !errors.Is(err, ErrPageSessionUnknown) {
			t.Errorf("after eight days: %v", err)
		}
	})
	t.Run("LocaleAndZoneMustBeSuch", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		for _, in := range []PageSessionIn{{TimeZone: "Nowhere/At_All"}, {TimeZone: "../etc/passwd"}, {Locale: "<script>"}} {
			in.ID, in.UserID, in.ReturnURL, in.LinkHash = "p", "eve", "https://x.example", []byte("l")
			var field *FieldError
			if _, err := CreatePageSession(t.Context(), w.tx, in, w.at); !errors.As(err, &field) {
				t.Errorf("%+v: %v", in, err)
			}
		}
	})
}
