package api

import (
	"context"
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// Invitation asks somebody by e-mail to join a team.
type Invitation struct {
	ID        string     `json:"id"`
	TeamID    string     `json:"team_id"`
	Email     string     `json:"email"`
	Role      string     `json:"role" enum:"admin,member"`
	Access    string     `json:"access" enum:"seat,credits,personal" doc:"seat reserves one"`
	Limit     Limit      `json:"limit"`
	State     string     `json:"state" enum:"pending,accepted,declined,revoked,expired"`
	InvitedBy string     `json:"invited_by"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	SettledAt *time.Time `json:"settled_at"`
	UserID    string     `json:"user_id,omitempty" doc:"Who accepted"`
}

func viewInvitation(at time.Time) func(teams.Invitation) Invitation {
	return func(i teams.Invitation) Invitation {
		return Invitation{
			ID: i.ID, TeamID: i.TeamID, Email: i.Email, Role: string(i.Role), Access: string(i.Access),
			Limit: Limit{Kind: i.LimitKind, Credits: i.LimitAmount}, State: i.StateAt(at), InvitedBy: i.InvitedBy,
			CreatedAt: i.CreatedAt.UTC(), ExpiresAt: i.ExpiresAt.UTC(), SettledAt: utcOrNil(i.SettledAt), UserID: i.UserID,
		}
	}
}

// SentInvitation is an invitation with what goes into the mail.
type SentInvitation struct {
	Invitation
	Token     string `json:"token" doc:"Give it to accept or decline. Only its hash is kept"`
	AcceptURL string `json:"accept_url,omitempty" doc:"The link for the mail, if the service knows the product's page"`
}

// InviteIn invites somebody.
type InviteIn struct {
	Writing
	TeamPath
	Body struct {
		Email  string `json:"email" minLength:"3" maxLength:"320"`
		Role   string `json:"role,omitempty" enum:"admin,member" default:"member"`
		Access string `json:"access,omitempty" enum:"seat,credits,personal" default:"credits"`
		Limit  *Limit `json:"limit,omitempty" doc:"Left out: none"`
	}
}

// InvitationWrite is a write about one invitation that needs no body.
type InvitationWrite struct {
	Writing
	TeamPath
	InvitationID string `path:"invitation" minLength:"1" maxLength:"100"`
}

// AcceptIn accepts an invitation.
type AcceptIn struct {
	Writing
	Body struct {
		Token  string `json:"token" minLength:"1" maxLength:"200"`
		UserID string `json:"user_id" minLength:"1" maxLength:"200" doc:"Who accepts: only the backend knows who followed the link"`
	}
}

// DeclineIn declines an invitation.
type DeclineIn struct {
	Writing
	Body struct {
		Token string `json:"token" minLength:"1" maxLength:"200"`
	}
}

// Declined says that it is done.
type Declined struct {
	State string `json:"state" enum:"declined"`
}

// NewToken makes the token of an invitation, and the hash that is kept of it.
func NewToken() (token string, hash []byte) {
	b := make([]byte, 32)
	randomBytes(b)
	b[0] &= 0x7f // the token begins with a letter: a command line takes - for a flag
	token = secretText.EncodeToString(b)
	return token, HashToken(token)
}

// HashToken is what is kept of an invitation's token.
func HashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// sent adds to an invitation what goes into the mail.
func (s *Server) sent(i teams.Invitation, token string, at time.Time) SentInvitation {
	v := SentInvitation{Invitation: viewInvitation(at)(i), Token: token}
	if s.cfg.AcceptURL != "" {
		v.AcceptURL = strings.ReplaceAll(s.cfg.AcceptURL, "{token}", url.QueryEscape(token))
	}
	return v
}

func (s *Server) registerInvitations() {
	notFound := []int{http.StatusNotFound}
	write(s, spec{
		id: "create-invitation", method: http.MethodPost, path: "/v1/teams/{team}/invitations", tag: "Invitations", scopes: manage,
		status: http.StatusCreated, refusals: notFound, secret: true, summary: "Invite somebody by e-mail",
		doc: "Sends no mail: the answer carries the token and the link for yours. It may be accepted for seven days.",
	}, teamPlace[InviteIn], func(ctx context.Context, tx pgx.Tx, c *call, in *InviteIn) (SentInvitation, error) {
		token, hash := NewToken()
		i, err := teams.Invite(ctx, tx, s.cfg.Catalog, teams.InviteIn{
			ID: s.cfg.NewID("inv"), TeamID: in.TeamID, By: c.by, Email: in.Body.Email, Role: teams.Role(in.Body.Role),
			Access: teams.Access(in.Body.Access), Limit: in.Body.Limit.in(), TokenHash: hash,
		}, c.at)
		return s.sent(i, token, c.at), err
	})
	read(s, spec{
		id: "list-invitations", method: http.MethodGet, path: "/v1/teams/{team}/invitations", tag: "Invitations", scopes: reads,
		refusals: notFound, summary: "List invitations, the newest first",
	}, func(ctx context.Context, tx pgx.Tx, c *call, in *struct {
		Reading
		TeamPath
		Paging
	},
	) (Page[Invitation], error) {
		after, err := in.after("invitations")
		if err != nil {
			return Page[Invitation]{}, err
		}
		list, err := teams.Invitations(ctx, tx, in.TeamID, c.by, after, in.Limit+1)
		return page("invitations", in.Paging, list, func(i teams.Invitation) string { return i.ID }, viewInvitation(c.at)), err
	})
	write(s, spec{
		id: "resend-invitation", method: http.MethodPost, path: "/v1/teams/{team}/invitations/{invitation}/resend", tag: "Invitations",
		scopes: manage, refusals: notFound, secret: true, summary: "Give an invitation a new token and a new week",
	}, teamPlace[InvitationWrite], func(ctx context.Context, tx pgx.Tx, c *call, in *InvitationWrite) (SentInvitation, error) {
		token, hash := NewToken()
		i, err := teams.Resend(ctx, tx, s.cfg.Catalog, in.TeamID, in.InvitationID, hash, c.by, c.at)
		return s.sent(i, token, c.at), err
	})
	write(s, spec{
		id: "revoke-invitation", method: http.MethodPost, path: "/v1/teams/{team}/invitations/{invitation}/revoke", tag: "Invitations",
		scopes: manage, refusals: notFound, summary: "Take an invitation back",
	}, teamPlace[InvitationWrite], func(ctx context.Context, tx pgx.Tx, c *call, in *InvitationWrite) (Revoked, error) {
		return Revoked{ID: in.InvitationID, State: "revoked"}, teams.Revoke(ctx, tx, s.cfg.Catalog, in.TeamID, in.InvitationID, c.by, c.at)
	})
	write(s, spec{
		id: "accept-invitation", method: http.MethodPost, path: "/v1/invitations/accept", tag: "Invitations", scopes: manage,
		refusals: notFound, status: http.StatusCreated, summary: "Accept an invitation with its token",
	}, nowhere[AcceptIn], func(ctx context.Context, tx pgx.Tx, c *call, in *AcceptIn) (Joined, error) {
		if err := c.onlySelf(in.Body.UserID); err != nil {
			return Joined{}, err
		}
		m, err := teams.Accept(ctx, tx, s.cfg.Catalog, HashToken(in.Body.Token), in.Body.UserID, c.at)
		return Joined{TeamID: m.TeamID, Settings: viewSettings(m)}, err
	})
	write(s, spec{
		id: "decline-invitation", method: http.MethodPost, path: "/v1/invitations/decline", tag: "Invitations", scopes: manage,
		refusals: notFound, summary: "Decline an invitation with its token",
	}, nowhere[DeclineIn], func(ctx context.Context, tx pgx.Tx, c *call, in *DeclineIn) (Declined, error) {
		return Declined{State: "declined"}, teams.Decline(ctx, tx, HashToken(in.Body.Token), c.at)
	})
}

// Revoked says that an invitation is taken back.
type Revoked struct {
	ID    string `json:"id"`
	State string `json:"state" enum:"revoked"`
}

// Joined is a new member of a team.
type Joined struct {
	TeamID string `json:"team_id"`
	Settings
}
