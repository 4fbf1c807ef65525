package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/bidi"
)

// All words of the page, a file for each language. A text has {0}, {1} … where what is
// told goes; one that counts has a form for each plural of its language: key.one,
// key.other.
//
//go:embed text/*.json
var textFiles embed.FS

// library has the texts of all languages.
type library struct {
	tags    []language.Tag
	texts   []map[string]string
	matcher language.Matcher
}

// fallback is the language that has every text.
const fallback = "en"

// readTexts reads all languages. words replaces texts in each: they are the product's own.
func readTexts(words map[string]string) (*library, error) {
	l := &library{}
	base, err := readLanguage(fallback)
	if err != nil {
		return nil, err
	}
	for key := range words {
		if _, ok := base[key]; !ok {
			return nil, fmt.Errorf("there is no text %q to replace", key)
		}
	}
	files, err := textFiles.ReadDir("text")
	if err != nil {
		return nil, fmt.Errorf("reading the texts: %w", err)
	}
	names := []string{fallback} // what stands first is taken when nothing matches
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), path.Ext(f.Name())); name != fallback {
			names = append(names, name)
		}
	}
	for _, name := range names {
		own, err := readLanguage(name)
		if err != nil {
			return nil, err
		}
		all := maps.Clone(base)
		maps.Copy(all, own)
		maps.Copy(all, words)
		l.tags, l.texts = append(l.tags, language.Make(name)), append(l.texts, all)
	}
	l.matcher = language.NewMatcher(l.tags)
	return l, nil
}

func readLanguage(name string) (map[string]string, error) {
	raw, err := textFiles.ReadFile("text/" + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("reading the texts in %s: %w", name, err)
	}
	var texts map[string]string
	if err := json.Unmarshal(raw, &texts); err != nil {
		return nil, fmt.Errorf("reading the texts in %s: %w", name, err)
	}
	return texts, nil
}

// T is a text in the viewer's language, with what is told put in.
func (s *speech) T(key string, args ...any) string {
	text, ok := s.texts[key]
	if len(args) > 0 {
		if n, counts := args[0].(int64); counts {
			if t, found := s.texts[key+"."+s.form(n)]; found {
				text, ok = t, true
			} else if t, found := s.texts[key+".other"]; found {
				text, ok = t, true
			}
		}
	}
	if !ok {
		return key
	}
	for i, arg := range args {
		text = strings.ReplaceAll(text, "{"+strconv.Itoa(i)+"}", s.say(arg))
	}
	return text
}

// Has tells whether there is such a text.
func (s *speech) Has(key string) bool {
	_, one := s.texts[key]
	_, counts := s.texts[key+".other"]
	return one || counts
}

// Word is the text for a word of ours, such as a role, and the word itself if there is none.
func (s *speech) Word(kind string, word any) string {
	key := kind + "." + fmt.Sprint(word)
	if s.Has(key) {
		return s.T(key)
	}
	return fmt.Sprint(word)
}

// form is the plural form of a number in the language of the texts.
func (s *speech) form(n int64) string {
	forms := map[plural.Form]string{plural.Zero: "zero", plural.One: "one", plural.Two: "two", plural.Few: "few", plural.Many: "many", plural.Other: "other"}
	const exact = 1_000_000 // beyond, no language has other forms than for the rest
	if n < 0 {
		n = -n
	}
	if n >= exact {
		n = exact + n%exact
	}
	return forms[plural.Cardinal.MatchPlural(s.language, int(n), 0, 0, 0, 0)]
}

// say writes what is put into a text as the viewer writes it.
func (s *speech) say(arg any) string {
	switch v := arg.(type) {
	case int64:
		return s.N(v)
	case int:
		return s.N(int64(v))
	case time.Time:
		return s.Moment(v)
	}
	return isolated(fmt.Sprint(arg))
}

// isolated keeps a name that is written from right to left from turning what stands around
// it in a sentence.
func isolated(text string) string {
	for _, r := range text {
		if p, _ := bidi.LookupRune(r); p.Class() == bidi.R || p.Class() == bidi.AL {
			return "\u2068" + text + "\u2069"
		}
	}
	return text
}
