package stripeapi_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	stripefiles "github.com/stripe/stripe-mock/embedded"

	"purser/billing"
	"purser/billing/stripeapi"
	"purser/internal/localstripe"
)

func TestSetupWithARestrictedKey(t *testing.T) {
	t.Parallel()
	a := openAccount(t)
	s := setup(t, soldBySeat)
	a.deny("GET /v1/webhook_endpoints", "GET /v1/billing_portal", "GET /v1/account")
	same(t, "denied", a.survey(t, s).Denied, []stripeapi.ObjectKind{stripeapi.KindPortal, stripeapi.KindEndpoint})
	probed, err := a.client.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var denied []string
	for _, p := range probed {
		if p.Denied {
			denied = append(denied, p.Resource)
			same(t, "Stripe's word", p.Says, "rak_thing_read")
		}
	}
	same(t, "not to be read", denied, []string{"Customer portal", "Webhook Endpoints"})
	if who, err := a.client.Account(t.Context()); err != nil || who.ID != "" || who.Ahead == 0 {
		t.Errorf("account %+v, %v", who, err)
	}
	same(t, "writes", a.written(), []string(nil))

	a.deny("GET /v1/prices")
	same(t, "denied", a.survey(t, s).Denied, []stripeapi.ObjectKind{stripeapi.KindPrice})
	a.deny()
	a.Disturb(localstripe.Trouble{Status: 401})
	if _, err := a.client.Survey(t.Context(), s); err == nil {
		t.Error("a key that is refused altogether passes")
	}
	a.Disturb(localstripe.Trouble{Status: 401})
	if _, err := a.client.Probe(t.Context()); err == nil {
		t.Error("a key that is refused altogether passes")
	}
	a.Disturb(localstripe.Trouble{Status: 401})
	if _, err := a.client.Account(t.Context()); err == nil {
		t.Error("a key that is refused altogether passes")
	}
}

func TestAccountTellsHowFarTheClockIsOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		date string
		want time.Duration
	}{
		"Right":  {"Fri, 01 Mar 2024 12:00:00 GMT", 0},
		"Ahead":  {"Fri, 01 Mar 2024 11:54:00 GMT", 6 * time.Minute},
		"Behind": {"Fri, 01 Mar 2024 12:02:00 GMT", -2 * time.Minute},
		"Untold": {"yesterday", 0},
	} {
		fake := newStripe(t)
		fake.says("GET /v1/account", 200, `{"id": "acct_1", "object": "account", "settings": {"dashboard": {"display_name": "Acme"}}}`, "Date", c.date)
		got, err := fake.client(t).Account(t.Context())
		if err != nil || got.ID != "acct_1" || got.Name != "Acme" || (got.Ahead-c.want).Abs() > time.Second {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// The permissions that we ask for have to be those of what we call.
func TestPermissionsCoverWhatIsCalled(t *testing.T) {
	t.Parallel()
	called := map[string]bool{}
	for _, path := range pathsInSources(t) {
		called[path] = true
		if !slices.ContainsFunc(stripeapi.Permissions(), func(p stripeapi.Permission) bool { return p.Covers(path) }) && path != "/v1/account" {
			t.Errorf("%s is called, and no permission says so", path)
		}
	}
	for _, p := range stripeapi.Permissions() {
		if p.Serve == stripeapi.None && p.Setup == stripeapi.None {
			t.Errorf("nobody needs %s", p.Resource)
		}
	}
	if len(called) < 15 {
		t.Errorf("only %d paths were found", len(called))
	}
}

var pathInSource = regexp.MustCompile(`"(/v1/[a-z_/]+)`)

// pathsInSources finds every path of Stripe's that the package names.
func pathsInSources(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range pathInSource.FindAllStringSubmatch(string(text), -1) {
			all = append(all, strings.TrimSuffix(m[1], "/"))
		}
	}
	return all
}

// The list of what an endpoint is sent has to be all that Stripe's version has and that we do something for.
func TestHandledEventsAreStripes(t *testing.T) {
	t.Parallel()
	var spec struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct {
					Schema struct {
						Properties map[string]struct {
							Items struct{ Enum []string }
						}
					}
				}
			}
		}
	}
	if err := json.Unmarshal(stripefiles.OpenAPISpec, &spec); err != nil {
		t.Fatal(err)
	}
	stripes := spec.Paths["/v1/webhook_endpoints"]["post"].RequestBody.Content["application/x-www-form-urlencoded"].Schema.Properties["enabled_events"].Items.Enum
	if len(stripes) < 200 {
		t.Fatalf("only %d events were found in Stripe's description", len(stripes))
	}
	handled := billing.HandledEvents()
	for _, kind := range handled {
		if !slices.Contains(stripes, kind) {
			t.Errorf("Stripe has no event %s", kind)
		}
	}
	for _, kind := range stripes {
		if billing.HandlesEvent(kind) && !slices.Contains(handled, kind) && kind != "invoice.payment_succeeded" {
			t.Errorf("%s is handled and nobody subscribes to it", kind)
		}
	}
}
