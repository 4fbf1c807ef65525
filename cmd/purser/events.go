package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
)

// eventFilterFlags choose events.
type eventFilterFlags struct {
	State    []string  `enum:"received,done,ignored,unmatched,unmapped,failed" placeholder:"STATE" help:"Only in these states: received, done, ignored, unmatched, unmapped, failed."`
	Type     []string  `placeholder:"TYPE" help:"Only of these types, such as invoice.paid."`
	Customer string    `placeholder:"ID" help:"Only those of this customer of Stripe's."`
	Object   string    `placeholder:"ID" help:"Only those of this object of Stripe's: a subscription, an invoice."`
	Since    time.Time `placeholder:"TIME" help:"Only those received at this instant or later, as 2026-01-31T00:00:00Z."`
	Until    time.Time `placeholder:"TIME" help:"Only those received before this instant."`
}

func (f eventFilterFlags) filter() billing.EventFilter {
	filter := billing.EventFilter{Types: f.Type, Customer: f.Customer, ObjectID: f.Object, Since: f.Since, Until: f.Until}
	for _, s := range f.State {
		filter.States = append(filter.States, billing.EventState(s))
	}
	return filter
}

func (f eventFilterFlags) empty() bool {
	return len(f.State) == 0 && len(f.Type) == 0 && f.Customer == "" && f.Object == "" && f.Since.IsZero() && f.Until.IsZero()
}

// eventView is an event as it is shown.
type eventView struct {
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	State      string          `json:"state"`
	Reason     string          `json:"reason,omitempty"`
	CustomerID string          `json:"customer_id,omitempty"`
	ObjectID   string          `json:"object_id,omitempty"`
	ObjectKind string          `json:"object_kind,omitempty"`
	Account    string          `json:"account,omitempty"`
	Origin     string          `json:"origin"`
	APIVersion string          `json:"api_version,omitempty"`
	Attempts   int             `json:"attempts"`
	CreatedAt  time.Time       `json:"created_at"`
	ReceivedAt time.Time       `json:"received_at"`
	SettledAt  *time.Time      `json:"settled_at"`
	Body       json.RawMessage `json:"body,omitempty"`
}

func viewEvent(e billing.Event) eventView {
	return eventView{
		ID: e.ID, Type: e.Type, State: string(e.State), Reason: e.Reason, CustomerID: e.CustomerID, ObjectID: e.ObjectID,
		ObjectKind: e.ObjectKind, Account: e.Account, Origin: string(e.Origin), APIVersion: e.APIVersion, Attempts: e.Attempts,
		CreatedAt: e.CreatedAt, ReceivedAt: e.ReceivedAt, SettledAt: e.SettledAt,
	}
}

// eventsListCommand lists events.
type eventsListCommand struct {
	Filter   eventFilterFlags `embed:""`
	List     listFlags        `embed:""`
	Database databaseFlags    `embed:""`
}

// Run lists.
func (c *eventsListCommand) Run(ctx context.Context, p *program) error {
	if err := c.List.check(); err != nil {
		return err
	}
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		filter := c.Filter.filter()
		filter.Limit = c.List.Limit + 1
		if c.List.After != "" {
			last, err := billing.GetEvent(ctx, db, c.List.After)
			if err != nil {
				return err
			}
			filter.After = last.Position()
		}
		events, err := billing.ListEvents(ctx, db, filter)
		if err != nil {
			return err
		}
		return paged(mapped(events, viewEvent), c.List.Limit, func(v eventView) string { return v.ID }).print(p, c.List.JSON,
			[]string{"EVENT", "RECEIVED", "TYPE", "STATE", "OBJECT", "CUSTOMER", "REASON"},
			func(v eventView) []string {
				return []string{v.ID, stamp(v.ReceivedAt), v.Type, v.State, v.ObjectID, v.CustomerID, v.Reason}
			})
	})
}

// eventsShowCommand shows an event.
type eventsShowCommand struct {
	ID       string        `arg:"" help:"The event's id: evt_…"`
	Body     bool          `help:"Print the stored body only, byte for byte."`
	Show     showFlags     `embed:""`
	Database databaseFlags `embed:""`
}

// Run shows.
func (c *eventsShowCommand) Run(ctx context.Context, p *program) error {
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		event, err := billing.GetEvent(ctx, db, c.ID)
		if err != nil {
			return err
		}
		if c.Body {
			_, err := p.out.Write(event.Body)
			return err
		}
		view := viewEvent(event)
		if c.Show.JSON {
			view.Body = json.RawMessage(strings.ToValidUTF8(string(event.Body), "\uFFFD"))
			return printJSON(p.out, view)
		}
		err = printTable(p.out, nil, [][]string{
			{"event", view.ID}, {"type", view.Type}, {"state", view.State}, {"reason", view.Reason},
			{"object", strings.TrimSpace(view.ObjectKind + " " + view.ObjectID)}, {"customer", view.CustomerID}, {"account", view.Account},
			{"created", stamp(view.CreatedAt)}, {"received", stamp(view.ReceivedAt) + " by " + view.Origin},
			{"settled", stampOr(view.SettledAt, "not yet")}, {"attempts", fmt.Sprint(view.Attempts)}, {"API version", view.APIVersion},
		})
		return errors.Join(err, printBody(p, event.Body))
	})
}

// printBody writes a stored body for people: its lines, and nothing that a terminal
// would act upon.
func printBody(p *program, body []byte) error {
	for line := range strings.Lines(string(body)) {
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if _, err := fmt.Fprintln(p.out, plain(indent)+plain(strings.TrimSpace(line))); err != nil {
			return err
		}
	}
	return nil
}
