package web_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

var update = flag.Bool("update", false, "take the README's picture of the page anew")

const picture = "docs/team-page.png"

// The README shows the page as it is: a test takes the picture.
func TestBrowser_PictureForTheReadme(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	w.Must(func(tx pgx.Tx) error {
		for id, name := range map[string]string{"ann": "Ann Okafor", "abe": "Abe Lindqvist", "bob": "Bob Moreau", "cleo": "Cleo Nakamura"} {
			if _, err := teams.SetUser(t.Context(), tx, id, id+"@example.com", name); err != nil {
				return err
			}
		}
		name := "Acme Design"
		_, err := teams.ChangeTeam(t.Context(), tx, w.Catalog, "acme", teams.TeamChange{Name: &name}, teams.Actor{}, noon)
		return err
	})
	c := w.chrome()
	c.Size(1100, 720)
	c.Scheme("light")
	c.goTo(w.link("ann", "acme"))
	c.Says("Acme Design")
	png := c.Picture()
	if !strings.HasPrefix(string(png), "\x89PNG") || len(png) < 10_000 {
		t.Errorf("no picture: %d bytes", len(png))
	}
	if *update {
		if err := os.WriteFile("../"+picture, png, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("../" + picture); err != nil || !strings.Contains(string(readme), "("+picture+")") {
		t.Errorf("the README doesn't show %s: %v", picture, err)
	}
	c.Content()
}
