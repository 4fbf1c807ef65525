package billing_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"purser/billing"
)

const seatChange = `{
  "id": "evt_1",
  "object": "event",
  "api_version": "2023-10-16",
  "created": 1700000000,
  "data": {
    "object": {"id": "sub_1", "object": "subscription", "customer": "cus_1", "items": {"data": []}},
    "previous_attributes": {"quantity": 5}
  },
  "livemode": false,
  "pending_webhooks": 1,
  "request": {"id": null, "idempotency_key": null},
  "type": "customer.subscription.updated"
}`

// envelope is a valid event around the given data.
func envelope(data string) string {
	return `{"id":"evt_1","object":"event","type":"t","created":1700000000,"livemode":false,"data":` + data + `}`
}

func TestParseEvent(t *testing.T) {
	t.Parallel()

	t.Run("ReadsTheEnvelopeAndKeepsTheBytes", func(t *testing.T) {
		e, err := billing.ParseEvent([]byte(seatChange))
		if err != nil {
			t.Fatal(err)
		}
		if e.ID != "evt_1" || e.Type != "customer.subscription.updated" || e.APIVersion != "2023-10-16" ||
			e.ObjectKind != "subscription" || e.ObjectID != "sub_1" || e.CustomerID != "cus_1" || e.Account != "" || e.Livemode {
			t.Errorf("read %+v", e)
		}
		if want := time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC); !e.CreatedAt.Equal(want) {
			t.Errorf("created at %v, want %v", e.CreatedAt, want)
		}
		if string(e.Body) != seatChange {
			t.Error("the body isn't what was sent")
		}
	})

	t.Run("ReadsModeAndConnectAccount", func(t *testing.T) {
		e, err := billing.ParseEvent([]byte(`{"id":"evt_1","object":"event","type":"t","created":1,"livemode" : true ,"account":"acct_1","api_version":null}`))
		if err != nil || !e.Livemode || e.Account != "acct_1" || e.APIVersion != "" {
			t.Errorf("read %+v, %v", e, err)
		}
	})

	t.Run("MatchesNamesExactly", func(t *testing.T) {
		e, err := billing.ParseEvent([]byte(`{"id":"evt_1","ID":"evt_2","Id":"evt_3","object":"event","Object":"x","type":"a","Type":"b","TYPE":"c",
			"created":1,"Created":2,"livemode":false,"Livemode":true,"data":{"object":{"id":"in_1","Id":"in_2"},"Object":{"id":"in_3"}},"Data":null}`))
		if err != nil || e.ID != "evt_1" || e.Type != "a" || e.CreatedAt.Unix() != 1 || e.Livemode || e.ObjectID != "in_1" {
			t.Errorf("read %+v, %v", e, err)
		}
	})

	t.Run("TakesTheLastOfEqualNames", func(t *testing.T) {
		e, err := billing.ParseEvent([]byte(`{"id":"evt_1","object":"event","type":"a","type":"b","created":1,"livemode":false}`))
		if err != nil || e.Type != "b" {
			t.Errorf("read %+v, %v", e, err)
		}
	})
}

func TestParseEventFindsTheCustomer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ object, want string }{
		"AsAString":              {`{"object":"invoice","id":"in_1","customer":"cus_1"}`, "cus_1"},
		"AsAnExpandedObject":     {`{"object":"invoice","id":"in_1","customer":{"id":"cus_1","object":"customer","name":"x"}}`, "cus_1"},
		"AsADeletedObject":       {`{"object":"subscription","id":"sub_1","customer":{"id":"cus_1","deleted":true}}`, "cus_1"},
		"AsTheObjectItself":      {`{"object":"customer","id":"cus_1"}`, "cus_1"},
		"NullIsNone":             {`{"object":"checkout.session","id":"cs_1","customer":null}`, ""},
		"MissingIsNone":          {`{"object":"price","id":"price_1"}`, ""},
		"ANumberIsNone":          {`{"object":"invoice","id":"in_1","customer":7}`, ""},
		"AnObjectWithoutIDNone":  {`{"object":"invoice","id":"in_1","customer":{}}`, ""},
		"CustomerOfACustomerIts": {`{"object":"customer","id":"cus_1","customer":"cus_2"}`, "cus_1"},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := billing.ParseEvent([]byte(envelope(`{"object":` + c.object + `}`)))
			if err != nil || e.CustomerID != c.want {
				t.Errorf("customer %q, %v, want %q", e.CustomerID, err, c.want)
			}
		})
	}
}

