package billing

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A catalogue is read at start: whatever stands in it, the answer comes soon.
func TestParseCatalog_BombsEndSoon(t *testing.T) {
	t.Parallel()
	fill := func(piece string) string { return strings.Repeat(piece, (catalogBytesMax-100)/len(piece)) }
	aliases := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 60; i++ {
		aliases += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9))
	}
	deepPlan := "plans:\n  - name: a\n    prices: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "\n"
	for name, src := range map[string]string{
		"NestedLists":     fill("["),
		"NestedMappings":  fill("{a: "),
		"NestedDashes":    fill("- "),
		"NestedKeys":      fill("? "),
		"Comments":        fill("#\n"),
		"CommentsInAPlan": "plans:\n" + fill("  # a\n") + "  - a\n",
		"Aliases":         aliases,
		"DeepButClosed":   deepPlan,
		"UnknownKeys":     "plans:\n  - name: a\n" + numbered("    key%d: 1\n"),
		"OneLongKey":      fill("k") + ": 1\n",
		"EmptyPlans":      "plans:\n" + fill("  -\n"),
		"Documents":       fill("---\n"),
		"Quotes":          `"` + fill("a\n"),
		"Colons":          fill("a: "),
		"ManyPlans":       "plans:\n" + numbered("  - {name: p%[1]d, prices: [{id: a%[1]d}], monthly_credits: 1, top_up: {packs: [x]}}\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := make(chan error, 1)
			go func() {
				_, err := ParseCatalog("plans.yaml", []byte(src))
				if err != nil {
					_ = err.Error()
				}
				done <- err
			}()
			select {
			case err := <-done:
				if err == nil || len(CatalogErrors(err)) == 0 {
					t.Errorf("error %v, want one that names a line", err)
				}
			case <-time.After(time.Minute):
				t.Error("no answer within a minute")
			}
		})
	}
}

// numbered repeats a pattern with a number up to just under the largest size.
func numbered(pattern string) string {
	var text strings.Builder
	for i := 0; text.Len() < catalogBytesMax-200; i++ {
		fmt.Fprintf(&text, pattern, i)
	}
	return text.String()
}
