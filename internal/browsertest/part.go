package browsertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// Part is a part of the page. Whoever looks for something in it finds it by the name that
// people read.
type Part struct {
	tab   *Tab
	scope string // a CSS selector
}

// Within is the part of the page that a CSS selector chooses.
func (p Part) Within(selector string) Part { return Part{p.tab, p.scope + " " + selector} }

// Card is the part of the page that its heading names.
func (p Part) Card(heading string) Part { return p.Within("[aria-labelledby=" + heading + "]") }

// Text is all that one reads there, with single blanks.
func (p Part) Text() string {
	p.tab.t.Helper()
	return Eval[string](p.tab, fmt.Sprintf(`[...document.querySelectorAll(%s)].map(e => e.innerText).join(" ").replace(/\s+/g, " ")`, quoted(p.scope)))
}

// Has fails the test unless the part says each of the texts.
func (p Part) Has(texts ...string) {
	p.tab.t.Helper()
	all := p.Text()
	for _, text := range texts {
		if !strings.Contains(all, text) {
			p.tab.t.Errorf("%s: %s doesn't say %q: %s", p.tab.At(), p.scope, text, all)
		}
	}
}

// Row is what the row of a table says in which a text stands, its cells one by one.
func (p Part) Row(text string) []string {
	p.tab.t.Helper()
	cells := Eval[[]string](p.tab, fmt.Sprintf(`(() => {
		const row = [...document.querySelectorAll(%s + " tr")].find(r => r.innerText.includes(%s));
		return row ? [...row.cells].map(c => c.innerText.trim().replace(/\s+/g, " ")) : [];
	})()`, quoted(p.scope), quoted(text)))
	if len(cells) == 0 {
		p.tab.t.Fatalf("%s: no row says %q: %s", p.tab.At(), text, p.Text())
	}
	return cells
}

// Rows is how many rows the tables there have, without their heads.
func (p Part) Rows() int {
	p.tab.t.Helper()
	return Eval[int](p.tab, fmt.Sprintf(`document.querySelectorAll(%s + " tbody tr").length`, quoted(p.scope)))
}

// Facts are what a list of facts, or the legend of a bar, says, by the names there.
func (p Part) Facts() map[string]string {
	p.tab.t.Helper()
	return Eval[map[string]string](p.tab, fmt.Sprintf(`Object.fromEntries([...document.querySelectorAll(%s + " dl > div")].map(d =>
		[d.querySelector("dt").innerText.trim(), d.querySelector("dd").innerText.trim().replace(/\s+/g, " ")]))`, quoted(p.scope)))
}

// Sees tells whether something that a CSS selector chooses is shown there.
func (p Part) Sees(selector string) bool {
	p.tab.t.Helper()
	return Eval[bool](p.tab, fmt.Sprintf(`[...document.querySelectorAll(%s)].some(e => e.checkVisibility())`, quoted(p.scope+" "+selector)))
}

// Offers tells whether there is a button or a link of that name.
func (p Part) Offers(name string) bool {
	p.tab.t.Helper()
	return p.mark("button, a", name, nameOfPressed) != ""
}

// Names of things as people read them.
const (
	// What has a title and a description beneath it is called by its title.
	nameOfPressed = `e.getAttribute("aria-label") || (e.querySelector("strong") || e).innerText`
	// A field is named by the text of its label, without that of what stands in it.
	nameOfField = `e.getAttribute("aria-label") || [...(e.labels && e.labels[0] ? e.labels[0].childNodes : [])].filter(n => n.nodeType === 3).map(n => n.data).join(" ")`
)

var marks atomic.Int64

// mark marks the first visible thing of that name, and gives the selector that finds it;
// "" if there is none.
func (p Part) mark(kind, name, named string) string {
	p.tab.t.Helper()
	var kinds []string
	for one := range strings.SplitSeq(kind, ", ") {
		kinds = append(kinds, p.scope+" "+one)
	}
	id := fmt.Sprint(marks.Add(1))
	found := Eval[bool](p.tab, fmt.Sprintf(`(() => {
		const found = [...document.querySelectorAll(%s)].find(e => e.checkVisibility() && (%s).trim().replace(/\s+/g, " ") === %s);
		if (found) found.setAttribute("data-found", %s);
		return !!found;
	})()`, quoted(strings.Join(kinds, ", ")), named, quoted(name), quoted(id)))
	if !found {
		return ""
	}
	return `[data-found="` + id + `"]`
}

