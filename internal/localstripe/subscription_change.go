package localstripe

// changeSpec is what updating a subscription, or one of its items, takes.
type changeSpec struct {
	items               []itemSpec
	proration, behavior string
	date                int64
	anchorNow           bool
	trialNow            bool
	trialEnd            int64
	cancelAtEnd         *bool
	cancelAt            *int64
	fill                func(next *subscription) error // plain fields, which bill nothing
}

func (p *params) changeSpec() changeSpec {
	spec := changeSpec{
		proration: p.oneOf("proration_behavior", "create_prorations", "always_invoice", "none"),
		behavior:  p.oneOf("payment_behavior", "allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"),
		date:      p.int("proration_date"),
		fill:      func(*subscription) error { return nil },
	}
	p.ignore("off_session")
	return spec
}

// bills says whether the change touches more than plain fields.
func (spec changeSpec) bills() bool {
	return len(spec.items) > 0 || spec.anchorNow || spec.trialNow || spec.trialEnd != 0 || spec.cancelAt != nil || spec.cancelAtEnd != nil
}

// changePlan is a change worked out and not yet made.
type changePlan struct {
	next       subscription
	items      []*item
	prorations []*invoiceItem
	restarts   bool // the period begins anew, and is billed at once
	billNow    bool
	spec       changeSpec
}

// planChange works a change out, without making it: the update carries it out, the preview shows it.
func (s *Server) planChange(sub *subscription, spec changeSpec) (*changePlan, error) {
	plan := &changePlan{next: *sub, spec: spec}
	if err := spec.fill(&plan.next); err != nil {
		return nil, err
	}
	items, err := s.changedItems(sub, spec.items)
	if err != nil {
		return nil, err
	}
	plan.items, plan.next.items = items, items
	from := sub.clock().now
	if spec.date != 0 {
		if spec.date < sub.periodStart || spec.date > sub.periodEnd {
			return nil, invalid("proration_date", "The proration date must lie within the current period.")
		}
		from = spec.date
	}
	if err := plan.move(sub); err != nil {
		return nil, err
	}
	s.prorate(plan, sub, from)
	plan.billNow = plan.restarts || spec.proration == "always_invoice" && len(plan.prorations) > 0
	return plan, plan.setCancellation(sub)
}

// changedItems copies the items and applies the specs to the copies.
func (s *Server) changedItems(sub *subscription, specs []itemSpec) ([]*item, error) {
	var after []*item
	for _, it := range sub.items {
		twin := *it
		after = append(after, &twin)
	}
	for _, spec := range specs {
		if spec.id == "" {
			it, err := s.resolveNew(sub, spec)
			if err != nil {
				return nil, err
			}
			after = append(after, it)
			continue
		}
		kept, found := []*item{}, false
		for _, it := range after {
			if it.id != spec.id {
				kept = append(kept, it)
				continue
			}
			found = true
			if spec.remove {
				continue
			}
			if err := s.changeItem(it, spec); err != nil {
				return nil, err
			}
			kept = append(kept, it)
		}
		if !found {
			return nil, noSuch(400, "subscription item", spec.id, spec.path+"[id]")
		}
		after = kept
	}
	if len(after) == 0 {
		return nil, invalid("items", "A subscription must have at least one active plan. To cancel a subscription, please use the cancel API endpoint.")
	}
	return after, fitTogether(after)
}

// changeItem: a new price without a quantity starts again at one.
func (s *Server) changeItem(it *item, spec itemSpec) error {
	p, err := s.priceOrInline(spec.priceID, spec.inline)
	if err != nil {
		return err
	}
	if p != nil && p != it.price {
		if p.recurring == nil {
			return invalid(spec.path+"[price]", "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.")
		}
		it.price, it.quantity = p, 1
	}
	if spec.hasQuantity {
		it.quantity = spec.quantity
	}
	if it.price.metered() {
		if spec.hasQuantity {
			return invalid(spec.path+"[quantity]", "You cannot set the quantity for metered plans.")
		}
		it.quantity = 0
	}
	it.metadata = spec.metadata.metadata(it.metadata)
	return nil
}

