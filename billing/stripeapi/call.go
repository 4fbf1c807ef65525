package stripeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/form"
)

// answer takes the place of what stripe-go would decode. It quotes the body when it can't
// decode it, and reads all of it several times over before anybody gets it; so the
// transport keeps the body back, and stripe-go sees an empty object.
type answer struct{ stripe.APIResource }

// heard is the body of an answer that is no error.
type heard struct{ body []byte }

type heardKey struct{}

// call makes one call. An empty key leaves a write to a key of stripe-go's making, which makes the
// attempts of this one call safe but not a second call.
func (c *Client) call(ctx context.Context, method, path string, values *form.Values, key string) ([]byte, error) {
	var h heard
	params := &stripe.Params{Context: context.WithValue(ctx, heardKey{}, &h)}
	if key != "" {
		params.SetIdempotencyKey(key)
	}
	if err := c.backend.CallRaw(method, path, c.key(), values, params, &answer{}); err != nil {
		return nil, c.explain(err)
	}
	return h.body, nil
}

// get fetches one object; path has one %s, which is the id.
func get[T any](ctx context.Context, c *Client, path, id string, params any) (*T, error) {
	// With an empty id or a relative one the path would name something else, such as the whole list.
	if id == "" || id == "." || id == ".." {
		return nil, fmt.Errorf("%q is no object's id", id)
	}
	body, err := c.call(ctx, http.MethodGet, stripe.FormatURLPath(path, id), encode(params), "")
	if err != nil {
		return nil, err
	}
	return decode[T](body)
}

// post creates one object. The idempotency key may be empty.
func post[T any](ctx context.Context, c *Client, path string, params any, key string) (*T, error) {
	body, err := c.call(ctx, http.MethodPost, path, encode(params), key)
	if err != nil {
		return nil, err
	}
	return decode[T](body)
}

func encode(params any) *form.Values {
	values := &form.Values{}
	if params != nil {
		form.AppendTo(values, params)
	}
	return values
}

func decode[T any](body []byte) (*T, error) {
	var v *T
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, fmt.Errorf("reading Stripe's answer: %w", err)
	}
	if v == nil {
		return nil, errors.New("reading Stripe's answer: it is null")
	}
	return v, nil
}

// pageSize is the most that Stripe gives at once; pagesMax ends a list that never does.
const (
	pageSize = 100
	pagesMax = 100_000
)

// page is one answer of a list. Its objects stay the bytes that Stripe rendered.
type page struct {
	Data    []json.RawMessage `json:"data"`
	HasMore bool              `json:"has_more"`
}

func (c *Client) page(ctx context.Context, path string, values *form.Values) (*page, error) {
	body, err := c.call(ctx, http.MethodGet, path, values, "")
	if err != nil {
		return nil, err
	}
	return decode[page](body)
}

// walk goes through a list page by page: with stripe.StartingAfter towards its end, with
// stripe.EndingBefore back towards its beginning. Within a page the order is always Stripe's.
func (c *Client) walk(ctx context.Context, path string, values *form.Values, cursor string, do func([]json.RawMessage) error) error {
	values.Set("limit", fmt.Sprint(pageSize))
	for range pagesMax {
		p, err := c.page(ctx, path, values)
		if err != nil {
			return err
		}
		if len(p.Data) > 0 {
			if err := do(p.Data); err != nil {
				return err
			}
		}
		if !p.HasMore {
			return nil
		}
		if err := advance(values, cursor, p.Data); err != nil {
			return fmt.Errorf("listing %s: %w", path, err)
		}
	}
	return fmt.Errorf("listing %s: it has more than %d pages", path, pagesMax)
}

// advance moves the cursor to where the next page begins. A list that says there is more but doesn't get
// on is an error: taking it for the end would lose the rest.
func advance(values *form.Values, cursor string, data []json.RawMessage) error {
	if len(data) == 0 {
		return errors.New("there is said to be more after an empty page")
	}
	edge := data[len(data)-1]
	if cursor == stripe.EndingBefore {
		edge = data[0]
	}
	next := identity(edge)
	if next == "" {
		return errors.New("an object has no id to go on from")
	}
	if now := values.Get(cursor); len(now) > 0 && now[0] == next {
		return errors.New("the next page is the same again")
	}
	values.Set(cursor, next)
	return nil
}

func identity(object json.RawMessage) string {
	var o struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(object, &o) != nil {
		return ""
	}
	return o.ID
}

// listAll reads a short list to its end.
func listAll[T any](ctx context.Context, c *Client, path string, params any) ([]*T, error) {
	var all []*T
	err := c.walk(ctx, path, encode(params), stripe.StartingAfter, func(objects []json.RawMessage) error {
		for _, o := range objects {
			v, err := decode[T](o)
			if err != nil {
				return err
			}
			all = append(all, v)
		}
		return nil
	})
	return all, err
}