func (p Part) need(kind, name, named string) string {
	p.tab.t.Helper()
	selector := p.mark(kind, name, named)
	if selector == "" {
		p.tab.t.Fatalf("%s: %s has no %s with the name %q: %s", p.tab.At(), p.scope, kind, name, p.Text())
	}
	return selector
}

// Press presses the button of that name and waits for the next page.
func (p Part) Press(name string) {
	p.tab.t.Helper()
	p.leave(p.need("button", name, nameOfPressed))
}

// Follow follows the link of that name and waits for the next page.
func (p Part) Follow(name string) {
	p.tab.t.Helper()
	p.leave(p.need("a", name, nameOfPressed))
}

// leave clicks and waits until another page is there.
func (p Part) leave(selector string) {
	p.tab.t.Helper()
	Eval[bool](p.tab, `document.documentElement.setAttribute("data-left", ""), true`)
	p.Click(selector)
	p.tab.arrived()
}

// Download follows the link of that name to a file, and writes it to a path.
func (p Part) Download(name, path string) {
	p.tab.t.Helper()
	dir := p.tab.t.TempDir()
	p.tab.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.CallBrowser(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
			Behavior: browser.SetDownloadBehaviorBehaviorAllowAndName, DownloadPath: dir, BrowserContextID: chromedp.FromContext(ctx).BrowserContextID,
			EventsEnabled: new(true),
		})
		return err
	}))
	ctx, cancel := context.WithTimeout(p.tab.ctx, patience)
	defer cancel()
	over := make(chan string, 1)
	err := chromedp.ListenBrowser(ctx, func(ev any) {
		e, ok := ev.(*browser.EventDownloadProgress)
		if !ok || e.State == browser.DownloadProgressStateInProgress {
			return
		}
		if _, err := os.Stat(filepath.Join(dir, e.GUID)); err == nil { // others' tabs load files, too
			over <- e.GUID
		}
	})
	if err != nil {
		p.tab.t.Fatal(err)
	}
	p.Click(p.need("a", name, nameOfPressed))
	select {
	case id := <-over:
		if err := os.Rename(filepath.Join(dir, id), path); err != nil {
			p.tab.t.Fatalf("the file didn't come: %v", err)
		}
	case <-ctx.Done():
		p.tab.t.Fatalf("%s: %q is no file", p.tab.At(), name)
	}
}

// Click clicks on what a CSS selector chooses, wherever it is, and waits for nothing.
func (p Part) Click(selector string) {
	p.tab.t.Helper()
	p.tab.do(chromedp.Click(chromedp.CSS(selector)))
}

// ClickOn clicks on the button or link of that name, and waits for nothing.
func (p Part) ClickOn(name string) {
	p.tab.t.Helper()
	p.Click(p.need("button, a", name, nameOfPressed))
}

// Fill writes into the field of that name, in place of what stood there.
func (p Part) Fill(name, text string) {
	p.tab.t.Helper()
	selector := p.need("input, textarea", name, nameOfField)
	simple := Eval[bool](p.tab, fmt.Sprintf(`(e => { e.focus(); if (e.type === "date") { e.value = %s; return false } e.select(); return true })(document.querySelector(%s))`,
		quoted(text), quoted(selector)))
	switch {
	case simple && text == "":
		p.tab.do(chromedp.KeyEvent("\b"))
	case simple:
		p.tab.do(call(input.InsertText, input.InsertTextParams{Text: text}))
	}
}

// Choose chooses what a list of that name offers by that text.
func (p Part) Choose(name, option string) {
	p.tab.t.Helper()
	selector := p.need("select", name, nameOfField)
	if !Eval[bool](p.tab, fmt.Sprintf(`(e => {
		const wanted = [...e.options].find(o => o.text.trim() === %s) || [...e.options].find(o => o.text.includes(%s));
		if (!wanted) return false;
		e.value = wanted.value;
		e.dispatchEvent(new Event("input", {bubbles: true}));
		e.dispatchEvent(new Event("change", {bubbles: true}));
		return true;
	})(document.querySelector(%s))`, quoted(option), quoted(option), quoted(selector))) {
		p.tab.t.Fatalf("%s: %q doesn't offer %q", p.tab.At(), name, option)
	}
}

// Tick ticks the box of that name, or takes its tick away.
func (p Part) Tick(name string) {
	p.tab.t.Helper()
	p.Click(p.need("input", name, nameOfField))
}

// Value is what stands in the field of that name.
func (p Part) Value(name string) string {
	p.tab.t.Helper()
	return Eval[string](p.tab, fmt.Sprintf(`document.querySelector(%s).value`, quoted(p.need("input, textarea, select", name, nameOfField))))
}
