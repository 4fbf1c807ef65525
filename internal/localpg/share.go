package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	lookEvery    = 50 * time.Millisecond  // while starting
	watchEvery   = 200 * time.Millisecond // while sharing
	retryEvery   = 2 * time.Second        // after a server that we own has failed
	previousGone = 30 * time.Second       // for the server of an owner that was killed
)

// attach gets to a server that answers: by owning the directory and starting
// one, or by sharing the one of the process that owns it.
func (s *Server) attach(ctx context.Context) error {
	for {
		owner, err := s.tryOwn(ctx)
		if err != nil || owner {
			return err
		}
		// Somebody else owns it, and may still be starting.
		if err = s.answers(ctx); err == nil {
			return s.home.checkSockets(s.account)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the server of the process that owns the directory: %w", errors.Join(ctx.Err(), err))
		case <-time.After(lookEvery):
		}
	}
}

// tryOwn takes the lock if it is free, and then starts the server.
func (s *Server) tryOwn(ctx context.Context) (bool, error) {
	lock, err := tryLock(s.home.lock, s.account)
	if err != nil || lock == nil {
		return false, err
	}
	child, err := s.serve(ctx)
	if err != nil {
		_ = lock.Close()
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lock, s.child = lock, child
	return true, nil
}

// tryLock returns nil without an error while another process holds the lock,
// which the kernel frees when that process ends.
func tryLock(path string, as account) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	if err := as.own(path); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("handing the lock to user %s: %w", as.name, err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	_ = file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("locking %s: %w", path, err)
}

// serve starts the server and returns once it answers. Call it with the lock held.
func (s *Server) serve(ctx context.Context) (*child, error) {
	major, err := s.home.major()
	if err != nil {
		return nil, err
	}
	if major == 0 {
		sync := s.config.Settings["fsync"] != "off"
		if err := s.home.create(ctx, s.binaries, s.account, sync); err != nil {
			return nil, err
		}
	} else if major != s.binaries.major {
		// Another process created it between our look and our lock.
		return nil, wrongMajor(major, []binaries{s.binaries})
	}
	if err := s.awaitPrevious(ctx); err != nil {
		return nil, err
	}
	if err := s.home.makeSockets(s.account); err != nil {
		return nil, err
	}
	child, err := launch(s.account, s.log, tie, s.binaries.postgres(), s.arguments()...)
	if err != nil {
		return nil, err
	}
	if err := s.awaitReady(ctx, child); err != nil {
		return nil, err
	}
	return child, nil
}

func (s *Server) arguments() []string {
	connections := s.config.MaxConnections
	if connections == 0 {
		connections = 100
	}
	settings := map[string]string{
		"listen_addresses":        "",
		"port":                    port,
		"unix_socket_permissions": "0700",
		"max_connections":         strconv.Itoa(connections),
		"shared_buffers":          "128MB",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"logging_collector":       "off",
		"log_destination":         "stderr",
		// Said aloud, so that a configuration file can't make a ledger forgetful.
		"fsync":              "on",
		"synchronous_commit": "on",
		"full_page_writes":   "on",
	}
	maps.Copy(settings, s.config.Settings)
	arguments := []string{"-D", s.home.data, "-k", s.home.sockets}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		arguments = append(arguments, "-c", name+"="+settings[name])
	}
	return arguments
}

// awaitReady asks until the server answers, has ended, or ctx has.
func (s *Server) awaitReady(ctx context.Context, child *child) error {
	for {
		err := s.answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-child.ended:
			return errors.Join(errors.New("the server ended while starting"), child.exit())
		case <-ctx.Done():
			_ = child.stop()
			return fmt.Errorf("waiting for the server: %w", errors.Join(ctx.Err(), err))
		case <-time.After(lookEvery / 5):
		}
	}
}

func (s *Server) answers(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return conn.Ping(ctx)
}

// awaitPrevious waits for the server of an owner that was killed: it is shutting
// down but still holds the data. Whether a server that doesn't end is really
// there is for PostgreSQL to say, which refuses to start beside another.
func (s *Server) awaitPrevious(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, previousGone)
	defer cancel()
	for {
		pid, sockets, err := s.home.postmaster()
		if err != nil {
			return err
		}
		if pid == 0 || !alive(pid, s.account) {
			return nil
		}
		if sockets != "" && sockets != s.home.sockets {
			return fmt.Errorf("another PostgreSQL server (process %d) runs on %s: stop it, or name it as the database to use",
				pid, s.home.data)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookEvery):
		}
	}
}

// postmaster reads who runs, or ran, on the data; 0 when nobody does.
func (h home) postmaster() (pid int, sockets string, err error) {
	content, err := os.ReadFile(filepath.Join(h.data, "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", fmt.Errorf("looking for a running server: %w", err)
	}
	// Line 1 is the process, line 5 the socket's folder. The file may be half
	// written, and what a crash left behind may be empty.
	lines := strings.Split(string(content), "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 0 {
		return 0, "", nil
	}
	if len(lines) > 4 {
		sockets = lines[4]
	}
	return pid, sockets, nil
}

// alive tells a running server from a file that a crash left behind and whose
// process id somebody else has by now, as far as the system lets us see.
func alive(pid int, as account) bool {
	if err := syscall.Kill(pid, 0); err != nil {
		return false // gone, or another user's and so not our server
	}
	owner, ok := ownerOf(filepath.Join("/proc", strconv.Itoa(pid)))
	return !ok || owner.uid == as.uid
}
