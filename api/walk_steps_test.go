package api_test

import (
	"bytes"
	"slices"

	"pgregory.net/rapid"
)

func credits(t *rapid.T) int64 { return rapid.Int64Range(1, 60).Draw(t, "credits") }

func (k *walk) join(user string) {
	v := k.call("POST", k.path("/invitations"), object{"email": user + "@example.com"}, "")
	if v.status != 201 {
		return // the team is full, or user is in it
	}
	accepted := k.call("POST", "/v1/invitations/accept", object{"token": v.ok(201)["token"], "user_id": user}, "")
	if accepted.ok(201); !slices.Contains(k.members, user) {
		k.members = append(k.members, user)
	}
}

func (k *walk) comeIn(t *rapid.T) {
	user := k.name(rapid.SampledFrom([]string{"bob", "cid", "dan", "eve"}).Draw(t, "user"))
	if !slices.Contains(k.members, user) {
		k.join(user)
	}
}

func (k *walk) grantBonus(t *rapid.T) {
	n := rapid.Int64Range(1, 200).Draw(t, "credits")
	switch rapid.IntRange(0, 2).Draw(t, "to") {
	case 0:
		k.call("POST", k.path("/bonus"), object{"credits": n, "memo": "walk"}, "").ok(201)
		k.put += n
	case 1:
		k.call("POST", k.path("/bonus"), object{"credits": n, "memo": "walk", "user_id": k.member(t)}, "").ok(201)
		k.put += n
	case 2:
		user := k.member(t)
		k.call("POST", "/v1/users/"+user+"/bonus", object{"credits": n, "memo": "walk"}, "").ok(201)
		k.own[user] += n
	}
}

func (k *walk) takeBonus(t *rapid.T) {
	n := credits(t)
	if r := k.call("POST", k.path("/bonus/take"), object{"credits": n, "memo": "walk"}, ""); r.status == 201 {
		k.put -= n
	} else {
		r.refused(402, "too_few_credits")
	}
}

// draw spends or holds, in the team or outside it, as the backend or as the member.
func (k *walk) draw(t *rapid.T, what string) {
	user, n := k.member(t), credits(t)
	where, body := k.path(""), object{"user_id": user, "credits": n}
	if rapid.IntRange(0, 3).Draw(t, "where") == 0 {
		where, body = "/v1/users/"+user, object{"credits": n}
	}
	if what == "holds" {
		body["expires_in"] = rapid.Int64Range(1, 1200).Draw(t, "expires_in")
	}
	r := k.call("POST", where+"/"+what, body, rapid.SampledFrom([]string{"", user}).Draw(t, "by"))
	if r.status == 402 {
		if p := r.ok(402); p["available"].(float64) >= float64(n) {
			k.rt.Fatalf("refused though %v are available: %s", p["available"], r.raw)
		}
		return
	}
	v := into[spendView](r, 201)
	var sum int64
	for _, p := range v.PaidFrom {
		sum += p.Credits
	}
	d := drawn{where, v.ID, user, n, v.PaidFrom[0].Account == "personal"}
	if sum != n || v.Available < 0 {
		k.rt.Fatalf("S3: %s", r.raw)
	}
	if what == "holds" {
		k.holds = append(k.holds, d)
		return
	}
	k.count(d, n)
	k.spends = append(k.spends, d)
}

// count notes that so much of a draw was used, or with a negative number given back.
func (k *walk) count(d drawn, n int64) {
	if d.personal {
		k.own[d.user] -= n
	} else {
		k.used += n
	}
}

func (k *walk) capture(t *rapid.T) {
	if len(k.holds) == 0 {
		return
	}
	i := rapid.IntRange(0, len(k.holds)-1).Draw(t, "hold")
	h := k.holds[i]
	n := rapid.Int64Range(0, h.credits+1).Draw(t, "captured")
	r := k.call("POST", h.where+"/holds/"+h.id+"/capture", object{"credits": n}, "")
	switch {
	case r.status == 201:
		k.holds = slices.Delete(k.holds, i, i+1)
		v := r.ok(201)
		if n > h.credits || v["released"] != float64(h.credits-n) {
			k.rt.Fatalf("%d of %d captured: %s", n, h.credits, r.raw)
		}
		k.count(h, n)
		if n > 0 {
			k.spends = append(k.spends, drawn{h.where, v["id"].(string), h.user, n, h.personal})
		}
	case n > h.credits && r.status == 422:
		r.refused(422, "more_than_held")
	default:
		r.refused(409, "hold_expired")
		k.holds = slices.Delete(k.holds, i, i+1)
	}
}

