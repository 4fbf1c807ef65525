package billing

import "time"

// Job arguments live here as plain structs with a Kind, so that whoever stages a
// job needs to know neither the worker nor the queue.

// EventArgs asks for one event of the inbox to be worked. It names the event and
// holds nothing of it: the inbox row is what counts when the job runs.
type EventArgs struct {
	EventID   string    `json:"event_id"`
	CreatedAt time.Time `json:"created_at"`
}

// Kind names the job in the queue's table. It is stored, so it never changes.
func (EventArgs) Kind() string { return "stripe_event" }

// RefreshArgs asks for a subscription to be fetched and booked though no event tells of
// it: the catalogue knows its price now, say.
type RefreshArgs struct {
	SubscriptionID string `json:"subscription_id"`
}

// Kind names the job in the queue's table. It is stored, so it never changes.
func (RefreshArgs) Kind() string { return "refresh_subscription" }

// SettleArgs asks for every book to be settled in which something is due: periods turn,
// months of a paid year are granted, lots and holds end.
type SettleArgs struct{}

// Kind names the job in the queue's table. It is stored, so it never changes.
func (SettleArgs) Kind() string { return "settle_due" }

// EventSweepArgs asks for Stripe's event list to be read for what never reached us.
type EventSweepArgs struct{}

// Kind names the job in the queue's table. It is stored, so it never changes.
func (EventSweepArgs) Kind() string { return "sweep_events" }

// PurchaseSweepArgs asks for Stripe to be asked about purchases that nobody told of.
type PurchaseSweepArgs struct{}

// Kind names the job in the queue's table. It is stored, so it never changes.
func (PurchaseSweepArgs) Kind() string { return "sweep_purchases" }

// MappingSweepArgs asks for unmapped subscriptions to be looked at again.
type MappingSweepArgs struct{}

// Kind names the job in the queue's table. It is stored, so it never changes.
func (MappingSweepArgs) Kind() string { return "sweep_unmapped" }

// TopUpArgs asks for one book's automatic top-up to be decided, since credits ran low.
type TopUpArgs struct {
	BookID int64 `json:"book_id"`
}

// Kind names the job in the queue's table. It is stored, so it never changes.
func (TopUpArgs) Kind() string { return "auto_top_up" }

// TopUpSweepArgs asks for every automatic top-up to be decided whose time has come.
type TopUpSweepArgs struct{}

// Kind names the job in the queue's table. It is stored, so it never changes.
func (TopUpSweepArgs) Kind() string { return "sweep_top_ups" }

// ReconcileArgs asks for everything to be compared with Stripe, and for what differs to be
// mended.
type ReconcileArgs struct{}

// Kind names the job in the queue's table. It is stored, so it never changes.
func (ReconcileArgs) Kind() string { return "reconcile" }

// ExpirySweepArgs asks for what is to be told of credits that are about to end.
type ExpirySweepArgs struct{}

// Kind names the job in the queue's table. It is stored, so it never changes.
func (ExpirySweepArgs) Kind() string { return "sweep_expiring" }

// PartitionArgs asks for the inbox's coming months to be made.
type PartitionArgs struct{}

// Kind names the job in the queue's table. It is stored, so it never changes.
func (PartitionArgs) Kind() string { return "make_partitions" }
