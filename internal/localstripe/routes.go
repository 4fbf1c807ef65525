package localstripe

import (
	"net"
	"net/http"
	"strings"
)

// apiRoutes lists everything that can be asked with a key, by what it is about.
var apiRoutes = []map[string]handler{
	accountRoutes, catalogRoutes, customerRoutes, subscriptionRoutes, invoiceRoutes, paymentRoutes, pageRoutes,
}

// routes lays the API beside the pages and the control API.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, group := range apiRoutes {
		for pattern, run := range group {
			mux.HandleFunc(pattern, s.api(run))
		}
	}
	mux.HandleFunc("/v1/", s.unknownRoute)
	mux.HandleFunc("/v2/", s.unknownRoute)
	mux.HandleFunc("GET /c/pay/{id}", s.checkoutPage)
	mux.HandleFunc("POST /c/pay/{id}", s.payPage)
	mux.HandleFunc("GET /i/{id}", s.invoicePage)
	mux.HandleFunc("GET /receipts/{id}", s.receiptPage)
	mux.HandleFunc("POST /i/{id}", s.payInvoicePage)
	mux.HandleFunc("GET /p/session/{id}", s.portalPage)
	mux.HandleFunc("POST /p/session/{id}/card", s.portalDo(s.portalCard))
	mux.HandleFunc("POST /p/session/{id}/subscriptions/{subscription}", s.portalDo(s.portalChange))
	mux.HandleFunc("GET /_local/authenticate/{id}", s.authenticatePage)
	mux.HandleFunc("POST /_local/authenticate/{id}", s.answerBank)
	s.control(mux)
	// The pages and the control API ask for no key; at least no other site's page may use them.
	return loopbackHost(http.NewCrossOriginProtection().Handler(mux))
}

