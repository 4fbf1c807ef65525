package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// chromium is the browser that the tests drive. Without one they fail: .ci/install-browser
// makes sure that there is one.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("PURSER_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium; run .ci/install-browser, or set PURSER_CHROMIUM")
	return ""
}

// chrome is a real browser, as one person uses it.
type chrome struct {
	*world
	ctx context.Context //nolint:containedctx // chromedp keeps the browser in it
	mu  sync.Mutex
	bad []string // what the browser complained of
}

// chrome starts a browser that ends with the test.
func (w *world) chrome() *chrome {
	w.t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(w.t)), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	allocated, stop := chromedp.NewExecAllocator(ctx, opts...)
	c := &chrome{world: w}
	var end context.CancelFunc
	c.ctx, end = chromedp.NewContext(allocated, chromedp.WithListener(c.listen))
	w.t.Cleanup(func() { end(); stop(); cancel() })
	return c
}

// listen notes what the browser complains of: a script that fails, or something that the
// page's own policy forbids.
func (c *chrome) listen(ev any) {
	said := ""
	switch e := ev.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Source != "network" { // that a form is refused is no complaint
			said = e.Entry.Text
		}
	case *runtime.EventExceptionThrown:
		said = e.ExceptionDetails.Text
	}
	if said != "" {
		c.mu.Lock()
		c.bad = append(c.bad, said)
		c.mu.Unlock()
	}
}

func (c *chrome) do(steps ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	if err := chromedp.Do(c.ctx, steps...); err != nil {
		c.t.Fatal(err)
	}
}

// content fails the test if the browser complained of anything.
func (c *chrome) content() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, bad := range c.bad {
		c.t.Errorf("the browser complains: %s", bad)
	}
}

func eval[T any](c *chrome, script string) T {
	c.t.Helper()
	v, err := chromedp.Run(c.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		c.t.Fatalf("%s: %v", script[:min(len(script), 80)], err)
	}
	return v
}

// scheme shows pages in light or dark.
func (c *chrome) scheme(name string) {
	c.t.Helper()
	c.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	}))
}

func (c *chrome) goTo(path string) {
	c.t.Helper()
	c.do(chromedp.Navigate(c.url + path))
}

// says waits until the page says something.
func (c *chrome) says(text string) {
	c.t.Helper()
	script := fmt.Sprintf(`document.readyState === "complete" && document.body.innerText.includes(%q)`, text)
	for until := time.Now().Add(15 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		// While the browser is under way from one page to the next there is none to ask.
		if said, err := chromedp.Run(c.ctx, chromedp.Evaluate[bool](script)); err == nil && said {
			return
		}
	}
	c.t.Fatalf("%s doesn't say %q: %s", eval[string](c, "location.pathname"), text, eval[string](c, "document.body.innerText"))
}

// axe gives what axe-core finds on the page.
func (c *chrome) axe() []string {
	c.t.Helper()
	source, err := os.ReadFile("../bin/axe.min.js")
	if err != nil {
		c.t.Fatalf("there is no axe-core; run .ci/install-browser: %v", err)
	}
	eval[bool](c, string(source)+"; true")
	raw := eval[string](c, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
		.then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.nodes.map(n => n.html + " " + n.failureSummary).slice(0, 3).join(" | "))))`)
	var found []string
	if err := json.Unmarshal([]byte(raw), &found); err != nil {
		c.t.Fatal(err)
	}
	return found
}

// axe-core finds nothing on any page, in light and in dark, on a desk and on a phone.
func TestBrowser_AxeFindsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	w.as("ann", "acme").get(membersAt).submit(inviteAt, "email", "dan@example.com").want(200)
	pages := map[[2]string][]string{
		{"ann", "acme"}: {
			"", "/members", "/members/bob", "/moves", "/moves/allocate", "/moves/transfer?look=1&from=bob&to=cleo&credits=5", "/moves/allocate?look=1&to=cleo&credits=999999",
			"/usage", "/history", "/billing", "/billing/unassign", "/explain", "/mine", "/none",
		},
		{"bob", "acme"}: {"", "/usage", "/history"},
	}
	c := w.chrome()
	for _, at := range []struct {
		scheme string
		width  int64
	}{{"light", 1280}, {"dark", 390}} {
		c.scheme(at.scheme)
		c.do(chromedp.EmulateViewport(at.width, 800))
		check := func(path string) {
			c.goTo(path)
			for _, bad := range c.axe() {
				t.Errorf("%s, %s, %d wide: %s", path, at.scheme, at.width, bad)
			}
			if wide := eval[int64](c, "document.documentElement.scrollWidth"); wide > at.width {
				t.Errorf("%s is %d wide on a screen of %d", path, wide, at.width)
			}
		}
		for who, paths := range pages {
			c.goTo(w.link(who[0], who[1]))
			for _, path := range paths {
				check("/page/teams/acme" + path)
			}
		}
		c.goTo(w.link("ann", ""))
		for _, path := range []string{"/page/account", "/page/account/billing", "/page/account/explain", "/page/teams", "/page/open/used"} {
			check(path)
		}
	}
	c.content()
}

// What axe-core doesn't find it can't be trusted with.
func TestBrowser_AxeFindsWhatIsBad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.chrome()
	c.goTo("/page/open/none")
	eval[bool](c, `document.querySelector("main").insertAdjacentHTML("beforeend", "<input><img src='x.png'>"), true`)
	if found := strings.Join(c.axe(), "\n"); !strings.Contains(found, "label: ") || !strings.Contains(found, "image-alt: ") {
		t.Errorf("it found: %s", found)
	}
}

// What scripts add: the zone that the browser is in, all rows ticked at once, and only the
// fields that belong to what is to be done.
func TestBrowser_Scripts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.acme()
	c := w.chrome()
	c.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Pacific/Auckland"})
		return err
	}))
	c.goTo(w.link("ann", "acme"))
	c.says("Times are in Pacific/Auckland")
	c.goTo(membersAt)
	c.do(chromedp.Click(chromedp.CSS("[data-tick-all]")))
	if n := eval[int64](c, `document.querySelectorAll("input[name=user]:checked").length`); n != 4 {
		t.Errorf("%d of 4 are ticked", n)
	}
	shown := func() string {
		return eval[string](c, `[...document.querySelectorAll("[data-for]")].filter(f => !f.hidden).map(f => f.dataset.for).join()`)
	}
	if got := shown(); got != "access" {
		t.Errorf("shown: %s", got)
	}
	eval[bool](c, `(w => { w.value = "limit"; w.dispatchEvent(new Event("change")); return true })(document.querySelector("select[name=what]"))`)
	if got := shown(); got != "limit" {
		t.Errorf("shown: %s", got)
	}
	c.do(chromedp.SetValue(chromedp.CSS("fieldset select[name=limit_kind]"), "total"), chromedp.SetValue(chromedp.CSS("fieldset input[name=limit_credits]"), "900"))
	c.do(chromedp.Click(chromedp.CSS(".bulk button")))
	c.says("4 members get another limit")
	c.do(chromedp.Click(chromedp.CSS("main button")))
	c.says("Done: 4 members changed")
	c.content()
}
