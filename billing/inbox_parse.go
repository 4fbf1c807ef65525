package billing

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// EventError says why a signed body isn't an event that we could record. Its code
// is stable. It never quotes the body.
type EventError struct {
	Code   string // one of the EventCode constants
	Detail string // a sentence for whoever reads the refusal
}

// The reasons for which a body is refused.
const (
	EventCodeNotJSON        = "event_not_json"
	EventCodeNotAnEvent     = "event_not_an_event"
	EventCodeThin           = "event_thin"
	EventCodeIDMissing      = "event_id_missing"
	EventCodeIDInvalid      = "event_id_invalid"
	EventCodeTypeInvalid    = "event_type_invalid"
	EventCodeCreatedInvalid = "event_created_invalid"
	EventCodeModeInvalid    = "event_mode_invalid"
)

func (e *EventError) Error() string { return fmt.Sprintf("reading an event: %s", e.Detail) }

// createdMax is the last second of the year 9999, well inside what a timestamptz holds.
const createdMax = 253_402_300_799

// tokenMax is the length of Stripe's longest ids, and what an index entry bears.
const tokenMax = 255

// ParseEvent reads the envelope of a body whose signature was verified. It is
// strict about what the inbox stands on (that it is an event, its id, type,
// creation time and mode), takes the rest as pointers that may be missing, and
// bears anything else: an event must not be lost for content that nobody reads.
// What it refuses is an *EventError.
//
// Names are matched exactly. Decoding into a struct would ignore case, so that a
// "Type" further down would override "type"; decoding into maps doesn't.
func ParseEvent(body []byte) (Event, error) {
	envelope, err := members(body)
	if err != nil {
		return Event{}, err
	}
	e := Event{
		APIVersion: token(envelope["api_version"]),
		Account:    token(envelope["account"]),
		Body:       body,
	}
	if err := readIdentity(&e, envelope); err != nil {
		return Event{}, err
	}
	if e.CreatedAt, err = creation(envelope["created"]); err != nil {
		return Event{}, err
	}
	switch string(envelope["livemode"]) {
	case "true":
		e.Livemode = true
	case "false":
	default:
		return Event{}, &EventError{EventCodeModeInvalid, "livemode is neither true nor false"}
	}
	readPointers(&e, envelope["data"])
	return e, nil
}

// members splits the body into its top-level members.
func members(body []byte) (map[string]json.RawMessage, error) {
	var envelope map[string]json.RawMessage
	err := json.Unmarshal(body, &envelope)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok || (err == nil && envelope == nil) {
		return nil, &EventError{EventCodeNotAnEvent, "the body is not a JSON object"}
	}
	if err != nil {
		return nil, &EventError{EventCodeNotJSON, "the body is not JSON"}
	}
	return envelope, nil
}

// readIdentity reads what kind of thing this is, its id and its type.
func readIdentity(e *Event, envelope map[string]json.RawMessage) error {
	switch object := token(envelope["object"]); {
	case object == "v2.core.event":
		return &EventError{EventCodeThin, "a thin event of version 2 has no object to fetch; subscribe to snapshot events"}
	case object != "event":
		return &EventError{EventCodeNotAnEvent, "the object is not an event"}
	}
	switch string(envelope["id"]) {
	case "", "null", `""`:
		return &EventError{EventCodeIDMissing, "the event has no id"}
	}
	if e.ID = token(envelope["id"]); e.ID == "" {
		return &EventError{EventCodeIDInvalid, "the event's id is not a string of at most 255 visible ASCII characters"}
	}
	if e.Type = token(envelope["type"]); e.Type == "" {
		return &EventError{EventCodeTypeInvalid, "the event's type is not a string of at most 255 visible ASCII characters"}
	}
	return nil
}

// creation reads the creation time: whole seconds, written as an integer. Thin
// events write a string here.
func creation(raw json.RawMessage) (time.Time, error) {
	if len(raw) > 0 && raw[0] == '"' {
		return time.Time{}, &EventError{EventCodeThin, "created is a string, as in thin events of version 2; subscribe to snapshot events"}
	}
	seconds, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || seconds < 0 || seconds > createdMax {
		return time.Time{}, &EventError{EventCodeCreatedInvalid, "created is not a whole number of seconds up to the year 9999"}
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// readPointers finds the object that the event tells of and its customer. None
// of it is needed to record the event, so whatever has another shape is none.
func readPointers(e *Event, data json.RawMessage) {
	object := membersOf(membersOf(data)["object"])
	e.ObjectKind = token(object["object"])
	e.ObjectID = token(object["id"])
	if e.ObjectKind == "customer" {
		e.CustomerID = e.ObjectID
		return
	}
	e.CustomerID = token(object["customer"])
	if e.CustomerID == "" {
		e.CustomerID = token(membersOf(object["customer"])["id"])
	}
}

// membersOf splits a value of a body that was found to be JSON; what isn't an
// object has no members.
func membersOf(raw json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	_ = json.Unmarshal(raw, &m)
	return m
}

// token reads a string of visible ASCII, which is all that Stripe's ids and type
// names are made of, and returns "" for everything else. The database's text
// refuses NUL, decoding turns different invalid bytes into one replacement
// character, and an index entry has a longest size: none of them may come through.
func token(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil || len(s) > tokenMax {
		return ""
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return ""
		}
	}
	return s
}