// TestParseEventBears holds what Stripe or an accident may send and nobody reads.
func TestParseEventBears(t *testing.T) {
	t.Parallel()
	const subscription = `{"object":"subscription","id":"sub_1",`
	for name, c := range map[string]struct{ data, objectID string }{
		"DataNull":                 {`null`, ""},
		"DataAString":              {`"x"`, ""},
		"DataAnArray":              {`[{"object":{"id":"sub_1"}}]`, ""},
		"ObjectNull":               {`{"object":null}`, ""},
		"ObjectAString":            {`{"object":"sub_1"}`, ""},
		"ObjectWithoutID":          {`{"object":{"object":"invoice"}}`, ""},
		"IDANumber":                {`{"object":{"id":12}}`, ""},
		"IDWithNUL":                {`{"object":{"id":"sub_\u0000"}}`, ""},
		"IDWithInvalidUTF8":        {"{\"object\":{\"id\":\"sub_\xff\"}}", ""},
		"IDTooLong":                {`{"object":{"id":"` + strings.Repeat("x", 256) + `"}}`, ""},
		"IDJustShortEnough":        {`{"object":{"id":"` + strings.Repeat("x", 255) + `"}}`, strings.Repeat("x", 255)},
		"NULInMetadata":            {`{"object":` + subscription + `"metadata":{"a":"\u0000","\u0000":"b"}}}`, "sub_1"},
		"InvalidUTF8InMetadata":    {`{"object":` + subscription + "\"metadata\":{\"a\":\"\xff\xfe\"}}}", "sub_1"},
		"HalfASurrogatePair":       {`{"object":` + subscription + `"metadata":{"a":"\ud800"}}}`, "sub_1"},
		"QuantityAFloat":           {`{"object":` + subscription + `"quantity":3.0}}`, "sub_1"},
		"QuantityHuge":             {`{"object":` + subscription + `"quantity":1e20}}`, "sub_1"},
		"QuantityBeyondFloats":     {`{"object":` + subscription + `"quantity":1e999}}`, "sub_1"},
		"QuantityAString":          {`{"object":` + subscription + `"quantity":"3"}}`, "sub_1"},
		"QuantityNull":             {`{"object":` + subscription + `"quantity":null}}`, "sub_1"},
		"ItemsNull":                {`{"object":` + subscription + `"items":null}}`, "sub_1"},
		"MetadataANumber":          {`{"object":` + subscription + `"metadata":{"a":1}}}`, "sub_1"},
		"EqualNames":               {`{"object":` + subscription + `"id":"sub_2"}}`, "sub_2"},
		"DeepNesting":              {`{"object":` + subscription + `"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}}`, "sub_1"},
		"FiftyKeysOfEmojiMetadata": {`{"object":` + subscription + `"metadata":` + emoji(50, 500) + `}}`, "sub_1"},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := billing.ParseEvent([]byte(envelope(c.data)))
			if err != nil || e.ID != "evt_1" || e.ObjectID != c.objectID {
				t.Errorf("event %q, object %q, %v, want object %q", e.ID, e.ObjectID, err, c.objectID)
			}
		})
	}
}

func TestParseEventRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, code string }{
		"Nothing":               {``, billing.EventCodeNotJSON},
		"NotJSON":               {`id=evt_1`, billing.EventCodeNotJSON},
		"HalfABody":             {seatChange[:len(seatChange)/2], billing.EventCodeNotJSON},
		"TrailingBytes":         {seatChange + `x`, billing.EventCodeNotJSON},
		"TwoEvents":             {seatChange + seatChange, billing.EventCodeNotJSON},
		"ByteOrderMark":         {"\ufeff" + seatChange, billing.EventCodeNotJSON},
		"NestingWithoutReason":  {envelope(strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)), billing.EventCodeNotJSON},
		"Null":                  {`null`, billing.EventCodeNotAnEvent},
		"NullAmongSpaces":       {" null\n", billing.EventCodeNotAnEvent},
		"AnArray":               {`[` + seatChange + `]`, billing.EventCodeNotAnEvent},
		"AString":               {`"evt_1"`, billing.EventCodeNotAnEvent},
		"ANumber":               {`1`, billing.EventCodeNotAnEvent},
		"AnEmptyObject":         {`{}`, billing.EventCodeNotAnEvent},
		"AnotherObject":         {with("object", `"charge"`), billing.EventCodeNotAnEvent},
		"ObjectInOtherCase":     {strings.Replace(with("x", `1`), `"object":"event"`, `"Object":"event"`, 1), billing.EventCodeNotAnEvent},
		"NoID":                  {with("id", ``), billing.EventCodeIDMissing},
		"IDNull":                {with("id", `null`), billing.EventCodeIDMissing},
		"IDEmpty":               {with("id", `""`), billing.EventCodeIDMissing},
		"IDANumber":             {with("id", `1`), billing.EventCodeIDInvalid},
		"IDWithNUL":             {with("id", `"evt_\u0000"`), billing.EventCodeIDInvalid},
		"IDWithInvalidUTF8":     {with("id", "\"evt_\xff\""), billing.EventCodeIDInvalid},
		"IDWithASpace":          {with("id", `"evt 1"`), billing.EventCodeIDInvalid},
		"IDTooLong":             {with("id", `"`+strings.Repeat("e", 256)+`"`), billing.EventCodeIDInvalid},
		"NoType":                {with("type", ``), billing.EventCodeTypeInvalid},
		"TypeNull":              {with("type", `null`), billing.EventCodeTypeInvalid},
		"TypeInOtherCase":       {strings.Replace(with("x", `1`), `"type"`, `"Type"`, 1), billing.EventCodeTypeInvalid},
		"TypeWithNUL":           {with("type", `"a\u0000"`), billing.EventCodeTypeInvalid},
		"ThinEvent":             {with("object", `"v2.core.event"`), billing.EventCodeThin},
		"CreatedAString":        {with("created", `"2024-09-17T06:20:52.246Z"`), billing.EventCodeThin},
		"CreatedMissing":        {with("created", ``), billing.EventCodeCreatedInvalid},
		"CreatedNull":           {with("created", `null`), billing.EventCodeCreatedInvalid},
		"CreatedAFloat":         {with("created", `1700000000.5`), billing.EventCodeCreatedInvalid},
		"CreatedWithAnExponent": {with("created", `1e9`), billing.EventCodeCreatedInvalid},
		"CreatedNegative":       {with("created", `-1`), billing.EventCodeCreatedInvalid},
		"CreatedInTheYear10000": {with("created", `253402300800`), billing.EventCodeCreatedInvalid},
		"CreatedBeyondInt64":    {with("created", `99999999999999999999`), billing.EventCodeCreatedInvalid},
		"ModeMissing":           {with("livemode", ``), billing.EventCodeModeInvalid},
		"ModeAString":           {with("livemode", `"false"`), billing.EventCodeModeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := billing.ParseEvent([]byte(c.body))
			bad, ok := errors.AsType[*billing.EventError](err)
			if !ok || bad.Code != c.code {
				t.Fatalf("%+v, %v, want code %s", e, err, c.code)
			}
			if e.ID != "" || e.Body != nil {
				t.Errorf("a refused body still gave %+v", e)
			}
		})
	}
}

