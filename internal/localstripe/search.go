package localstripe

import (
	"regexp"
	"strconv"
	"strings"
)

// clause is one condition of a search: a field, an operator and a value.
type clause struct {
	negated         bool
	field, key      string // the key of metadata["key"]
	operator, value string
}

const clausesMax = 10

var clausePattern = regexp.MustCompile(`^(-?)(\w+)(?:\[["']([^"']*)["']\])?\s*(:|~|>=|<=|>|<|=)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[\w.+-]+)\s*`)

var joinPattern = regexp.MustCompile(`(?i)^(and|or)\s+`)

// parseSearch reads Stripe's search language: clauses that are joined by AND, which is what a space means too, or by
// OR, never by both.
func parseSearch(query string) (clauses []clause, either bool, err error) {
	wrong := func() error {
		return invalid("query", "We were unable to parse your search query at %q.", query)
	}
	joins := map[string]bool{}
	for query = strings.TrimSpace(query); query != ""; {
		if m := joinPattern.FindStringSubmatch(query); m != nil && len(clauses) > 0 {
			joins[strings.ToLower(m[1])] = true
			query = query[len(m[0]):]
		}
		m := clausePattern.FindStringSubmatch(query)
		if m == nil {
			return nil, false, wrong()
		}
		value := m[5]
		if value[0] == '"' || value[0] == '\'' {
			value = strings.NewReplacer(`\"`, `"`, `\'`, `'`, `\\`, `\`).Replace(value[1 : len(value)-1])
		}
		clauses = append(clauses, clause{negated: m[1] == "-", field: m[2], key: m[3], operator: m[4], value: value})
		query = query[len(m[0]):]
	}
	if len(clauses) == 0 || len(clauses) > clausesMax || len(joins) > 1 {
		return nil, false, wrong()
	}
	return clauses, joins["or"], nil
}

// holds compares a field of a rendered object.
func (q clause) holds(o obj) bool {
	found := o[q.field]
	if q.key != "" {
		inner, _ := found.(obj)
		found = inner[q.key]
	}
	return q.matches(found) != q.negated
}

func (q clause) matches(found any) bool {
	if q.value == "null" {
		return found == nil
	}
	switch v := found.(type) {
	case string:
		switch q.operator {
		case ":", "=":
			return strings.EqualFold(v, q.value)
		case "~":
			return strings.Contains(strings.ToLower(v), strings.ToLower(q.value))
		}
	case int64:
		n, err := strconv.ParseInt(q.value, 10, 64)
		return err == nil && map[string]bool{":": v == n, "=": v == n, ">": v > n, ">=": v >= n, "<": v < n, "<=": v <= n}[q.operator]
	}
	return false
}

// searchable are the fields of customers that Stripe's documentation lists.
var searchable = map[string]bool{"created": true, "email": true, "metadata": true, "name": true, "phone": true}

// searchCustomers finds at once what Stripe may find a minute later. Its pages are numbered.
func searchCustomers(c *call) (any, error) {
	query, limit, number := c.required("query"), int64(10), int64(0)
	if c.has("limit") {
		limit = c.page().limit
	}
	if c.has("page") {
		number = c.count("page")
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	clauses, either, err := parseSearch(query)
	if err != nil {
		return nil, err
	}
	for _, q := range clauses {
		if !searchable[q.field] {
			return nil, invalid("query", "Field `%s` is an unsupported search field for resource `customers`.", q.field)
		}
	}
	var found []any
	for i := len(c.customers.order) - 1; i >= 0; i-- {
		u := c.customers.order[i]
		if o := u.render(c.Server); !u.deleted && u.clock.id == "" && satisfies(clauses, either, o) {
			found = append(found, o)
		}
	}
	return searchPage(found, number, limit), nil
}

func satisfies(clauses []clause, either bool, o obj) bool {
	for _, q := range clauses {
		if q.holds(o) == either {
			return either
		}
	}
	return !either
}

func searchPage(found []any, number, limit int64) obj {
	total := int64(len(found))
	from, to := min(number*limit, total), min((number+1)*limit, total)
	answer := obj{
		"object": "search_result", "url": "/v1/customers/search", "has_more": to < total, "next_page": nil,
		"data": append([]any{}, found[from:to]...),
	}
	if to < total {
		answer["next_page"] = itoa(number + 1)
	}
	return answer
}
