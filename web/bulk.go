package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/jackc/pgx/v5"

	"purser/ledger"
	"purser/teams"
)

// bulk is a change of several members at once.
type bulk struct {
	What   string
	Users  []string
	Access teams.Access
	Role   teams.Role
	Limit  teams.Limit
	Move   moveAsk // of each
}

// moveAsk is how many credits each of several gives or gets.
type moveAsk struct {
	Credits int64
	All     bool
	Reason  string
}

// bulkChecked is what a change would do, for whoever is to confirm it.
type bulkChecked struct {
	Fields map[string][]string // to be sent again
	Says   string
	Rows   []row
	Danger bool
}

func (s *Server) registerBulk() {
	page := manages(s.members)
	path := Root + "/teams/{team}/members/changes"
	s.mux.HandleFunc("POST "+path+"/preview", func(w http.ResponseWriter, r *http.Request) {
		v := s.visit(w, r)
		if v == nil || !v.read(w) {
			return
		}
		checked, err := s.previewBulk(r.Context(), v)
		if err != nil {
			v.again(w, err, page)
			return
		}
		v.show(w, http.StatusOK, func(context.Context, pgx.Tx, *visit) (view, error) {
			return view{"members_check", v.T("bulk.title"), checked}, nil
		})
	})
	s.act(path, func(ctx context.Context, tx pgx.Tx, v *visit) (done, error) {
		b, err := v.bulk()
		if err != nil {
			return done{}, err
		}
		rows, err := s.doBulk(ctx, tx, v, b)
		return done{note{Text: v.T("bulk.done", int64(len(rows))), Rows: rows}, v.Path("members")}, err
	}, page)
}

// bulk reads what is to be done with whom.
func (v *visit) bulk() (b bulk, err error) {
	b = bulk{What: v.form.Get("what"), Users: v.form.Values["user"]}
	if len(b.Users) == 0 {
		return b, &teams.Refusal{Class: teams.Rule, Code: "nobody_chosen", Field: "user", Detail: "nobody is chosen"}
	}
	switch b.What {
	case "access":
		b.Access = teams.Access(v.form.Get("access"))
	case "role":
		b.Role = teams.Role(v.form.Get("role"))
	case "limit":
		b.Limit, err = v.form.limit()
	case "allocate":
		b.Move.Credits, err = v.form.credits("credits")
	case "reclaim":
		if b.Move.All = v.form.Text("credits") == ""; !b.Move.All {
			b.Move.Credits, err = v.form.credits("credits")
		}
	case "remove":
	default:
		err = &teams.Refusal{Class: teams.Rule, Code: "form_unreadable", Detail: "it isn't said what to do"}
	}
	b.Move.Reason = v.form.Text("reason")
	return b, err
}

// limit reads a limit.
func (f form) limit() (teams.Limit, error) {
	l := teams.Limit{Kind: f.Get("limit_kind")}
	if l.Kind == "" || l.Kind == teams.LimitNone {
		return teams.Limit{Kind: teams.LimitNone}, nil
	}
	var err error
	l.Credits, err = f.credits("limit_credits")
	return l, err
}

// errOnlyTried takes back what was done only to be looked at.
var errOnlyTried = errors.New("only tried")

// previewBulk does it and takes it back: so rows see each other as they will.
func (s *Server) previewBulk(ctx context.Context, v *visit) (*bulkChecked, error) {
	b, err := v.bulk()
	if err != nil {
		return nil, err
	}
	var rows []row
	err = pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error {
		if err := v.findTeam(ctx, tx); err != nil {
			return err
		}
		if rows, err = s.doBulk(ctx, tx, v, b); err != nil {
			return err
		}
		return errOnlyTried
	})
	if !errors.Is(err, errOnlyTried) {
		return nil, err
	}
	fields := map[string][]string{}
	for name, values := range v.form.Values {
		if name != "csrf" && name != "key" {
			fields[name] = values
		}
	}
	return &bulkChecked{Fields: fields, Says: v.T("bulk.says."+b.What, int64(len(rows))), Rows: rows, Danger: b.What == "remove"}, nil
}

