package worker

import (
	"time"

	"purser/internal/localstripe"
)

// hears has everything delivered and worked, and what is due settled. What is due counts
// as done before anybody did it.
func (l *life) hears() {
	l.t.Helper()
	l.flush()
	drain(l.t, l.worker)
	l.shown()
	for _, sweep := range []func() (int, error){
		func() (int, error) { return l.worker.SettleDue(l.t.Context()) },
		func() (int, error) { return l.worker.SweepPurchases(l.t.Context()) },
		func() (int, error) { return l.worker.SweepTopUps(l.t.Context()) },
	} {
		_, err := sweep()
		ok(l.t, err)
	}
	l.flush()
	drain(l.t, l.worker)
}

// shown holds that a sweep changes nothing of what is shown, but for what a hold gave back
// for a subscription that has left, which the sweep sends after it.
func (l *life) shown() {
	l.t.Helper()
	if l.count(`SELECT count(*) FROM held_back`) > 0 {
		return
	}
	var before, after [2]string
	for i, book := range []int64{l.team.BookID, l.personal} {
		before[i] = l.left(book) + " " + figures(l.read(book))
	}
	_, err := l.worker.SettleDue(l.t.Context())
	ok(l.t, err)
	for i, book := range []int64{l.team.BookID, l.personal} {
		after[i] = l.left(book) + " " + figures(l.read(book))
	}
	same(l.t, "B4: what a sweep leaves of what was shown", after, before)
}

// holdsGood holds what is true at any time.
func (l *life) holdsGood() {
	l.t.Helper()
	l.hears()
	l.audit()
	for _, book := range []int64{l.team.BookID, l.personal} {
		p := l.read(book)
		l.note("  %d: %s | %s", book, l.left(book), figures(p))
		for _, figure := range []int64{p.Monthly, p.Purchased, p.Rollover, p.Bonus, p.Contributed, p.Used, p.Held, p.Available, p.Debt, p.Frozen} {
			if figure < 0 {
				l.t.Errorf("B12: a figure is negative: %+v", p)
			}
		}
	}
	same(l.t, "events that wait or failed", l.count(`SELECT count(*) FROM events WHERE state NOT IN ('done', 'ignored')`), 0)
	same(l.t, "B5: what the periods say was granted, less what was posted", l.count(`
		SELECT (SELECT COALESCE(sum(granted), 0) FROM periods) -
		       (SELECT COALESCE(sum(credits), 0) FROM entries WHERE kind = 'grant' AND key LIKE 'grant:%')`), 0)
	same(l.t, "B10: what the periods say was taken back, less what was posted", l.count(`
		SELECT (SELECT COALESCE(sum(taken_back), 0) FROM periods) -
		       (SELECT COALESCE(sum(credits), 0) FROM entries WHERE kind = 'take_back')`), 0)
	same(l.t, "P4: what was paid for, less what was posted", l.count(`
		SELECT (SELECT COALESCE(sum(credits), 0) FROM purchases WHERE state = 'paid') -
		       (SELECT COALESCE(sum(credits), 0) FROM entries WHERE kind = 'grant' AND key LIKE 'topup:%')`), 0)
	same(l.t, "B8: what is free in lots whose period has turned", l.count(`
		SELECT COALESCE(sum(b.balance - b.held), 0) FROM lots l
		JOIN periods p ON p.subscription_id = l.series AND p.number = l.step
		JOIN lot_balances b ON b.book_id = l.book_id AND b.lot_id = l.id AND b.account_id >= 7
		WHERE p.turned_at IS NOT NULL AND NOT l.frozen`), 0)
	same(l.t, "T13: what is free of a subscription where it isn't", l.count(`
		SELECT COALESCE(sum(b.balance - b.held), 0) FROM lots l
		JOIN subscriptions s ON s.id = l.series AND s.book_id <> l.book_id
		JOIN lot_balances b ON b.book_id = l.book_id AND b.lot_id = l.id AND b.account_id >= 7`), 0)
	same(l.t, "L4: what is free in lots that are dead", l.count(`
		SELECT COALESCE(sum(b.balance - b.held), 0) FROM lots l
		JOIN lot_balances b ON b.book_id = l.book_id AND b.lot_id = l.id AND b.account_id >= 7
		WHERE l.expires_at <= $1 AND NOT l.frozen`, l.stripe.Now()), 0)
	same(l.t, "figures below zero", l.count(`
		SELECT count(*) FROM periods WHERE target < 0 OR owed < 0 OR granted < taken_back OR rolled < 0`), 0)
	same(l.t, "R1, R3: more taken back than the money says", l.count(`
		SELECT count(*) FROM purchases p JOIN charges c ON c.purchase_id = p.id
		WHERE p.amount > 0 AND p.taken_back <> floor(p.credits::numeric * LEAST(c.refunded + c.lost, p.amount) / p.amount)`), 0)
	same(l.t, "R2: frozen without a dispute", l.count(`
		SELECT count(*) FROM lots l WHERE l.frozen AND NOT EXISTS (SELECT FROM charges c WHERE c.dispute_open AND l.root_origin = ANY (c.roots))`), 0)
}

// ends has all that was given back come back, and everything compared with Stripe.
func (l *life) ends() {
	l.note("the end")
	l.stripe.SetDelivery(localstripe.Faults{})
	l.stripe.Release(3)
	l.hears()
	sum, lines := l.reconcile(ReconcileIn{})
	if sum.Differences != 0 {
		l.t.Errorf("E3: %d differences: %v", sum.Differences, lines)
	}
	for _, id := range l.disputes {
		l.note("dispute %s won: %v", id, l.stripe.CloseDispute(id, "won"))
	}
	for _, id := range l.refunds {
		l.note("refund %s fails: %v", id, l.stripe.FailRefund(id))
	}
	l.advance(25 * time.Hour)
	l.holdsGood()
	same(l.t, "credits held without a hold", l.count(`SELECT COALESCE(sum(held), 0) FROM accounts`), 0)
}
