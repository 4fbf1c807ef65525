package billing

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// catalogReader gathers what is wrong while it reads, so that one run shows all
// of it.
type catalogReader struct {
	file   string
	errors []*CatalogError
	// prices remembers the line of each price, planNodes where each plan
	// stands; packs are the names that top_up may list.
	prices    map[string]int
	packs     []string
	planNodes []*yaml.Node
	packNodes []*yaml.Node
}

func newCatalogReader(file string) *catalogReader {
	return &catalogReader{file: file, prices: map[string]int{}}
}

func (r *catalogReader) fail(at *yaml.Node, path, rule, message string) {
	// What isn't plain was reported as such; what else it breaks is unknown.
	plain := at.Kind != yaml.AliasNode && at.Style&yaml.TaggedStyle == 0
	if plain || rule == CatalogRulePlainYAML {
		r.failAt(at.Line, at.Column, path, rule, message)
	}
}

func (r *catalogReader) failAt(line, column int, path, rule, message string) {
	r.errors = append(r.errors, &CatalogError{
		File: r.file, Line: max(line, 1), Column: column, Path: path, Rule: rule, Message: message,
	})
}

// plainYAML refuses what makes a text mean something other than what stands
// there: each plan is to be read, and reviewed, where it is written. It also
// rules out bombs of aliases.
func (r *catalogReader) plainYAML(node *yaml.Node) {
	switch {
	case node.Kind == yaml.AliasNode:
		r.fail(node, "", CatalogRulePlainYAML, "an alias (*"+catalogQuote(node.Value)+"): write out what it stands for")
		return
	case node.Anchor != "":
		r.fail(node, "", CatalogRulePlainYAML, "an anchor (&"+catalogQuote(node.Anchor)+"): aliases aren't supported, so it serves nothing")
	case node.Style&yaml.TaggedStyle != 0:
		r.fail(node, "", CatalogRulePlainYAML, "a tag ("+catalogQuote(node.Tag)+"): leave it out")
	}
	for _, child := range node.Content {
		r.plainYAML(child)
	}
}

// catalogMap is a mapping whose keys have been checked.
type catalogMap struct {
	r      *catalogReader
	node   *yaml.Node
	path   string
	values map[string]*yaml.Node
}

// mapping reads node as a mapping of known keys.
func (r *catalogReader) mapping(node *yaml.Node, path string, known []string) (catalogMap, bool) {
	m := catalogMap{r: r, node: node, path: path, values: map[string]*yaml.Node{}}
	if node.Kind != yaml.MappingNode {
		r.fail(node, path, CatalogRuleType, "must be a mapping with keys such as "+known[0]+", but is "+catalogKind(node))
		return m, false
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at := m.at(catalogQuote(key.Value))
		first, repeated := lines[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
			r.fail(key, path, CatalogRuleType, "a key must be a word, but is "+catalogKind(key))
		case key.Tag == "!!merge":
			r.fail(key, path, CatalogRulePlainYAML, "a merge key (<<): write the keys out")
		case repeated:
			r.fail(key, at, CatalogRuleDuplicateKey, fmt.Sprintf("the key stands on line %d already", first))
		case !catalogOneOf(key.Value, known):
			r.fail(key, at, CatalogRuleUnknownKey, "unknown key"+catalogSuggestion(key.Value, known))
		default:
			m.values[key.Value] = value
		}
		if key.Kind == yaml.ScalarNode && !repeated {
			lines[key.Value] = key.Line
		}
	}
	return m, true
}

func (m catalogMap) at(key string) string {
	if m.path == "" {
		return key
	}
	return m.path + "." + key
}

func (m catalogMap) has(key string) bool { return m.values[key] != nil }

func (m catalogMap) fail(key, rule, message string) {
	at := m.values[key]
	if at == nil {
		at = m.node
	}
	m.r.fail(at, m.at(key), rule, message)
}

// require reports each of the keys that isn't there.
func (m catalogMap) require(keys ...string) {
	for _, key := range keys {
		if !m.has(key) {
			m.r.fail(m.node, m.at(key), CatalogRuleMissing, "is missing")
		}
	}
}

// contradict reports each of the keys that is there and, for the reason given,
// can't be meant.
func (m catalogMap) contradict(reason string, keys ...string) {
	for _, key := range keys {
		if m.has(key) {
			m.fail(key, CatalogRuleContradiction, reason)
		}
	}
}

// list reads the items under key. An empty list is an error: whether it means
// none or all is for nobody to guess.
func (m catalogMap) list(key, whenEmpty string) []*yaml.Node {
	node := m.values[key]
	switch {
	case node == nil:
		return nil
	case node.Kind != yaml.SequenceNode:
		m.fail(key, CatalogRuleType, "must be a list, but is "+catalogKind(node))
	case len(node.Content) == 0:
		m.fail(key, CatalogRuleMissing, "is an empty list; "+whenEmpty)
	}
	if node.Kind != yaml.SequenceNode {
		return nil
	}
	return node.Content
}

// texts reads a list of words that don't repeat.
func (m catalogMap) texts(key, whenEmpty string, check func(*yaml.Node, string)) []string {
	var found []string
	lines := map[string]int{}
	for i, node := range m.list(key, whenEmpty) {
		at := fmt.Sprintf("%s[%d]", m.at(key), i)
		text, ok := m.r.text(node, at)
		if !ok {
			continue
		}
		if first, repeated := lines[text]; repeated {
			m.r.fail(node, at, CatalogRuleDuplicateValue, fmt.Sprintf("%q stands on line %d already", catalogQuote(text), first))
			continue
		}
		lines[text] = node.Line
		found = append(found, text)
		check(node, at)
	}
	return found
}
