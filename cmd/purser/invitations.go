package main

import (
	"context"
	"net/url"
	"strings"

	"purser/api"
	"purser/teams"
)

// memberInviteCommand invites somebody by e-mail. It sends no mail.
type memberInviteCommand struct {
	Team      string     `arg:"" help:"The team's id."`
	Email     string     `arg:"" help:"The e-mail address."`
	Role      string     `enum:"admin,member" default:"member" help:"admin or member."`
	Access    string     `enum:"seat,credits,personal" default:"credits" help:"seat, credits or personal; seat reserves one."`
	Limit     *limitText `placeholder:"LIMIT" help:"What the member may draw from the pool: none, or period:N or total:N for a cap of N credits in each period or in all. Default: none."`
	AcceptURL string     `name:"accept-url" env:"PURSER_ACCEPT_URL" placeholder:"URL" json:"-" help:"The page of your product on which an invitation is accepted, with {token} where its token goes. Without it answers carry the token only."`
	Act       actFlags   `embed:"" json:"-"`
}

// sentInvitation is an invitation with what goes into the mail, this once.
type sentInvitation struct {
	api.Invitation
	Token     string `json:"token,omitempty"`
	AcceptURL string `json:"accept_url,omitempty"`
}

func (s sentInvitation) withoutSecret() any { return s.Invitation }

func sent(i teams.Invitation, token, page string, a *acting) sentInvitation {
	s := sentInvitation{Invitation: api.ShowInvitation(i, a.at), Token: token}
	if page != "" {
		s.AcceptURL = strings.ReplaceAll(page, "{token}", url.QueryEscape(token))
	}
	return s
}

// Run invites.
func (c *memberInviteCommand) Run(ctx context.Context, p *program) error {
	if err := wrongSettings(apiFlags{Rate: 1, Requests: 1, Queue: 1, AcceptURL: c.AcceptURL}.check()); err != nil {
		return err
	}
	return c.Act.act(ctx, p, deed{doing: "inviting", command: c, team: c.Team, do: func(ctx context.Context, a *acting) (any, bool, error) {
		token, hash := api.NewToken()
		i, err := teams.Invite(ctx, a.tx, a.catalog, teams.InviteIn{
			ID: newID("inv"), TeamID: c.Team, By: a.by, Email: c.Email, Role: teams.Role(c.Role), Access: teams.Access(c.Access),
			Limit: c.Limit.limit(), TokenHash: hash,
		}, a.at)
		return sent(i, token, c.AcceptURL, a), false, err
	}})
}

// invitationListCommand lists invitations.
type invitationListCommand struct {
	Team  string  `arg:"" help:"The team's id."`
	Limit int     `default:"50" help:"How many to show, 1 to 500."`
	After string  `placeholder:"ID" help:"Show what comes after this one in the list."`
	By    byFlags `embed:""`
}

// Run lists, the newest first.
func (c *invitationListCommand) Run(ctx context.Context, p *program) error {
	if err := (listFlags{Limit: c.Limit}).check(); err != nil {
		return err
	}
	fields := []string{"id", "email", "state", "role", "access", "limit", "invited_by", "expires_at", "user_id"}
	return list(ctx, p, c.By, fields, func(ctx context.Context, a *acting) (page[api.Invitation], error) {
		rows, err := teams.Invitations(ctx, a.tx, c.Team, a.by, c.After, c.Limit+1)
		view := func(i teams.Invitation) api.Invitation { return api.ShowInvitation(i, a.at) }
		return paged(mapped(rows, view), c.Limit, func(i api.Invitation) string { return i.ID }), err
	})
}

// invitationAcceptCommand accepts an invitation for a user.
type invitationAcceptCommand struct {
	Token string   `arg:"" help:"The invitation's token, from its link."`
	User  string   `arg:"" help:"Who accepts, made at this mention."`
	Act   actFlags `embed:"" json:"-"`
}

// Run accepts.
func (c *invitationAcceptCommand) Run(ctx context.Context, p *program) error {
	return c.Act.act(ctx, p, deed{doing: "accepting the invitation", command: c, do: func(ctx context.Context, a *acting) (any, bool, error) {
		m, err := teams.Accept(ctx, a.tx, a.catalog, api.HashToken(c.Token), c.User, a.at)
		return api.ShowJoined(m), false, err
	}})
}

// invitationDeclineCommand declines an invitation.
type invitationDeclineCommand struct {
	Token string   `arg:"" help:"The invitation's token, from its link."`
	Act   actFlags `embed:"" json:"-"`
}

// Run declines.
func (c *invitationDeclineCommand) Run(ctx context.Context, p *program) error {
	return c.Act.act(ctx, p, deed{doing: "declining the invitation", command: c, do: func(ctx context.Context, a *acting) (any, bool, error) {
		return api.Declined{State: "declined"}, false, teams.Decline(ctx, a.tx, api.HashToken(c.Token), a.at)
	}})
}

// invitationRevokeCommand takes an invitation back.
type invitationRevokeCommand struct {
	Team string   `arg:"" help:"The team's id."`
	ID   string   `arg:"" help:"The invitation: inv_…"`
	Act  actFlags `embed:"" json:"-"`
}

// Run revokes.
func (c *invitationRevokeCommand) Run(ctx context.Context, p *program) error {
	return c.Act.act(ctx, p, deed{doing: "revoking the invitation", command: c, team: c.Team, do: func(ctx context.Context, a *acting) (any, bool, error) {
		return api.Revoked{ID: c.ID, State: "revoked"}, false, teams.Revoke(ctx, a.tx, a.catalog, c.Team, c.ID, a.by, a.at)
	}})
}

// invitationResendCommand gives an invitation a new token.
type invitationResendCommand struct {
	Team      string   `arg:"" help:"The team's id."`
	ID        string   `arg:"" help:"The invitation: inv_…"`
	AcceptURL string   `name:"accept-url" env:"PURSER_ACCEPT_URL" placeholder:"URL" json:"-" help:"The page of your product on which an invitation is accepted, with {token} where its token goes. Without it answers carry the token only."`
	Act       actFlags `embed:"" json:"-"`
}

// Run renews.
func (c *invitationResendCommand) Run(ctx context.Context, p *program) error {
	if err := wrongSettings(apiFlags{Rate: 1, Requests: 1, Queue: 1, AcceptURL: c.AcceptURL}.check()); err != nil {
		return err
	}
	return c.Act.act(ctx, p, deed{doing: "resending the invitation", command: c, team: c.Team, do: func(ctx context.Context, a *acting) (any, bool, error) {
		token, hash := api.NewToken()
		i, err := teams.Resend(ctx, a.tx, a.catalog, c.Team, c.ID, hash, a.by, a.at)
		return sent(i, token, c.AcceptURL, a), false, err
	}})
}
