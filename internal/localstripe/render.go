package localstripe

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// obj is an object as it goes over the wire. Its values are strings, int64, float64, bool, nil, obj and
// []any only, so that two renderings can be compared.
type obj = map[string]any

// orNil renders the empty value of a field as null, as Stripe does.
func orNil[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

func anyList[T any](values []T) []any {
	list := make([]any, 0, len(values))
	for _, v := range values {
		list = append(list, v)
	}
	return list
}

// embedded is a list inside another object: at most 10 entries, the rest behind its url.
func embedded(url string, rendered []any) obj {
	more := len(rendered) > embeddedMax
	total := int64(len(rendered))
	if more {
		rendered = rendered[:embeddedMax]
	}
	return obj{"object": "list", "data": rendered, "has_more": more, "total_count": total, "url": url}
}

const embeddedMax = 10

// previous gives the old values of what changed, as data.previous_attributes does: hashes by their
// changed names, everything else whole.
func previous(before, after obj) obj {
	changed := obj{}
	for name, was := range before {
		is, ok := after[name]
		if ok && reflect.DeepEqual(was, is) {
			continue
		}
		wasHash, a := was.(obj)
		isHash, b := is.(obj)
		if a && b {
			if inner := previousHash(name, wasHash, isHash); len(inner) > 0 {
				changed[name] = inner
			}
			continue
		}
		changed[name] = was
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			changed[name] = nil
		}
	}
	return changed
}

// previousHash keeps an embedded list's data whole, because an entry has no name to differ by.
func previousHash(name string, before, after obj) obj {
	if before["object"] == "list" {
		return obj{"data": before["data"]}
	}
	if _, whole := before["id"]; whole && name != "metadata" {
		return before
	}
	return previous(before, after)
}

func deepCopy(v any) any {
	switch v := v.(type) {
	case obj:
		c := make(obj, len(v))
		for name, inner := range v {
			c[name] = deepCopy(inner)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, inner := range v {
			c[i] = deepCopy(inner)
		}
		return c
	}
	return v
}

// encode writes an object with id and object first and the rest by name, pretty-printed with two spaces
// as Stripe's webhooks are.
func encode(o any) []byte {
	var b bytes.Buffer
	writeValue(&b, o, "")
	return b.Bytes()
}

func writeValue(b *bytes.Buffer, v any, indent string) {
	inner := indent + "  "
	switch v := v.(type) {
	case obj:
		if len(v) == 0 {
			b.WriteString("{\n" + indent + "}")
			return
		}
		b.WriteString("{")
		for i, name := range wireOrder(v) {
			if i > 0 {
				b.WriteString(",")
			}
			b.WriteString("\n" + inner)
			writeScalar(b, name)
			b.WriteString(": ")
			writeValue(b, v[name], inner)
		}
		b.WriteString("\n" + indent + "}")
	case []any:
		b.WriteString("[")
		for i, entry := range v {
			if i > 0 {
				b.WriteString(",")
			}
			b.WriteString("\n" + inner)
			writeValue(b, entry, inner)
		}
		if len(v) == 0 {
			b.WriteString("\n")
		}
		b.WriteString("\n" + indent + "]")
	default:
		writeScalar(b, v)
	}
}

func wireOrder(o obj) []string {
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	rank := func(name string) int {
		switch name {
		case "id":
			return 0
		case "object":
			return 1
		}
		return 2
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	return names
}

// writeScalar writes by hand what needs no thought, which is nearly all there is: measurements share a
// machine with this.
func writeScalar(b *bytes.Buffer, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
		return
	case bool:
		b.Write(strconv.AppendBool(b.AvailableBuffer(), v))
		return
	case int64:
		b.Write(strconv.AppendInt(b.AvailableBuffer(), v, 10))
		return
	case string:
		if plain(v) {
			b.WriteByte('"')
			b.WriteString(v)
			b.WriteByte('"')
			return
		}
	}
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		// Only strings, numbers, booleans and nil get here; json cannot refuse those.
		b.WriteString("null\n")
	}
	b.Truncate(b.Len() - 1)
}

// plain tells whether a string stands in JSON as it is.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// expand replaces ids along the paths by their objects. It works on a rendering, which is a fresh copy.
func (s *Server) expand(o obj, paths []string) error {
	for _, path := range paths {
		if err := s.expandPath(o, strings.Split(path, "."), path); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) expandPath(v any, names []string, path string) error {
	if len(names) == 0 || v == nil {
		return nil
	}
	switch v := v.(type) {
	case []any:
		for _, entry := range v {
			if err := s.expandPath(entry, names, path); err != nil {
				return err
			}
		}
		return nil
	case obj:
		inner, ok := v[names[0]]
		if !ok {
			if late, found := s.expandable(v, names[0]); found {
				inner, ok = late, true
				v[names[0]] = late
			}
		}
		if !ok {
			return invalid("expand", "This property cannot be expanded (%s).", path)
		}
		if id, isID := inner.(string); isID {
			found, known := s.find(id)
			if !known {
				return nil
			}
			rendered := found.render(s)
			v[names[0]] = rendered
			inner = rendered
		}
		return s.expandPath(inner, names[1:], path)
	}
	return nil
}
