package localpg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// socketLimit is what macOS allows for a socket's path, less a little; Linux
// allows four bytes more.
const socketLimit = 100

// home is the directory and what lies in it.
type home struct {
	dir     string
	data    string // PostgreSQL's own
	lock    string
	sockets string // a folder, stable for this directory so that URLs stay valid
}

// open creates the directory, decides who the server runs as, and makes sure
// that this user gets there.
func open(dir string) (home, account, error) {
	if dir == "" {
		return home{}, account{}, errors.New("no data directory named")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return home{}, account{}, fmt.Errorf("resolving the data directory: %w", err)
	}
	// Others may pass but not list; what needs to be private in it is.
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return home{}, account{}, fmt.Errorf("creating the data directory: %w", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return home{}, account{}, fmt.Errorf("resolving the data directory: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "PG_VERSION")); err == nil {
		return home{}, account{}, fmt.Errorf("%s is itself a PostgreSQL data directory: name a directory of purser's own", dir)
	}
	data := filepath.Join(dir, "data")
	account, err := accountFor(data)
	if err != nil {
		return home{}, account, err
	}
	at := home{dir: dir, data: data, lock: filepath.Join(dir, "lock"), sockets: socketsOf(dir, account)}
	if err := account.letIn(dir); err != nil {
		return home{}, account, err
	}
	return at, account, account.reach(dir)
}

func socketsOf(dir string, account account) string {
	inside := filepath.Join(dir, "run")
	// PostgreSQL and pgx both read commas as lists, and quotes their own way.
	plain := !strings.ContainsAny(inside, `,"'`)
	if plain && len(filepath.Join(inside, ".s.PGSQL."+port)) <= socketLimit {
		return inside
	}
	sum := sha256.Sum256([]byte(dir))
	return fmt.Sprintf("/tmp/purser-%d-%s", account.uid, hex.EncodeToString(sum[:6]))
}

// major is the version that wrote the data, 0 where there is none yet.
func (h home) major() (int, error) {
	written, err := os.ReadFile(filepath.Join(h.data, "PG_VERSION"))
	if err == nil {
		major, err := strconv.Atoi(strings.TrimSpace(string(written)))
		if err != nil {
			return 0, fmt.Errorf("reading the version of %s: %w", h.data, err)
		}
		return major, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("reading the version of %s: %w", h.data, err)
	}
	entries, err := os.ReadDir(h.data)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("looking into %s: %w", h.data, err)
	}
	if len(entries) > 0 {
		return 0, fmt.Errorf("%s holds files but no PostgreSQL data; it is left as it is, name another directory", h.data)
	}
	return 0, nil
}

// create runs initdb in a folder beside the data and renames it when it is
// whole, so that a start that was interrupted never leaves half a database
// behind that looks like one. Call it with the lock held.
func (h home) create(ctx context.Context, with binaries, as account, sync bool) error {
	half, err := os.MkdirTemp(h.dir, "initdb-")
	if err != nil {
		return fmt.Errorf("creating the data directory: %w", err)
	}
	if err := as.own(half); err != nil {
		return fmt.Errorf("handing the data directory to user %s: %w", as.name, err)
	}
	// The C locale sorts the same on every machine and for ever; collations of
	// the system's library change with its version and break indexes.
	arguments := []string{"-D", half, "-U", superuser, "-E", "UTF8", "--locale=C", "--data-checksums",
		"--auth-local=trust", "--auth-host=reject"}
	if !sync {
		arguments = append(arguments, "--no-sync")
	}
	if output, err := run(ctx, as, with.initdb(), arguments...); err != nil {
		return fmt.Errorf("creating the database with %s: %w\n%s", with.initdb(), err, output)
	}
	if err := os.Rename(half, h.data); err != nil {
		return fmt.Errorf("putting the new database in place: %w", err)
	}
	return nil
}

// makeSockets makes sure that the socket's folder is the account's alone. In
// /tmp anybody could have made one of that name first, to listen in our place.
func (h home) makeSockets(as account) error {
	err := os.Mkdir(h.sockets, 0o700)
	if err == nil {
		err = as.own(h.sockets)
	} else if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("making the socket's folder: %w", err)
	}
	return h.checkSockets(as)
}

func (h home) checkSockets(as account) error {
	info, err := os.Lstat(h.sockets)
	if err != nil {
		return fmt.Errorf("looking at the socket's folder: %w", err)
	}
	owner, ok := ownerOf(h.sockets)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || !ok || owner.uid != as.uid {
		return fmt.Errorf("%s has to be a folder that only user %s may enter; it isn't, so remove it", h.sockets, as.name)
	}
	return nil
}

// removeSockets removes the folder if the server left it empty.
func (h home) removeSockets() { _ = os.Remove(h.sockets) }
