package billing

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// text reads a scalar that isn't empty and isn't a number or a truth value.
func (r *catalogReader) text(node *yaml.Node, path string) (string, bool) {
	switch {
	case node.Kind != yaml.ScalarNode || node.Tag != "!!str":
		r.fail(node, path, CatalogRuleType, "must be text, but is "+catalogKind(node)+catalogQuotesHint(node))
	case strings.TrimSpace(node.Value) == "":
		r.fail(node, path, CatalogRuleMissing, "is empty")
	default:
		return node.Value, true
	}
	return "", false
}

// catalogNameLengthMax bounds the names of plans, packs and features.
const catalogNameLengthMax = 64

var catalogNamePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]*$`)

// name checks a word that travels in JSON, SQL and addresses.
func (r *catalogReader) name(node *yaml.Node, path string, lengthMax int) {
	switch {
	case len(node.Value) > lengthMax:
		r.fail(node, path, CatalogRuleRange, fmt.Sprintf("is longer than %d characters", lengthMax))
	case !catalogNamePattern.MatchString(node.Value):
		r.fail(node, path, CatalogRuleName, fmt.Sprintf(
			"%q: a name has letters a–z, digits and _ . : - and begins with a letter or digit", catalogQuote(node.Value)))
	}
}

// word reads a name under key, or nothing when the key isn't there.
func (m catalogMap) word(key string) string {
	node := m.values[key]
	if node == nil {
		return ""
	}
	text, ok := m.r.text(node, m.at(key))
	if ok {
		m.r.name(node, m.at(key), catalogNameLengthMax)
	}
	return text
}

// line reads one line of any text under key: a title, or what Stripe calls a
// price. Spaces at its ends would make two texts look like one.
func (m catalogMap) line(key, otherwise string, lengthMax int) string {
	node := m.values[key]
	if node == nil {
		return otherwise
	}
	text, ok := m.r.text(node, m.at(key))
	if ok && utf8.RuneCountInString(text) > lengthMax {
		m.fail(key, CatalogRuleRange, fmt.Sprintf("is longer than %d characters", lengthMax))
	}
	if strings.ContainsAny(text, "\r\n\t\u0085\u2028\u2029") || strings.TrimSpace(text) != text {
		m.fail(key, CatalogRuleName, "must be one line, without tabs and without spaces at its ends")
	}
	return text
}

// choice reads one of the known words under key; the first is the default.
func (m catalogMap) choice(key string, known ...string) string {
	node := m.values[key]
	if node == nil {
		return known[0]
	}
	text, ok := m.r.text(node, m.at(key))
	if ok && !catalogOneOf(text, known) {
		m.fail(key, CatalogRuleUnknownValue, fmt.Sprintf("%q is unknown%s", catalogQuote(text), catalogSuggestion(text, known)))
	}
	return text
}

func (m catalogMap) boolean(key string, otherwise bool) bool {
	node := m.values[key]
	if node == nil {
		return otherwise
	}
	if node.Kind != yaml.ScalarNode || node.Tag != "!!bool" {
		m.fail(key, CatalogRuleType, "must be true or false, but is "+catalogKind(node))
		return otherwise
	}
	return strings.EqualFold(node.Value, "true")
}

// catalogRange bounds a number. The zero hint says what to write instead of 0.
type catalogRange struct {
	min, max int64
	zero     string
}

var (
	catalogInteger   = regexp.MustCompile(`^-?(0|[1-9][0-9]*|[1-9][0-9]{0,2}(_[0-9]{3})+)$`)
	catalogThousands = regexp.MustCompile(`^[1-9][0-9]{0,2}([ ,.'][0-9]{3})+$`)
)

// whole reads a number under key, or the default when the key isn't there. The
// text itself is read, not what YAML makes of it, because YAML takes 010 for 8
// and a large number for a fraction.
func (m catalogMap) whole(key string, bounds catalogRange, otherwise int64) int64 {
	node := m.values[key]
	if node == nil {
		return otherwise
	}
	if node.Kind != yaml.ScalarNode || node.Style != 0 || node.Tag == "!!null" {
		m.fail(key, CatalogRuleType, "must be a whole number without quotes, but is "+catalogKind(node))
		return otherwise
	}
	if !catalogInteger.MatchString(node.Value) {
		hint := ""
		if catalogThousands.MatchString(node.Value) {
			hint = "; group digits with _ as in 1_000"
		}
		m.fail(key, CatalogRuleWholeNumber, fmt.Sprintf("must be a whole number, but is %q%s", catalogQuote(node.Value), hint))
		return otherwise
	}
	value, err := strconv.ParseInt(strings.ReplaceAll(node.Value, "_", ""), 10, 64)
	if err == nil && value >= bounds.min && value <= bounds.max {
		return value
	}
	message := fmt.Sprintf("must be %d to %d, but is %s", bounds.min, bounds.max, catalogQuote(node.Value))
	if value == 0 && bounds.zero != "" {
		message += "; " + bounds.zero
	}
	m.fail(key, CatalogRuleRange, message)
	return otherwise
}

var catalogDuration = regexp.MustCompile(`^(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?$`)

// duration reads 24h, 3d or 1d12h under key. The bound is exclusive.
func (m catalogMap) duration(key string, below, otherwise time.Duration) time.Duration {
	node := m.values[key]
	if node == nil {
		return otherwise
	}
	parts := catalogDuration.FindStringSubmatch(node.Value)
	if node.Kind != yaml.ScalarNode || node.Value == "" || parts == nil {
		message := "must be a duration such as 24h, 3d or 1d12h, but is " + catalogKind(node)
		m.fail(key, CatalogRuleDuration, message)
		return otherwise
	}
	var total time.Duration
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		count, _ := strconv.Atoi(parts[i+1]) // an absent part is 0
		total += time.Duration(count) * unit
	}
	if total >= below {
		m.fail(key, CatalogRuleRange, fmt.Sprintf("must be shorter than %s, but is %s", catalogDays(below), node.Value))
	}
	return total
}
