package localstripe

import "slices"

// configuration says what the portal lets customers do.
type configuration struct {
	id                string
	business          obj
	features          portalFeatures
	returnURL         string
	loginPage         bool
	active, isDefault bool
	metadata          map[string]string
	created, updated  int64
}

func (f *configuration) identity() string { return f.id }
func (f *configuration) createdAt() int64 { return f.created }

func (f *configuration) render(s *Server) obj {
	login := obj{"enabled": f.loginPage, "url": nil}
	if f.loginPage {
		login["url"] = s.url + "/p/login/" + f.id
	}
	return obj{
		"id": f.id, "object": "billing_portal.configuration", "active": f.active, "application": nil,
		"business_profile": obj{
			"headline": orAbsent(f.business, "headline"), "privacy_policy_url": orAbsent(f.business, "privacy_policy_url"),
			"terms_of_service_url": orAbsent(f.business, "terms_of_service_url"),
		},
		"created": f.created, "default_return_url": orNil(f.returnURL), "features": f.features.render(),
		"is_default": f.isDefault, "livemode": false, "login_page": login,
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
	f.business, f.returnURL, f.metadata = p.hash("business_profile", f.business), p.text("default_return_url", f.returnURL), p.metadata(f.metadata)
	f.features.fill(p.at("features"))
	p.switched(&f.active, "active")
	p.at("login_page").switched(&f.loginPage, "enabled")
}

// answer is the configuration with what was asked to be expanded.
func (f *configuration) answer(c *call, prefix string) obj {
	o := f.render(c.Server)
	if slices.Contains(c.strings("expand"), prefix+"features.subscription_update.products") {
		o["features"].(obj)["subscription_update"].(obj)["products"] = f.features.renderProducts()
	}
	return o
}

// defaultConfiguration is what the dashboard would have made: a portal in which everything is allowed.
func (s *Server) defaultConfiguration() *configuration {
	for _, f := range s.configs.order {
		if f.isDefault {
			return f
		}
	}
	f := &configuration{
		id: s.id("bpc"), active: true, isDefault: true, created: s.clock.now, updated: s.clock.now, metadata: map[string]string{},
		features: portalFeatures{
			invoices: true, method: true, cancel: true, cancelMode: "at_period_end", cancelProration: "none",
			update: true, updates: []string{"price", "quantity"},
		},
	}
	s.configs.add(f)
	return f
}

// portalConfiguration finds the configuration of a session.
func (s *Server) portalConfiguration(id string) (*configuration, error) {
	if id == "" {
		return s.defaultConfiguration(), nil
	}
	f, ok := s.configs.get(id)
	if !ok || !f.active {
		return nil, noSuch(400, "configuration", id, "configuration")
	}
	return f, nil
}

func createConfiguration(c *call) (any, error) {
	f := &configuration{active: true, created: c.clock.now, updated: c.clock.now, features: newPortalFeatures()}
	for _, name := range []string{"business_profile", "features"} {
		if !c.has(name) {
			c.fail(missingParam(name))
		}
	}
	f.fill(c.params)
	if err := c.finish(); err != nil {
		return nil, err
	}
	f.id = c.Server.id("bpc")
	c.configs.add(f)
	c.tell(c.clock, "billing_portal.configuration.created", f)
	return f.answer(c, ""), nil
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
	return f.answer(c, ""), nil
}

func getConfiguration(c *call) (any, error) {
	f, ok := c.configs.get(c.id())
	if !ok {
		return nil, noSuch(404, "configuration", c.id(), "configuration")
	}
	return f.answer(c, ""), c.finish()
}

func listConfigurations(c *call) (any, error) {
	pg := c.page()
	active, asked, isDefault := c.bool("active"), c.has("active"), c.bool("is_default")
	if err := c.finish(); err != nil {
		return nil, err
	}
	found := c.configs.where(func(f *configuration) bool { return (!asked || f.active == active) && (!isDefault || f.isDefault) })
	answer, err := answerList(c.Server, pg, "/v1/billing_portal/configurations", found)
	if err != nil {
		return nil, err
	}
	data, _ := answer.(obj)["data"].([]any)
	for i, entry := range data {
		id, _ := entry.(obj)["id"].(string)
		f, _ := c.configs.get(id)
		data[i] = f.answer(c, "data.")
	}
	return answer, nil
}
