package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"purser/billing"
	"purser/ledger"
	"purser/migrations"
	"purser/teams"
)

const (
	// benchConnections is how many connections the server has beside its lanes; without
	// gathering all spends share them.
	benchConnections = 16
	// benchCredits is what each spend costs.
	benchCredits = 1
	// benchPlenty is what each bonus brings: no pool is empty before its time.
	benchPlenty = 10_000_000
	// benchSpenders is how many members spend, where there is one pool.
	benchSpenders = 64
	// benchMakers is how many connections make teams, and benchTogether how many teams each
	// makes in one transaction.
	benchMakers   = 4
	benchTogether = 50
)

// bench is a measurement under way.
type bench struct {
	command  *benchSpendsCommand
	db       *database
	catalog  *billing.Catalog
	now      func() time.Time
	progress io.Writer // where somebody watches

	token string // of the API key
	start time.Time

	mu    sync.Mutex
	books []int64
}

// say shows what is being done, in place of what was shown before.
func (b *bench) say(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, "\r\x1b[K"+format, args...)
}

// members is how many members each team has.
func (b *bench) members() int { return max(2, benchSpenders/b.command.Pools) }

func benchTeam(n int) string            { return fmt.Sprintf("team%06d", n) }
func benchMember(team, n int) string    { return fmt.Sprintf("user%06d.%d", team, n) }
func benchSubscription(team int) string { return fmt.Sprintf("sub%06d", team) }

// prepare makes the database durable beyond doubt, the teams, and an API key.
func (b *bench) prepare(ctx context.Context) error {
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var value string
		if err := b.db.Pool.QueryRow(ctx, `SELECT current_setting($1)`, setting).Scan(&value); err != nil {
			return fmt.Errorf("reading %s: %w", setting, err)
		}
		if value != "on" {
			return fmt.Errorf("%s is %s: what isn't durable isn't worth measuring", setting, value)
		}
	}
	if err := migrations.Up(ctx, b.db.Pool); err != nil {
		return err
	}
	b.start = b.now().UTC().Truncate(time.Second)
	if err := b.makeTeams(ctx); err != nil {
		return fmt.Errorf("making teams: %w", err)
	}
	if err := b.makeKey(ctx); err != nil {
		return err
	}
	return b.makeFloor(ctx)
}

// makeTeams makes all teams, many in a transaction and without waiting for the disk.
func (b *bench) makeTeams(ctx context.Context) error {
	cfg, err := poolConfig(b.db.URL)
	if err != nil {
		return err
	}
	cfg.MaxConns = benchMakers
	// Planning each statement anew would take longer than running it, and a plan made for
	// empty tables must not scan them once they are full.
	for setting, value := range map[string]string{
		"synchronous_commit": "off", "plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off",
	} {
		cfg.ConnConfig.RuntimeParams[setting] = value
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("opening connections: %w", err)
	}
	defer pool.Close()
	var made atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(benchMakers)
	for from := 0; from < b.command.Pools && ctx.Err() == nil; from += benchTogether {
		to := min(from+benchTogether, b.command.Pools)
		g.Go(func() error {
			err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				for n := from; n < to; n++ {
					if err := b.makeTeam(ctx, tx, n); err != nil {
						return err
					}
				}
				return nil
			})
			b.say("making teams: %s of %s", thousands(made.Add(int64(to-from))), thousands(int64(b.command.Pools)))
			return err
		})
	}
	return g.Wait()
}

// makeTeam makes one team: a subscription, three lots, and members of whom every second
// has a limit.
func (b *bench) makeTeam(ctx context.Context, tx pgx.Tx, n int) error {
	owner := benchMember(n, 0)
	team, err := teams.CreateTeam(ctx, tx, b.catalog, teams.TeamIn{ID: benchTeam(n), OwnerID: owner, Name: "Team " + fmt.Sprint(n)}, b.start)
	if err != nil {
		return err
	}
	if err := b.subscribe(ctx, tx, n, owner, team); err != nil {
		return err
	}
	for i, life := range []time.Duration{90 * 24 * time.Hour, 180 * 24 * time.Hour} {
		ends := b.start.Add(life)
		_, err := billing.GrantBonus(ctx, tx, b.catalog, billing.BonusIn{
			Book: team.BookID, Credits: benchPlenty, Key: fmt.Sprint("bonus-", i), Actor: "bench", ExpiresAt: &ends,
		}, b.start)
		if err != nil {
			return err
		}
	}
	for i := 1; i < b.members(); i++ {
		if err := b.join(ctx, tx, n, i); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.books = append(b.books, team.BookID)
	return nil
}

// subscribe lets a team have a subscription as Stripe would tell of it, with as many
// seats as members.
func (b *bench) subscribe(ctx context.Context, tx pgx.Tx, n int, owner string, team teams.Team) error {
	user, err := teams.GetUser(ctx, tx, owner)
	if err != nil {
		return err
	}
	id, customer := benchSubscription(n), fmt.Sprintf("cus%06d", n)
	if _, err := billing.LinkCustomer(ctx, tx, customer, owner, user.BookID, "bench", b.start); err != nil {
		return err
	}
	plan := b.catalog.Plans[1]
	price := plan.Prices[0]
	sub := &billing.Subscription{
		ID: id, CustomerID: customer, Status: billing.StatusActive, PeriodStart: b.start, PeriodEnd: b.start.AddDate(0, 1, 0),
		Anchor: b.start, CreatedAt: b.start,
		Items: []billing.Item{{
			ID: "item" + id, PriceID: "price" + id, LookupKey: price.LookupKey, Interval: price.Interval, IntervalCount: price.IntervalCount, Quantity: int64(b.members()),
		}},
	}
	_, err = billing.Apply(ctx, tx, b.catalog, billing.ApplyIn{
		Fetched: billing.Fetched{Subscription: sub}, Ticket: 1, Now: func() time.Time { return b.start },
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

// audit proves the whole ledger, and adds up what was spent by its entries.
func (b *bench) audit(ctx context.Context, r *benchReport) error {
	b.say("auditing")
	return readOnly(ctx, b.db.Pool, func(tx pgx.Tx) error {
		sum, err := ledger.Audit(ctx, tx, func(ledger.Difference) error { return nil })
		if err != nil {
			return err
		}
		r.Differences = sum.Differences
		for _, book := range b.books {
			used, err := ledger.UsageSince(ctx, tx, ledger.Blank(book, ledger.TeamBook, b.start), b.start)
			if err != nil {
				return err
			}
			for _, u := range used {
				r.Booked += u.Total()
			}
		}
		return nil
	})
}