func (k *walk) release(t *rapid.T) {
	if len(k.holds) == 0 {
		return
	}
	i := rapid.IntRange(0, len(k.holds)-1).Draw(t, "hold")
	if r := k.call("POST", k.holds[i].where+"/holds/"+k.holds[i].id+"/release", nil, ""); r.status != 201 {
		r.refused(409, "hold_expired")
	}
	k.holds = slices.Delete(k.holds, i, i+1)
}

func (k *walk) reverse(t *rapid.T) {
	if len(k.spends) == 0 {
		return
	}
	i := rapid.IntRange(0, len(k.spends)-1).Draw(t, "spend")
	s := &k.spends[i]
	n := rapid.Int64Range(1, max(1, s.credits+1)).Draw(t, "reversed")
	r := k.call("POST", s.where+"/spends/"+s.id+"/reversals", object{"credits": n}, "")
	if n > s.credits {
		r.refused(422, "more_than_spent")
		return
	}
	r.ok(201)
	k.count(*s, -n)
	s.credits -= n
}

func (k *walk) move(t *rapid.T) {
	user, n := k.member(t), credits(t)
	body := object{"user_id": user, "credits": n}
	kind := rapid.SampledFrom([]string{"allocations", "reclaims", "transfers"}).Draw(t, "kind")
	if kind == "transfers" {
		body = object{"from": object{"kind": "member", "user_id": user}, "to": object{"kind": "member", "user_id": k.member(t)}, "credits": n}
	}
	preview, err := k.try(request{method: "POST", path: k.path("/" + kind + "/preview"), body: body, key: "-"})
	if err != nil {
		k.rt.Fatal(err)
	}
	r := k.call("POST", k.path("/"+kind), body, "")
	if (r.status == 201) != (preview.status == 200) {
		k.rt.Fatalf("T9: the preview says %s, the move %s", preview.raw, r.raw)
	}
	if r.status != 201 && r.status != 402 {
		r.refused(422, "move_to_oneself")
	}
}

func (k *walk) contribute(t *rapid.T) {
	n := credits(t)
	owner := k.members[0]
	if r := k.call("POST", k.path("/contributions"), object{"user_id": owner, "credits": n}, owner); r.status == 201 {
		k.put += n
		k.own[owner] -= n
	} else {
		r.refused(402, "too_few_credits")
	}
}

func (k *walk) setMember(t *rapid.T) {
	limit := object{"kind": rapid.SampledFrom([]string{"none", "period", "total"}).Draw(t, "kind")}
	if limit["kind"] != "none" {
		limit["credits"] = rapid.Int64Range(0, 200).Draw(t, "limit")
	}
	access := rapid.SampledFrom([]string{"credits", "personal"}).Draw(t, "access")
	k.call("POST", k.path("/members/changes"), object{"changes": []object{{"user_id": k.member(t), "limit": limit, "access": access}}}, k.members[0]).ok(200)
}

func (k *walk) switchAccess(t *rapid.T) {
	user := k.member(t)
	k.call("POST", k.path("/members/"+user+"/"+rapid.SampledFrom([]string{"go-personal", "go-back"}).Draw(t, "which")), nil, user)
}

func (k *walk) leave(t *rapid.T) {
	if len(k.members) == 1 {
		return
	}
	i := rapid.IntRange(1, len(k.members)-1).Draw(t, "who")
	k.call("POST", k.path("/members/changes"), object{"changes": []object{{"user_id": k.members[i], "remove": true}}}, k.members[i]).ok(200)
	k.members = slices.Delete(k.members, i, i+1)
}

func (k *walk) setTeam(t *rapid.T) {
	k.call("PATCH", k.path(""), object{
		"sharing": rapid.SampledFrom([]string{"pool", "balances"}).Draw(t, "sharing"), "fall_back": rapid.Bool().Draw(t, "fall_back"),
	}, "").ok(200)
}

// askAgain repeats a request that succeeded: the same answer, and nothing done (L6).
func (k *walk) askAgain(t *rapid.T) {
	one := rapid.SampledFrom(k.done).Draw(t, "request")
	again, err := k.try(one.request)
	if err != nil || !bytes.Equal(again.raw, one.raw) {
		k.rt.Fatalf("%s: first %s, again %v %s", again.what, one.raw, err, again.raw)
	}
}
