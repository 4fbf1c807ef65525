package localstripe

// subscription is what a customer pays for again and again.
type subscription struct {
	id, status, description, currency, collection, defaultMethod string
	customer                                                     *customer
	items                                                        []*item
	anchor, periodStart, periodEnd                               int64
	created, start                                               int64
	cancelAt, canceledAt, endedAt                                int64
	cancelAtPeriodEnd                                            bool
	cancellation                                                 cancellation
	daysUntilDue                                                 int64
	latest                                                       *invoice
	metadata                                                     map[string]string
	pause                                                        *pauseCollection
	trialStart, trialEnd                                         int64
	missingMethod                                                string // what a trial's end does without a payment method
	saveMethod                                                   string // payment_settings.save_default_payment_method
	pending                                                      *pendingUpdate
	resuming                                                     *invoice // the invoice that a paused subscription waits for
	fresh                                                        bool     // within its own creation, whose events tell all
	session                                                      *checkoutSession
	schedule                                                     *schedule
	discount                                                     *discount
	foretold                                                     int64 // the period end that invoice.upcoming told of
}

type cancellation struct{ reason, comment, feedback string }

type pauseCollection struct {
	behavior  string
	resumesAt int64
}

func (sub *subscription) identity() string { return sub.id }
func (sub *subscription) createdAt() int64 { return sub.created }
func (sub *subscription) clock() *clock    { return sub.customer.clock }

// over: nothing brings it back.
func (sub *subscription) over() bool {
	return sub.status == "canceled" || sub.status == "incomplete_expired"
}

// recurring is the rhythm that all items share.
func (sub *subscription) recurring() *recurring { return sub.items[0].price.recurring }

func (sub *subscription) render(s *Server) obj {
	var plan, quantity any
	rendered := []any{}
	for _, it := range sub.items {
		rendered = append(rendered, it.render(s))
	}
	if len(sub.items) == 1 {
		plan = sub.items[0].price.renderPlan()
		if !sub.items[0].price.metered() {
			quantity = sub.items[0].quantity
		}
	}
	return obj{
		"id": sub.id, "object": "subscription", "application": nil, "application_fee_percent": nil,
		"automatic_tax": obj{"enabled": false, "liability": nil}, "billing_cycle_anchor": sub.anchor,
		"billing_cycle_anchor_config": nil, "billing_thresholds": nil, "cancel_at": orNil(sub.cancelAt),
		"cancel_at_period_end": sub.cancelAtPeriodEnd, "canceled_at": orNil(sub.canceledAt),
		"cancellation_details": obj{
			"comment": orNil(sub.cancellation.comment), "feedback": orNil(sub.cancellation.feedback), "reason": orNil(sub.cancellation.reason),
		},
		"collection_method": sub.collection, "created": sub.created, "currency": sub.currency,
		"current_period_end": sub.periodEnd, "current_period_start": sub.periodStart, "customer": sub.customer.id,
		"days_until_due": orNil(sub.daysUntilDue), "default_payment_method": orNil(sub.defaultMethod), "default_source": nil,
		"default_tax_rates": []any{}, "description": orNil(sub.description), "discount": sub.discount.render(s), "ended_at": orNil(sub.endedAt),
		"items":          embedded("/v1/subscription_items?subscription="+sub.id, rendered),
		"latest_invoice": idOrNil(sub.latest), "livemode": false, "metadata": renderMetadata(sub.metadata),
		"next_pending_invoice_item_invoice": nil, "on_behalf_of": nil, "pause_collection": sub.pause.render(),
		"payment_settings": obj{
			"payment_method_options": nil, "payment_method_types": nil, "save_default_payment_method": sub.saveMethod,
		},
		"pending_invoice_item_interval": nil, "pending_setup_intent": nil, "pending_update": sub.pending.render(s), "plan": plan,
		"quantity": quantity, "schedule": idOrNil(sub.schedule), "start_date": sub.start, "status": sub.status,
		"test_clock": orNil(sub.clock().id), "transfer_data": nil, "trial_end": orNil(sub.trialEnd),
		"trial_settings": obj{"end_behavior": obj{"missing_payment_method": sub.missingMethod}},
		"trial_start":    orNil(sub.trialStart),
	}
}

