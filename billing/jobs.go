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
