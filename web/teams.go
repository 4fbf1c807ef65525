package web

import (
	"context"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// teamsPage are the teams that a user owns or belongs to.
type teamsPage struct {
	Own, Others []teams.Membership
	More        string
}

// teamsMax is how many teams a page shows: each costs a look into its book.
const teamsMax = 20

func (s *Server) registerTeams() {
	s.page(Root+"/teams", s.teams)
	s.act(Root+"/teams", func(ctx context.Context, tx pgx.Tx, v *visit) (done, error) {
		team, err := teams.CreateTeam(ctx, tx, s.cfg.Catalog, teams.TeamIn{
			ID: s.cfg.NewID("team"), OwnerID: v.By.User, Name: v.form.Text("name"), Description: v.form.Text("description"),
		}, v.At)
		return done{note{Text: v.T("teams.made", team.Name)}, teamPath(team.ID)}, err
	}, s.teams)
}

func (s *Server) teams(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
	list, err := teams.Memberships(ctx, tx, s.cfg.Catalog, v.By.User, v.Was("after", ""), teamsMax+1, v.At)
	if err != nil {
		return view{}, err
	}
	p := &teamsPage{}
	if len(list) > teamsMax {
		list = list[:teamsMax]
		p.More = v.Query("after", list[teamsMax-1].Team.ID)
	}
	for _, m := range list {
		if m.Member.Role == teams.Owner {
			p.Own = append(p.Own, m)
		} else {
			p.Others = append(p.Others, m)
		}
	}
	return view{"teams", v.T("teams.title"), p}, nil
}

// TeamPath is where a team's page is.
func (v *visit) TeamPath(id string) string { return teamPath(id) }
