package api

import (
	"context"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/teams"
)

// UserPath names a user.
type UserPath struct {
	UserID string `path:"user" minLength:"1" maxLength:"200" doc:"The user's id in your product"`
}

func (p UserPath) user() string { return p.UserID }

// userPlace is the place of requests that name a user.
func userPlace[I interface{ user() string }](ctx context.Context, db billing.DB, in *I) (int64, error) {
	return userBook(ctx, db, (*in).user())
}

// User is a user of the product.
type User struct {
	ID          string     `json:"id"`
	Email       string     `json:"email"`
	Name        string     `json:"name"`
	CreatedAt   time.Time  `json:"created_at"`
	SuspendedAt *time.Time `json:"suspended_at" doc:"Since when all spending is stopped; null: it isn't"`
}

func viewUser(u teams.User) User {
	return User{ID: u.ID, Email: u.Email, Name: u.Name, CreatedAt: u.CreatedAt.UTC(), SuspendedAt: utcOrNil(u.SuspendedAt)}
}

// PutUserIn sets a user's attributes.
type PutUserIn struct {
	Writing
	UserPath
	Body struct {
		Email string `json:"email,omitempty" maxLength:"320" doc:"Left out, it stays as it is"`
		Name  string `json:"name,omitempty" maxLength:"200" doc:"Left out, it stays as it is"`
	}
}

func (s *Server) registerUsers() {
	write(s, spec{
		id: "put-user", method: http.MethodPut, path: "/v1/users/{user}", tag: "Users", scopes: manage,
		summary: "Make a user, or change one's attributes", doc: "Users come into being at first mention, so this is needed for e-mail and name only.",
		refusals: []int{http.StatusNotFound},
	}, func(ctx context.Context, db billing.DB, in *PutUserIn) (int64, error) {
		return userBook(ctx, db, in.UserID)
	},
		func(ctx context.Context, tx pgx.Tx, c *call, in *PutUserIn) (User, error) {
			if err := c.onlySelf(in.UserID); err != nil {
				return User{}, err
			}
			if _, err := teams.EnsureUser(ctx, tx, in.UserID, c.at); err != nil {
				return User{}, err
			}
			u, err := teams.SetUser(ctx, tx, in.UserID, in.Body.Email, in.Body.Name)
			return viewUser(u), err
		})
	read(s, spec{
		id: "get-user", method: http.MethodGet, path: "/v1/users/{user}", tag: "Users", scopes: reads,
		summary: "Get a user", refusals: []int{http.StatusNotFound},
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
		Reading
		UserPath
	},
	) (User, error) {
		if err := c.onlySelf(in.UserID); err != nil {
			return User{}, err
		}
		u, err := teams.GetUser(ctx, tx, in.UserID)
		return viewUser(u), err
	})
	read(s, spec{
		id: "list-users", method: http.MethodGet, path: "/v1/users", tag: "Users", scopes: reads, summary: "List users, by id",
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
		Reading
		Paging
	},
	) (Page[User], error) {
		after, err := in.after("users")
		if err != nil {
			return Page[User]{}, err
		}
		if err := c.onlyBackend(); err != nil {
			return Page[User]{}, err
		}
		list, err := teams.ListUsers(ctx, tx, after, in.Limit+1)
		return page("users", in.Paging, list, func(u teams.User) string { return u.ID }, viewUser), err
	})
}