// loopbackHost refuses names that were made to point here, so that no foreign page counts as our own.
func loopbackHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if host != "localhost" && !isLoopback(strings.Trim(host, "[]")) {
			http.Error(w, "the local Stripe answers on loopback names only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// accountRoutes: what belongs to the account itself, and the clocks that tests move.
var accountRoutes = map[string]handler{
	"GET /v1/account": getAccount,

	"GET /v1/events": listEvents, "GET /v1/events/{id}": getEvent,
	"POST /v1/webhook_endpoints": createEndpoint, "GET /v1/webhook_endpoints": listEndpoints,
	"GET /v1/webhook_endpoints/{id}": getEndpoint, "POST /v1/webhook_endpoints/{id}": updateEndpoint,
	"DELETE /v1/webhook_endpoints/{id}": deleteEndpoint,

	"POST /v1/test_helpers/test_clocks": createClock, "GET /v1/test_helpers/test_clocks": listClocks,
	"GET /v1/test_helpers/test_clocks/{id}": getClock, "POST /v1/test_helpers/test_clocks/{id}/advance": advanceClock,
	"DELETE /v1/test_helpers/test_clocks/{id}": deleteClock,
}

// catalogRoutes: what is sold, and at which discount.
var catalogRoutes = map[string]handler{
	"POST /v1/products": createProduct, "GET /v1/products": listProducts, "GET /v1/products/{id}": getProduct,
	"POST /v1/products/{id}": updateProduct, "DELETE /v1/products/{id}": deleteProduct,
	"POST /v1/prices": createPrice, "GET /v1/prices": listPrices, "GET /v1/prices/{id}": getPrice, "POST /v1/prices/{id}": updatePrice,

	"POST /v1/coupons": createCoupon, "GET /v1/coupons": listCoupons, "GET /v1/coupons/{id}": getCoupon,
	"POST /v1/coupons/{id}": updateCoupon, "DELETE /v1/coupons/{id}": deleteCoupon,
	"POST /v1/promotion_codes": createCode, "GET /v1/promotion_codes": listCodes, "POST /v1/promotion_codes/{id}": updateCode,
	"DELETE /v1/customers/{id}/discount": deleteCustomerDiscount, "DELETE /v1/subscriptions/{id}/discount": deleteSubscriptionDiscount,
}

// customerRoutes: who pays, with which cards.
var customerRoutes = map[string]handler{
	"POST /v1/customers": createCustomer, "GET /v1/customers": listCustomers, "GET /v1/customers/search": searchCustomers, "GET /v1/customers/{id}": getCustomer,
	"POST /v1/customers/{id}": updateCustomer, "DELETE /v1/customers/{id}": deleteCustomer,
	"GET /v1/customers/{id}/payment_methods": listMethods,

	"POST /v1/payment_methods": createMethod, "GET /v1/payment_methods": listMethods, "GET /v1/payment_methods/{id}": getMethod,
	"POST /v1/payment_methods/{id}": updateMethod, "POST /v1/payment_methods/{id}/attach": attachMethod,
	"POST /v1/payment_methods/{id}/detach": detachMethod,
}

// subscriptionRoutes: what is paid again and again.
var subscriptionRoutes = map[string]handler{
	"POST /v1/subscriptions": createSubscription, "GET /v1/subscriptions": listSubscriptions,
	"GET /v1/subscriptions/{id}": getSubscription, "POST /v1/subscriptions/{id}": updateSubscription,
	"DELETE /v1/subscriptions/{id}": cancelSubscription, "POST /v1/subscriptions/{id}/resume": resumeSubscription,
	"POST /v1/subscription_items": createItem, "GET /v1/subscription_items": listItems, "GET /v1/subscription_items/{id}": getItem,
	"POST /v1/subscription_items/{id}": updateItem, "DELETE /v1/subscription_items/{id}": deleteItem,
	"POST /v1/subscription_items/{id}/usage_records": createUsage,

	"POST /v1/subscription_schedules": createSchedule, "GET /v1/subscription_schedules": listSchedules,
	"GET /v1/subscription_schedules/{id}": getSchedule, "POST /v1/subscription_schedules/{id}": updateSchedule,
	"POST /v1/subscription_schedules/{id}/cancel": cancelSchedule, "POST /v1/subscription_schedules/{id}/release": releaseSchedule,
}

// invoiceRoutes: what is owed.
var invoiceRoutes = map[string]handler{
	"POST /v1/invoiceitems": createInvoiceItem, "GET /v1/invoiceitems": listInvoiceItems, "GET /v1/invoiceitems/{id}": getInvoiceItem,
	"DELETE /v1/invoiceitems/{id}": deleteInvoiceItem,
	"POST /v1/invoices":            createInvoice, "GET /v1/invoices": listInvoices, "GET /v1/invoices/upcoming": upcomingInvoice,
	"GET /v1/invoices/upcoming/lines": upcomingLines, "GET /v1/invoices/{id}": getInvoice, "POST /v1/invoices/{id}": updateInvoice,
	"DELETE /v1/invoices/{id}": deleteInvoice, "GET /v1/invoices/{id}/lines": listLines,
	"POST /v1/invoices/{id}/finalize": finalizeInvoice, "POST /v1/invoices/{id}/pay": payInvoice,
	"POST /v1/invoices/{id}/void": voidInvoice, "POST /v1/invoices/{id}/mark_uncollectible": markUncollectible,
	"POST /v1/invoices/{id}/send": sendInvoice,
}

// paymentRoutes: money that moves, there and back.
var paymentRoutes = map[string]handler{
	"POST /v1/payment_intents": createIntent, "GET /v1/payment_intents": listIntents, "GET /v1/payment_intents/{id}": getIntent,
	"POST /v1/payment_intents/{id}": updateIntent, "POST /v1/payment_intents/{id}/confirm": confirmIntent,
	"POST /v1/payment_intents/{id}/cancel": cancelIntent,
	"GET /v1/charges":                      listCharges, "GET /v1/charges/{id}": getCharge, "POST /v1/charges/{id}": updateCharge,
	"POST /v1/refunds": createRefund, "GET /v1/refunds": listRefunds, "GET /v1/refunds/{id}": getRefund, "POST /v1/refunds/{id}": updateRefund,
	"GET /v1/disputes": listDisputes, "GET /v1/disputes/{id}": getDispute, "POST /v1/disputes/{id}": updateDispute,
	"POST /v1/disputes/{id}/close": closeDispute,
	"POST /v1/setup_intents":       createSetup, "GET /v1/setup_intents": listSetups, "GET /v1/setup_intents/{id}": getSetup,
	"POST /v1/setup_intents/{id}/confirm": confirmSetup, "POST /v1/setup_intents/{id}/cancel": cancelSetup,
}

// pageRoutes: Checkout and the billing portal.
var pageRoutes = map[string]handler{
	"POST /v1/checkout/sessions": createSession, "GET /v1/checkout/sessions": listSessions, "GET /v1/checkout/sessions/{id}": getSession,
	"GET /v1/checkout/sessions/{id}/line_items": listSessionLines, "POST /v1/checkout/sessions/{id}/expire": expireSession,
	"GET /v1/payment_pages/{id}": getPage, "POST /v1/payment_pages/{id}/confirm": confirmPage,
	"POST /v1/billing_portal/sessions":       createPortal,
	"POST /v1/billing_portal/configurations": createConfiguration, "GET /v1/billing_portal/configurations": listConfigurations,
	"GET /v1/billing_portal/configurations/{id}": getConfiguration, "POST /v1/billing_portal/configurations/{id}": updateConfiguration,
}
