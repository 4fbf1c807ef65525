// Package localstripe answers what Stripe would have said, without Stripe: a stateful stand-in for its
// API of version 2023-10-16 that runs in the process, speaks HTTP on a loopback port, signs and sends
// webhooks, and owns a clock that moves only when it is told to.
//
// It is what the demo, the development mode and the tests run against, so it follows Stripe's behaviour
// where our code depends on it: seats and prorations, renewals an hour after their draft, declined cards,
// dunning, trials, Checkout, refunds, disputes, idempotency keys, and events that arrive late, twice or in
// any order. What it does not model it refuses by name, rather than ignoring it.
//
// The design is small on purpose. All state is in Server under one mutex; each kind of object has one
// file, a typed struct and a render method that writes the object as Stripe does. A request handler reads
// its parameters first, refuses what it doesn't know, and only then changes anything. Every change emits
// its events at once, as snapshots. Deliveries happen outside the mutex, in parallel. Moments that are due
// in the future wait in a heap per clock, and Advance stops at each of them.
//
// Facts about Stripe that could not be checked against its documentation or recorded traffic are listed
// in Unverified.
package localstripe
