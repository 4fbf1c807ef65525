// Package browsertest answers what a real browser makes of a page: it opens pages in
// Debian's Chromium, presses what people press, by the names they read, and looks at them
// with axe-core. One Chromium serves all tests of a binary; each test has a tab with
// cookies of its own. Without Chromium tests fail, they aren't skipped: .ci/install-browser
// makes sure that there is one.
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long a page may take to show what it should, on a machine that does much else.
const patience = 2 * time.Minute

// ErrNoChromium says that there is no browser to test with.
var ErrNoChromium = errors.New("there is no Chromium; run .ci/install-browser, or set PURSER_CHROMIUM")

// find gives the browser's path: what PURSER_CHROMIUM names, or one of the usual names.
func find(lookPath func(string) (string, error), named string) (string, error) {
	for _, name := range []string{named, "chromium", "chromium-browser", "google-chrome"} {
		if path, err := lookPath(name); name != "" && err == nil {
			return path, nil
		}
	}
	return "", ErrNoChromium
}

// running is the browser that this binary's tests share.
var running struct {
	sync.Mutex
	users int
	ctx   context.Context //nolint:containedctx // chromedp keeps the browser in it
	stop  func()
}

// acquire gives the running browser, and starts it for the first test that needs it.
func acquire() (context.Context, error) {
	running.Lock()
	defer running.Unlock()
	if running.users > 0 {
		running.users++
		return running.ctx, nil
	}
	path, err := find(exec.LookPath, os.Getenv("PURSER_CHROMIUM"))
	if err != nil {
		return nil, err
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	// It outlives the test that starts it.
	allocated, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, end := chromedp.NewContext(allocated)
	if err := chromedp.Do(ctx); err != nil {
		end()
		stop()
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	running.users, running.ctx, running.stop = 1, ctx, func() { end(); stop() }
	return ctx, nil
}

// release ends the browser with the last test that needs it.
func release() {
	running.Lock()
	defer running.Unlock()
	if running.users--; running.users == 0 {
		running.stop()
	}
}

// Open gives a test a tab of its own, that ends with it.
func Open(t testing.TB, options ...Option) *Tab {
	t.Helper()
	browser, err := acquire()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	tab := &Tab{t: t}
	tab.Part = Part{tab: tab, scope: "body"}
	var end context.CancelFunc
	tab.ctx, end = chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(tab.listen))
	t.Cleanup(end)
	tab.do()
	for _, o := range options {
		o(tab)
	}
	return tab
}
