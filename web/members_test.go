package web_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

const (
	membersAt = "/page/teams/acme/members"
	changesAt = membersAt + "/changes"
	previewAt = changesAt + "/preview"
	inviteAt  = "/page/teams/acme/invitations"
)

func (w *world) member(user string) (m teams.MemberView) {
	w.T.Helper()
	w.Must(func(tx pgx.Tx) error {
		view, err := teams.View(w.T.Context(), tx, w.Catalog, "acme", teams.Actor{}, w.Clock.Now())
		if err != nil {
			return err
		}
		for _, one := range view.Members {
			if one.UserID == user {
				m = one
			}
		}
		return nil
	})
	return m
}

// choose ticks members on the page and looks what would become of them.
func (b *browser) choose(users []string, values ...string) *browser {
	b.T.Helper()
	f := b.get(membersAt).want(200).form(previewAt)
	f.fields["user"] = users
	for i := 0; i < len(values); i += 2 {
		f.fields.Set(values[i], values[i+1])
	}
	return b.sendForm(f)
}

func TestMembers(t *testing.T) {
	t.Parallel()
	t.Run("T14_TheListHasTheFigures", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		w.as("abe", "acme").get(membersAt).want(200, "4 members", "1 of 5 seats in use", "bob Member Credits 1,000 300 0 700 No limit", "cleo Member Credits 0 1,200 0 0")
		b := w.as("ann", "acme").get(membersAt+"?q=CLE").want(200, "1 member", "cleo").wantNot("bob")
		b.get(membersAt+"?q=nobody").want(200, "Nobody was found")
		text := visibleText(b.get(membersAt + "?sort=used").body)
		if strings.Index(text, "cleo Member") > strings.Index(text, "bob Member") {
			t.Error("it isn't sorted by what was used")
		}
	})
	t.Run("AMemberReachesForAnAdminsActions", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("bob", "acme")
		csrf := b.form("/page/leave").fields.Get("csrf")
		b.get(membersAt).want(403, "You can't do that").wantNot("cleo")
		for _, action := range []string{previewAt, changesAt, inviteAt, inviteAt + "/x/resend", inviteAt + "/x/revoke"} {
			b.sendForm(formOn{action: action, method: "POST", fields: url.Values{
				"csrf": {csrf}, "key": {"page-" + strings.Repeat("k", 24)}, "user": {"cleo"}, "what": {"remove"}, "email": {"x@example.com"}, "role": {"member"},
			}})
			if b.status != 403 && b.status != 404 {
				t.Errorf("%s: %d", action, b.status)
			}
		}
		if w.member("cleo").UserID == "" {
			t.Error("cleo is gone")
		}
	})
	t.Run("NothingChangesBeforeItIsConfirmed_AndThenAllAtOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("abe", "acme")
		b.choose([]string{"bob", "cleo"}, "what", "limit", "limit_kind", "period", "limit_credits", "2,500").
			want(200, "2 members get a different limit", "bob No limit → 2,500 each period", "cleo No limit")
		if w.member("bob").LimitKind != teams.LimitNone {
			t.Fatal("looking changed it")
		}
		f := b.form(changesAt)
		b.sendForm(f).want(200, "Done: 2 members changed", "cleo : No limit → 2,500 each period")
		if m := w.member("cleo"); m.LimitAmount != 2500 || m.LimitKind != teams.LimitPeriod {
			t.Errorf("%+v", m)
		}
		b.sendForm(f).want(200, "Done: 2 members changed")
	})
	t.Run("T4_OneThatIsRefusedRefusesAll_AndSaysWhich", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("ann", "acme").choose([]string{"bob", "ann"}, "what", "remove").want(422, "Nothing was changed", "bob : leaves the team", "ann : The owner")
		if w.member("bob").UserID == "" {
			t.Error("bob is gone")
		}
		if !regexp.MustCompile(`value="bob" checked`).MatchString(b.body) {
			t.Error("the choice is lost")
		}
		b.choose(nil, "what", "remove").want(422, "Choose at least one member")
	})
	t.Run("T8_CreditsForEach", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.acme()
		b := w.as("ann", "acme")
		b.choose([]string{"bob", "cleo"}, "what", "allocate", "credits", "1.000").want(200, "bob 1,000 more: 700 → 1,700", "cleo 1,000 more: 0 → 1,000")
		f := b.form(changesAt)
		b.sendForm(f).want(200, "Done")
		b.sendForm(f).want(200, "Done")
		if m := w.member("bob"); m.Allocation.Remaining != 1700 {
			t.Errorf("bob has %d", m.Allocation.Remaining)
		}
		b.choose([]string{"bob", "cleo"}, "what", "allocate", "credits", "1000").want(422, "bob : 1,000 more", "cleo : Only 300 credits are free there")
		b.choose([]string{"bob", "cleo"}, "what", "reclaim", "credits", "").want(200, "bob 1,700 less: 1,700 → 0")
		b.submit(changesAt).want(200, "Done")
		b.choose([]string{"bob"}, "what", "allocate", "credits", "1.5").want(422, "whole number")
	})
}

