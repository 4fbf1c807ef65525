package localstripe

import "context"

func (k *clock) identity() string { return k.id }
func (k *clock) createdAt() int64 { return k.created }

func (k *clock) render(*Server) obj {
	return obj{
		"id": k.id, "object": "test_helpers.test_clock", "created": k.created, "deletes_after": k.deletes, "frozen_time": k.now,
		"livemode": false, "name": orNil(k.name), "status": k.status,
	}
}

// clockLife is how long a test clock exists.
const clockLife = 30 * 86400

func createClock(c *call) (any, error) {
	k := &clock{name: c.str("name"), now: c.int("frozen_time"), created: c.clock.now, deletes: c.clock.now + clockLife, status: "ready"}
	c.required("frozen_time")
	if err := c.finish(); err != nil {
		return nil, err
	}
	k.id = c.Server.id("clock")
	c.clocks.add(k)
	c.tell(k, "test_helpers.test_clock.created", k)
	return k.render(c.Server), nil
}

func (s *Server) testClock(id string) (*clock, error) {
	k, ok := s.clocks.get(id)
	if !ok {
		return nil, noSuch(404, "test_clock", id, "test_clock")
	}
	return k, nil
}

func getClock(c *call) (any, error) {
	k, err := c.testClock(c.id())
	if err != nil {
		return nil, err
	}
	return k.render(c.Server), c.finish()
}

func listClocks(c *call) (any, error) {
	pg := c.page()
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/test_helpers/test_clocks", c.clocks.order)
}

// advanceClock answers "advancing" and moves the clock in the background, as Stripe does.
func advanceClock(c *call) (any, error) {
	k, err := c.testClock(c.id())
	if err != nil {
		return nil, err
	}
	s, to := c.Server, c.int("frozen_time")
	c.required("frozen_time")
	if err := c.finish(); err != nil {
		return nil, err
	}
	if k.status != "ready" {
		return nil, &apiError{status: 429, kind: invalidRequest, code: "test_clock_advancing", message: "This test clock is still advancing."}
	}
	if shortest := s.shortestPeriod(k); shortest != nil && to > shortest.step(k.now, 2) {
		return nil, invalid("frozen_time", "A test clock with subscriptions can be advanced by at most two intervals of the shortest one at once.")
	}
	if to < k.now {
		return nil, invalid("frozen_time", "The new frozen time must lie after the clock's present one.")
	}
	k.status = "advancing"
	c.tell(k, "test_helpers.test_clock.advancing", k)
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	s.out.spawn(func() { s.advanceTestClock(k, to) })
	return k.render(s), nil
}

// shortestPeriod is that of the clock's subscriptions; nil when it has none.
func (s *Server) shortestPeriod(k *clock) *recurring {
	var shortest *recurring
	for _, sub := range s.subscriptions.order {
		if r := sub.recurring(); sub.clock() == k && !sub.over() && (shortest == nil || r.step(k.now, 1) < shortest.step(k.now, 1)) {
			shortest = r
		}
	}
	return shortest
}

// A test clock has room for so much.
const (
	clockCustomersMax     = 3
	clockSubscriptionsMax = 3 // of each customer
)

func (s *Server) roomForCustomer(k *clock) error {
	if mine := s.customers.where(func(u *customer) bool { return u.clock == k && !u.deleted }); k.id != "" && len(mine) >= clockCustomersMax {
		return invalid("test_clock", "A test clock can have at most %d customers.", clockCustomersMax)
	}
	return nil
}

func (s *Server) roomForSubscription(u *customer) error {
	mine := s.subscriptions.where(func(sub *subscription) bool { return sub.customer == u && !sub.over() })
	if u.clock.id != "" && len(mine) >= clockSubscriptionsMax {
		return invalid("customer", "A customer of a test clock can have at most %d subscriptions.", clockSubscriptionsMax)
	}
	return nil
}

func (s *Server) advanceTestClock(k *clock, to int64) {
	err := s.advance(s.out.ctx, k, to)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.log.Error("local Stripe: advancing a test clock", "clock", k.id, "error", err)
		k.status = "internal_failure"
		return
	}
	k.status = "ready"
	s.tell(k, "test_helpers.test_clock.ready", k)
}

// AdvanceTestClock moves a test clock and waits for it.
func (s *Server) AdvanceTestClock(ctx context.Context, id string, to int64) error {
	s.mu.Lock()
	k, err := s.testClock(id)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.advance(ctx, k, to)
}

// deleteClock takes its customers and their subscriptions with it.
func deleteClock(c *call) (any, error) {
	k, err := c.testClock(c.id())
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	for _, u := range c.customers.where(func(u *customer) bool { return u.clock == k && !u.deleted }) {
		c.removeCustomer(u)
	}
	c.tell(k, "test_helpers.test_clock.deleted", k)
	k.due = nil
	c.clocks.remove(k.id)
	return obj{"id": k.id, "object": "test_helpers.test_clock", "deleted": true}, nil
}