func TestParseEventTakesTheYear2100(t *testing.T) {
	t.Parallel()
	e, err := billing.ParseEvent([]byte(with("created", `4102444800`)))
	if err != nil || e.CreatedAt.Year() != 2100 {
		t.Errorf("%v, %v", e.CreatedAt, err)
	}
}

// FuzzParseEvent shows that whatever is accepted can be stored, and found again
// by the id that a careful reader finds in it.
func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(seatChange))
	for _, data := range []string{`null`, `{"object":null}`, `{"object":{"id":"\u0000","customer":{"id":"cus_1"}}}`, `{"object":{"object":"customer","id":"cus_1"}}`} {
		f.Add([]byte(envelope(data)))
	}
	f.Add([]byte(`null`))
	f.Add([]byte(with("created", `"2024-09-17T06:20:52.246Z"`)))
	f.Add([]byte(with("id", "\"evt_\xff\"")))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := billing.ParseEvent(body)
		if err != nil {
			if _, ok := errors.AsType[*billing.EventError](err); !ok {
				t.Fatalf("refused with %T, not an *EventError", err)
			}
			return
		}
		for _, s := range []string{e.ID, e.Type, e.APIVersion, e.Account, e.ObjectKind, e.ObjectID, e.CustomerID} {
			if len(s) > 255 || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Fatalf("%q can't be stored", s)
			}
		}
		if e.ID == "" || e.Type == "" || e.CreatedAt.Year() > 9999 || e.CreatedAt.Unix() < 0 {
			t.Fatalf("accepted %+v", e)
		}
		var generic map[string]any
		if err := json.Unmarshal(body, &generic); err != nil {
			t.Fatalf("accepted what isn't JSON: %v", err)
		}
		if generic["id"] != e.ID || generic["type"] != e.Type || generic["object"] != "event" || generic["livemode"] != e.Livemode {
			t.Fatalf("read %+v of %v", e, generic)
		}
		if string(e.Body) != string(body) {
			t.Fatal("the body isn't what was sent")
		}
	})
}

func BenchmarkParseEvent(b *testing.B) {
	for name, body := range map[string]string{
		"Small":       seatChange,
		"Typical6KiB": envelope(`{"object":{"object":"subscription","id":"sub_1","customer":"cus_1","items":{"data":[` + strings.Repeat(`{"id":"si_1","quantity":5},`, 220) + `{}]}}}`),
		"Largest1MiB": envelope(`{"object":{"object":"invoice","id":"in_1","customer":"cus_1","x":"` + strings.Repeat("x", 1<<20-300) + `"}}`),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := billing.ParseEvent([]byte(body)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// with is a valid event with one member set, or left out when the value is empty.
func with(name, value string) string {
	members := map[string]string{"id": `"evt_1"`, "object": `"event"`, "type": `"t"`, "created": `1700000000`, "livemode": `false`}
	members[name] = value
	var parts []string
	for _, n := range []string{"id", "object", "type", "created", "livemode", "x"} {
		if members[n] != "" {
			parts = append(parts, `"`+n+`":`+members[n])
		}
	}
	return `{` + strings.Join(parts, ",") + `}`
}

func emoji(keys, runes int) string {
	metadata := make(map[string]string, keys)
	for i := range keys {
		metadata[strings.Repeat("k", i+1)] = strings.Repeat("\U0001F4B3", runes)
	}
	encoded, _ := json.Marshal(metadata)
	return string(encoded)
}
