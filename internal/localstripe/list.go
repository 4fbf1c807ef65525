package localstripe

import "strconv"

// page cuts a list as Stripe does: newest first, with a cursor either way.
type page struct {
	limit         int64
	after, before string
	created       timeRange
}

type timeRange struct{ gt, gte, lt, lte, eq *int64 }

func (p *params) page() page {
	pg := page{limit: 10, after: p.str("starting_after"), before: p.str("ending_before")}
	if p.has("limit") {
		pg.limit = p.int("limit")
		if pg.limit < 1 || pg.limit > 100 {
			p.fail(invalidCode("parameter_invalid_integer", "limit", "This value must be between 1 and 100 (it currently is '%d').", pg.limit))
		}
	}
	pg.created = p.timeRange("created")
	return pg
}

func (p *params) timeRange(name string) timeRange {
	k := p.at(name)
	read := func(k *params) *int64 {
		if !k.given {
			return nil
		}
		n, err := strconv.ParseInt(k.value, 10, 64)
		if err != nil {
			p.fail(invalidCode("parameter_invalid_integer", k.path, "Invalid integer: %s", k.value))
		}
		return &n
	}
	return timeRange{gt: read(k.at("gt")), gte: read(k.at("gte")), lt: read(k.at("lt")), lte: read(k.at("lte")), eq: read(k)}
}

func (r timeRange) holds(at int64) bool {
	return (r.gt == nil || at > *r.gt) && (r.gte == nil || at >= *r.gte) &&
		(r.lt == nil || at < *r.lt) && (r.lte == nil || at <= *r.lte) && (r.eq == nil || at == *r.eq)
}

// What belongs to a test clock is listed only for a customer, a subscription or the like, as Stripe does.

// answerList renders one page of what matches. The objects come oldest first, as tables keep them.
func answerList[T entity](s *Server, pg page, url string, oldestFirst []T) (any, error) {
	var newest []T
	for i := len(oldestFirst) - 1; i >= 0; i-- {
		if pg.created.holds(oldestFirst[i].createdAt()) {
			newest = append(newest, oldestFirst[i])
		}
	}
	return answerOrdered(s, pg, url, newest)
}

// answerOrdered is for lists whose own order counts, such as an invoice's lines.
func answerOrdered[T entity](s *Server, pg page, url string, ordered []T) (any, error) {
	first, last := 0, len(ordered)
	position := func(id, param string) (int, error) {
		for i, v := range ordered {
			if v.identity() == id {
				return i, nil
			}
		}
		return 0, noSuch(400, "object", id, param)
	}
	more := false
	switch {
	case pg.after != "":
		i, err := position(pg.after, "starting_after")
		if err != nil {
			return nil, err
		}
		first = i + 1
	case pg.before != "":
		i, err := position(pg.before, "ending_before")
		if err != nil {
			return nil, err
		}
		last = i
		// The page lies right before the cursor; what is more lies further back towards the newest.
		if int64(last) > pg.limit {
			first, more = last-int(pg.limit), true
		}
	}
	if int64(last-first) > pg.limit {
		last, more = first+int(pg.limit), true
	}
	data := []any{}
	for _, v := range ordered[first:last] {
		data = append(data, v.render(s))
	}
	return obj{"object": "list", "url": url, "has_more": more, "data": data}, nil
}
