package web

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"purser/teams"
)

// membersPage is a page of a team's members.
type membersPage struct {
	Rows    []memberRow
	Found   int64
	Search  string
	Sort    string
	Pages   pages
	Pending []teams.Invitation
	Seats   *seats
	Shared  bool // members draw on the pool
}

// memberRow is a member with a name.
type memberRow struct {
	teams.MemberView
	Name  string
	Email string
	Sorts string // what it is sorted by as a name
}

// pageSize is how many rows a page has; it bounds what can be changed at once, too.
const pageSize = 50

// pages leads through a long list.
type pages struct {
	Number, Of     int64
	Earlier, Later string // paths; "": there is none
}

// paged cuts a page out of a list.
func paged[T any](v *visit, list []T) ([]T, pages) {
	of := max(1, (len(list)+pageSize-1)/pageSize)
	number, _ := strconv.Atoi(v.form.Get("page"))
	number = min(max(1, number), of)
	p := pages{Number: int64(number), Of: int64(of)}
	if number > 1 {
		p.Earlier = v.Query("page", strconv.Itoa(number-1))
	}
	if number < of {
		p.Later = v.Query("page", strconv.Itoa(number+1))
	}
	return list[(number-1)*pageSize : min(len(list), number*pageSize)], p
}

// orders are how members can be sorted, by the names of columns.
var orders = map[string]func(a, b memberRow) int{
	"name":      func(a, b memberRow) int { return cmp.Compare(a.Sorts, b.Sorts) },
	"role":      func(a, b memberRow) int { return cmp.Compare(rank(a.Role), rank(b.Role)) },
	"access":    func(a, b memberRow) int { return cmp.Compare(a.Access, b.Access) },
	"allocated": func(a, b memberRow) int { return cmp.Compare(b.Allocation.All, a.Allocation.All) },
	"used":      func(a, b memberRow) int { return cmp.Compare(b.Used, a.Used) },
	"held":      func(a, b memberRow) int { return cmp.Compare(b.Held, a.Held) },
	"remaining": func(a, b memberRow) int { return cmp.Compare(b.Allocation.Remaining, a.Allocation.Remaining) },
}

func rank(r teams.Role) int {
	return slices.Index([]teams.Role{teams.Owner, teams.Admin, teams.Plain}, r)
}

// manages lets only those through who manage the team: the page would show them nothing.
func manages(page showing) showing {
	return func(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
		if !v.Manages() {
			return view{}, errNotYours
		}
		return page(ctx, tx, v)
	}
}

var errNotYours = &teams.Refusal{Class: teams.Forbidden, Code: "role_forbids", Detail: "only those who manage the team see this"}

func (s *Server) registerMembers() {
	s.page(Root+"/teams/{team}/members", manages(s.members))
	s.registerBulk()
	s.registerInvitations()
}

// members lists members as whoever manages the team searches and sorts them.
func (s *Server) members(ctx context.Context, tx pgx.Tx, v *visit) (view, error) {
	shown, err := teams.View(ctx, tx, s.cfg.Catalog, v.Team.ID, v.By, v.At)
	if err != nil {
		return view{}, err
	}
	rows, err := v.named(ctx, tx, shown.Members)
	if err != nil {
		return view{}, err
	}
	v.here = v.Path("members")
	p := &membersPage{Search: v.Was("q", ""), Sort: v.Was("sort", "name"), Shared: v.Team.Sharing == teams.SharingPool}
	rows = matching(rows, p.Search)
	order, known := orders[p.Sort]
	if !known {
		p.Sort, order = "name", orders["name"]
	}
	slices.SortStableFunc(rows, order)
	p.Found = int64(len(rows))
	p.Rows, p.Pages = paged(v, rows)
	if n := shown.Seats; n.Bought+n.Assigned+n.Reserved > 0 {
		p.Seats = &seats{n.Bought, n.Assigned, n.Reserved, max(0, n.Bought-n.Assigned-n.Reserved)}
	}
	p.Pending, err = v.pending(ctx, tx)
	return view{"members", v.T("members.title"), p}, err
}

// named gives members their names.
func (v *visit) named(ctx context.Context, tx pgx.Tx, members []teams.MemberView) ([]memberRow, error) {
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.UserID
	}
	people, err := teams.People(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]memberRow, len(members))
	for i, m := range members {
		u := people[m.UserID]
		name := Named(u, m.UserID)
		rows[i] = memberRow{m, name, u.Email, strings.ToLower(name)}
	}
	return rows, nil
}

// matching are the rows in whose name, address or id a text stands.
func matching(rows []memberRow, text string) []memberRow {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "" {
		return rows
	}
	return slices.DeleteFunc(rows, func(r memberRow) bool {
		return !strings.Contains(strings.ToLower(r.Name+"\n"+r.Email+"\n"+r.UserID), text)
	})
}

// Sorted is a column's heading: where it leads, and how it is sorted now.
type Sorted struct {
	Text, Path string
	Here       bool
	Falling    bool
	Number     bool
}

// Heading is the heading of a column of members.
func (v *visit) Heading(name, now string) Sorted {
	falling := name != "name" && name != "role" && name != "access"
	return Sorted{v.T("members." + name), v.Query("sort", name, "page", ""), name == now, falling, falling}
}
