package web

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"purser/billing"
	"purser/teams"
)

// done is what became of a form: what the next page tells, and which page that is.
type done struct {
	Note note   `json:"note"`
	To   string `json:"to"`
}

// note is what a page tells of what was just done.
type note struct {
	Text string `json:"text"`
	Link string `json:"link,omitempty"` // to copy: an invitation's
	Rows []row  `json:"rows,omitempty"`
}

// row is what became of one of several.
type row struct {
	Who     string `json:"who"`
	Text    string `json:"text"`
	Refused bool   `json:"refused,omitempty"`
}

// doing does what a form asks for, in the transaction that also remembers that it is done.
type doing func(ctx context.Context, tx pgx.Tx, v *visit) (done, error)

// act registers what a form does. Refused, it shows the page again that has the form.
func (s *Server) act(path string, do doing, again showing) {
	s.mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(w, r)
		if v == nil || !v.read(w) {
			return
		}
		out, err := v.once(r.Context(), do)
		if err != nil {
			v.again(w, err, again)
			return
		}
		v.leaveFor(w, out)
	})
}

// read reads what was sent, and makes sure that it was sent from here.
func (v *visit) read(w http.ResponseWriter) bool {
	if err := v.r.ParseForm(); err != nil {
		v.s.refuse(w, v.r, v, refusal{Status: http.StatusRequestEntityTooLarge, Code: "form_unreadable"})
		return false
	}
	v.form = form{v.r.PostForm}
	return v.proven(w)
}

// leaveFor leads on to the page that tells what became of it.
func (v *visit) leaveFor(w http.ResponseWriter, out done) {
	sealed, err := v.seal(out.Note)
	if err == nil {
		err = teams.LeavePageNote(v.r.Context(), v.s.cfg.Pool, v.session.ID, sealed)
	}
	if err != nil {
		v.s.sorry(w, v.r, err)
		return
	}
	http.Redirect(w, v.r, out.To, http.StatusSeeOther)
}

// again shows the form once more, with the reason why it is refused.
func (v *visit) again(w http.ResponseWriter, err error, page showing) {
	why := v.refusalOf(err)
	if why.Status >= http.StatusInternalServerError {
		noteFailure(v.r.Context(), err)
	}
	if why.Status == http.StatusNotFound || why.Status == http.StatusGone || why.Status >= http.StatusInternalServerError || page == nil {
		v.s.refuse(w, v.r, v, why)
		return
	}
	v.Problem = &why
	v.show(w, why.Status, page)
}

// attemptsMax is how often something is begun anew that lost against another.
const attemptsMax = 4

var formKey = regexp.MustCompile(`^page-[A-Za-z0-9_-]{24}$`)

// key is the form's key and what it is compared by.
func (v *visit) key() (string, []byte) {
	h := sha256.New()
	part := func(text string) {
		h.Write(strconv.AppendInt(nil, int64(len(text)), 10))
		h.Write([]byte{':'})
		h.Write([]byte(text))
	}
	part(v.r.URL.EscapedPath())
	part(v.By.User)
	for _, name := range slices.Sorted(maps.Keys(v.form.Values)) {
		if name != "csrf" && name != "key" {
			part(name)
			for _, value := range v.form.Values[name] {
				part(value)
			}
		}
	}
	return v.form.Get("key"), h.Sum(nil)
}

// once does it, unless it was done: then it gives what became of it the first time.
func (v *visit) once(ctx context.Context, do doing) (out done, err error) {
	key, hash := v.key()
	return v.onceBy(ctx, key, hash, do)
}

func (v *visit) onceBy(ctx context.Context, key string, hash []byte, do doing) (out done, err error) {
	if !formKey.MatchString(key) {
		return out, &teams.Refusal{Class: teams.Rule, Code: "form_unreadable", Detail: "the form has no key"}
	}
	for range attemptsMax {
		first, err := v.first(ctx, key, hash)
		if err != nil {
			return out, err
		}
		if first != nil {
			err := v.unsealInto(first, &out)
			return out, err
		}
		err = pgx.BeginFunc(ctx, v.s.cfg.Pool, func(tx pgx.Tx) error {
			if err := v.findTeam(ctx, tx); err != nil {
				return err
			}
			if out, err = do(ctx, tx, v); err != nil {
				return err
			}
			return v.remember(ctx, tx, key, hash, out)
		})
		if err == nil {
			return out, nil
		}
		if !tryAgain(err) {
			// It may be refused because the same form was first by a moment.
			if first, _ := v.first(ctx, key, hash); first != nil {
				err = v.unsealInto(first, &out)
			}
			return out, err
		}
	}
	return out, errBusy
}

// errBusy says that others were faster each time.
var errBusy = errors.New("others were faster each time")

func (v *visit) unsealInto(raw json.RawMessage, out *done) error {
	if raw == nil {
		return nil
	}
	var sealed []byte
	if err := json.Unmarshal(raw, &sealed); err != nil {
		return fmt.Errorf("reading what became of the form: %w", err)
	}
	return v.unseal(sealed, out)
}

// book is that of the team or the user whose page it is.
func (v *visit) book(ctx context.Context, db billing.DB) (int64, error) {
	if id := v.r.PathValue("team"); id != "" {
		team, err := teams.GetTeam(ctx, db, id)
		return team.BookID, err
	}
	user, err := teams.GetUser(ctx, db, v.By.User)
	return user.BookID, err
}

func (v *visit) first(ctx context.Context, key string, hash []byte) (json.RawMessage, error) {
	book, err := v.book(ctx, v.s.cfg.Pool)
	if err != nil {
		return nil, err
	}
	return teams.AnsweredRequest(ctx, v.s.cfg.Pool, teams.RequestKey{Book: book, Key: key, Hash: hash}, v.At)
}

func (v *visit) remember(ctx context.Context, tx pgx.Tx, key string, hash []byte, out done) error {
	book, err := v.book(ctx, tx)
	if err != nil {
		return err
	}
	sealed, err := v.seal(out)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(sealed)
	if err != nil {
		return fmt.Errorf("remembering what became of the form: %w", err)
	}
	return teams.RememberRequest(ctx, tx, teams.RequestKey{Book: book, Key: key, Hash: hash}, raw, v.At)
}

// tryAgain tells whether the same transaction may go through when it is begun anew.
func tryAgain(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "40001" || pg.Code == "40P01" || pg.Code == "23505"
	}
	return errors.Is(err, teams.ErrKeyRaced) || errors.Is(err, billing.ErrMoved)
}
