package main

import "time"

// benchPace is a clock that remembers when it was asked. Whoever does many equal things
// asks it at each, so that it can tell how fast they went, and show how far they are.
type benchPace struct {
	bench  *bench
	what   string // is being done
	each   int    // things at a time
	things int    // in all

	asked []time.Time
}

// start begins anew.
func (p *benchPace) start(what string, each, things int) {
	p.what, p.each, p.things, p.asked = what, each, things, nil
}

func (p *benchPace) now() time.Time {
	p.bench.say("%s: %s of %s teams", p.what, thousands(int64(min(len(p.asked)*p.each, p.things))), thousands(int64(p.things)))
	at := p.bench.now()
	p.asked = append(p.asked, at)
	return at
}

// benchTenths is how many seconds 1,000 took at the beginning and at the end.
type benchTenths struct {
	First float64 `json:"first_tenth"`
	Last  float64 `json:"last_tenth"`
}

// tenths tells how the pace changed.
func (p *benchPace) tenths() (t benchTenths) {
	steps := len(p.asked) - 1
	if steps < 10 {
		return t
	}
	tenth := steps / 10
	took := func(from, to int) float64 {
		each := p.asked[to].Sub(p.asked[from]).Seconds() / float64(tenth)
		return rounded(each * float64(steps) / float64(p.things) * 1_000)
	}
	return benchTenths{took(0, tenth), took(steps-tenth, steps)}
}
