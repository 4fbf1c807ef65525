package stripeapi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stripe/stripe-go/v76"

	"purser/billing"
)

// EndpointVersion is the version of Stripe's API that the endpoint's events have to be of.
const EndpointVersion = stripe.APIVersion

// planEndpoint plans the webhook endpoint. Its version can be set only when it is made, so one of another
// version is left alone beside a new one.
func (s Setup) planEndpoint(found Found) Change {
	events := billing.HandledEvents()
	c := Change{Verb: Keep, Kind: KindEndpoint, Name: s.WebhookURL}
	is, ok := s.endpoint(found)
	address := s.WebhookURL
	if address == "" {
		address = found.ownAddress()
	}
	switch {
	case !ok && address == "":
		c.Verb, c.Name = Stuck, "none"
		c.Note = "there is none that purser made: name its address with --webhook-url https://…/webhooks/stripe"
		return c
	case !ok:
		c.Verb, c.Name = Create, address
		c.Details = []string{"version " + EndpointVersion, fmt.Sprintf("%d events", len(events))}
		c.endpoint = &stripe.WebhookEndpointParams{
			URL: stripe.String(address), APIVersion: stripe.String(EndpointVersion), EnabledEvents: stripe.StringSlice(events),
			Metadata: map[string]string{metadataSetup: setupEndpoint},
		}
	default:
		if address == "" {
			address = is.URL
		}
		c.ID, c.Name = is.ID, address
		c.mendEndpoint(is, address, events)
	}
	c.Note = found.besides(is.ID, address)
	return c
}

// endpoint finds the endpoint that is to be kept, of those with the right version: the one with the
// address, else the only one that purser made, which has moved.
func (s Setup) endpoint(found Found) (FoundEndpoint, bool) {
	var own []FoundEndpoint
	for _, e := range found.Endpoints {
		if e.Version != EndpointVersion {
			continue
		}
		if s.WebhookURL != "" && e.URL == s.WebhookURL {
			return e, true
		}
		if e.Own {
			own = append(own, e)
		}
	}
	if len(own) == 1 || len(own) > 1 && s.WebhookURL == "" {
		return own[0], true
	}
	return FoundEndpoint{}, false
}

// ownAddress is where an endpoint sends that purser made, of whatever version.
func (f Found) ownAddress() string {
	for _, e := range f.Endpoints {
		if e.Own {
			return e.URL
		}
	}
	return ""
}

func (c *Change) mendEndpoint(is FoundEndpoint, address string, events []string) {
	params := &stripe.WebhookEndpointParams{}
	if is.URL != address {
		params.URL = stripe.String(address)
		c.Details = append(c.Details, differs("address", is.URL, address))
	}
	if changed := eventDifferences(is.Events, events); len(changed) > 0 {
		params.EnabledEvents = stripe.StringSlice(events)
		c.Details = append(c.Details, changed...)
	}
	if !is.Enabled {
		params.Disabled = stripe.Bool(false)
		c.Details = append(c.Details, differs("status", "disabled", "enabled"))
	}
	if !is.Own {
		params.Metadata = map[string]string{metadataSetup: setupEndpoint}
		c.Details = append(c.Details, "marked as purser's")
	}
	if len(c.Details) > 0 {
		c.Verb, c.endpoint = Update, params
	}
}

func eventDifferences(are, wanted []string) []string {
	var all, missing, extra []string
	for _, e := range wanted {
		if !slices.Contains(are, e) {
			missing = append(missing, e)
		}
	}
	for _, e := range are {
		if !slices.Contains(wanted, e) {
			extra = append(extra, e)
		}
	}
	if slices.Contains(extra, "*") {
		return []string{"events: all of Stripe's → those that something is done for"}
	}
	if len(missing) > 0 {
		all = append(all, "events missing: "+strings.Join(missing, " "))
	}
	if len(extra) > 0 {
		all = append(all, "events that nothing is done for: "+strings.Join(extra, " "))
	}
	return all
}

// besides tells of other endpoints with the same address, and of those that purser made before.
func (f Found) besides(id, address string) string {
	var others []string
	for _, e := range f.Endpoints {
		if e.ID == id || !e.Enabled || e.URL != address && (!e.Own || e.Version == EndpointVersion) {
			continue
		}
		version := e.Version
		if version == "" {
			version = "the account's"
		}
		others = append(others, e.ID+" (version "+version+")")
	}
	if len(others) == 0 {
		return ""
	}
	return "events are sent by " + strings.Join(others, " and ") +
		" too: give the service the secrets of all, then disable the others in Stripe's dashboard and take their secrets away"
}
