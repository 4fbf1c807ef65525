package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"purser/billing"
	"purser/ledger"
	"purser/migrations"
	"purser/teams"
	"purser/worker"
)

const (
	// benchCredits is what each spend costs.
	benchCredits = 1
	// benchPlenty is what each bonus brings: no pool is empty before its time.
	benchPlenty = 1_000_000_000
	// benchSpenders is how many members spend, where there is one pool.
	benchSpenders = 64
)

// benchTag is what the ids of one team have in common: the template's is replaced in the
// others, so nothing else may look like it.
func benchTag(n int) string { return fmt.Sprintf("x%06dx", n) }

func benchTeam(n int) string            { return "team-" + benchTag(n) }
func benchMember(team, n int) string    { return fmt.Sprint("user-", benchTag(team), "-", n) }
func benchSubscription(team int) string { return "sub-" + benchTag(team) }

// prepare makes the database durable beyond doubt, the teams, and an API key.
func (b *bench) prepare(ctx context.Context) error {
	if err := b.durable(ctx); err != nil {
		return err
	}
	if err := migrations.Up(ctx, b.db.Pool); err != nil {
		return err
	}
	if _, err := billing.EnsureEventPartitions(ctx, b.db.Pool, b.now(), 1); err != nil {
		return fmt.Errorf("making the inbox's partitions: %w", err)
	}
	if err := b.makeTeams(ctx); err != nil {
		return fmt.Errorf("making teams: %w", err)
	}
	if err := b.makeKey(ctx); err != nil {
		return err
	}
	return b.makeFloor(ctx)
}

// makeTeams makes one team as products do, and the others in its image.
func (b *bench) makeTeams(ctx context.Context) error {
	b.say("making teams")
	var book int64
	err := pgx.BeginFunc(ctx, b.db.Pool, func(tx pgx.Tx) (err error) {
		book, err = b.makeTeam(ctx, tx, 0)
		return err
	})
	if err == nil {
		err = b.shape(ctx)
	}
	if err != nil {
		return err
	}
	return b.clone(ctx, book)
}

