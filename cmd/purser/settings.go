package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"purser/billing"
	"purser/billing/stripeapi"
	"purser/migrations"
	"purser/worker"
)

// databaseFlags say where the database is.
type databaseFlags struct {
	DatabaseURL secret `name:"database-url" env:"PURSER_DATABASE_URL" placeholder:"URL" help:"The PostgreSQL database, as postgres://user:password@host:5432/database. Without it a private PostgreSQL is started from the programs installed here."`
	DataDir     string `name:"data-dir" env:"PURSER_DATA_DIR" placeholder:"DIR" help:"Where the private PostgreSQL keeps its data. Default: /var/lib/purser for root, else ~/.local/share/purser."`
}

func (f databaseFlags) open(ctx context.Context, logger *slog.Logger) (*database, error) {
	return openDatabase(ctx, f.DatabaseURL.reveal(), f.DataDir, logger)
}

// use opens the database for one command, looks whether it has the tables that this
// binary needs, and closes it afterwards.
func (f databaseFlags) use(ctx context.Context, p *program, do func(db *pgxpool.Pool) error) error {
	db, err := f.open(ctx, p.logger())
	if err != nil {
		return err
	}
	defer db.Close()
	status, err := migrations.Check(ctx, db.Pool)
	if err != nil {
		return err
	}
	if !status.Current() {
		return fmt.Errorf("the database is at version %d and this binary needs %d; run: purser migrate", status.Applied, status.Latest)
	}
	return do(db.Pool)
}

// catalogFlags say what is sold.
type catalogFlags struct {
	Catalog string `env:"PURSER_CATALOG" placeholder:"FILE" help:"The catalogue of plans and packs; the word demo is that of the demo."`
}

// demoCatalog is the word that names the demo's catalogue, which is no file.
const demoCatalog = "demo"

func (f catalogFlags) load() (*billing.Catalog, error) {
	if f.Catalog == "" {
		return nil, usage("set PURSER_CATALOG (the file with your plans and packs; plans.example.yaml is one)")
	}
	if f.Catalog == demoCatalog {
		return billing.DemoCatalog(), nil
	}
	return billing.LoadCatalog(f.Catalog)
}

// stripeFlags say how Stripe is reached.
type stripeFlags struct {
	StripeKey secret `name:"stripe-key" env:"PURSER_STRIPE_KEY" placeholder:"KEY" help:"A secret or restricted key of Stripe. Its prefix tells live from test mode."`
	StripeURL string `name:"stripe-url" env:"PURSER_STRIPE_URL" placeholder:"URL" help:"A local Stripe instead of Stripe's own address. Refused with a live key."`
	Portal    string `name:"stripe-portal" env:"PURSER_STRIPE_PORTAL" placeholder:"ID" help:"The configuration of Stripe's billing portal, as purser stripe setup makes it (bpc_…). Default: the account's own default."`
	Invoices  bool   `name:"stripe-invoices" env:"PURSER_STRIPE_INVOICES" default:"true" negatable:"" help:"Have Stripe write an invoice of each pack that is bought on its page; Stripe takes a fee for it."`
}

// check gives what is missing or wrong.
func (f stripeFlags) check() []string {
	key := strings.TrimSpace(f.StripeKey.reveal())
	switch {
	case key == "":
		return []string{"set PURSER_STRIPE_KEY (a secret or restricted key of Stripe: sk_… or rk_…)"}
	case f.StripeURL != "" && strings.Contains(key, "_live_"):
		return []string{"unset PURSER_STRIPE_URL (it is for a local Stripe, and PURSER_STRIPE_KEY is a live key)"}
	case f.Portal != "" && !strings.HasPrefix(f.Portal, "bpc_"):
		return []string{"set PURSER_STRIPE_PORTAL to a configuration of the billing portal (bpc_…), or to nothing"}
	}
	return nil
}

// pages are the origins of Stripe's pages; none: Stripe's own.
func (f stripeFlags) pages() []string {
	if u, err := url.Parse(f.StripeURL); err == nil && u.Host != "" {
		return []string{u.Scheme + "://" + u.Host}
	}
	return nil
}

func (f stripeFlags) client(p *program, logger *slog.Logger) (*stripeapi.Client, error) {
	client, err := stripeapi.New(stripeapi.Config{Key: f.StripeKey.reveal(), BaseURL: f.StripeURL, Portal: f.Portal, WithoutInvoices: !f.Invoices, Now: p.now, Logger: logger})
	if err != nil {
		return nil, usage("PURSER_STRIPE_KEY or PURSER_STRIPE_URL is wrong: %v", err)
	}
	return client, nil
}

// listenFlags say where the service listens.
type listenFlags struct {
	Listen string `env:"PURSER_LISTEN" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where the service listens: for Stripe at /webhooks/stripe, and at /healthz and /readyz."`
}

