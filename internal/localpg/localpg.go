// Package localpg answers where the ledger lives when nobody named a database:
// in a private PostgreSQL that this process starts from binaries found on the
// machine, in a directory of its own, reachable through a unix socket only.
//
// # What is promised
//
// Nothing is downloaded and nothing is deleted. A directory that another major
// version wrote is refused and left as it is. Commits are durable unless
// Settings say otherwise.
//
// # Who runs the server
//
// The process that holds the lock on the directory owns the server and starts
// it as its child; it holds the lock for as long as it lives. Any other process
// that calls Start on the same directory shares the running server. The server
// ends with its owner, even when the owner is killed with SIGKILL. Those who
// shared it then see their connections break (SQLSTATE 57P01, then refused
// connections), one of them gets the lock and starts the server again at the
// same socket, and the pools of all of them reconnect. So the end of an owner
// is a break of about a second, not the end of the others. Transactions that
// were open are lost, as after any restart of a server.
//
// # Where the socket is
//
// In the directory itself, or under /tmp where that path would be too long for
// a socket. Either way its folder belongs to the server's user and nobody else
// can enter it, which is why no password is asked for.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// superuser is the role that initdb creates and everybody connects as.
const superuser = "purser"

// port only names the socket file; no port is opened.
const port = "5432"

// startLimit ends the wait for a server that never gets ready. It leaves room
// for crash recovery, which replays up to a checkpoint's worth of log.
const startLimit = 2 * time.Minute

// Config says which server to start. Only Dir is required.
type Config struct {
	Dir            string            // created; as root its parents must let other users through
	BinDir         string            // where postgres and initdb are; empty means look for them
	Logger         *slog.Logger      // the server's own log goes here, most of it at debug level
	Settings       map[string]string // PostgreSQL settings that win over the defaults
	MaxConnections int               // 0 means 100
}

// Server is a running PostgreSQL, ours or another process's. Its methods may be
// called from several goroutines.
type Server struct {
	config   Config
	home     home
	account  account
	binaries binaries
	log      *slog.Logger

	mu     sync.Mutex
	lock   *os.File // held by the owner
	child  *child   // running while we own it
	quit   chan struct{}
	once   sync.Once
	kept   chan struct{} // closed when keep has returned
	ending error
}

// Start returns once the server accepts connections. Two processes may call it
// at once on an empty directory; one of them creates the data. ctx bounds the
// start only: the server runs until Stop, or until this process ends.
func Start(ctx context.Context, config Config) (*Server, error) {
	server, err := prepare(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("starting the local database: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := server.attach(ctx); err != nil {
		return nil, fmt.Errorf("starting the local database in %s: %w", server.home.dir, err)
	}
	go server.keep()
	return server, nil
}

// prepare settles the questions that need no running server: which directory,
// which user, which binaries.
func prepare(ctx context.Context, config Config) (*Server, error) {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	home, account, err := open(config.Dir)
	if err != nil {
		return nil, err
	}
	major, err := home.major()
	if err != nil {
		return nil, err
	}
	found, err := find(ctx, config.BinDir, account, major)
	if err != nil {
		return nil, err
	}
	return &Server{
		config: config, home: home, account: account, binaries: found, log: config.Logger,
		quit: make(chan struct{}), kept: make(chan struct{}),
	}, nil
}

// URL is what pgx connects with. The database need not exist yet; see
// EnsureDatabase. It stays valid when another process takes the server over.
func (s *Server) URL(database string) string {
	query := url.Values{
		"host": {s.home.sockets}, "port": {port}, "user": {superuser}, "sslmode": {"disable"},
	}
	// As libpq, pgx takes a plus sign for itself and not for a space.
	encoded := strings.ReplaceAll(query.Encode(), "+", "%20")
	return (&url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: encoded}).String()
}

// EnsureDatabase creates the database unless it exists. Any number of callers
// may ask for the same one at once.
func (s *Server) EnsureDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("connecting to create database %s: %w", name, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var exists bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, name).Scan(&exists)
	if err != nil {
		return fmt.Errorf("looking for database %s: %w", name, err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize()); err != nil && !alreadyThere(err) {
		return fmt.Errorf("creating database %s: %w", name, err)
	}
	return nil
}

// alreadyThere is true for the two ways in which the loser of a race to create
// a database learns of it: by name, or by the catalogue's unique index.
func alreadyThere(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42P04" || pg.Code == "23505")
}

// Shared is true while another process owns the server. It turns false when
// that process ends and this one takes the server over.
func (s *Server) Shared() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lock == nil
}

// Stop ends the server if this process owns it: open transactions are rolled
// back, commits are kept. A server that is shared goes on. Only the first call
// does anything; all return the same answer.
func (s *Server) Stop() error {
	s.once.Do(func() {
		close(s.quit)
		<-s.kept
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.lock == nil {
			return
		}
		if s.child != nil {
			s.ending = s.child.stop()
		}
		s.home.removeSockets()
		_ = s.lock.Close()
		s.lock, s.child = nil, nil
	})
	return s.ending
}

// DefaultDir is where a database goes when nobody said: /var/lib/purser for
// root, whose home no server user can enter, else purser in $XDG_DATA_HOME or
// ~/.local/share.
func DefaultDir() (string, error) {
	if syscall.Geteuid() == 0 {
		return "/var/lib/purser", nil
	}
	if data := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "purser"), nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("choosing a data directory: %w; name one", err)
	}
	return filepath.Join(user, ".local", "share", "purser"), nil
}
