package api_test

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWalk lets teams live through random calls. Whatever comes, no answer is a fault of
// ours or undocumented, pools add up and hold what the model says, a repeated key gets its
// first answer, and the audit finds nothing. It is short unless PURSER_SOAK says for how
// long to go on.
func TestWalk(t *testing.T) {
	soak, checks := time.Duration(0), "8"
	if s := os.Getenv("PURSER_SOAK"); s != "" {
		var err error
		if soak, err = time.ParseDuration(s); err != nil {
			t.Fatalf("PURSER_SOAK must be a duration: %v", err)
		}
		checks = "50"
	}
	setFlag(t, "rapid.checks", checks)
	w := newWorld(t)
	n := 0
	for began := time.Now(); ; {
		rapid.Check(t, func(rt *rapid.T) {
			n++
			newWalk(w, rt, n).live()
		})
		if t.Failed() || time.Since(began) >= soak {
			return
		}
	}
}

func setFlag(t *testing.T, name, value string) {
	t.Helper()
	f := flag.Lookup(name)
	if f == nil || f.Value.String() != f.DefValue {
		return // somebody set it on the command line
	}
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
}

// walk is one life of a team, beside a model that knows sums only.
type walk struct {
	*world
	rt   *rapid.T
	team string
	name func(string) string

	members []string
	put     int64            // into the team: granted and contributed
	used    int64            // of the team's credits
	own     map[string]int64 // each user's personal credits
	spends  []drawn
	holds   []drawn
	done    []told
}

// drawn is a spend, a capture or a hold. Where is the path of the team or the user.
type drawn struct {
	where, id, user string
	credits         int64
	personal        bool
}

// told is a request that succeeded, with its answer.
type told struct {
	request request
	raw     []byte
}

func newWalk(w *world, rt *rapid.T, n int) *walk {
	k := &walk{world: w, rt: rt, own: map[string]int64{}}
	k.name = func(s string) string { return fmt.Sprintf("%s-%d", s, n) }
	k.team = k.name("team")
	w.Clock.Set(noon)
	w.wall.Advance(time.Hour)
	k.members = []string{k.name("ann")}
	k.call("POST", "/v1/teams", object{"id": k.team, "owner_id": k.members[0], "name": "Walk"}, "")
	for _, who := range []string{"bob", "cid"} {
		k.join(k.name(who))
	}
	return k
}

func (k *walk) live() {
	k.rt.Repeat(map[string]func(*rapid.T){
		"":             k.check,
		"grant":        k.grantBonus,
		"take":         k.takeBonus,
		"spend":        func(t *rapid.T) { k.draw(t, "spends") },
		"spend more":   func(t *rapid.T) { k.draw(t, "spends") },
		"hold":         func(t *rapid.T) { k.draw(t, "holds") },
		"capture":      k.capture,
		"release":      k.release,
		"reverse":      k.reverse,
		"move":         k.move,
		"contribute":   k.contribute,
		"set a member": k.setMember,
		"switch":       k.switchAccess,
		"leave":        k.leave,
		"join":         k.comeIn,
		"set the team": k.setTeam,
		"ask again":    k.askAgain,
		"wait": func(t *rapid.T) {
			k.Clock.Advance(time.Duration(rapid.IntRange(0, 600).Draw(t, "seconds")) * time.Second)
		},
	})
	k.end()
}

// call makes a request and notes it if it succeeded.
func (k *walk) call(method, path string, body any, user string) reply {
	r := request{method: method, path: path, body: body, user: user, key: fmt.Sprintf("walk-%d", k.Made.Add(1))}
	out, err := k.try(r)
	if err != nil {
		k.rt.Fatal(err)
	}
	switch {
	case out.status >= 500:
		k.rt.Fatalf("%s %s: %d %s", method, path, out.status, out.raw)
	case out.status < 300 && method != http.MethodGet:
		k.done = append(k.done, told{r, out.raw})
	}
	return out
}

func (k *walk) path(rest string) string { return "/v1/teams/" + k.team + rest }

func (k *walk) member(t *rapid.T) string { return rapid.SampledFrom(k.members).Draw(t, "member") }

// check holds what the pool and the personal accounts show against the model.
func (k *walk) check(*rapid.T) {
	p := k.pool(k.team)
	if p.Used != k.used || p.Total != k.put {
		k.rt.Fatalf("used %d and %d in all, the model says %d and %d", p.Used, p.Total, k.used, k.put)
	}
	for _, user := range slices.Sorted(maps.Keys(k.own)) {
		v := k.get("/v1/users/" + user + "/account").ok(200)
		if left := v["available"].(float64) + v["held"].(float64); left != float64(k.own[user]) {
			k.rt.Fatalf("%s has %v, the model says %d", user, left, k.own[user])
		}
	}
}
