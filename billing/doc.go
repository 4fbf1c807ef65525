// Package billing answers what credits an account should have, by what Stripe says was
// bought.
//
// # Deciding
//
// A State is a book of the ledger with the subscriptions that live in it. Settle does,
// in memory and in the order of time, everything that has fallen due by an instant, and
// then lets the current period follow the subscription. It is arithmetic: it reads no
// clock, no database and not Stripe, and settling twice is the same as settling once.
// A worker settles and saves; a read settles and looks. So a read is right although no
// worker ran, and a worker that was down costs nobody a credit.
//
//	state, err := billing.OpenState(ctx, tx, catalog, at, ledger.Want{Book: id})
//	err = state.Settle(at)
//	err = billing.Save(ctx, tx, state)
//
// # Periods
//
// A subscription has periods: credit months that follow one another without a gap
// (months.go says where they end). A period is opened when it begins, granted once when
// it may be (settle.go: grantAt), recomputed while it runs (recompute.go), perhaps
// cut short (adopt.go), and turned once when it is over (turn.go). Its number is the
// step of its lots: what carries that number is ended by that turn.
//
// A granted period keeps the figures it was granted by: prices, credits, rules
// (figures.go). It remembers two amounts. The target is how many credits it should have
// brought, by what was bought when it was last settled. Owed is what was to be taken
// back and wasn't there, since it was spent, held or given to a member; it is set off
// before anything is granted. Between them, no to and fro of seats, plans or intervals
// mints a credit.
//
// # Refunds and disputes
//
// A charge of which money was given back, or that is disputed, is settled by levels
// (refund.go): the money that is gone by now says how many credits are to have been taken
// back in all, and the difference is taken or given back. What the charge paid for may
// lie in several books by then; all of them are found and locked first (charge_place.go).
//
// # Stripe
//
// The package says what it needs of Stripe (Stripe, in stripe.go) and keeps what Stripe
// said as it was fetched (facts.go). Stripe keeps no history, so neither do the rules
// ask for any: what was missed is caught up by the facts of today.
package billing
