package api_test

// end closes the team once its holds are settled (T16): what the owner had put in goes
// home, the rest expires, and every credit is accounted for. Then nothing happens there any
// more, and all that was answered is answered again.
func (k *walk) end() {
	for _, h := range k.holds {
		if r := k.call("POST", h.where+"/holds/"+h.id+"/release", nil, ""); r.status != 201 {
			r.refused(409, "hold_expired")
		}
	}
	k.holds = nil
	owner := k.members[0]
	told := k.call("GET", k.path("/close/preview"), nil, owner).ok(200)
	expires, home := int64(told["expires"].(float64)), int64(0)
	for _, h := range told["homeward"].([]any) {
		if h.(object)["user_id"] != owner {
			k.rt.Fatalf("T16: something goes to %v", h)
		}
		home += int64(h.(object)["credits"].(float64))
	}
	if expires+home != k.put-k.used {
		k.rt.Fatalf("T16: %d expire and %d go home of %d", expires, home, k.put-k.used)
	}
	k.call("POST", k.path("/close"), object{"expires": expires + 1}, owner).refused(409, "expiry_unconfirmed")
	k.call("POST", k.path("/close"), object{"expires": expires}, owner).ok(200)
	k.own[owner] += home
	k.put = k.used
	k.check(nil)
	for _, what := range []string{"/spends", "/holds"} {
		k.call("POST", k.path(what), object{"user_id": owner, "credits": 1}, "").refused(409, "team_closed")
	}
	k.askAgain(k.rt)
}