// doBulk changes all or nobody, and says of each what became of it.
func (s *Server) doBulk(ctx context.Context, tx pgx.Tx, v *visit, b bulk) ([]row, error) {
	people, err := teams.People(ctx, tx, b.Users)
	if err != nil {
		return nil, err
	}
	name := func(id string) string { return Named(people[id], id) }
	if b.What == "allocate" || b.What == "reclaim" {
		return s.moveEach(ctx, tx, v, b, name)
	}
	before, err := teams.Members(ctx, tx, v.Team.ID)
	if err != nil {
		return nil, err
	}
	was := map[string]teams.Member{}
	for _, m := range before {
		was[m.UserID] = m
	}
	results, ok, err := teams.ChangeMembers(ctx, tx, s.cfg.Catalog, v.Team.ID, b.changes(), v.By, v.At)
	if err != nil {
		return nil, err
	}
	rows := make([]row, len(results))
	for i, r := range results {
		rows[i] = row{Who: name(r.UserID)}
		if r.Err != nil {
			rows[i].Text, rows[i].Refused = v.refusalOf(r.Err).Text, true
			continue
		}
		rows[i].Text = v.changed(b.What, was[r.UserID], r.Member)
	}
	if !ok {
		return nil, &rowsRefused{rows}
	}
	return rows, nil
}

func (b bulk) changes() []teams.Change {
	changes := make([]teams.Change, len(b.Users))
	for i, id := range b.Users {
		c := teams.Change{UserID: id}
		switch b.What {
		case "access":
			c.Access = &b.Access
		case "role":
			c.Role = &b.Role
		case "limit":
			c.Limit = &b.Limit
		case "remove":
			c.Remove = true
		}
		changes[i] = c
	}
	return changes
}

// changed says what changed of a member.
func (v *visit) changed(what string, was teams.Member, now *teams.Member) string {
	switch {
	case now == nil:
		return v.T("bulk.removed")
	case what == "access":
		return v.T("bulk.changed", v.Word("access", was.Access), v.Word("access", now.Access))
	case what == "role":
		return v.T("bulk.changed", v.Word("role", was.Role), v.Word("role", now.Role))
	}
	return v.T("bulk.changed", v.Limit(was.Limit()), v.Limit(now.Limit()))
}

// Limit says a limit.
func (v *visit) Limit(l teams.Limit) string {
	if l.Kind == teams.LimitNone {
		return v.T("limit.none")
	}
	return v.T("limit."+l.Kind+".of", l.Credits)
}

// moveEach allocates to each, or reclaims from each.
func (s *Server) moveEach(ctx context.Context, tx pgx.Tx, v *visit, b bulk, name func(string) string) ([]row, error) {
	key, hash := v.key()
	if key == "" {
		key = v.NewKey() // of a preview
	}
	rows, refused := make([]row, len(b.Users)), false
	for i, id := range b.Users {
		in := teams.MoveIn{
			TeamID: v.Team.ID, By: v.By, From: teams.Place{Kind: teams.PlacePool}, To: teams.Place{Kind: teams.PlaceMember, User: id},
			Credits: b.Move.Credits, All: b.Move.All, Reason: b.Move.Reason, Key: key + "-" + strconv.Itoa(i), Hash: hash,
		}
		if b.What == "reclaim" {
			in.From, in.To = in.To, in.From
		}
		rows[i] = row{Who: name(id)}
		out, err := teams.Move(ctx, tx, s.cfg.Catalog, in, v.At)
		var no *teams.Refusal
		switch {
		case errors.As(err, &no) && no.Code != "role_forbids":
			rows[i].Text, rows[i].Refused, refused = v.refusalOf(err).Text, true, true
		case err != nil:
			return nil, err
		case out.Kind == string(ledger.KindReclaim):
			rows[i].Text = v.T("bulk.reclaimed", out.Credits, out.Before.From, out.After.From)
		default:
			rows[i].Text = v.T("bulk.allocated", out.Credits, out.Before.To, out.After.To)
		}
	}
	if refused {
		return nil, &rowsRefused{rows}
	}
	return rows, nil
}
