package localstripe

func (p *params) phases() []*phase {
	var phases []*phase
	for _, entry := range p.list("phases") {
		ph := &phase{
			items: entry.itemSpecs("items"), end: entry.int("end_date"), iterations: entry.count("iterations"), trialEnd: entry.int("trial_end"),
			proration: entry.oneOf("proration_behavior", "create_prorations", "always_invoice", "none"), collection: entry.str("collection_method"),
			hasMetadata: entry.has("metadata"), metadata: entry.metadata(nil),
		}
		if start := entry.str("start_date"); start != "" && start != "now" {
			ph.start = entry.int("start_date")
		}
		if len(ph.items) == 0 {
			p.fail(missingParam(entry.path + "[items]"))
		}
		phases = append(phases, ph)
	}
	return phases
}

// layOut finds the prices and computes where each phase starts and ends.
func (s *Server) layOut(phases []*phase, start int64) error {
	for _, ph := range phases {
		ph.prices = nil
		for i, spec := range ph.items {
			p, err := s.priceOrInline(spec.priceID, spec.inline)
			if err != nil {
				return err
			}
			if p == nil || p.recurring == nil {
				return invalid(spec.path+"[price]", "A phase needs prices with `type=recurring`.")
			}
			ph.items[i].priceID, ph.items[i].inline = p.id, nil
			ph.prices = append(ph.prices, p)
		}
		if ph.start == 0 {
			ph.start = start
		}
		if ph.end == 0 {
			ph.end = ph.prices[0].recurring.step(ph.start, max(1, ph.iterations))
		}
		if ph.end <= ph.start {
			return invalid("phases", "A phase must end after it starts.")
		}
		start = ph.end
	}
	return nil
}

func createSchedule(c *call) (any, error) {
	k := &schedule{
		status: "not_started", endBehavior: c.oneOf("end_behavior", "release", "cancel", "none", "renew"), metadata: c.metadata(nil), phases: c.phases(),
	}
	customerID, fromID, start := c.str("customer"), c.str("from_subscription"), int64(0)
	if at := c.str("start_date"); at != "" && at != "now" {
		start = c.int("start_date")
	}
	c.ignore("default_settings")
	if customerID == "" && fromID == "" {
		c.fail(missingParam("customer"))
	}
	if fromID == "" && len(k.phases) == 0 {
		c.fail(missingParam("phases"))
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if fromID != "" {
		return c.scheduleFrom(k, fromID)
	}
	u, err := c.customer(customerID, "customer")
	if err != nil {
		return nil, err
	}
	k.customer = u
	if start == 0 {
		start = u.clock.now
	}
	if err := c.layOut(k.phases, start); err != nil {
		return nil, err
	}
	c.openSchedule(k)
	if k.phases[0].start <= u.clock.now {
		if err := c.begin(k, k.phases[0]); err != nil {
			return nil, err
		}
	}
	c.tell(k.clock(), "subscription_schedule.created", k)
	return k.render(c.Server), nil
}

func (s *Server) openSchedule(k *schedule) {
	k.id, k.created = s.id("sub_sched"), k.customer.clock.now
	s.schedules.add(k)
	s.follow(k)
}

// scheduleFrom takes over a running subscription: its current period is the first phase.
func (c *call) scheduleFrom(k *schedule, id string) (any, error) {
	sub, err := c.subscription(id, "from_subscription")
	if err != nil {
		return nil, err
	}
	if sub.over() || sub.schedule != nil {
		return nil, invalid("from_subscription", "This subscription is over, or has a schedule already.")
	}
	first := &phase{start: sub.periodStart, end: sub.periodEnd, proration: "create_prorations"}
	for _, it := range sub.items {
		first.items = append(first.items, itemSpec{priceID: it.price.id, quantity: it.quantity, hasQuantity: !it.price.metered(), metadata: newParams()})
		first.prices = append(first.prices, it.price)
	}
	k.customer, k.sub, k.status, k.phases = sub.customer, sub, "active", []*phase{first}
	c.openSchedule(k)
	c.tell(k.clock(), "subscription_schedule.created", k)
	c.change(sub.clock(), "customer.subscription.updated", sub, func() { sub.schedule = k })
	return k.render(c.Server), nil
}

func (s *Server) schedule(id string) (*schedule, error) {
	k, ok := s.schedules.get(id)
	if !ok {
		return nil, noSuch(404, "subscription schedule", id, "schedule")
	}
	return k, nil
}

func getSchedule(c *call) (any, error) {
	k, err := c.schedule(c.id())
	if err != nil {
		return nil, err
	}
	return k.render(c.Server), c.finish()
}

func updateSchedule(c *call) (any, error) {
	k, err := c.schedule(c.id())
	if err != nil {
		return nil, err
	}
	end, metadata, phases := k.endBehavior, c.metadata(k.metadata), c.phases()
	if c.has("end_behavior") {
		end = c.oneOf("end_behavior", "release", "cancel", "none", "renew")
	}
	proration := c.oneOf("proration_behavior", "create_prorations", "always_invoice", "none")
	c.ignore("default_settings")
	if err := c.finish(); err != nil {
		return nil, err
	}
	if k.over() {
		return nil, invalid("", "You cannot update a subscription schedule that is currently in the `%s` status.", k.status)
	}
	if len(phases) > 0 {
		if err := c.layOut(phases, k.phases[0].start); err != nil {
			return nil, err
		}
	}
	c.change(k.clock(), "subscription_schedule.updated", k, func() {
		k.endBehavior, k.metadata = end, metadata
		if len(phases) > 0 {
			k.phases = phases
			c.follow(k)
		}
	})
	if p := k.current(); p != nil && k.sub != nil && len(phases) > 0 {
		spec := changeSpec{items: p.against(k.sub), proration: proration, fill: func(*subscription) error { return nil }}
		if err := c.changeSubscription(k.sub, spec); err != nil {
			return nil, err
		}
	}
	return k.render(c.Server), nil
}

func cancelSchedule(c *call) (any, error) {
	k, err := c.schedule(c.id())
	if err != nil {
		return nil, err
	}
	c.bool("prorate")
	c.bool("invoice_now")
	if err := c.finish(); err != nil {
		return nil, err
	}
	if k.over() {
		return nil, invalid("", "You cannot cancel a subscription schedule that is currently in the `%s` status.", k.status)
	}
	if k.sub != nil {
		c.cancelNow(k.sub, cancellation{reason: "cancellation_requested"})
		return k.render(c.Server), nil
	}
	c.change(k.clock(), "subscription_schedule.canceled", k, func() { k.status, k.canceledAt = "canceled", k.clock().now })
	return k.render(c.Server), nil
}

func releaseSchedule(c *call) (any, error) {
	k, err := c.schedule(c.id())
	if err != nil {
		return nil, err
	}
	c.ignore("preserve_cancel_date")
	if err := c.finish(); err != nil {
		return nil, err
	}
	if k.over() {
		return nil, invalid("", "You cannot release a subscription schedule that is currently in the `%s` status.", k.status)
	}
	c.change(k.clock(), "subscription_schedule.released", k, func() {
		k.status, k.freed = "released", k.clock().now
		c.letGo(k)
	})
	return k.render(c.Server), nil
}

func listSchedules(c *call) (any, error) {
	pg, customerID := c.page(), c.str("customer")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/subscription_schedules", c.schedules.where(func(k *schedule) bool {
		return customerID == "" || k.customer.id == customerID
	}))
}
