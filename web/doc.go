// Package web answers what a team's people may see and do in a browser: the hosted page
// with their credits.
//
// # Who is there
//
// There are no accounts and no passwords. The product's backend knows who somebody is and
// asks the API for a page session; its link opens the page once (session.go), and from
// then on a cookie does. The session is bound to the user, and to one team or to all teams
// of that user; what the user may do, teams decides by the user's role.
//
// # A request's way
//
// Every request passes the front (front.go): the headers that keep other sites out, and
// for what changes something the proof that it comes from this page. A page then reads in
// one snapshot and is rendered whole, so that one that fails half-way is never seen
// (render.go). What changes something is a plain form: it is done once, however often it
// is sent (once.go), and leads on to a page that says what became of it. What is refused
// shows the form again, with the reason. Nothing needs JavaScript.
//
// # One file a page
//
// A page is a Go file that says which paths it has and what it reads, and a template of
// the same name. No rule stands in either: web asks teams and billing as the API does. All
// words stand in text/en.json, and the product may replace any of them.
package web
