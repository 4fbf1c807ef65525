package browsertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
)

// caught is a test whose failures are looked at.
type caught struct {
	testing.TB
	failed, skipped bool
	said            string
	after           []func()
}

func (c *caught) Helper()          {}
func (c *caught) Cleanup(f func()) { c.after = append(c.after, f) }
func (c *caught) Fatal(args ...any) {
	c.failed, c.said = true, fmt.Sprint(args...)
	runtime.Goexit()
}

func (c *caught) Fatalf(format string, args ...any) { c.Fatal(fmt.Sprintf(format, args...)) }

func (c *caught) Errorf(format string, args ...any) {
	c.failed, c.said = true, fmt.Sprintf(format, args...)
}
func (c *caught) SkipNow() { c.skipped = true }

// run runs what may fail.
func (c *caught) run(do func()) {
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	<-done
	for _, f := range c.after {
		defer f()
	}
}

func TestWithoutChromiumTestsFail(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("PURSER_CHROMIUM", "")
	c := &caught{TB: t}
	c.run(func() { Open(c) })
	if !c.failed || c.skipped || !strings.Contains(c.said, ".ci/install-browser") {
		t.Errorf("failed %v, skipped %v: %s", c.failed, c.skipped, c.said)
	}
}

func TestWithoutAxeTestsFail(t *testing.T) {
	t.Parallel()
	if _, err := axeSource(t.TempDir()); err == nil {
		t.Error("axe-core is found where there is none")
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if source, err := axeSource(here); err != nil || !strings.Contains(source, "axe") {
		t.Errorf("axe-core isn't found: %v", err)
	}
}

const pageText = `<!doctype html><html lang="en"><title>A page</title>
<main><h1>A page</h1><p id="plain">no script ran</p>
<form method="get" action="/sent" aria-labelledby="h-form"><h2 id="h-form">Fill me in</h2>
<label>Name <input name="name" value="old"></label>
<label>Colour <select name="colour"><option value="r">Red</option><option value="g">Green</option></select></label>
<label><input type="checkbox" name="sure" value="yes"> Sure</label>
<table><thead><tr><th>Who</th></tr></thead><tbody><tr><th>Ann</th><td>12</td></tr><tr><th>Bob</th><td>7</td></tr></tbody></table>
<dl><div><dt>Left</dt><dd>5</dd></div></dl>
<button>Send</button></form><p hidden><button>Secret</button></p></main>
<script>document.getElementById("plain").textContent = "a script ran"</script></html>`

func site(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/sent":
			_, _ = fmt.Fprintf(w, "<!doctype html><p>name %s, colour %s, sure %s", r.FormValue("name"), r.FormValue("colour"), r.FormValue("sure"))
		case "/strict":
			w.Header().Set("Content-Security-Policy", "default-src 'none'")
			_, _ = fmt.Fprint(w, "<!doctype html><style>p{color:red}</style><p>strict")
		case "/focus":
			_, _ = fmt.Fprint(w, `<!doctype html><input id="first"><script>document.getElementById("first").focus()</script><p tabindex="-1" autofocus>later</p>`)
		default:
			_, _ = fmt.Fprint(w, pageText)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestPageIsUsedByTheNamesOnIt(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]Option{"a script ran": nil, "no script ran": {WithoutScripts}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := site(t)
			b := Open(t, options...)
			b.Go(url + "/")
			b.Says(name, "Fill me in")
			form := b.Card("h-form")
			if row := form.Row("Bob"); len(row) != 2 || row[1] != "7" || form.Rows() != 2 || form.Facts()["Left"] != "5" {
				t.Errorf("row %q of %d, facts %v", row, form.Rows(), form.Facts())
			}
			if !b.Offers("Send") || b.Offers("Secret") {
				t.Error("it offers what is hidden, or not what is shown")
			}
			form.Fill("Name", "Zoë & co")
			form.Choose("Colour", "Green")
			form.Tick("Sure")
			form.Press("Send")
			b.Says("name Zoë & co, colour g, sure yes")
			b.SaysNot("Fill me in")
			if !strings.HasPrefix(b.At(), "/sent?") {
				t.Errorf("it is at %s", b.At())
			}
			b.Content()
		})
	}
}

func TestComplaintsOfTheBrowserFailTheTest(t *testing.T) {
	t.Parallel()
	url := site(t)
	c := &caught{TB: t}
	c.run(func() {
		b := Open(c)
		b.Go(url + "/strict")
		b.Says("strict")
		b.Content()
	})
	if !c.failed || !strings.Contains(c.said, "Content Security Policy") {
		t.Errorf("failed %v: %s", c.failed, c.said)
	}
}

func TestRemarksOfTheBrowserAreNoComplaints(t *testing.T) {
	t.Parallel()
	b := Open(t)
	b.Go(site(t) + "/focus") // Chromium remarks that the focus is taken
	b.Says("later")
	b.Content()
}