// move sets the anchor and the period that the change leads to.
func (plan *changePlan) move(sub *subscription) error {
	now, next := sub.clock().now, &plan.next
	trialing := sub.status == "trialing"
	switch {
	case plan.spec.trialEnd != 0:
		if plan.spec.trialEnd <= now {
			return invalid("trial_end", "Invalid timestamp: must be an integer Unix timestamp in the future.")
		}
		if !trialing {
			next.trialStart, next.periodStart, next.status = now, now, "trialing"
			plan.restarts = true
		}
		next.trialEnd, next.anchor, next.periodEnd = plan.spec.trialEnd, plan.spec.trialEnd, plan.spec.trialEnd
		return nil
	case plan.spec.trialNow && trialing:
		next.trialEnd, next.status = now, "active"
		plan.restarts = true
	case trialing && !plan.spec.anchorNow:
		return nil
	default:
		plan.restarts = plan.spec.anchorNow || otherRhythm(sub, next) || !sub.costs() && next.costs()
	}
	if plan.restarts {
		if next.cancelAtPeriodEnd {
			next.cancelAt = 0
		}
		next.anchor, next.periodStart = now, now
		next.periodEnd = next.periodEndAfter(now)
		if next.cancelAtPeriodEnd {
			next.cancelAt = next.periodEnd
		}
	}
	return nil
}

func otherRhythm(a, b *subscription) bool {
	x, y := a.recurring(), b.recurring()
	return x.interval != y.interval || x.count != y.count
}

// costs says whether anything is paid in advance.
func (sub *subscription) costs() bool {
	for _, it := range sub.items {
		if it.price.metered() || it.price.amount(it.quantity).Sign() > 0 {
			return true
		}
	}
	return false
}

// prorate works out what the change gives back and asks for within the current period.
func (s *Server) prorate(plan *changePlan, sub *subscription, from int64) {
	if plan.spec.proration == "none" || sub.status == "trialing" || sub.status == "incomplete" {
		return
	}
	add := func(i *invoiceItem) {
		if i != nil {
			plan.prorations = append(plan.prorations, i)
		}
	}
	if plan.restarts {
		plan.prorations = s.credits(sub, sub.items, from)
		return
	}
	for _, pair := range pairs(sub.items, plan.items) {
		if pair.before != nil && pair.after != nil && pair.before.price == pair.after.price && pair.before.quantity == pair.after.quantity {
			continue
		}
		if pair.before != nil {
			plan.prorations = append(plan.prorations, s.credits(sub, []*item{pair.before}, from)...)
		}
		if pair.after != nil {
			add(sub.proration(pair.after, from, sub.periodEnd, 1))
		}
	}
}

type itemPair struct{ before, after *item }

// pairs lays the items before and after a change side by side.
func pairs(before, after []*item) []itemPair {
	var found []itemPair
	for _, b := range before {
		pair := itemPair{before: b}
		for _, a := range after {
			if a.id == b.id {
				pair.after = a
			}
		}
		found = append(found, pair)
	}
	for _, a := range after {
		if a.id == "" {
			found = append(found, itemPair{after: a})
		}
	}
	return found
}

// setCancellation applies cancel_at and cancel_at_period_end. A date within the period cuts it.
func (plan *changePlan) setCancellation(sub *subscription) error {
	now, next := sub.clock().now, &plan.next
	set := func(at int64, atEnd bool) {
		next.cancelAt, next.cancelAtPeriodEnd, next.canceledAt = at, atEnd, now
		next.cancellation.reason = "cancellation_requested"
		if at == 0 {
			next.canceledAt, next.cancellation = 0, cancellation{}
		}
	}
	switch spec := plan.spec; {
	case spec.cancelAtEnd != nil && *spec.cancelAtEnd:
		set(next.periodEnd, true)
	case spec.cancelAtEnd != nil:
		if sub.cancelAtPeriodEnd {
			set(0, false)
		}
	case spec.cancelAt != nil:
		if *spec.cancelAt != 0 && *spec.cancelAt <= now {
			return invalid("cancel_at", "Invalid timestamp: must be an integer Unix timestamp in the future.")
		}
		set(*spec.cancelAt, false)
		plan.cut(sub)
	}
	return nil
}

// cut ends the period at cancel_at, or where it ends by nature, and bills the difference.
func (plan *changePlan) cut(sub *subscription) {
	next := &plan.next
	was := next.periodEnd
	if next.status == "trialing" {
		next.periodEnd = next.trialEnd
		if next.cancelAt != 0 {
			next.periodEnd = min(next.trialEnd, next.cancelAt)
		}
		return
	}
	next.periodEnd = next.periodEndAfter(next.periodStart)
	if plan.spec.proration == "none" {
		return
	}
	from, to, sign := next.periodEnd, was, int64(-1)
	if from > to {
		from, to, sign = to, from, 1
	}
	for _, it := range next.items {
		if i := next.proration(it, from, to, sign); i != nil {
			i.sub = sub
			plan.prorations = append(plan.prorations, i)
		}
	}
}
