package localstripe

func getItem(c *call) (any, error) {
	it, err := c.item(c.id())
	if err != nil {
		return nil, err
	}
	return it.render(c.Server), c.finish()
}

func (s *Server) item(id string) (*item, error) {
	it, ok := s.items.get(id)
	if !ok || it.deleted {
		return nil, noSuch(404, "subscription_item", id, "id")
	}
	return it, nil
}

func listItems(c *call) (any, error) {
	pg, subID := c.page(), c.required("subscription")
	if err := c.finish(); err != nil {
		return nil, err
	}
	sub, err := c.subscription(subID, "subscription")
	if err != nil {
		return nil, err
	}
	return answerOrdered(c.Server, pg, "/v1/subscription_items", sub.items)
}

func createItem(c *call) (any, error) {
	subID, spec := c.required("subscription"), c.changeSpec()
	entry := c.itemSpec()
	if err := c.finish(); err != nil {
		return nil, err
	}
	sub, err := c.subscription(subID, "subscription")
	if err != nil {
		return nil, err
	}
	entry.id, entry.path = "", "items[0]"
	spec.items = []itemSpec{entry}
	if err := c.changeItems(sub, spec); err != nil {
		return nil, err
	}
	return sub.items[len(sub.items)-1].render(c.Server), nil
}

func updateItem(c *call) (any, error) {
	it, err := c.item(c.id())
	if err != nil {
		return nil, err
	}
	spec, entry := c.changeSpec(), c.itemSpec()
	if err := c.finish(); err != nil {
		return nil, err
	}
	entry.id = it.id
	spec.items = []itemSpec{entry}
	if err := c.changeItems(it.sub, spec); err != nil {
		return nil, err
	}
	return it.render(c.Server), nil
}

func deleteItem(c *call) (any, error) {
	it, err := c.item(c.id())
	if err != nil {
		return nil, err
	}
	spec := c.changeSpec()
	c.ignore("clear_usage")
	if err := c.finish(); err != nil {
		return nil, err
	}
	spec.items = []itemSpec{{id: it.id, remove: true, metadata: newParams()}}
	if err := c.changeItems(it.sub, spec); err != nil {
		return nil, err
	}
	return obj{"id": it.id, "object": "subscription_item", "deleted": true}, nil
}

func (s *Server) changeItems(sub *subscription, spec changeSpec) error {
	if sub.over() {
		return invalid("", "The subscription %s is canceled; its items can no longer be changed.", sub.id)
	}
	return s.changeSubscription(sub, spec)
}
