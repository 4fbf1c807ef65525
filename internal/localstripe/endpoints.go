package localstripe

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// endpoint is a place that wants to be told of events.
type endpoint struct {
	id, url, secret, description, version, status string
	kinds                                         []string
	metadata                                      map[string]string
	created                                       int64
	deleted                                       bool
	rolled                                        string // the secret before, which signs too until rolledUntil
	rolledUntil                                   int64
}

func (e *endpoint) identity() string { return e.id }
func (e *endpoint) createdAt() int64 { return e.created }

func (e *endpoint) render(*Server) obj {
	if e.deleted {
		return obj{"id": e.id, "object": "webhook_endpoint", "deleted": true}
	}
	return obj{
		"id": e.id, "object": "webhook_endpoint", "api_version": orNil(e.version), "application": nil, "created": e.created,
		"description": orNil(e.description), "enabled_events": anyList(e.kinds), "livemode": false,
		"metadata": renderMetadata(e.metadata), "status": e.status, "url": e.url,
	}
}

const endpointsMax = 16

func createEndpoint(c *call) (any, error) {
	e := &endpoint{
		url: c.required("url"), kinds: c.strings("enabled_events"), version: c.str("api_version"),
		description: c.str("description"), metadata: c.metadata(nil), status: "enabled", created: c.clock.now,
	}
	c.ignore("connect")
	if len(e.kinds) == 0 {
		c.fail(missingParam("enabled_events"))
	}
	c.checkKinds(e.kinds)
	if e.version != "" && !versionPattern.MatchString(e.version) {
		c.fail(invalid("api_version", "Invalid Stripe API version: %s", e.version))
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if err := c.openEndpoint(e); err != nil {
		return nil, err
	}
	answer := e.render(c.Server)
	answer["secret"] = e.secret
	return answer, nil
}

func (s *Server) openEndpoint(e *endpoint) error {
	if err := loopbackURL(e.url); err != nil {
		return err
	}
	if live := s.endpoints.where(func(e *endpoint) bool { return !e.deleted }); len(live) >= endpointsMax {
		return invalid("", "You have reached the maximum of %d test webhook endpoints.", endpointsMax)
	}
	e.id, e.secret = s.id("we"), "whsec_"+s.token(32)
	s.endpoints.add(e)
	return nil
}

// AddEndpoint registers a webhook endpoint and answers its secret, as creating one over the API does.
func (s *Server) AddEndpoint(address string, kinds ...string) (secret string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &endpoint{url: address, kinds: kinds, version: APIVersion, status: "enabled", created: s.clock.now}
	if err := s.openEndpoint(e); err != nil {
		return "", fmt.Errorf("adding webhook endpoint %s: %w", address, err)
	}
	return e.secret, nil
}

// secretLife is how long a secret that was rolled still signs, beside the new one.
const secretLife = 24 * 3600

// RollSecret gives the endpoint at an address a new secret.
func (s *Server) RollSecret(address string) (secret string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.endpoints.order {
		if e.url == address && !e.deleted {
			e.rolled, e.rolledUntil = e.secret, s.clock.now+secretLife
			e.secret = "whsec_" + s.token(32)
			return e.secret, nil
		}
	}
	return "", fmt.Errorf("rolling a secret: there is no webhook endpoint %s", address)
}

// checkKinds: the star stands for everything or not at all.
func (p *params) checkKinds(kinds []string) {
	for i, kind := range kinds {
		if kind != "*" && (!strings.Contains(kind, ".") || strings.Contains(kind, "*")) {
			p.fail(invalid("enabled_events["+itoa(int64(i))+"]", "Invalid enabled_events: %s is not an event type.", kind))
		}
	}
}

// loopbackURL keeps the fake's events on this machine.
func loopbackURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return invalidCode("url_invalid", "url", "Invalid URL: An explicit scheme (such as https) must be provided.")
	}
	if host := u.Hostname(); host != "localhost" && !isLoopback(host) {
		return invalidCode("url_invalid", "url", "Invalid URL: the local Stripe delivers to loopback addresses only, not to %s.", host)
	}
	return nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// dialsLoopback is asked at the last moment, when the name has become an address.
func dialsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && isLoopback(host)
}

func (s *Server) endpoint(id string) (*endpoint, error) {
	e, ok := s.endpoints.get(id)
	if !ok || e.deleted {
		return nil, noSuch(404, "webhook endpoint", id, "webhook_endpoint")
	}
	return e, nil
}

func getEndpoint(c *call) (any, error) {
	e, err := c.endpoint(c.id())
	if err != nil {
		return nil, err
	}
	return e.render(c.Server), c.finish()
}

func updateEndpoint(c *call) (any, error) {
	e, err := c.endpoint(c.id())
	if err != nil {
		return nil, err
	}
	address := c.strOr(e.url, "url")
	kinds, disabled, description := c.strings("enabled_events"), c.bool("disabled"), c.strOr(e.description, "description")
	metadata := c.metadata(e.metadata)
	c.checkKinds(kinds)
	status := e.status
	if c.has("disabled") {
		status = map[bool]string{true: "disabled", false: "enabled"}[disabled]
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if err := loopbackURL(address); err != nil {
		return nil, err
	}
	e.url, e.description, e.metadata, e.status = address, description, metadata, status
	if len(kinds) > 0 {
		e.kinds = kinds
	}
	return e.render(c.Server), nil
}

func deleteEndpoint(c *call) (any, error) {
	e, err := c.endpoint(c.id())
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	e.deleted = true
	return e.render(c.Server), nil
}

func listEndpoints(c *call) (any, error) {
	pg := c.page()
	if err := c.finish(); err != nil {
		return nil, err
	}
	return answerList(c.Server, pg, "/v1/webhook_endpoints", c.endpoints.where(func(e *endpoint) bool { return !e.deleted }))
}

// listeners are the endpoints that want events of a kind.
func (s *Server) listeners(kind string) []*endpoint {
	return s.endpoints.where(func(e *endpoint) bool {
		return !e.deleted && e.status == "enabled" && matchesAny(e.kinds, kind)
	})
}

// matchesAny knows the star at a pattern's end, as in "*" and "invoice.*".
func matchesAny(patterns []string, kind string) bool {
	for _, p := range patterns {
		prefix, star := strings.CutSuffix(p, "*")
		if p == kind || star && strings.HasPrefix(kind, prefix) {
			return true
		}
	}
	return false
}
