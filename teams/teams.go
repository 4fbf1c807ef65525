// Package teams answers who may do what with which credits.
//
// Users and teams carry the product's own ids and come into being at first mention
// (T0). Each has a book in the ledger.
package teams

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
)

// Limits of T0 and T2.
const (
	idLengthMax          = 200
	nameLengthMax        = 200
	descriptionLengthMax = 2000
)

// Errors of users and teams.
var (
	ErrUserUnknown = errors.New("no such user")
	ErrTeamUnknown = errors.New("no such team")
	ErrTeamExists  = errors.New("a team of that id exists already")
	ErrEmailTaken  = errors.New("another user has that e-mail address")
)

// FieldError names the field and the rule that it breaks.
type FieldError struct {
	Field string
	Rule  string
}

func (e *FieldError) Error() string { return e.Field + " " + e.Rule }

// User is a user of the product, with a personal account.
type User struct {
	ID          string     `db:"id" json:"id"`
	BookID      int64      `db:"book_id" json:"-"`
	Email       string     `db:"email" json:"email,omitempty"`
	Name        string     `db:"name" json:"name,omitempty"`
	CreatedAt   time.Time  `db:"created_at" json:"created_at"`
	SuspendedAt *time.Time `db:"suspended_at" json:"suspended_at,omitempty"`
}

// Team is a team of the product, with a pool.
type Team struct {
	ID          string     `db:"id" json:"id"`
	BookID      int64      `db:"book_id" json:"-"`
	OwnerID     string     `db:"owner_id" json:"owner_id"`
	Name        string     `db:"name" json:"name"`
	Description string     `db:"description" json:"description,omitempty"`
	Sharing     string     `db:"sharing" json:"sharing"`
	FallBack    bool       `db:"fall_back" json:"fall_back"`
	CreatedAt   time.Time  `db:"created_at" json:"created_at"`
	SuspendedAt *time.Time `db:"suspended_at" json:"suspended_at,omitempty"`
	ClosedAt    *time.Time `db:"closed_at" json:"closed_at,omitempty"`
}

const (
	userColumns = `id, book_id, email, name, created_at, suspended_at`
	teamColumns = `id, book_id, owner_id, name, description, sharing, fall_back, created_at, suspended_at, closed_at`
)

func checkID(field, id string) error {
	switch {
	case id == "":
		return &FieldError{field, "is required"}
	case utf8.RuneCountInString(id) > idLengthMax:
		return &FieldError{field, fmt.Sprintf("must have at most %d characters", idLengthMax)}
	case !utf8.ValidString(id) || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return &FieldError{field, "must be plain text without control characters"}
	}
	return nil
}

func checkLength(field, text string, lengthMax int) error {
	if utf8.RuneCountInString(text) > lengthMax {
		return &FieldError{field, fmt.Sprintf("must have at most %d characters", lengthMax)}
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return &FieldError{field, "must be valid UTF-8"}
	}
	return nil
}

// GetUser gives a user.
func GetUser(ctx context.Context, db billing.DB, id string) (User, error) {
	rows, err := db.Query(ctx, `SELECT `+userColumns+` FROM users WHERE id = $1`, id)
	if err != nil {
		return User{}, fmt.Errorf("reading user %q: %w", id, err)
	}
	u, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[User])
	if errors.Is(err, pgx.ErrNoRows) {
		return User{}, fmt.Errorf("user %q: %w", id, ErrUserUnknown)
	}
	if err != nil {
		return User{}, fmt.Errorf("reading user %q: %w", id, err)
	}
	return u, nil
}

// EnsureUser gives the user with that id, who comes into being at first mention.
func EnsureUser(ctx context.Context, tx pgx.Tx, id string, at time.Time) (User, error) {
	if err := checkID("user", id); err != nil {
		return User{}, err
	}
	if u, err := GetUser(ctx, tx, id); !errors.Is(err, ErrUserUnknown) {
		return u, err
	}
	book, err := ledger.Reserve(ctx, tx)
	if err != nil {
		return User{}, err
	}
	// Whoever comes second waits here for the first and then finds the user made.
	tag, err := tx.Exec(ctx, `INSERT INTO users (id, book_id, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING`, id, book, at)
	if err != nil {
		return User{}, fmt.Errorf("making user %q: %w", id, err)
	}
	if tag.RowsAffected() == 1 {
		if err := ledger.CreateReserved(ctx, tx, book, ledger.UserBook, at); err != nil {
			return User{}, err
		}
	}
	return GetUser(ctx, tx, id)
}

// SetUser sets a user's attributes; empty ones stay as they are.
func SetUser(ctx context.Context, tx pgx.Tx, id, email, name string) (User, error) {
	if err := errors.Join(checkLength("email", email, 320), checkLength("name", name, nameLengthMax)); err != nil {
		return User{}, err
	}
	if email != "" && !strings.Contains(email, "@") {
		return User{}, &FieldError{"email", "must be an e-mail address"}
	}
	var taken bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM users WHERE lower(email) = lower($2) AND id <> $1 AND $2 <> '')`, id, email).Scan(&taken)
	if err != nil {
		return User{}, fmt.Errorf("looking for the e-mail address: %w", err)
	}
	if taken {
		return User{}, ErrEmailTaken
	}
	_, err = tx.Exec(ctx, `
		UPDATE users SET email = CASE WHEN $2 = '' THEN email ELSE $2 END, name = CASE WHEN $3 = '' THEN name ELSE $3 END
		WHERE id = $1`, id, email, name)
	if err != nil {
		return User{}, fmt.Errorf("changing user %q: %w", id, err)
	}
	return GetUser(ctx, tx, id)
}

// ListUsers lists users by id, after a given one.
func ListUsers(ctx context.Context, db billing.DB, after string, limit int) ([]User, error) {
	rows, err := db.Query(ctx, `SELECT `+userColumns+` FROM users WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("listing users: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[User])
	if err != nil {
		return nil, fmt.Errorf("listing users: %w", err)
	}
	return list, nil
}

