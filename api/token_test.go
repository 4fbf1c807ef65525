package api_test

import (
	"testing"
	"unicode"

	"purser/api"
)

// A token stands in links and on command lines, where one with a dash in front is a flag.
func TestNewTokenBeginsWithALetter(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 2000 {
		token, hash := api.NewToken()
		if !unicode.IsLetter(rune(token[0])) || len(token) != 43 || len(hash) != 32 || seen[token] {
			t.Fatalf("%q", token)
		}
		seen[token] = true
	}
}