// scheduleFlags say how often each sweep looks what is due.
type scheduleFlags struct {
	ScheduleSettle     string `env:"PURSER_SCHEDULE_SETTLE" default:"${settle}" placeholder:"CRON" help:"When to look for months that turn or begin, and for lots and holds that end."`
	ScheduleEvents     string `env:"PURSER_SCHEDULE_EVENTS" default:"${events}" placeholder:"CRON" help:"When to look in Stripe's event list for events that never came."`
	SchedulePurchases  string `env:"PURSER_SCHEDULE_PURCHASES" default:"${purchases}" placeholder:"CRON" help:"When to ask Stripe about purchases that no event told of."`
	ScheduleTopUps     string `env:"PURSER_SCHEDULE_TOP_UPS" default:"${top_ups}" placeholder:"CRON" help:"When to look for automatic top-ups whose time has come."`
	ScheduleExpiring   string `env:"PURSER_SCHEDULE_EXPIRING" default:"${expiring}" placeholder:"CRON" help:"When to look for credits that end in a week or a day, to tell of them."`
	ScheduleUnmapped   string `env:"PURSER_SCHEDULE_UNMAPPED" default:"${unmapped}" placeholder:"CRON" help:"When to look at subscriptions again whose price the catalogue didn't know."`
	SchedulePartitions string `env:"PURSER_SCHEDULE_PARTITIONS" default:"${partitions}" placeholder:"CRON" help:"When to make the inbox's coming months, and to drop those that are old enough."`
	ScheduleReconcile  string `env:"PURSER_SCHEDULE_RECONCILE" default:"${reconcile}" placeholder:"CRON" help:"When to compare everything with Stripe and mend what differs."`
}

func (f scheduleFlags) schedules() worker.Schedules {
	return worker.Schedules{
		Settle: f.ScheduleSettle, Events: f.ScheduleEvents, Purchases: f.SchedulePurchases, TopUps: f.ScheduleTopUps, Expiring: f.ScheduleExpiring,
		Unmapped: f.ScheduleUnmapped, Partitions: f.SchedulePartitions, Reconcile: f.ScheduleReconcile,
	}
}

// check gives every schedule that can't be read or never comes. A process that works no
// jobs checks them too: the next one may.
func (f scheduleFlags) check() []string {
	var wrong []string
	for _, s := range []struct{ name, spec string }{
		{"SETTLE", f.ScheduleSettle}, {"EVENTS", f.ScheduleEvents}, {"PURCHASES", f.SchedulePurchases},
		{"TOP_UPS", f.ScheduleTopUps}, {"EXPIRING", f.ScheduleExpiring}, {"UNMAPPED", f.ScheduleUnmapped}, {"PARTITIONS", f.SchedulePartitions},
		{"RECONCILE", f.ScheduleReconcile},
	} {
		if _, err := worker.ParseSchedule(s.spec); err != nil {
			wrong = append(wrong, fmt.Sprintf("set PURSER_SCHEDULE_%s to a cron expression such as */5 * * * * (%v)", s.name, err))
		}
	}
	return wrong
}

// logFlags say what a service writes about its work.
type logFlags struct {
	LogFormat string `env:"PURSER_LOG_FORMAT" enum:"json,text" default:"json" help:"json or text."`
	LogLevel  string `env:"PURSER_LOG_LEVEL" enum:"debug,info,warn,error" default:"info" help:"debug, info, warn or error."`
}

func (f logFlags) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.LogLevel)) // the enum lets no other word through
	opts := &slog.HandlerOptions{Level: level}
	if f.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

// logger is what a command other than a service logs with. What goes wrong in it comes
// back as its error, so that the log has little to add.
func (p *program) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(p.err, &slog.HandlerOptions{Level: slog.LevelError}))
}

// accountFlags name the team or the user whose credits are meant.
type accountFlags struct {
	Team string `placeholder:"ID" help:"The team whose credits are meant."`
	User string `placeholder:"ID" help:"The user whose personal credits are meant."`
}

// check gives an error unless exactly one is named.
func (f accountFlags) check() error {
	if (f.Team == "") == (f.User == "") {
		return usage("name either a team or a user: --team ID or --user ID")
	}
	return nil
}

// readOnly runs do in one snapshot of the database.
func readOnly(ctx context.Context, db *pgxpool.Pool, do func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, db, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, do)
}

// wrongSettings makes one error of all that is missing or wrong, so that nobody has to
// start five times to learn of five settings.
func wrongSettings(wrong ...[]string) error {
	var all []string
	for _, w := range wrong {
		all = append(all, w...)
	}
	if len(all) == 0 {
		return nil
	}
	return &usageError{what: strings.Join(all, "; ")}
}
