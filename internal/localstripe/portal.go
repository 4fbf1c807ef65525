package localstripe

// portalSession is a link with which a customer manages subscriptions and cards.
type portalSession struct {
	id, returnURL string
	configuration *configuration
	customer      *customer
	flow          obj
	created       int64
}

func (ps *portalSession) identity() string { return ps.id }
func (ps *portalSession) createdAt() int64 { return ps.created }

func (ps *portalSession) render(s *Server) obj {
	return obj{
		"id": ps.id, "object": "billing_portal.session", "configuration": ps.configuration.id, "created": ps.created,
		"customer": ps.customer.id, "flow": hashOrNil(ps.flow), "livemode": false, "locale": nil, "on_behalf_of": nil,
		"return_url": orNil(ps.returnURL), "url": s.url + "/p/session/" + ps.id,
	}
}

func createPortal(c *call) (any, error) {
	customerID := c.required("customer")
	ps, configurationID := &portalSession{returnURL: c.str("return_url")}, c.str("configuration")
	if c.has("flow_data") {
		flow, err := c.at("flow_data").portalFlow()
		if err != nil {
			return nil, err
		}
		ps.flow = flow
	}
	c.ignore("locale")
	if err := c.finish(); err != nil {
		return nil, err
	}
	u, err := c.customer(customerID, "customer")
	if err != nil {
		return nil, err
	}
	if ps.configuration, err = c.portalConfiguration(configurationID); err != nil {
		return nil, err
	}
	if err := ps.allowed(); err != nil {
		return nil, err
	}
	ps.customer, ps.id, ps.created = u, c.Server.id("bps"), u.clock.now
	for _, kind := range []string{"subscription_update", "subscription_cancel", "subscription_update_confirm"} {
		if inner, ok := ps.flow[kind].(obj); ok {
			id, _ := inner["subscription"].(string)
			if _, err := c.subscription(id, "flow_data["+kind+"][subscription]"); err != nil {
				return nil, err
			}
		}
	}
	c.portals.add(ps)
	c.tell(u.clock, "billing_portal.session.created", ps)
	return ps.render(c.Server), nil
}

// allowed: a flow can't lead to what the configuration has switched off.
func (ps *portalSession) allowed() error {
	features := ps.configuration.features
	kind, _ := ps.flow["type"].(string)
	on := map[string]bool{
		"": true, "payment_method_update": features.method, "subscription_cancel": features.cancel,
		"subscription_update": features.update, "subscription_update_confirm": features.update,
	}
	if !on[kind] {
		return invalid("flow_data[type]", "The flow %s is disabled in the portal configuration %s.", kind, ps.configuration.id)
	}
	return nil
}

// portalFlow says which page of the portal opens, and what follows it.
func (p *params) portalFlow() (obj, error) {
	kind := p.required("type")
	flow := obj{
		"type": kind, "after_completion": obj{"hosted_confirmation": nil, "redirect": nil, "type": p.at("after_completion").strOr("portal_homepage", "type")},
		"subscription_cancel": nil, "subscription_update": nil, "subscription_update_confirm": nil,
	}
	if to := p.at("after_completion", "redirect").str("return_url"); to != "" {
		flow["after_completion"].(obj)["redirect"] = obj{"return_url": to}
	}
	p.at("after_completion").markAll()
	switch kind {
	case "payment_method_update":
	case "subscription_update":
		flow[kind] = obj{"subscription": p.at(kind).required("subscription")}
	case "subscription_cancel":
		flow[kind] = obj{"subscription": p.at(kind).required("subscription"), "retention": nil}
		p.at(kind).ignore("retention")
	case "subscription_update_confirm":
		items := []any{}
		for _, entry := range p.at(kind).list("items") {
			items = append(items, obj{"id": orNil(entry.str("id")), "price": orNil(entry.str("price")), "quantity": orNil(entry.count("quantity"))})
		}
		flow[kind] = obj{"subscription": p.at(kind).required("subscription"), "items": items, "discounts": nil}
	default:
		return nil, invalid("flow_data[type]", "Invalid flow_data[type]: %s", kind)
	}
	return flow, nil
}
