package stripeapi_test

import (
	"net/http"
	"testing"

	"purser/billing"
)

func TestFetchCustomer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want billing.Customer
	}{
		"B14_MetadataLinksTheUser": {
			`{"id": "cus_1", "object": "customer", "email": "anna@example.com", "metadata": {"purser_user": "anna", "plan": "x"}}`,
			billing.Customer{ID: "cus_1", Email: "anna@example.com", Metadata: map[string]string{"purser_user": "anna"}},
		},
		"WithoutAnything":     {`{"id": "cus_1", "object": "customer", "email": null, "metadata": null}`, billing.Customer{ID: "cus_1"}},
		"E6_Deleted":          {`{"id": "cus_1", "object": "customer", "deleted": true}`, billing.Customer{ID: "cus_1", Deleted: true}},
		"E6_NULInTheAddress":  {`{"id": "cus_1", "object": "customer", "email": "a\u0000b"}`, billing.Customer{ID: "cus_1", Email: "a\uFFFDb"}},
		"UnknownMembersInAll": {`{"id": "cus_1", "object": "customer", "imagined": {"email": 3}}`, billing.Customer{ID: "cus_1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := newStripe(t)
			fake.says("GET /v1/customers/cus_1", http.StatusOK, c.body)
			got, err := fake.client(t).FetchCustomer(t.Context(), "cus_1")
			if err != nil {
				t.Fatal(err)
			}
			same(t, "customer", got, c.want)
		})
	}
}
