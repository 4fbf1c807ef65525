package localstripe

import (
	"net/url"
	"sort"
	"strconv"
	"strings"
)

// params is a form as Stripe reads it: "items[0][price]=p" is a tree of names. Reading marks what was
// read, so that finish can refuse what nobody asked for, and the first error sticks.
type params struct {
	path  string // the full name, as errors give it
	value string
	given bool
	kids  map[string]*params
	names []string // of kids, in the order of their first mention
	read  bool
	err   *error
}

func newParams() *params { return &params{err: new(error)} }

// parseForm keeps the order of the pairs, which url.ParseQuery loses: list entries without an index,
// as in "expand[]", count up in that order.
func parseForm(forms ...string) (*params, error) {
	root := newParams()
	for _, form := range forms {
		for pair := range strings.SplitSeq(form, "&") {
			if pair == "" {
				continue
			}
			rawName, rawValue, _ := strings.Cut(pair, "=")
			name, err := url.QueryUnescape(rawName)
			if err != nil {
				return nil, invalid("", "Invalid form encoding: %s", rawName)
			}
			value, err := url.QueryUnescape(rawValue)
			if err != nil {
				return nil, invalid("", "Invalid form encoding in %s", name)
			}
			root.put(name, value)
		}
	}
	return root, nil
}

func (p *params) put(name, value string) {
	at := p
	for i, part := range strings.Split(name, "[") {
		if i > 0 {
			part = strings.TrimSuffix(part, "]")
		}
		if part == "" {
			part = strconv.Itoa(len(at.names))
		}
		at = at.kid(part)
	}
	at.value, at.given = value, true
}

func (p *params) kid(name string) *params {
	if k, ok := p.kids[name]; ok {
		return k
	}
	k := &params{path: name, err: p.err}
	if p.path != "" {
		k.path = p.path + "[" + name + "]"
	}
	if p.kids == nil {
		p.kids = map[string]*params{}
	}
	p.kids[name] = k
	p.names = append(p.names, name)
	return k
}

// at finds a nested parameter and marks it read; what is absent is an empty node, never nil.
func (p *params) at(names ...string) *params {
	for _, name := range names {
		p.read = true
		k, ok := p.kids[name]
		if !ok {
			k = &params{path: name, err: p.err}
			if p.path != "" {
				k.path = p.path + "[" + name + "]"
			}
		}
		p = k
	}
	p.read = true
	return p
}

func (p *params) has(names ...string) bool {
	k := p.at(names...)
	return k.given || len(k.kids) > 0
}

func (p *params) str(names ...string) string { return p.at(names...).value }

func (p *params) strOr(otherwise string, names ...string) string {
	if k := p.at(names...); k.given && k.value != "" {
		return k.value
	}
	return otherwise
}

func (p *params) fail(err error) {
	if *p.err == nil {
		*p.err = err
	}
}

func (p *params) required(name string) string {
	k := p.at(name)
	if !k.given || k.value == "" {
		p.fail(missingParam(k.path))
	}
	return k.value
}

// oneOf reads an enumerated value; absent is the first.
func (p *params) oneOf(name string, values ...string) string {
	k := p.at(name)
	if !k.given {
		return values[0]
	}
	for _, v := range values {
		if v == k.value {
			return v
		}
	}
	p.fail(invalid(k.path, "Invalid %s: must be one of %s", k.path, strings.Join(values, ", ")))
	return values[0]
}

func (p *params) int(name string) int64 {
	k := p.at(name)
	if !k.given || k.value == "" {
		return 0
	}
	n, err := strconv.ParseInt(k.value, 10, 64)
	if err != nil {
		p.fail(invalidCode("parameter_invalid_integer", k.path, "Invalid integer: %s", k.value))
	}
	return n
}

// count reads a whole number that may not be negative.
func (p *params) count(name string) int64 {
	n := p.int(name)
	if n < 0 {
		p.fail(invalidCode("parameter_invalid_integer", p.at(name).path, "This value must be greater than or equal to 0 (it currently is '%d').", n))
	}
	return n
}

func (p *params) bool(name string) bool {
	k := p.at(name)
	switch {
	case !k.given, k.value == "false", k.value == "":
		return false
	case k.value == "true":
		return true
	}
	p.fail(invalid(k.path, "Invalid boolean: %s", k.value))
	return false
}

// list gives the entries of an array parameter, in order.
func (p *params) list(name string) []*params {
	k := p.at(name)
	names := append([]string(nil), k.names...)
	sort.SliceStable(names, func(i, j int) bool {
		a, _ := strconv.Atoi(names[i])
		b, _ := strconv.Atoi(names[j])
		return a < b
	})
	entries := make([]*params, 0, len(names))
	for _, n := range names {
		entries = append(entries, k.at(n))
	}
	return entries
}

func (p *params) strings(name string) []string {
	var values []string
	for _, entry := range p.list(name) {
		values = append(values, entry.value)
	}
	return values
}

// ignore marks parameters that Stripe knows and that change nothing here.
func (p *params) ignore(names ...string) {
	for _, name := range names {
		p.at(name).markAll()
	}
}

func (p *params) markAll() {
	p.read = true
	for _, k := range p.kids {
		k.markAll()
	}
}

// finish answers the first error met while reading, or refuses a parameter that was never read.
func (p *params) finish() error {
	p.ignore("expand")
	if *p.err != nil {
		return *p.err
	}
	if unread := p.unread(); unread != "" {
		return invalidCode("parameter_unknown", unread, "Received unknown parameter: %s (the local Stripe refuses what it does not model)", unread)
	}
	return nil
}

func (p *params) unread() string {
	for _, name := range p.names {
		k := p.kids[name]
		if !k.read {
			return k.path
		}
		if found := k.unread(); found != "" {
			return found
		}
	}
	return ""
}

// canonical is what an idempotency key is compared by.
func (p *params) canonical() string {
	var b strings.Builder
	p.write(&b)
	return b.String()
}

func (p *params) write(b *strings.Builder) {
	if p.given {
		b.WriteString(p.path + "=" + url.QueryEscape(p.value) + "&")
	}
	names := append([]string(nil), p.names...)
	sort.Strings(names)
	for _, name := range names {
		p.kids[name].write(b)
	}
}
