package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// What the API answers is shown to people as lines of name and value, and lists of it as
// tables, without a second description of each answer.

// field is one field of a JSON object, in its order.
type field struct {
	name  string
	value json.RawMessage
}

// fieldsOf takes an object apart.
func fieldsOf(v any) ([]field, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("writing the answer: %w", err)
	}
	return fieldsIn(raw), nil
}

func fieldsIn(raw json.RawMessage) []field {
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, _ := d.Token(); open != json.Delim('{') {
		return nil
	}
	var fields []field
	for d.More() {
		name, _ := d.Token()
		f := field{name: fmt.Sprint(name)}
		if d.Decode(&f.value) != nil {
			break // it was written by json.Marshal
		}
		fields = append(fields, f)
	}
	return fields
}

// text writes a value for people; what is empty has no text.
func text(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return string(raw)
	}
	switch v := v.(type) {
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return stamp(at)
		}
		return v
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return thousands(n)
		}
		return v.String()
	case []any:
		var parts []json.RawMessage
		_ = json.Unmarshal(raw, &parts)
		texts := make([]string, len(parts))
		for i, part := range parts {
			texts[i] = text(part)
		}
		return strings.Join(texts, "; ")
	case map[string]any:
		var texts []string
		for _, f := range fieldsIn(raw) {
			switch t := text(f.value); {
			case t == "":
			case plainNames[f.name]:
				texts = append(texts, t)
			default:
				texts = append(texts, label(f.name)+" "+t)
			}
		}
		return strings.Join(texts, ", ")
	}
	return ""
}

// plainNames are fields within a field whose values say by themselves what they are.
var plainNames = map[string]bool{"id": true, "kind": true, "account": true, "source": true, "member": true}

// label is a field's name for people: user_id is the user.
func label(name string) string {
	return strings.ReplaceAll(strings.TrimSuffix(name, "_id"), "_", " ")
}

// printShown writes one answer.
func printShown(p *program, asJSON bool, v any) error {
	fields, err := fieldsOf(v)
	if err != nil {
		return err
	}
	var lines [][]string
	for _, f := range fields {
		for _, one := range each(f.value) {
			if t := text(one); t != "" {
				lines = append(lines, []string{label(f.name), t})
			}
		}
	}
	return printThing(p, asJSON, v, lines)
}

// each takes a list of objects apart, which has a line for each.
func each(raw json.RawMessage) []json.RawMessage {
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil || len(parts) == 0 || fieldsIn(parts[0]) == nil {
		return []json.RawMessage{raw}
	}
	return parts
}

// printDone writes what a command that changes something answers, and its key.
func printDone(p *program, asJSON bool, v any, key string, replayed bool) error {
	fields, err := fieldsOf(v)
	if err != nil {
		return err
	}
	extra, err := fieldsOf(struct {
		Key      string `json:"idempotency_key"`
		Replayed bool   `json:"replayed"`
	}{key, replayed})
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(p.out, ordered(append(fields, extra...)))
	}
	if !replayed {
		extra = extra[:1]
	}
	return printShown(p, false, ordered(append(fields, extra...)))
}

// ordered is an object whose fields keep their order.
type ordered []field

// MarshalJSON writes it.
func (o ordered) MarshalJSON() ([]byte, error) {
	parts := make([]string, len(o))
	for i, f := range o {
		name, err := json.Marshal(f.name)
		if err != nil {
			return nil, err
		}
		parts[i] = string(name) + ":" + string(f.value)
	}
	return []byte("{" + strings.Join(parts, ",") + "}"), nil
}

// heads are the names of a table's columns.
func heads(fields []string) []string {
	out := make([]string, len(fields))
	for i, name := range fields {
		out[i] = strings.ToUpper(label(name))
	}
	return out
}

// cells are some fields of a row.
func cells(row any, names []string) []string {
	fields, err := fieldsOf(row)
	if err != nil {
		return []string{err.Error()}
	}
	out := make([]string, len(names))
	for i, name := range names {
		for _, f := range fields {
			if f.name == name {
				out[i] = text(f.value)
			}
		}
	}
	return out
}
