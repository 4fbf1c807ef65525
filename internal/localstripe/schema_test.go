package localstripe

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/lestrrat-go/jsval"
	stripefiles "github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"
	"github.com/stripe/stripe-mock/spec"
)

// schemas are Stripe's own, of exactly our version: every request and every answer of every test is held
// against them.
type schemas struct {
	spec       *spec.Spec
	fixtures   *spec.Fixtures     // one true object of every kind
	stub       *server.StubServer // refuses requests that Stripe would refuse
	components *spec.ComponentsForValidation
	mu         sync.Mutex
	validators map[string]*jsval.JSVal
	routes     []route
}

// route is one path of Stripe's; the more of it is fixed, the better it fits.
type route struct {
	pattern *regexp.Regexp
	fixed   int
	verbs   map[spec.HTTPVerb]*spec.Operation
}

var loadSchemas = sync.OnceValues(func() (*schemas, error) {
	loaded, err := server.LoadSpec(stripefiles.OpenAPISpec, "")
	if err != nil {
		return nil, err
	}
	fixtures, err := server.LoadFixtures(stripefiles.OpenAPIFixtures, "")
	if err != nil {
		return nil, err
	}
	stub, err := server.NewStubServer(fixtures, loaded, false, false)
	if err != nil {
		return nil, err
	}
	found := &schemas{
		spec: loaded, fixtures: fixtures, stub: stub, components: spec.GetComponentsForValidation(&loaded.Components), validators: map[string]*jsval.JSVal{},
	}
	for path, verbs := range loaded.Paths {
		found.routes = append(found.routes, route{
			pattern: regexp.MustCompile("^" + braces.ReplaceAllString(string(path), "[^/]+") + "$"),
			fixed:   len(braces.ReplaceAllString(string(path), "")), verbs: verbs,
		})
	}
	return found, nil
})

// checkingTransport stands between the SDK and the server.
type checkingTransport struct {
	t *testing.T
}

func (c checkingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	rules, err := loadSchemas()
	if err != nil {
		return nil, err
	}
	var sent []byte
	if r.Body != nil {
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(got))
	if strings.HasPrefix(r.URL.Path, behindThePage) {
		return answer, nil
	}
	// A refused card is no fault of the request; a refused request may be one.
	if answer.StatusCode < 300 || answer.StatusCode == http.StatusPaymentRequired {
		rules.checkRequest(c.t, r, sent)
	}
	if answer.StatusCode < 300 {
		rules.checkAnswer(c.t, r, got)
	} else {
		rules.check(c.t, r.Method+" "+r.URL.Path, &spec.Schema{Ref: "#/components/schemas/error"}, got)
	}
	return answer, nil
}

// behindThePage is what Stripe's own page calls, and its command line; it isn't in the published schemas.
const behindThePage = "/v1/payment_pages/"

func (s *schemas) checkRequest(t *testing.T, r *http.Request, sent []byte) {
	twin := httptest.NewRequest(r.Method, r.URL.RequestURI(), bytes.NewReader(sent))
	twin.Header = r.Header.Clone()
	twin.Header.Set("Authorization", "Bearer sk_test_123")
	recorder := httptest.NewRecorder()
	s.stub.HandleRequest(recorder, twin)
	if recorder.Code >= 400 {
		t.Errorf("Stripe's schema refuses %s %s %s: %s", r.Method, r.URL.Path, sent, recorder.Body)
	}
}

func (s *schemas) checkAnswer(t *testing.T, r *http.Request, got []byte) {
	schema := s.answerSchema(r)
	if schema == nil {
		t.Errorf("Stripe has no %s %s", r.Method, r.URL.Path)
		return
	}
	s.check(t, r.Method+" "+r.URL.Path, schema, got)
}

// check validates JSON against a schema; the schemas leave room for what they don't name.
func (s *schemas) check(t *testing.T, what string, schema *spec.Schema, got []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := schema.Ref
	if key == "" {
		key = what
	}
	v, ok := s.validators[key]
	if !ok {
		var err error
		if v, err = spec.GetValidatorForOpenAPI3Schema(schema, s.components); err != nil {
			t.Errorf("%s: no validator: %v", what, err)
			return
		}
		s.validators[key] = v
	}
	var decoded any
	if err := json.Unmarshal(got, &decoded); err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if err := v.Validate(decoded); err != nil {
		t.Errorf("%s: against Stripe's schema: %v\n%s", what, err, got)
	}
}

var braces = regexp.MustCompile(`\{[^}]*\}`)

func (s *schemas) answerSchema(r *http.Request) *spec.Schema {
	var best *spec.Schema
	fixed := -1
	for _, known := range s.routes {
		operation, ok := known.verbs[spec.HTTPVerb(strings.ToLower(r.Method))]
		if ok && known.fixed > fixed && known.pattern.MatchString(r.URL.Path) {
			best, fixed = operation.Responses["200"].Content["application/json"].Schema, known.fixed
		}
	}
	return best
}

// hasEvent looks a type up where Stripe enumerates them: in what an endpoint may listen to.
func (s *schemas) hasEvent(kind string) bool {
	body := s.spec.Paths["/v1/webhook_endpoints"]["post"].RequestBody.Content["application/x-www-form-urlencoded"].Schema
	for _, known := range body.Properties["enabled_events"].Items.Enum {
		if known == kind {
			return true
		}
	}
	return false
}

// checkEvents holds the objects inside all events against the schemas.
func (w *world) checkEvents() {
	rules, err := loadSchemas()
	if err != nil {
		w.t.Error(err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events.order {
		name, _ := e.object["object"].(string)
		schema := &spec.Schema{Ref: "#/components/schemas/" + name}
		if _, known := rules.spec.Components.Schemas[name]; !known {
			w.t.Errorf("%s: Stripe has no object %s", e.kind, name)
			continue
		}
		rules.check(w.t, e.kind, schema, encode(e.object))
		rules.checkComplete(w.t, e.kind, e.object)
		if !rules.hasEvent(e.kind) {
			w.t.Errorf("Stripe has no event %s", e.kind)
		}
	}
}

// checkComplete asks for every field that Stripe's own example of the object has, also those that the
// schema leaves optional.
func (s *schemas) checkComplete(t *testing.T, what string, o obj) {
	name, _ := o["object"].(string)
	example, _ := s.fixtures.Resources[spec.ResourceID(name)].(map[string]any)
	for field := range example {
		if kind, ok := o["type"].(string); ok && name == "payment_method" && field == "card" {
			field = kind // the example is a card's; each type has a hash of its own
		}
		_, has := o[field]
		meteredQuantity := name == "subscription_item" && field == "quantity"
		foretold := what == "invoice.upcoming" && field == "id"
		if !has && o["deleted"] == nil && !meteredQuantity && !foretold && field != "refunds" {
			t.Errorf("%s: the %s lacks %s", what, name, field)
		}
	}
}
