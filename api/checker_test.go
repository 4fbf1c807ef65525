package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"purser/api"
)

// document is the OpenAPI document with its routes.
type document struct {
	*openapi3.T
	router routers.Router
	raw    []byte
}

var (
	documentOnce sync.Once
	theDocument  *document
	errDocument  error
)

// documentOf reads the server's own document. All servers have the same.
func documentOf(t *testing.T, s *api.Server) *document {
	t.Helper()
	documentOnce.Do(func() {
		d := &document{}
		if d.raw, errDocument = s.Document(); errDocument != nil {
			return
		}
		if d.T, errDocument = openapi3.NewLoader().LoadFromData(d.raw); errDocument != nil {
			return
		}
		d.router, errDocument = legacy.NewRouter(d.T)
		theDocument = d
	})
	if errDocument != nil {
		t.Fatalf("the OpenAPI document: %v", errDocument)
	}
	return theDocument
}

// checker holds every answer against the document, and a few promises that no schema can
// say.
type checker struct {
	t     *testing.T
	doc   *document
	inner http.RoundTripper
	away  bool // 5xx are expected
}

var instant = regexp.MustCompile(`"[a-z_]*(?:_at|_start|_end|"at)":"(\d{4}-[^"]+)"`)

func (c *checker) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := c.inner.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	if err := c.check(req, res, body); err != nil {
		c.t.Errorf("%s %s answers %d: %v\n%s", req.Method, req.URL.Path, res.StatusCode, err, body)
	}
	return res, nil
}

func (c *checker) check(req *http.Request, res *http.Response, body []byte) error {
	if res.StatusCode >= 500 && !c.away {
		return fmt.Errorf("a fault of ours")
	}
	if res.Header.Get("X-Request-Id") == "" || res.Header.Get("Cache-Control") != "no-store" {
		return fmt.Errorf("no request id, or it may be stored: %v", res.Header)
	}
	for _, m := range instant.FindAllSubmatch(body, -1) {
		if !strings.HasSuffix(string(m[1]), "Z") {
			return fmt.Errorf("%s isn't in UTC", m[1])
		}
	}
	if (res.StatusCode == 429 || res.StatusCode == 503) && res.Header.Get("Retry-After") == "" {
		return fmt.Errorf("it doesn't say when to try again")
	}
	if res.StatusCode >= 400 {
		var p struct{ Code, Type string }
		if err := json.Unmarshal(body, &p); err != nil {
			return fmt.Errorf("not a problem: %w", err)
		}
		if p.Code == "" || res.Header.Get("Content-Type") != "application/problem+json" {
			return errors.New("not a whole problem")
		}
		if p.Code == "route_unknown" || p.Code == "method_not_allowed" {
			return nil
		}
	}
	// The router matches unescaped paths; an id with a slash in it is no other route.
	plain := *req
	plain.URL = cloneURL(req)
	route, params, err := c.doc.router.FindRoute(&plain)
	if err != nil {
		if !strings.HasPrefix(req.URL.Path, "/v1/") {
			return nil
		}
		return fmt.Errorf("no such route in the document: %w", err)
	}
	return openapi3filter.ValidateResponse(req.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: &plain, PathParams: params, Route: route},
		Status:                 res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
}

// cloneURL is the request's URL with a plain path: ids are escaped in it once more, so
// that what is in them doesn't look like another route.
func cloneURL(req *http.Request) *url.URL {
	u := *req.URL
	u.Path, u.RawPath = req.URL.EscapedPath(), ""
	return &u
}