func TestInvitations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	b := w.as("abe", "acme").get(membersAt)
	f := b.form(inviteAt)
	f.fields.Set("email", "dan@example.com")
	b.sendForm(f).want(200, "dan@example.com is invited", "dan@example.com Member, Credits")
	link := regexp.MustCompile(`value="https://app\.example/join\?token=([^"]+)"`)
	first := link.FindStringSubmatch(b.body)
	if first == nil {
		t.Fatalf("no link to copy: %s", b.body)
	}
	if again := link.FindStringSubmatch(b.sendForm(f).body); again == nil || again[1] != first[1] {
		t.Error("the same form again gives another link")
	}
	if link.MatchString(b.get(membersAt).body) {
		t.Error("the link is shown twice")
	}
	var found bool
	if err := w.DB.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM page_sessions s WHERE s::text LIKE '%' || $1 || '%')
		OR EXISTS (SELECT FROM request_keys k WHERE k::text LIKE '%' || $1 || '%')`, first[1]).Scan(&found); err != nil || found {
		t.Errorf("the database keeps the link: %v, %v", found, err)
	}
	b.submit(inviteAt, "email", "dan@example.com").want(409, "invited already")
	b.submit(inviteAt, "email", "nonsense").want(422, "isn't an e-mail address")
	if got := b.form(inviteAt).fields.Get("email"); got != "nonsense" {
		t.Errorf("what was typed is lost: %q", got)
	}
	resend := regexp.MustCompile(`/page/teams/acme/invitations/[^/"]+/resend`).FindString(b.get(membersAt).body)
	b.submit(resend).want(200, "has a new link")
	if again := link.FindStringSubmatch(b.body); again == nil || again[1] == first[1] {
		t.Error("the link isn't new")
	}
	b.submit(strings.Replace(resend, "resend", "revoke", 1)).want(200, "taken back", "Nobody.")
}

// 5,000 members are found, sorted and paged as fast as five.
func TestMembers_FiveThousand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	w.Must(func(tx pgx.Tx) error {
		for i := range 5000 {
			if _, err := teams.EnsureUser(t.Context(), tx, fmt.Sprintf("person-%d", i), noon); err != nil {
				return err
			}
		}
		_, err := tx.Exec(t.Context(), `UPDATE users SET name = 'Person ' || book_id, email = id || '@example.com' WHERE id LIKE 'person-%'`)
		if err == nil {
			_, err = tx.Exec(t.Context(), `INSERT INTO members (team_id, user_id, role, access, access_given, joined_at)
				SELECT 'acme', id, 'member', 'credits', 'credits', $1 FROM users WHERE id LIKE 'person-%'`, noon)
		}
		return err
	})
	b := w.as("ann", "acme")
	for _, path := range []string{membersAt, membersAt + "?page=100&sort=used", membersAt + "?q=Person+1", "/page/teams/acme"} {
		b.get(path).want(200)
		t.Logf("%s: %d bytes", path, len(b.body))
		if len(b.body) > 150<<10 {
			t.Errorf("%s weighs %d bytes", path, len(b.body))
		}
	}
	b.get(membersAt).want(200, "5,004 members", "Page 1 of 101")
	if rows := strings.Count(b.body, `name="user"`); rows != 50 {
		t.Errorf("%d rows", rows)
	}
	b.get(fmt.Sprintf("%s?page=%d", membersAt, 9999)).want(200, "Page 101 of 101")
}
