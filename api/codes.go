package api

import "net/http"

// code is one reason for which a request isn't answered as it wished. Codes never change
// their meaning; programs may branch on them.
type code struct {
	Name   string
	Status int
	Title  string
	Remedy string // what the caller can do about it
}

// codes are all there are, in S4's order of statuses.
var codes = []code{
	{"json_invalid", http.StatusBadRequest, "The body isn't JSON", "Send one JSON value in UTF-8. Nothing was done."},
	{"unauthorized", http.StatusUnauthorized, "No valid API key", "Send Authorization: Bearer pk_… with a key that wasn't revoked."},

	{"route_unknown", http.StatusNotFound, "No such route", "Look the path up in /openapi.yaml."},
	{"team_not_found", http.StatusNotFound, "No such team", "Check the id. To a user who isn't a member, a team doesn't exist."},
	{"user_not_found", http.StatusNotFound, "No such user", "Check the id, or make the user first."},
	{"member_not_found", http.StatusNotFound, "Not a member of the team", "Invite the user first."},
	{"invitation_not_found", http.StatusNotFound, "No such invitation", "Check the id or the token; a resent invitation has a new token."},
	{"hold_not_found", http.StatusNotFound, "No such hold", "Check the hold's id and whose it is: what was asked for in a team is settled there."},
	{"spend_not_found", http.StatusNotFound, "No such spend", "Check the spend's id and whose it is: what was asked for in a team is settled there."},
	{"subscription_not_found", http.StatusNotFound, "No such subscription", "Check the id."},
	{"purchase_not_found", http.StatusNotFound, "No such purchase", "Check the id."},
	{"customer_not_found", http.StatusNotFound, "No such customer", "Link the customer to a user first."},
	{"api_key_not_found", http.StatusNotFound, "No such API key", "Check the id; it is the part of the key before its secret."},
	{"pack_not_found", http.StatusNotFound, "No such pack", "See GET /v1/packs."},
	{"grant_not_found", http.StatusNotFound, "No such grant", "Name the key under which the bonus was granted."},

	{"team_suspended", http.StatusForbidden, "The team is suspended", "An operator can resume it. Nothing is lost."},
	{"user_suspended", http.StatusForbidden, "The user is suspended", "An operator can resume the user. Nothing is lost."},
	{"scope_missing", http.StatusForbidden, "The API key may not do this", "Use a key with the scope that the detail names."},
	{"backend_only", http.StatusForbidden, "Only the backend may do this", "Send the request without Purser-User."},
	{"role_forbids", http.StatusForbidden, "The role doesn't allow this", "Let an admin or the owner do it."},
	{"access_set_by_admin", http.StatusForbidden, "An admin must give the access back", "Let an admin change the member's access."},

	{"method_not_allowed", http.StatusMethodNotAllowed, "Not with this method", "Use one of the methods in Allow."},
	{"body_timeout", http.StatusRequestTimeout, "The body took too long", "Send it again."},
	{"body_too_large", http.StatusRequestEntityTooLarge, "The body is too large", "Send at most 64 KiB."},
	{"content_type_unknown", http.StatusUnsupportedMediaType, "Not this content type", "Send application/json."},

	{"key_reused", http.StatusConflict, "The idempotency key was used for another request", "Use a new key for a new request."},
	{"answer_sealed", http.StatusConflict, "The first answer holds a secret", "Only the API key that asked first gets it again. Use a new Idempotency-Key."},
	{"team_exists", http.StatusConflict, "The team exists already", "Choose another id, or use that team."},
	{"email_taken", http.StatusConflict, "Another user has that e-mail address", "Use another address."},
	{"team_closed", http.StatusConflict, "The team is closed", "Nothing: it stays closed."},
	{"holds_open", http.StatusConflict, "Open holds forbid it", "Capture or release them, or wait until they have ended."},
	{"top_up_in_flight", http.StatusConflict, "An automatic top-up is being paid", "Wait until it is paid or has failed."},
	{"expiry_unconfirmed", http.StatusConflict, "Not so many credits will expire", "Look at the preview, and confirm exactly what expires says."},
	{"hold_expired", http.StatusConflict, "The hold has expired", "Hold again."},
	{"hold_settled", http.StatusConflict, "The hold is settled already", "Nothing: it was captured or released."},
	{"already_invited", http.StatusConflict, "Invited already", "Resend or revoke the pending invitation."},
	{"already_member", http.StatusConflict, "A member already", "Nothing."},
	{"invitation_expired", http.StatusConflict, "The invitation has expired", "Invite again."},
	{"invitation_settled", http.StatusConflict, "The invitation is settled already", "Invite again if need be."},
	{"no_seat_free", http.StatusConflict, "No seat is free", "Buy seats, or take one from another member."},
	{"personal_already", http.StatusConflict, "The access is personal already", "Nothing."},
	{"not_personal", http.StatusConflict, "The access isn't personal", "Nothing."},
	{"owner_already", http.StatusConflict, "The owner already", "Nothing."},
	{"no_subscription", http.StatusConflict, "There is no subscription", "Subscribe first, or assign one."},
	{"subscription_present", http.StatusConflict, "The team has a subscription already", "Unassign it first."},
	{"purchase_failed", http.StatusConflict, "The purchase has failed", "Buy again, with a new Idempotency-Key."},
	{"customer_taken", http.StatusConflict, "The customer belongs to another user", "A customer belongs to one user for good."},
	{"account_closed", http.StatusConflict, "The allocation is closed", "The member has left the team."},

	{"request_invalid", http.StatusUnprocessableEntity, "The request breaks its schema", "See errors for the places."},
	{"key_missing", http.StatusUnprocessableEntity, "An Idempotency-Key is needed", "Send one with every write: up to 255 visible characters, new for each new request."},
	{"key_invalid", http.StatusUnprocessableEntity, "The Idempotency-Key can't be one", "Use 1 to 255 visible ASCII characters."},
	{"cursor_invalid", http.StatusUnprocessableEntity, "The cursor can't be one", "Use next of the page before, with the same filters."},
	{"amount_invalid", http.StatusUnprocessableEntity, "Not an amount of credits", "Use a whole number from 1 to 1,000,000,000,000."},
	{"name_invalid", http.StatusUnprocessableEntity, "Not a name", "Use 1 to 200 characters."},
	{"description_invalid", http.StatusUnprocessableEntity, "Not a description", "Use at most 2,000 characters."},
	{"sharing_invalid", http.StatusUnprocessableEntity, "Not a way of sharing", "Use pool or balances."},
	{"email_invalid", http.StatusUnprocessableEntity, "Not an e-mail address", "Check the address."},
	{"role_invalid", http.StatusUnprocessableEntity, "Not a role to give", "Use admin or member; ownership is handed over."},
	{"access_invalid", http.StatusUnprocessableEntity, "Not an access type", "Use seat, credits or personal."},
	{"limit_invalid", http.StatusUnprocessableEntity, "Not a limit", "Use kind none, or period or total with credits."},
	{"scopes_invalid", http.StatusUnprocessableEntity, "Not the scopes of a key", "Use at least one of spend, read, manage, operate."},
	{"threshold_invalid", http.StatusUnprocessableEntity, "Not a threshold", "Use 0 to 1,000,000,000,000 credits."},
	{"caps_invalid", http.StatusUnprocessableEntity, "The caps of an automatic top-up can't be so", "Give both, in credits and in money: enough for one pack, and within the plan's."},
	{"currency_invalid", http.StatusUnprocessableEntity, "Not the pack's currency", "Use the currency that the pack is paid in: three lower-case letters."},
	{"payment_method_invalid", http.StatusUnprocessableEntity, "Not a payment method", "Use an id of Stripe's: pm_…."},
	{"auto_top_up_forbidden", http.StatusUnprocessableEntity, "The plan has no automatic top-up", "Buy packs, or change the plan."},
	{"bulk_size", http.StatusUnprocessableEntity, "Too few or too many rows", "Send 1 to 1,000 rows."},
	{"hold_too_long", http.StatusUnprocessableEntity, "Not a hold's time", "Use 1 second to 24 hours."},
	{"metadata_invalid", http.StatusUnprocessableEntity, "Not metadata", "Use an object of at most 16 KiB."},
	{"more_than_held", http.StatusUnprocessableEntity, "More than is held", "Capture at most what the hold keeps."},
	{"more_than_spent", http.StatusUnprocessableEntity, "More than is left of the spend", "Reverse at most what wasn't reversed yet."},
	{"move_invalid", http.StatusUnprocessableEntity, "Not a move", "Credits move between pool, members and one's own personal account."},
	{"move_to_personal", http.StatusUnprocessableEntity, "Not to a personal account", "A team's credits stay in the team."},
	{"move_from_personal", http.StatusUnprocessableEntity, "Not from a personal account", "Contribute to the pool, and allocate from there."},
	{"move_to_other_team", http.StatusUnprocessableEntity, "Not to another team", "A team's credits stay in the team."},
	{"move_to_oneself", http.StatusUnprocessableEntity, "They are there already", "Name two places."},
	{"reason_too_long", http.StatusUnprocessableEntity, "The reason is too long", "Use at most 500 characters."},
	{"subscription_unnamed", http.StatusUnprocessableEntity, "There are several subscriptions", "Name one in subscription_id."},
	{"page_without_address", http.StatusUnprocessableEntity, "The hosted page has no address", "Let the operator set PURSER_PAGE_URL to the service's public address."},
	{"plan_without_teams", http.StatusUnprocessableEntity, "The plan has no teams", "Choose a plan that allows teams."},
	{"team_full", http.StatusUnprocessableEntity, "The team is full", "Choose a larger plan, or remove members or invitations."},
	{"no_seats", http.StatusUnprocessableEntity, "The team has no seats", "Subscribe to a plan with seats."},
	{"owner_stays", http.StatusUnprocessableEntity, "The owner stays", "Hand the ownership over first."},
	{"bonus_ended", http.StatusUnprocessableEntity, "The bonus would have ended already", "Use an end in the future."},
	{"nothing_allocated", http.StatusUnprocessableEntity, "Nothing was ever allocated to the member", "Name another account."},
	{"pack_not_sold", http.StatusUnprocessableEntity, "The plan doesn't sell this pack", "See packs in GET /v1/plans."},
	{"book_full", http.StatusUnprocessableEntity, "The account can't hold that many credits", "Use a smaller amount."},

	{"pool_empty", http.StatusPaymentRequired, "The pool has too few credits", "See available and helps."},
	{"allocation_empty", http.StatusPaymentRequired, "The allocation has too few credits", "See available and helps."},
	{"personal_account_empty", http.StatusPaymentRequired, "The personal account has too few credits", "See available and helps."},
	{"limit_reached", http.StatusPaymentRequired, "The member's limit is reached", "See limit and helps."},
	{"too_few_credits", http.StatusPaymentRequired, "Too few credits", "See available; what is held or frozen can't be moved."},

	{"rate_limited", http.StatusTooManyRequests, "Too many requests", "Wait as long as Retry-After says."},

	{"internal", http.StatusInternalServerError, "Something went wrong here", "Try again with the same key; if it stays, give the operator the request's id."},
	{"stripe_refused", http.StatusBadGateway, "Stripe refused", "Look whether the price and the customer exist at Stripe."},
	{"database_away", http.StatusServiceUnavailable, "The database can't be reached", "Try again with the same key after Retry-After."},
	{"overloaded", http.StatusServiceUnavailable, "Too much is waiting", "Try again with the same key after Retry-After."},
	{"busy", http.StatusServiceUnavailable, "Somebody else was changing the same", "Try again with the same key after Retry-After."},
	{"stopping", http.StatusServiceUnavailable, "This process is stopping", "Try again with the same key after Retry-After."},
	{"stripe_away", http.StatusServiceUnavailable, "Stripe can't be reached", "Try again with the same key after Retry-After."},
}

// codeOf finds a code by its name.
var codeOf = func() map[string]code {
	byName := make(map[string]code, len(codes))
	for _, c := range codes {
		byName[c.Name] = c
	}
	return byName
}()
