package localstripe

// configuration says what the portal lets customers do. The page here lets them do everything; what is
// configured is kept and answered.
type configuration struct {
	id                string
	business          obj
	features          obj
	returnURL         string
	active, isDefault bool
	metadata          map[string]string
	created, updated  int64
}

func (f *configuration) identity() string { return f.id }
func (f *configuration) createdAt() int64 { return f.created }

func (f *configuration) render(*Server) obj {
	enabled := func(name string) obj {
		inner, _ := f.features[name].(obj)
		return obj{"enabled": inner["enabled"] == "true"}
	}
	cancel, update, customer := enabled("subscription_cancel"), enabled("subscription_update"), enabled("customer_update")
	cancel["mode"], cancel["proration_behavior"] = "at_period_end", "none"
	cancel["cancellation_reason"] = obj{"enabled": false, "options": []any{}}
	update["default_allowed_updates"], update["products"], update["proration_behavior"] = []any{}, nil, "create_prorations"
	customer["allowed_updates"] = []any{}
	return obj{
		"id": f.id, "object": "billing_portal.configuration", "active": f.active, "application": nil,
		"business_profile": obj{
			"headline": orAbsent(f.business, "headline"), "privacy_policy_url": orAbsent(f.business, "privacy_policy_url"),
			"terms_of_service_url": orAbsent(f.business, "terms_of_service_url"),
		},
		"created": f.created, "default_return_url": orNil(f.returnURL), "features": obj{
			"customer_update": customer, "invoice_history": enabled("invoice_history"),
			"payment_method_update": enabled("payment_method_update"), "subscription_cancel": cancel,
			"subscription_pause": enabled("subscription_pause"), "subscription_update": update,
		},
		"is_default": f.isDefault, "livemode": false, "login_page": obj{"enabled": false, "url": nil},
		"metadata": renderMetadata(f.metadata), "updated": f.updated,
	}
}

func orAbsent(o obj, name string) any {
	if v, ok := o[name]; ok && v != "" {
		return v
	}
	return nil
}

func (f *configuration) fill(p *params) {
	f.business, f.features = p.hash("business_profile", f.business), p.hash("features", f.features)
	f.returnURL, f.metadata = p.text("default_return_url", f.returnURL), p.metadata(f.metadata)
	if p.has("active") {
		f.active = p.bool("active")
	}
	p.ignore("login_page")
}

func createConfiguration(c *call) (any, error) {
	f := &configuration{active: true, created: c.clock.now, updated: c.clock.now}
	f.fill(c.params)
	if err := c.finish(); err != nil {
		return nil, err
	}
	f.id = c.Server.id("bpc")
	c.configs.add(f)
	c.tell(c.clock, "billing_portal.configuration.created", f)
	return f.render(c.Server), nil
}

func updateConfiguration(c *call) (any, error) {
	f, ok := c.configs.get(c.id())
	if !ok {
		return nil, noSuch(404, "configuration", c.id(), "configuration")
	}
	after := *f
	after.fill(c.params)
	after.updated = c.clock.now
	if err := c.finish(); err != nil {
		return nil, err
	}
	c.change(c.clock, "billing_portal.configuration.updated", f, func() { *f = after })
	return f.render(c.Server), nil
}

func getConfiguration(c *call) (any, error) {
	f, ok := c.configs.get(c.id())
	if !ok {
		return nil, noSuch(404, "configuration", c.id(), "configuration")
	}
	return f.render(c.Server), c.finish()
}

func listConfigurations(c *call) (any, error) {
	pg := c.page()
	active, asked, isDefault := c.bool("active"), c.has("active"), c.bool("is_default")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/billing_portal/configurations", c.configs.where(func(f *configuration) bool {
		return (!asked || f.active == active) && (!isDefault || f.isDefault)
	}))
}
