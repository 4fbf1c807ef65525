package teams

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"

	"purser/billing"
)

// How long a page session's link may be opened, and how long the session then lasts.
const (
	pageLinkLife    = 5 * time.Minute
	pageSessionLife = 8 * time.Hour
	// pageSessionKept is how long one that has ended is kept, so that a page left open can
	// still lead back to where it came from.
	pageSessionKept = 7 * 24 * time.Hour
)

// Lengths of what a page session is told.
const (
	addressLengthMax = 2000
	localeLengthMax  = 35
	zoneLengthMax    = 64
)

// PageSession lets one user look at the hosted page for a while: at one team, or at the
// user's own page and all teams that the user belongs to.
type PageSession struct {
	ID         string     `db:"id"`
	UserID     string     `db:"user_id"`
	TeamID     string     `db:"team_id"` // "": the user's own page
	LinkEndsAt time.Time  `db:"link_ends_at"`
	ReturnURL  string     `db:"return_url"`
	Locale     string     `db:"locale"`    // "": as the browser says
	TimeZone   string     `db:"time_zone"` // "": as the browser says
	JoinedAt   *time.Time `db:"joined_at"` // since when the user is in the team
	CreatedAt  time.Time  `db:"created_at"`
	OpenedAt   *time.Time `db:"opened_at"`
	EndsAt     time.Time  `db:"ends_at"`
	Note       []byte     `db:"note"` // what the next page has to tell, sealed
}

// Errors of page sessions.
var (
	ErrPageSessionUnknown = errors.New("no such page session")
	ErrPageSessionOver    = errors.New("the page session is over")
	// ErrPageSessionLeft is an ErrPageSessionOver.
	ErrPageSessionLeft = fmt.Errorf("%w: its user isn't in the team any more", ErrPageSessionOver)
)

const pageSessionColumns = `id, user_id, COALESCE(team_id, '') AS team_id, link_ends_at, return_url, locale, time_zone, joined_at, created_at, opened_at,
	ends_at, note`

// PageSessionIn asks for a page session. The time is the wall's, as it is everywhere with
// page sessions: how long somebody may look has nothing to do with credits.
type PageSessionIn struct {
	ID        string
	UserID    string // who acts; made at this mention
	TeamID    string
	ReturnURL string
	Locale    string
	TimeZone  string
	LinkHash  []byte
}

// CreatePageSession makes a session that one link opens. Somebody who isn't in the team
// gets none for it.
func CreatePageSession(ctx context.Context, tx pgx.Tx, in PageSessionIn, wall time.Time) (PageSession, error) {
	if err := in.check(); err != nil {
		return PageSession{}, err
	}
	if _, err := EnsureUser(ctx, tx, in.UserID, wall); err != nil {
		return PageSession{}, err
	}
	var joined *time.Time
	if in.TeamID != "" {
		if _, _, err := Look(ctx, tx, in.TeamID, Actor{User: in.UserID}); err != nil {
			return PageSession{}, err
		}
		m, err := GetMember(ctx, tx, in.TeamID, in.UserID)
		if err != nil {
			return PageSession{}, err
		}
		joined = &m.JoinedAt
	}
	ends := wall.Add(pageLinkLife)
	_, err := tx.Exec(ctx, `
		INSERT INTO page_sessions (id, user_id, team_id, link_hash, link_ends_at, return_url, locale, time_zone, created_at, ends_at, joined_at)
		VALUES ($1, $2, NULLIF($3, ''), $4, $5, $6, $7, $8, $9, $5, $10)`,
		in.ID, in.UserID, in.TeamID, in.LinkHash, ends, in.ReturnURL, in.Locale, in.TimeZone, wall, joined)
	if err != nil {
		return PageSession{}, fmt.Errorf("writing the page session: %w", err)
	}
	// Each new one clears old ones away, so that no sweep is needed.
	_, err = tx.Exec(ctx, `
		DELETE FROM page_sessions WHERE id IN (
			SELECT id FROM page_sessions WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2 FOR UPDATE SKIP LOCKED)`, wall.Add(-pageSessionKept), forgetStep)
	if err != nil {
		return PageSession{}, fmt.Errorf("forgetting old page sessions: %w", err)
	}
	return PageSession{
		ID: in.ID, UserID: in.UserID, TeamID: in.TeamID, LinkEndsAt: ends, ReturnURL: in.ReturnURL, Locale: in.Locale,
		TimeZone: in.TimeZone, CreatedAt: wall, EndsAt: ends,
	}, nil
}