// shape gives the one team that there is yet what others are to be made in the image of: a
// month that has turned, and a second class of lots.
func (b *bench) shape(ctx context.Context) error {
	if b.classes > 1 {
		_, err := b.db.Pool.Exec(ctx, fmt.Sprintf(`
			UPDATE %s SET source = 'purchase' WHERE (book_id, id) = (SELECT book_id, id FROM %[1]s WHERE source = 'bonus' ORDER BY id LIMIT 1 OFFSET 1)`, "lots"))
		if err != nil {
			return fmt.Errorf("making a second class of lots: %w", err)
		}
	}
	if !b.turned {
		return nil
	}
	w, err := worker.New(worker.Config{Pool: b.db.Pool, Catalog: b.catalog, Now: b.now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if settled, err := w.SettleDue(ctx); err != nil || settled != 1 {
		return fmt.Errorf("turning the first team's month: %d settled: %w", settled, err)
	}
	return nil
}

// makeTeam makes one team: a subscription, three lots, and members of whom every second
// has a limit.
func (b *bench) makeTeam(ctx context.Context, tx pgx.Tx, n int) (book int64, err error) {
	owner := benchMember(n, 0)
	team, err := teams.CreateTeam(ctx, tx, b.catalog, teams.TeamIn{ID: benchTeam(n), OwnerID: owner, Name: "Team " + benchTag(n)}, b.start)
	if err != nil {
		return 0, err
	}
	if err := b.subscribe(ctx, tx, n, owner, team); err != nil {
		return 0, err
	}
	for i, life := range b.bonuses {
		ends := b.start.Add(life)
		_, err := billing.GrantBonus(ctx, tx, b.catalog, billing.BonusIn{
			Book: team.BookID, Credits: benchPlenty, Key: fmt.Sprint("bonus-", i), Actor: "bench", ExpiresAt: &ends,
		}, b.start)
		if err != nil {
			return 0, err
		}
	}
	for i := 1; i < b.members; i++ {
		if err := b.join(ctx, tx, n, i); err != nil {
			return 0, err
		}
	}
	return team.BookID, nil
}

// subscribe lets a team have a subscription as Stripe would tell of it, with as many
// seats as members.
func (b *bench) subscribe(ctx context.Context, tx pgx.Tx, n int, owner string, team teams.Team) error {
	user, err := teams.GetUser(ctx, tx, owner)
	if err != nil {
		return err
	}
	id, customer := benchSubscription(n), "cus-"+benchTag(n)
	if _, err := billing.LinkCustomer(ctx, tx, customer, owner, user.BookID, "bench", b.start); err != nil {
		return err
	}
	plan := b.catalog.Plans[1]
	price := plan.Prices[0]
	sub := &billing.Subscription{
		ID: id, CustomerID: customer, Status: billing.StatusActive, PeriodStart: b.start, PeriodEnd: billing.AddMonths(b.start, 1),
		Anchor: b.start, CreatedAt: b.start,
		Items: []billing.Item{{
			ID: "item" + id, PriceID: "price" + id, LookupKey: price.LookupKey, Interval: price.Interval, IntervalCount: price.IntervalCount, Quantity: int64(b.members),
		}},
	}
	_, err = billing.Apply(ctx, tx, b.catalog, billing.ApplyIn{
		Fetched: billing.Fetched{Subscription: sub, Invoices: b.invoices(sub)}, Ticket: 1, Now: func() time.Time { return b.start },
		Owner: billing.Owner{CustomerID: customer, UserID: owner, BookID: user.BookID},
		Named: &billing.Slot{TeamID: team.ID, BookID: team.BookID},
	})
	return err
}

// join lets one more user into a team.
func (b *bench) join(ctx context.Context, tx pgx.Tx, team, n int) error {
	user := benchMember(team, n)
	limit := teams.Limit{Kind: teams.LimitNone}
	if n%2 == 1 {
		limit = teams.Limit{Kind: teams.LimitPeriod, Credits: benchPlenty}
	}
	_, err := teams.Invite(ctx, tx, b.catalog, teams.InviteIn{
		ID: "inv" + user, TeamID: benchTeam(team), Email: user + "@example.com", Role: teams.Plain, Limit: limit, TokenHash: []byte(user),
	}, b.start)
	if err != nil {
		return err
	}
	_, err = teams.Accept(ctx, tx, b.catalog, []byte(user), user, b.start)
	return err
}

// invoices are those that were paid for a subscription: for its first month and, where
// the next one's payment is to be there before its turn, for that.
func (b *bench) invoices(sub *billing.Subscription) []billing.Invoice {
	months := 1
	if b.renewed {
		months = 2
	}
	var paid []billing.Invoice
	for n := range months {
		from, to := billing.AddMonths(sub.PeriodStart, n), billing.AddMonths(sub.PeriodStart, n+1)
		id := fmt.Sprint("in-", strings.TrimPrefix(sub.ID, "sub-"), "-", n)
		paid = append(paid, billing.Invoice{
			ID: id, SubscriptionID: sub.ID, CustomerID: sub.CustomerID, Status: "paid", CreatedAt: b.start, PaidAt: &b.start,
			Lines: []billing.InvoiceLine{{
				ID: "line-" + id, PriceID: sub.Items[0].PriceID, LookupKey: sub.Items[0].LookupKey, Quantity: sub.Items[0].Quantity, Amount: 1, From: from, To: to,
			}},
		})
	}
	return paid
}

// audit proves the whole ledger.
func (b *bench) audit(ctx context.Context) (differences int64, err error) {
	b.say("auditing")
	err = readOnly(ctx, b.db.Pool, func(tx pgx.Tx) error {
		sum, err := ledger.Audit(ctx, tx, func(d ledger.Difference) error {
			b.say("%s\n", d)
			return nil
		})
		differences = sum.Differences
		return err
	})
	return differences, err
}

// booked adds up what was spent by its entries.
func (b *bench) booked(ctx context.Context) (credits int64, err error) {
	b.say("adding up what was booked")
	err = readOnly(ctx, b.db.Pool, func(tx pgx.Tx) error {
		for n := range b.pools {
			used, err := ledger.UsageSince(ctx, tx, ledger.Blank(b.template.bookOf(n), ledger.TeamBook, b.start), b.start)
			if err != nil {
				return err
			}
			for _, u := range used {
				credits += u.Total()
			}
		}
		return nil
	})
	return credits, err
}
