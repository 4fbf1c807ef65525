// Package api answers the product's backend over HTTP: JSON in, JSON out, as the OpenAPI
// document says that this package makes of itself.
//
// # A request's way
//
// Every request passes the front (front.go), which gives it an id, a line in the log and
// an answer in problem+json if no route is there. The gate (gate.go) then asks who it is:
// an API key in Authorization, whose scopes open operations, and in Purser-User the user
// who acts, whose role in the team decides. Without Purser-User it is the backend itself,
// whom no role limits. What is asked is decided by teams and billing; this package begins
// and commits their transactions, knows no SQL and no lots' arithmetic.
//
// # Writes
//
// Every write carries an Idempotency-Key (L6). The request's hash is of the operation, the
// path, the canonical body and the acting user. Spends, holds and what settles them go
// through lanes (lanes.go), where concurrent ones are decided together; their keys are the
// ledger's. All others go through once (once.go), which remembers the answer in the same
// transaction. Either way the same request again gets the first answer, byte for byte.
//
// # Refusals
//
// A domain error lives beside its rule. What HTTP makes of it is said in one place:
// problems.go says which error is which code, codes.go which status a code has and what
// to do about it. The table is served at /problems.
package api
