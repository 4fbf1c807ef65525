package billing

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// catalogQuote shortens what someone wrote to what a message can hold.
func catalogQuote(text string) string {
	const lengthMax = 60
	runes := []rune(text[:min(len(text), 4*lengthMax)])
	if len(runes) <= lengthMax {
		return text
	}
	return string(runes[:lengthMax]) + "…"
}

// catalogKind names a node as its author would.
func catalogKind(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch node.Tag {
	case "!!null":
		return "empty"
	case "!!int", "!!float":
		return "the number " + catalogQuote(node.Value)
	case "!!bool":
		return "the truth value " + node.Value
	}
	return fmt.Sprintf("the text %q", catalogQuote(node.Value))
}

// catalogQuotesHint helps whoever wrote a name of digits.
func catalogQuotesHint(node *yaml.Node) string {
	if node.Kind == yaml.ScalarNode && node.Tag != "!!null" {
		return "; put it in quotes if it is meant"
	}
	return ""
}

func catalogOneOf(word string, known []string) bool { return slices.Contains(known, word) }

// catalogSuggestion ends a message about an unknown word: with the known word
// that is nearest, or with all of them when none is near.
func catalogSuggestion(word string, known []string) string {
	const lengthMax = 40
	nearest, distance := "", 1+max(2, len(word)/3)
	if len(word) <= lengthMax {
		for _, candidate := range known {
			if d := catalogDistance(strings.ToLower(word), candidate); d < distance {
				nearest, distance = candidate, d
			}
		}
	}
	if nearest != "" {
		return fmt.Sprintf("; did you mean %q?", nearest)
	}
	if len(known) == 0 {
		return ""
	}
	if len(known) > 30 {
		known = append(slices.Clone(known[:30]), "…")
	}
	return "; known here: " + strings.Join(known, ", ")
}

// catalogDistance counts the letters to insert, drop or replace (Levenshtein).
func catalogDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// catalogDays writes a duration as a catalogue does: 3d, 1d12h, 24h.
func catalogDays(d time.Duration) string {
	if d == 0 {
		return "0h"
	}
	text := ""
	days := d / (24 * time.Hour)
	if days > 1 || days == 1 && d%(24*time.Hour) != 0 {
		text = fmt.Sprintf("%dd", days)
		d -= days * 24 * time.Hour
	}
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if count := d / unit.size; count > 0 {
			text += fmt.Sprintf("%d%s", count, unit.name)
			d -= count * unit.size
		}
	}
	return text
}
