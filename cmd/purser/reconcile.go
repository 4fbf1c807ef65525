package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/worker"
)

// reconcileCommand compares what is kept with Stripe (E3). Beside a business that runs
// already it is the first command: with --apply it takes everything in.
type reconcileCommand struct {
	Team     string        `placeholder:"ID" help:"Only what is of this team."`
	User     string        `placeholder:"ID" help:"Only what this user's linked customers have."`
	Apply    bool          `help:"Mend what differs. Without it nothing is written."`
	JSON     bool          `name:"json" help:"Print a JSON object a line: each difference, then the summary."`
	Stripe   stripeFlags   `embed:""`
	Catalog  catalogFlags  `embed:""`
	Database databaseFlags `embed:""`
}

// Run compares, and mends if it is asked to. What differs stands in its output also when
// it is stopped half-way.
func (c *reconcileCommand) Run(ctx context.Context, p *program) error {
	if c.Team != "" && c.User != "" {
		return usage("name a team or a user, not both")
	}
	if err := wrongSettings(c.Stripe.check()); err != nil {
		return err
	}
	catalog, err := c.Catalog.load()
	if err != nil {
		return err
	}
	stripe, err := c.Stripe.client(p, p.logger())
	if err != nil {
		return err
	}
	defer stripe.Close()
	return c.Database.use(ctx, p, func(db *pgxpool.Pool) error {
		w, err := worker.New(worker.Config{Pool: db, Catalog: catalog, Stripe: stripe, Now: p.now, NewID: newID, Logger: p.logger()})
		if err != nil {
			return err
		}
		return c.reconcile(ctx, p, w)
	})
}

func (c *reconcileCommand) reconcile(ctx context.Context, p *program, w *worker.Worker) error {
	watch := &watch{to: io.Discard}
	if !c.JSON && terminal(p.err) {
		watch.to = p.err
	}
	var rows [][]string
	sum, err := w.Reconcile(ctx, worker.ReconcileIn{TeamID: c.Team, UserID: c.User, Apply: c.Apply, Progress: watch.show},
		func(d billing.Difference) error {
			if c.JSON {
				return json.NewEncoder(p.out).Encode(map[string]billing.Difference{"difference": d})
			}
			rows = append(rows, differenceRow(d))
			return nil
		})
	watch.done()
	if len(rows) > 0 {
		if err := printTable(p.out, []string{"WHAT", "OBJECT", "TEAM", "USER", "HERE", "AT STRIPE", "RESULT", "REASON"}, rows); err != nil {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("reconciling: %w", err)
	}
	if err := c.summary(p.out, sum); err != nil {
		return err
	}
	if sum.Left > 0 {
		return errLacks
	}
	return nil
}

func differenceRow(d billing.Difference) []string {
	object := d.ObjectID
	if d.SubscriptionID != "" && d.SubscriptionID != object {
		object += " of " + d.SubscriptionID
	}
	return []string{string(d.Kind), object, d.TeamID, d.UserID, d.Here, d.Stripe, d.Result, d.Reason}
}

func (c *reconcileCommand) summary(w io.Writer, s worker.Reconciled) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(map[string]worker.Reconciled{"reconcile": s})
	}
	text := fmt.Sprintf("compared: %s, %s, %s, %s\n", count(s.Subscriptions, "subscription", "subscriptions"), count(s.Invoices, "invoice", "invoices"),
		count(s.TopUps, "top-up", "top-ups"), count(s.Reversals, "refund or dispute", "refunds and disputes"))
	if s.Waiting > 0 {
		text += fmt.Sprintf("waiting for a person: %s\n", count(s.Waiting, "subscription", "subscriptions"))
	}
	text += "reconcile: " + count(s.Differences, "difference", "differences")
	switch {
	case s.Differences == 0:
	case c.Apply:
		text += fmt.Sprintf(", %d mended, %d left", s.Mended, s.Left)
	default:
		text += "; --apply mends what can be mended"
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// watch shows what is being done to somebody who watches.
type watch struct {
	to    io.Writer
	shown bool
}

func (w *watch) show(doing string, done int) {
	_, _ = fmt.Fprintf(w.to, "\r\x1b[K%s: %s", doing, thousands(int64(done)))
	w.shown = true
}

func (w *watch) done() {
	if w.shown {
		_, _ = fmt.Fprint(w.to, "\r\x1b[K")
	}
}
