package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// invitationsMax is how many invitations are looked through for those that are open.
const invitationsMax = 1000

// pending are the invitations that may still be accepted, or that expired without.
func (v *visit) pending(ctx context.Context, tx pgx.Tx) ([]teams.Invitation, error) {
	all, err := teams.Invitations(ctx, tx, v.Team.ID, v.By, "", invitationsMax)
	if err != nil {
		return nil, err
	}
	var open []teams.Invitation
	for _, i := range all {
		if i.StateAt(v.At) == "pending" {
			open = append(open, i)
		}
	}
	return open, nil
}

// InvitedLimit says the limit that somebody is invited with.
func (v *visit) InvitedLimit(i teams.Invitation) string {
	return v.Limit(teams.Limit{Kind: i.LimitKind, Credits: i.LimitAmount})
}

// newToken makes an invitation's token, and the hash that is kept of it.
func newToken() (token string, hash []byte) {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	token = cookieText.EncodeToString(b)
	sum := sha256.Sum256([]byte(token))
	return token, sum[:]
}

// acceptLink is what whoever is invited follows; without a page of the product's the token
// alone, for who knows what to do with it.
func (s *Server) acceptLink(token string) string {
	if s.cfg.AcceptURL == "" {
		return token
	}
	return strings.ReplaceAll(s.cfg.AcceptURL, "{token}", url.QueryEscape(token))
}

func (s *Server) registerInvitations() {
	page := manages(s.members)
	path := Root + "/teams/{team}/invitations"
	s.act(path, func(ctx context.Context, tx pgx.Tx, v *visit) (done, error) {
		limit, err := v.form.limit()
		if err != nil {
			return done{}, err
		}
		token, hash := newToken()
		i, err := teams.Invite(ctx, tx, s.cfg.Catalog, teams.InviteIn{
			ID: s.cfg.NewID("inv"), TeamID: v.Team.ID, By: v.By, Email: v.form.Text("email"), Role: teams.Role(v.form.Get("role")),
			Access: teams.Access(v.form.Get("access")), Limit: limit, TokenHash: hash,
		}, v.At)
		return done{note{Text: v.T("invited", i.Email), Link: s.acceptLink(token)}, v.Path("members")}, err
	}, page)
	s.act(path+"/{invitation}/resend", func(ctx context.Context, tx pgx.Tx, v *visit) (done, error) {
		token, hash := newToken()
		i, err := teams.Resend(ctx, tx, s.cfg.Catalog, v.Team.ID, v.r.PathValue("invitation"), hash, v.By, v.At)
		return done{note{Text: v.T("invited.again", i.Email), Link: s.acceptLink(token)}, v.Path("members")}, err
	}, page)
	s.act(path+"/{invitation}/revoke", func(ctx context.Context, tx pgx.Tx, v *visit) (done, error) {
		err := teams.Revoke(ctx, tx, s.cfg.Catalog, v.Team.ID, v.r.PathValue("invitation"), v.By, v.At)
		return done{note{Text: v.T("invited.revoked")}, v.Path("members")}, err
	}, page)
}
