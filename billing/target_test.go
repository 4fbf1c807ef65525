package billing

import (
	"fmt"
	"testing"
)

func TestTargetOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, object string
		want         Target
	}{
		{"charge.refunded", `{"id": "ch_1", "object": "charge"}`, Target{Kind: TargetCharge, ID: "ch_1"}},
		{"charge.refund.updated", `{"id": "re_1", "object": "refund", "charge": "ch_1"}`, Target{Kind: TargetCharge, ID: "ch_1"}},
		{"refund.failed", `{"id": "re_1", "object": "refund", "charge": "ch_1"}`, Target{Kind: TargetCharge, ID: "ch_1"}},
		{"refund.created", `{"id": "re_1", "object": "refund", "charge": {"id": "ch_1", "object": "charge"}}`, Target{Kind: TargetCharge, ID: "ch_1"}},
		{"charge.dispute.created", `{"id": "dp_1", "object": "dispute", "charge": "ch_1"}`, Target{Kind: TargetCharge, ID: "ch_1"}},
		{"charge.dispute.funds_reinstated", `{"id": "dp_1", "object": "dispute", "charge": "ch_1"}`, Target{Kind: TargetCharge, ID: "ch_1"}},
		{"refund.created", `{"id": "re_1", "object": "refund", "charge": null}`, Target{Reason: "it names no charge"}},
		{"charge.dispute.closed", `{"id": "dp_1", "object": "dispute"}`, Target{Reason: "it names no charge"}},
		{"charge.dispute.closed", `null`, Target{Reason: "it names no charge"}},
		{"charge.succeeded", `{"id": "ch_1", "object": "charge"}`, Target{Reason: "nothing is done for events of this type"}},
		{"charge.failed", `{"id": "ch_1", "object": "charge"}`, Target{Reason: "nothing is done for events of this type"}},
	} {
		t.Run("B3_"+c.kind, func(t *testing.T) {
			e, err := ParseEvent(fmt.Appendf(nil, `{"id": "evt_1", "object": "event", "created": 1, "livemode": false, "type": %q, "data": {"object": %s}}`, c.kind, c.object))
			if err != nil {
				t.Fatal(err)
			}
			if got := TargetOf(e); got != c.want {
				t.Errorf("%s of %s: %+v, want %+v", c.kind, c.object, got, c.want)
			}
		})
	}
}
