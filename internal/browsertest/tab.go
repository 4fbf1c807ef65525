package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Tab is a real browser's window, as one person uses it.
type Tab struct {
	Part

	t      testing.TB
	ctx    context.Context //nolint:containedctx // chromedp keeps the window in it
	silent bool            // pages run no scripts

	mu  sync.Mutex
	bad []string // what the browser complained of
}

// Option is how a tab differs from a desk's browser.
type Option func(*Tab)

// WithoutScripts is a browser that runs no page's scripts.
func WithoutScripts(b *Tab) {
	b.silent = true
	b.do(call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
}

// In is a browser that stands in a time zone.
func In(zone string) Option {
	return func(b *Tab) {
		b.do(call(emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: zone}))
	}
}

// listen notes what the browser complains of: a script that fails, or something that the
// page's own policy forbids.
func (b *Tab) listen(ev any) {
	said := ""
	switch e := ev.(type) {
	case *log.EventEntryAdded:
		// That a form is refused is no complaint, nor is what Chromium only remarks: that the focus stays
		// where somebody put it, say, before the page could.
		if e.Entry.Source != "network" && e.Entry.Level != log.EntryLevelInfo && e.Entry.Level != log.EntryLevelVerbose {
			said = e.Entry.Text
		}
	case *runtime.EventExceptionThrown:
		said = e.ExceptionDetails.Text
	}
	if said != "" {
		b.mu.Lock()
		b.bad = append(b.bad, said)
		b.mu.Unlock()
	}
}

// Content fails the test if the browser complained of anything.
func (b *Tab) Content() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, bad := range b.bad {
		b.t.Errorf("the browser complains: %s", bad)
	}
}

// Scheme shows pages in light or dark.
func (b *Tab) Scheme(name string) {
	b.t.Helper()
	b.do(call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	}))
}

// Size makes the window so large.
func (b *Tab) Size(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}

// Picture is what the window shows, as PNG.
func (b *Tab) Picture() []byte {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatalf("taking a picture: %v", err)
	}
	return png
}

// Go opens an address and waits until its page is there.
func (b *Tab) Go(address string) {
	b.t.Helper()
	b.do(chromedp.Navigate(address))
	b.arrived()
}

// At is the path, with its query, of the page that is shown.
func (b *Tab) At() string {
	b.t.Helper()
	return Eval[string](b, "location.pathname + location.search")
}

// Address is the whole address of the page that is shown.
func (b *Tab) Address() string {
	b.t.Helper()
	return Eval[string](b, "location.href")
}

// Eval asks the page for the value of an expression. That pages may run no scripts doesn't
// keep the test from asking.
func Eval[T any](b *Tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", script[:min(len(script), 120)], err)
	}
	return v
}

func (b *Tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	// The first step of all starts the window, which must not end with a deadline.
	if chromedp.FromContext(b.ctx).Target == nil {
		ctx = b.ctx
	}
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func call[P, R any](cmd cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, cmd, params)
		return err
	})
}

// arrived waits until the page is whole. A page that doesn't know the viewer's time zone
// yet is loaded once more by its script.
func (b *Tab) arrived() {
	b.t.Helper()
	ready := `document.readyState === "complete" && !document.documentElement.hasAttribute("data-left")`
	if !b.silent {
		ready += ` && (document.body.dataset.zone !== "unknown" || !!document.querySelector(".told"))`
	}
	if !b.until(ready) {
		b.t.Fatalf("%s isn't loaded", b.Address())
	}
}

// until waits for a condition and tells whether it came.
func (b *Tab) until(condition string) bool {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		// While the browser is under way from one page to the next there is none to ask.
		if holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool](condition)); err == nil && holds {
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
}

// Until does something again and again until it gives true, and tells whether it did.
func (b *Tab) Until(holds func() bool) bool {
	b.t.Helper()
	over := time.NewTimer(patience)
	defer over.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-over.C:
			return false
		}
	}
	return true
}

// Says fails the test unless the page says each of the texts, now or soon.
func (b *Tab) Says(texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		if !b.until(fmt.Sprintf(`document.readyState === "complete" && (%s).includes(%s)`, said, quoted(text))) {
			b.t.Fatalf("%s doesn't say %q: %s", b.At(), text, b.Text())
		}
	}
}

// SaysNot fails the test if the page says one of the texts.
func (b *Tab) SaysNot(texts ...string) {
	b.t.Helper()
	all := b.Text()
	for _, text := range texts {
		if strings.Contains(all, text) {
			b.t.Errorf("%s says %q: %s", b.At(), text, all)
		}
	}
}

// said is all that one reads on the page, with single blanks.
const said = `document.body.innerText.replace(/\s+/g, " ")`

// quoted is a text as scripts write it.
func quoted(text string) string {
	raw, _ := json.Marshal(text) //nolint:errchkjson // a string
	return string(raw)
}