func (p *pauseCollection) render() any {
	if p == nil {
		return nil
	}
	return obj{"behavior": p.behavior, "resumes_at": orNil(p.resumesAt)}
}

// item is one price of a subscription and how many of it.
type item struct {
	id       string
	sub      *subscription
	price    *price
	quantity int64
	metadata map[string]string
	created  int64
	deleted  bool
}

func (it *item) identity() string { return it.id }
func (it *item) createdAt() int64 { return it.created }

func (it *item) render(s *Server) obj {
	o := obj{
		"id": it.id, "object": "subscription_item", "billing_thresholds": nil, "created": it.created,
		"metadata": renderMetadata(it.metadata), "plan": it.price.renderPlan(), "price": it.price.render(s),
		"subscription": it.sub.id, "tax_rates": []any{},
	}
	if !it.price.metered() {
		o["quantity"] = it.quantity
	}
	return o
}

func (s *Server) subscription(id, param string) (*subscription, error) {
	sub, ok := s.subscriptions.get(id)
	if !ok {
		return nil, noSuch(paramStatus(param), "subscription", id, param)
	}
	return sub, nil
}

func getSubscription(c *call) (any, error) {
	sub, err := c.subscription(c.id(), "id")
	if err != nil {
		return nil, err
	}
	return sub.render(c.Server), c.finish()
}

// listSubscriptions leaves out what is canceled unless it is asked for.
func listSubscriptions(c *call) (any, error) {
	pg, status, customerID, priceID := c.page(), c.str("status"), c.str("customer"), c.str("price")
	collection, clockID := c.str("collection_method"), c.str("test_clock")
	start, end := c.timeRange("current_period_start"), c.timeRange("current_period_end")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/subscriptions", c.subscriptions.where(func(sub *subscription) bool {
		switch status {
		case "":
			if sub.status == "canceled" {
				return false
			}
		case "all":
		case "ended":
			if !sub.over() {
				return false
			}
		default:
			if sub.status != status {
				return false
			}
		}
		if customerID == "" && clockID == "" && sub.clock().id != "" {
			return false // those of test clocks are shown only when asked for
		}
		return (customerID == "" || sub.customer.id == customerID) && (priceID == "" || sub.has(priceID)) &&
			(collection == "" || sub.collection == collection) && (clockID == "" || sub.clock().id == clockID) &&
			start.holds(sub.periodStart) && end.holds(sub.periodEnd)
	}))
}

func (sub *subscription) has(priceID string) bool {
	for _, it := range sub.items {
		if it.price.id == priceID {
			return true
		}
	}
	return false
}

// schedulePeriod plans the end of the current period, or of the subscription, whichever comes first.
func (s *Server) schedulePeriod(sub *subscription) {
	end := sub.periodEnd
	sub.clock().at(end, func() {
		if sub.periodEnd == end && !sub.over() {
			s.turn(sub)
		}
	})
	if over := sub.cancelAt; over > end {
		// A paused subscription has no periods, yet it ends.
		sub.clock().at(over, func() {
			if sub.cancelAt == over && sub.status == "paused" {
				s.turn(sub)
			}
		})
	}
	if warn := end - upcomingBefore; warn > sub.clock().now {
		sub.clock().at(warn, func() { s.tellUpcoming(sub, end) })
	}
}

// periodEndAfter is where a period that starts now ends: with its recurrence, or cut by cancel_at.
func (sub *subscription) periodEndAfter(start int64) int64 {
	natural := sub.recurring().after(sub.anchor, start)
	if sub.cancelAt > start && sub.cancelAt < natural {
		return sub.cancelAt
	}
	return natural
}