// GetTeam gives a team.
func GetTeam(ctx context.Context, db billing.DB, id string) (Team, error) {
	rows, err := db.Query(ctx, `SELECT `+teamColumns+` FROM teams WHERE id = $1`, id)
	if err != nil {
		return Team{}, fmt.Errorf("reading team %q: %w", id, err)
	}
	t, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Team])
	if errors.Is(err, pgx.ErrNoRows) {
		return Team{}, fmt.Errorf("team %q: %w", id, ErrTeamUnknown)
	}
	if err != nil {
		return Team{}, fmt.Errorf("reading team %q: %w", id, err)
	}
	return t, nil
}

// ListTeams lists teams by id, after a given one; of one owner, if one is named.
func ListTeams(ctx context.Context, db billing.DB, owner, after string, limit int) ([]Team, error) {
	rows, err := db.Query(ctx, `
		SELECT `+teamColumns+` FROM teams WHERE ($1 = '' OR owner_id = $1) AND id > $2 ORDER BY id LIMIT $3`, owner, after, limit)
	if err != nil {
		return nil, fmt.Errorf("listing teams: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Team])
	if err != nil {
		return nil, fmt.Errorf("listing teams: %w", err)
	}
	return list, nil
}

// TeamIn describes a team to be made.
type TeamIn struct {
	ID          string
	OwnerID     string
	Name        string
	Description string
}

// CreateTeam makes a team and its creator the owner, and assigns to it the creator's
// oldest subscription that is on the personal account and whose plan allows teams (T2).
// Without one there is a team only if the catalogue allows it (B1).
func CreateTeam(ctx context.Context, tx pgx.Tx, c *billing.Catalog, in TeamIn, at time.Time) (Team, error) {
	if in.Name == "" {
		return Team{}, &FieldError{"name", "is required"}
	}
	team, made, err := ensureTeam(ctx, tx, in, at)
	if err != nil {
		return Team{}, err
	}
	if !made {
		return Team{}, fmt.Errorf("team %q: %w", in.ID, ErrTeamExists)
	}
	owner, err := GetUser(ctx, tx, in.OwnerID)
	if err != nil {
		return Team{}, err
	}
	assigned, err := billing.AssignOldest(ctx, tx, c, owner.BookID, billing.Slot{TeamID: team.ID, BookID: team.BookID}, in.OwnerID, at)
	switch {
	case err != nil:
		return Team{}, err
	case assigned == "" && !c.WithoutSubscription.Teams:
		return Team{}, refuse(Rule, "plan_without_teams", "a team needs a subscription of %q whose plan allows teams", in.OwnerID)
	case assigned == "":
		return team, nil
	}
	return team, seatOwner(ctx, tx, c, team.ID, at)
}

// EnsureTeam gives the team with that id, which comes into being at first mention.
// Nothing is assigned to it by that.
func EnsureTeam(ctx context.Context, tx pgx.Tx, id, ownerID string, at time.Time) (Team, error) {
	team, _, err := ensureTeam(ctx, tx, TeamIn{ID: id, OwnerID: ownerID, Name: id}, at)
	return team, err
}

func ensureTeam(ctx context.Context, tx pgx.Tx, in TeamIn, at time.Time) (team Team, made bool, err error) {
	err = errors.Join(checkID("team", in.ID), checkLength("name", in.Name, nameLengthMax),
		checkLength("description", in.Description, descriptionLengthMax))
	if err != nil {
		return Team{}, false, err
	}
	if team, err := GetTeam(ctx, tx, in.ID); !errors.Is(err, ErrTeamUnknown) {
		return team, false, err
	}
	if _, err := EnsureUser(ctx, tx, in.OwnerID, at); err != nil {
		return Team{}, false, err
	}
	book, err := ledger.Reserve(ctx, tx)
	if err != nil {
		return Team{}, false, err
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO teams (id, book_id, owner_id, name, description, created_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO NOTHING`, in.ID, book, in.OwnerID, in.Name, in.Description, at)
	if err != nil {
		return Team{}, false, fmt.Errorf("making team %q: %w", in.ID, err)
	}
	if made = tag.RowsAffected() == 1; made {
		if err := ledger.CreateReserved(ctx, tx, book, ledger.TeamBook, at); err != nil {
			return Team{}, false, err
		}
		owner := Member{TeamID: in.ID, UserID: in.OwnerID, Role: Owner, LimitKind: LimitNone, JoinedAt: at}
		owner.give(CreditsAccess, at)
		if err := storeMember(ctx, tx, owner); err != nil {
			return Team{}, false, err
		}
	}
	team, err = GetTeam(ctx, tx, in.ID)
	return team, made, err
}

// SlotsOf gives the places that a user's teams are for a subscription; a closed one is none.
func SlotsOf(ctx context.Context, db billing.DB, ownerID string) ([]billing.Slot, error) {
	rows, err := db.Query(ctx, `SELECT id, book_id, false FROM teams WHERE owner_id = $1 AND closed_at IS NULL ORDER BY created_at, id LIMIT 1000`, ownerID)
	if err != nil {
		return nil, fmt.Errorf("reading the teams of %q: %w", ownerID, err)
	}
	slots, err := pgx.CollectRows(rows, pgx.RowToStructByPos[billing.Slot])
	if err != nil {
		return nil, fmt.Errorf("reading the teams of %q: %w", ownerID, err)
	}
	return slots, nil
}