func (in PageSessionIn) check() error {
	plain := func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_+/", r)
	}
	if strings.ContainsFunc(in.Locale, plain) {
		return &FieldError{"locale", "must be a language tag, as en-GB"}
	}
	if _, err := time.LoadLocation(in.TimeZone); err != nil || strings.ContainsFunc(in.TimeZone, plain) || in.TimeZone == "Local" {
		return &FieldError{"time_zone", "must be a time zone's name, as Europe/Berlin"}
	}
	return errors.Join(checkLength("return_url", in.ReturnURL, addressLengthMax), checkLength("locale", in.Locale, localeLengthMax),
		checkLength("time_zone", in.TimeZone, zoneLengthMax))
}

// OpenPageSession opens a session with its link, once; from then on the cookie opens it.
// A link that was used or is too old is ErrPageSessionOver, and says where to go back to.
func OpenPageSession(ctx context.Context, tx pgx.Tx, linkHash, cookieHash []byte, wall time.Time) (PageSession, error) {
	s, err := pageSessionBy(ctx, tx, `UPDATE page_sessions SET opened_at = $3, cookie_hash = $2, ends_at = $4
		WHERE link_hash = $1 AND opened_at IS NULL AND link_ends_at > $3 RETURNING `+pageSessionColumns,
		linkHash, cookieHash, wall, wall.Add(pageSessionLife))
	if !errors.Is(err, ErrPageSessionUnknown) {
		return s, err
	}
	s, err = pageSessionBy(ctx, tx, `SELECT `+pageSessionColumns+` FROM page_sessions WHERE link_hash = $1`, linkHash)
	if err != nil {
		return PageSession{}, err
	}
	return PageSession{ReturnURL: s.ReturnURL, Locale: s.Locale}, ErrPageSessionOver
}

// FindPageSession gives the open session of a cookie. One that has ended, or whose user
// has left the team since, even if to come back, is ErrPageSessionOver, and says where to
// go back to. While the user isn't back it is ErrPageSessionLeft, and says whose it was and
// for which team, too.
func FindPageSession(ctx context.Context, db billing.DB, cookieHash []byte, wall time.Time) (PageSession, error) {
	s, err := pageSessionBy(ctx, db, `SELECT `+pageSessionColumns+` FROM page_sessions WHERE cookie_hash = $1`, cookieHash)
	if err != nil {
		return PageSession{}, err
	}
	over := !s.EndsAt.After(wall)
	if !over && s.TeamID != "" {
		m, err := GetMember(ctx, db, s.TeamID, s.UserID)
		var refusal *Refusal
		if err != nil && !errors.As(err, &refusal) {
			return PageSession{}, err
		}
		if refusal != nil {
			return PageSession{UserID: s.UserID, TeamID: s.TeamID, ReturnURL: s.ReturnURL, Locale: s.Locale}, ErrPageSessionLeft
		}
		over = !m.JoinedAt.Equal(*s.JoinedAt)
	}
	if over {
		return PageSession{ReturnURL: s.ReturnURL, Locale: s.Locale}, ErrPageSessionOver
	}
	return s, nil
}

// EndPageSession ends a session before its time.
func EndPageSession(ctx context.Context, db billing.DB, id string, wall time.Time) error {
	if _, err := db.Exec(ctx, `UPDATE page_sessions SET ends_at = LEAST(ends_at, $2), note = NULL WHERE id = $1`, id, wall); err != nil {
		return fmt.Errorf("ending the page session: %w", err)
	}
	return nil
}

// LeavePageNote leaves what the session's next page is to tell; nil takes it away.
func LeavePageNote(ctx context.Context, db billing.DB, id string, note []byte) error {
	if _, err := db.Exec(ctx, `UPDATE page_sessions SET note = $2 WHERE id = $1`, id, note); err != nil {
		return fmt.Errorf("leaving a note for the next page: %w", err)
	}
	return nil
}

func pageSessionBy(ctx context.Context, db billing.DB, sql string, args ...any) (PageSession, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return PageSession{}, fmt.Errorf("reading the page session: %w", err)
	}
	s, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[PageSession])
	if errors.Is(err, pgx.ErrNoRows) {
		return PageSession{}, ErrPageSessionUnknown
	}
	if err != nil {
		return PageSession{}, fmt.Errorf("reading the page session: %w", err)
	}
	return s, nil
}
