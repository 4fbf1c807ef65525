package web_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"purser/web"
)

// weightMax is what a page may weigh, all that it brings along included.
const weightMax = 150 << 10

// Every page that a tab leads to is there for everybody whom it is shown to, without
// JavaScript, and light.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	for _, who := range []struct{ user, team string }{{"ann", "acme"}, {"abe", "acme"}, {"bob", "acme"}, {"bob", ""}, {"ann", ""}} {
		b := w.as(who.user, who.team)
		tabs := regexp.MustCompile(`<li><a href="([^"]+)"`).FindAllStringSubmatch(b.body, -1)
		if len(tabs) < 3 {
			t.Errorf("%s/%s has %d pages", who.user, who.team, len(tabs))
		}
		assets := b.assets()
		for _, tab := range tabs {
			b.get(tab[1]).want(200)
			if len(b.body)+assets > weightMax {
				t.Errorf("%s weighs %d bytes", tab[1], len(b.body)+assets)
			}
			b.legible()
		}
	}
}

// assets is what the page's files weigh. They may be kept for ever.
func (b *browser) assets() (size int) {
	b.T.Helper()
	page := *b
	for _, m := range regexp.MustCompile(`(?:href|src)="(/page/assets/[^"]+)"`).FindAllStringSubmatch(b.body, -1) {
		page.get(m[1]).want(200)
		if !strings.Contains(page.header.Get("Cache-Control"), "immutable") {
			b.T.Errorf("%s isn't kept", m[1])
		}
		size += len(page.body)
	}
	if size == 0 {
		b.T.Error("the page has no style")
	}
	return size
}

// legible looks for what a reader of the screen needs, and for texts that are missing.
func (b *browser) legible() {
	b.T.Helper()
	for _, need := range []string{`<html lang="en">`, `<main id="main"`, `href="#main"`, "<h1>"} {
		if !strings.Contains(b.body, need) {
			b.T.Errorf("%s lacks %s", b.at, need)
		}
	}
	if key := regexp.MustCompile(`\b[a-z_]+\.[a-z_]+(\.[a-z_]+)?\b`).FindString(strings.NewReplacer("app.example", "", "stripe.example", "", "example.com", "").Replace(visibleText(b.body))); key != "" {
		b.T.Errorf("%s says the key %s", b.at, key)
	}
	if strings.Contains(b.body, "{0}") || strings.Contains(b.body, "&lt;nil&gt;") {
		b.T.Errorf("%s has a hole in a text", b.at)
	}
}

func readTexts(t *testing.T) (texts map[string]string) {
	t.Helper()
	raw, err := os.ReadFile("text/en.json")
	if err == nil {
		err = json.Unmarshal(raw, &texts)
	}
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// Each text is used, and each that is used is there: in templates, and in Go.
func TestTexts(t *testing.T) {
	t.Parallel()
	texts := readTexts(t)
	var code strings.Builder
	for _, pattern := range []string{"templates/*.html", "*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(file, "_test.go") {
				code.Write(raw)
			}
		}
	}
	literal := regexp.MustCompile(`(?:\bT|\$\.T|\.T) ?\(?"([a-z_.]+[a-z_])"[ ,)}]`)
	for _, m := range literal.FindAllStringSubmatch(code.String(), -1) {
		if texts[m[1]] == "" && texts[m[1]+".other"] == "" {
			t.Errorf("there is no text %s", m[1])
		}
	}
	for key := range texts {
		bare := regexp.MustCompile(`\.(one|other)$`).ReplaceAllString(key, "")
		found := strings.Contains(code.String(), `"`+bare+`"`)
		for at := strings.LastIndex(bare, "."); !found && at > 0; at = strings.LastIndex(bare[:at], ".") {
			family, rest := bare[:at], bare[at+1:]
			found = strings.Contains(code.String(), `"`+family+`."`) || strings.Contains(code.String(), `Word "`+family+`"`) ||
				strings.Contains(code.String(), `Word("`+family+`"`) || strings.HasPrefix(key, "warning.") || rest == "title" || rest == "means"
		}
		if !found {
			t.Errorf("nobody says %s", key)
		}
	}
}

// The product's own words, colour and name take the place of ours.
func TestBrand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *web.Config) {
		c.Brand = web.Brand{Name: "Sketchpad", Colour: "#ffdd00", Words: map[string]string{"pool.title": "Our strokes"}}
	})
	w.acme()
	b := w.as("ann", "acme").want(200, "Sketchpad", "Our strokes").wantNot("The team's credits")
	style := b.get(regexp.MustCompile(`href="(/page/assets/[^"]+\.css)"`).FindStringSubmatch(b.body)[1]).body
	if strings.Contains(style, "--accent:#ffdd00;--on-accent:#ffffff") || !strings.Contains(style, "prefers-color-scheme:dark){:root{--accent:#ffdd00;--on-accent:#111111") {
		t.Errorf("yellow can't be read on white, and can on black: %s", style[len(style)-200:])
	}
	for _, wrong := range []web.Brand{{Colour: "red"}, {Logo: "javascript:alert(1)"}, {Words: map[string]string{"no.such": "x"}}} {
		if _, err := web.New(web.Config{URL: "https://x.example", Brand: wrong}); err == nil {
			t.Errorf("%+v is taken", wrong)
		}
	}
}
