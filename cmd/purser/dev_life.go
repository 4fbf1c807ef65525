package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// enliven gives the story's team what a page looks good with: names, an admin, somebody
// invited, an automatic top-up, and a week in which everybody works.
func (t *telling) enliven(ctx context.Context) error {
	people := []struct{ id, name string }{
		{"olga", "Olga Brandt"}, {"ada", "Ada Moreau"}, {"ben", "Ben Okafor"}, {"cleo", "Cleo Lindqvist"}, {"dora", "Dora Nakamura"},
	}
	for _, p := range people {
		body := fmt.Sprintf(`{"name": %q, "email": "%s@acme.example"}`, p.name, p.id)
		if err := t.quietly(ctx, http.MethodPut, "/v1/users/"+p.id, body); err != nil {
			return err
		}
	}
	for _, one := range []struct{ method, path, body string }{
		{http.MethodPatch, "/v1/teams/acme", `{"name": "Acme Design", "description": "Brand, product and print."}`},
		{http.MethodPost, "/v1/teams/acme/members/changes", `{"changes": [{"user_id": "ada", "role": "admin"}]}`},
		{http.MethodPut, "/v1/teams/acme/auto-top-up", `{"on": true, "threshold": 500, "pack": "pack_1000", "credits_per_month_max": 5000, "amount_per_month_max": 20000, "currency": "usd"}`},
		{http.MethodPost, "/v1/users/olga/bonus", `{"credits": 750, "memo": "a present from the product"}`},
	} {
		if err := t.quietly(ctx, one.method, one.path, one.body); err != nil {
			return err
		}
	}
	if err := t.work(ctx, 7); err != nil {
		return err
	}
	return t.quietly(ctx, http.MethodPost, "/v1/teams/acme/invitations", `{"email": "emil@acme.example", "limit": {"kind": "period", "credits": 500}}`)
}

// work lets members spend on each of so many days.
func (t *telling) work(ctx context.Context, days int) error {
	who := []string{"olga", "ada", "ben", "cleo"}
	for day := range days {
		for i, user := range who {
			credits := 20 + (day*37+i*53)%90
			body := fmt.Sprintf(`{"user_id": %q, "credits": %d, "memo": "day %d"}`, user, credits, day+1)
			if err := t.quietly(ctx, http.MethodPost, spends, body); err != nil {
				return err
			}
		}
		if err := t.until(ctx, t.stripe.Now().Add(24*time.Hour)); err != nil {
			return err
		}
	}
	return t.settled(ctx)
}

// quietly asks the API, as the backend, for something that the story doesn't tell of.
func (t *telling) quietly(ctx context.Context, method, path, body string) error {
	status, raw, err := t.product.call(ctx, "", method, path, body)
	if err != nil {
		return err
	}
	if status >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %d: %s", method, path, status, raw)
	}
	return nil
}
