package billing

// PortalIn asks for a session of Stripe's billing portal (E5).
type PortalIn struct {
	CustomerID     string
	ReturnURL      string     // where the portal leads back to
	Flow           PortalFlow // where the customer lands
	SubscriptionID string     // for PortalUpdate and PortalCancel
	Key            string     // of idempotency: the same again gives the same session
}

// PortalFlow is a page of the billing portal, by Stripe's name for it.
//
// Stripe's portal changes quantities only of subscriptions to one product, without
// metered prices and without a schedule; for others PortalUpdate is refused.
type PortalFlow string

// The pages that we lead to.
const (
	PortalFront         PortalFlow = ""
	PortalUpdate        PortalFlow = "subscription_update" // change the number of seats, or the plan
	PortalCancel        PortalFlow = "subscription_cancel"
	PortalPaymentMethod PortalFlow = "payment_method_update"
)
