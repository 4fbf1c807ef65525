package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"purser/internal/localpg"
	"purser/migrations"
)

// startLimit covers initdb and the migrations on a machine that is busy with
// other test binaries.
const startLimit = 3 * time.Minute

// cluster is the server that this binary's databases live in.
type cluster struct {
	local   *localpg.Server // nil where PURSER_TEST_DATABASE_URL names a server
	dir     string
	admin   *pgxpool.Pool
	copying string // how to copy a template, after CREATE DATABASE … TEMPLATE
	url     func(database string) string

	template func() (string, error)        // the migrated database, made once
	shared   func() (*pgxpool.Pool, error) // what Tx uses, made once

	mu   sync.Mutex
	kept []string        // databases that outlive a single test
	pool []*pgxpool.Pool // pools that do
}

var (
	mu      sync.Mutex
	running *cluster
	failed  error
)

// start returns this binary's cluster, and starts it the first time. A failure
// is kept, so that not every test waits for it again.
func start() (*cluster, error) {
	mu.Lock()
	defer mu.Unlock()
	if running != nil || failed != nil {
		return running, failed
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	c := &cluster{}
	if failed = c.start(ctx); failed != nil {
		failed = errors.Join(fmt.Errorf("starting the test cluster: %w", failed), c.stop())
		return nil, failed
	}
	c.template = sync.OnceValues(c.migrate)
	c.shared = sync.OnceValues(c.share)
	running = c
	return c, nil
}

func (c *cluster) start(ctx context.Context) error {
	if named := os.Getenv("PURSER_TEST_DATABASE_URL"); named != "" {
		return c.use(ctx, named)
	}
	sweep()
	var err error
	if c.dir, err = makeDir(fast()); err != nil {
		return err
	}
	c.local, err = localpg.Start(ctx, localpg.Config{
		Dir:            c.dir,
		MaxConnections: 300,
		// The data is thrown away, so nothing need survive a power cut.
		Settings: map[string]string{
			"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
			"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "128MB",
			// Plans must not depend on whether a vacuum came by.
			"autovacuum": "off",
		},
	})
	if err != nil {
		return err
	}
	c.url = c.local.URL
	if c.admin, err = open(ctx, c.url("postgres")); err != nil {
		return err
	}
	var version int
	if err := c.admin.QueryRow(ctx, `SELECT current_setting('server_version_num')::integer`).Scan(&version); err != nil {
		return fmt.Errorf("asking the server's version: %w", err)
	}
	// Copying files beats writing all of the template to the log, where a
	// checkpoint costs nothing. Before version 15 there was no choice.
	if version >= 150000 {
		c.copying = ` STRATEGY file_copy`
	}
	return nil
}

// use takes a server that somebody else runs.
func (c *cluster) use(ctx context.Context, named string) error {
	parsed, err := url.Parse(named)
	if err != nil || !strings.HasPrefix(parsed.Scheme, "postgres") {
		return errors.New("PURSER_TEST_DATABASE_URL has to be a postgres:// URL")
	}
	c.url = func(database string) string {
		other := *parsed
		other.Path = "/" + database
		return other.String()
	}
	if c.admin, err = open(ctx, named); err != nil {
		return err
	}
	if err := c.admin.Ping(ctx); err != nil {
		return fmt.Errorf("reaching PURSER_TEST_DATABASE_URL: %w", err)
	}
	return nil
}

// create makes a database under a name that no other binary uses, even on a
// server that many of them share.
func (c *cluster) create(ctx context.Context, template string) (string, error) {
	name := "purser_test_" + strings.ToLower(rand.Text())
	statement := `CREATE DATABASE ` + name
	if template != "" {
		statement += ` TEMPLATE ` + template + c.copying
	}
	if _, err := c.admin.Exec(ctx, statement); err != nil {
		return "", fmt.Errorf("creating a test database: %w", err)
	}
	return name, nil
}

func (c *cluster) drop(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, cleanupLimit)
	defer cancel()
	if _, err := c.admin.Exec(ctx, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
		return fmt.Errorf("dropping a test database: %w", err)
	}
	return nil
}

// migrate makes the database that the others are copied from.
func (c *cluster) migrate() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	name, err := c.keep(ctx, "")
	if err != nil {
		return "", err
	}
	// A database can be copied only while nobody is connected to it.
	pool, err := open(ctx, c.url(name))
	if err != nil {
		return "", err
	}
	defer pool.Close()
	if err := migrations.Up(ctx, pool); err != nil {
		return "", fmt.Errorf("migrating the test template: %w", err)
	}
	return name, nil
}

// share makes the database that Tx works in.
func (c *cluster) share() (*pgxpool.Pool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	template, err := c.template()
	if err != nil {
		return nil, err
	}
	name, err := c.keep(ctx, template)
	if err != nil {
		return nil, err
	}
	pool, err := open(context.WithoutCancel(ctx), c.url(name))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pool = append(c.pool, pool)
	return pool, nil
}

// keep creates a database that goes when the binary ends.
func (c *cluster) keep(ctx context.Context, template string) (string, error) {
	name, err := c.create(ctx, template)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = append(c.kept, name)
	return name, nil
}

// stop ends what start began, if it did.
func stop() error {
	mu.Lock()
	defer mu.Unlock()
	if running == nil {
		return nil
	}
	err := running.stop()
	running, failed = nil, errors.New("the test cluster has been stopped")
	return err
}

// stop drops databases on somebody else's server; a cluster of ours goes whole.
func (c *cluster) stop() error {
	var problems []error
	for _, pool := range c.pool {
		pool.Reset() // not Close, which waits for tests that gave nothing back
	}
	if c.local == nil && c.admin != nil {
		for _, name := range c.kept {
			problems = append(problems, c.drop(context.Background(), name))
		}
	}
	if c.admin != nil {
		c.admin.Close()
	}
	if c.local != nil {
		problems = append(problems, c.local.Stop())
	}
	if c.dir != "" {
		problems = append(problems, os.RemoveAll(c.dir))
	}
	return errors.Join(problems...)
}
