package localstripe

// product is what prices are for.
type product struct {
	id, name, description, defaultPrice, unitLabel, statement, url, taxCode string
	active, deleted                                                         bool
	metadata                                                                map[string]string
	images                                                                  []string
	created, updated                                                        int64
}

func (d *product) identity() string { return d.id }
func (d *product) createdAt() int64 { return d.created }

func (d *product) render(*Server) obj {
	if d.deleted {
		return obj{"id": d.id, "object": "product", "deleted": true}
	}
	return obj{
		"id": d.id, "object": "product", "active": d.active, "created": d.created, "default_price": orNil(d.defaultPrice),
		"description": orNil(d.description), "features": []any{}, "images": anyList(d.images), "livemode": false,
		"metadata": renderMetadata(d.metadata), "name": d.name, "package_dimensions": nil, "shippable": nil,
		"statement_descriptor": orNil(d.statement), "tax_code": orNil(d.taxCode), "type": "service",
		"unit_label": orNil(d.unitLabel), "updated": d.updated, "url": orNil(d.url),
	}
}

func (d *product) fill(p *params) {
	d.name, d.description = p.text("name", d.name), p.text("description", d.description)
	d.unitLabel, d.statement = p.text("unit_label", d.unitLabel), p.text("statement_descriptor", d.statement)
	d.url, d.taxCode = p.text("url", d.url), p.text("tax_code", d.taxCode)
	d.metadata = p.metadata(d.metadata)
	if p.has("active") {
		d.active = p.bool("active")
	}
	if p.has("images") {
		d.images = p.strings("images")
	}
	p.ignore("type", "shippable")
}

func createProduct(c *call) (any, error) {
	d := &product{active: true, created: c.clock.now, updated: c.clock.now, images: []string{}}
	c.required("name")
	d.fill(c.params)
	d.id = c.str("id")
	priced := c.has("default_price_data")
	price := &price{currency: c.str("default_price_data", "currency"), active: true}
	if priced {
		price.fillNew(c.at("default_price_data"))
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if _, taken := c.products.get(d.id); taken {
		return nil, invalidCode("resource_already_exists", "id", "Product already exists.")
	}
	if d.id == "" {
		d.id = "prod_" + c.token(14)
	}
	c.products.add(d)
	c.tell(c.clock, "product.created", d)
	if priced {
		price.product = d
		c.openPrice(price)
		c.change(c.clock, "product.updated", d, func() { d.defaultPrice = price.id })
	}
	return d.render(c.Server), nil
}

func (s *Server) product(id, param string) (*product, error) {
	d, ok := s.products.get(id)
	if !ok || d.deleted && param != "id" {
		return nil, noSuch(paramStatus(param), "product", id, param)
	}
	return d, nil
}

func getProduct(c *call) (any, error) {
	d, err := c.product(c.id(), "id")
	if err != nil {
		return nil, err
	}
	return d.render(c.Server), c.finish()
}

func updateProduct(c *call) (any, error) {
	d, err := c.product(c.id(), "id")
	if err != nil {
		return nil, err
	}
	after := *d
	after.fill(c.params)
	after.defaultPrice = c.text("default_price", d.defaultPrice)
	if err := c.finish(); err != nil {
		return nil, err
	}
	after.updated = c.clock.now
	c.change(c.clock, "product.updated", d, func() { *d = after })
	return d.render(c.Server), nil
}

func deleteProduct(c *call) (any, error) {
	d, err := c.product(c.id(), "id")
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if len(c.prices.where(func(p *price) bool { return p.product == d })) > 0 {
		return nil, invalid("id", "This product cannot be deleted because it has one or more user-created prices.")
	}
	c.tell(c.clock, "product.deleted", d)
	d.deleted = true
	return d.render(c.Server), nil
}

func listProducts(c *call) (any, error) {
	pg, active, asked, ids := c.page(), c.bool("active"), c.has("active"), c.strings("ids")
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/products", c.products.where(func(d *product) bool {
		return !d.deleted && (!asked || d.active == active) && (len(ids) == 0 || matchesAny(ids, d.id))
	}))
}
