package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// oldest is the first version that River's own tests and ours cover.
const oldest = 14

// ErrNotInstalled means that no usable PostgreSQL server was found. The error
// that wraps it says what to install.
var ErrNotInstalled = errors.New("no PostgreSQL server found on this machine")

// install is for people: what to type on the systems we know.
const install = `Install PostgreSQL 14 or newer (only its programs are used, no service needs to run):
  Debian, Ubuntu:  apt-get install --no-install-recommends postgresql
  Fedora, RHEL:    dnf install postgresql-server
  macOS:           brew install postgresql
or name a database of your own, or the folder that holds postgres and initdb.`

// places are where packages put server binaries outside of PATH.
var places = []string{
	"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                                   // PostgreSQL's own packages for Fedora and RHEL
	"/usr/bin",                                           // Fedora, Arch
	"/usr/libexec/postgresql*",                           // Alpine
	"/usr/local/pgsql/bin",                               // built from source
	"/usr/local/bin",                                     // FreeBSD
	"/opt/homebrew/opt/postgresql*/bin",                  // Homebrew on Apple silicon
	"/usr/local/opt/postgresql*/bin",                     // Homebrew on Intel
	"/opt/local/lib/postgresql*/bin",                     // MacPorts
	"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
}

// binaries is a folder with postgres and initdb of one version.
type binaries struct {
	dir          string
	major, minor int
}

func (b binaries) postgres() string { return filepath.Join(b.dir, "postgres") }
func (b binaries) initdb() string   { return filepath.Join(b.dir, "initdb") }
func (b binaries) String() string   { return fmt.Sprintf("%d.%d in %s", b.major, b.minor, b.dir) }

// find returns the newest binaries that the account can run; where data exists
// already, the newest of its major version, since no other can read it.
func find(ctx context.Context, only string, as account, major int) (binaries, error) {
	dirs := candidates(ctx)
	if only != "" {
		dirs = []string{only}
	}
	var usable []binaries
	for _, dir := range dirs {
		if found, ok := probe(ctx, dir, as); ok && found.major >= oldest {
			usable = append(usable, found)
		}
	}
	if len(usable) == 0 {
		if only != "" {
			return binaries{}, fmt.Errorf("%w: looked in %s\n%s", ErrNotInstalled, only, install)
		}
		return binaries{}, fmt.Errorf("%w\n%s", ErrNotInstalled, install)
	}
	slices.SortStableFunc(usable, func(a, b binaries) int {
		return 1000*(b.major-a.major) + b.minor - a.minor
	})
	if major == 0 {
		return usable[0], nil
	}
	for _, found := range usable {
		if found.major == major {
			return found, nil
		}
	}
	return binaries{}, wrongMajor(major, usable)
}

func wrongMajor(major int, usable []binaries) error {
	names := make([]string, len(usable))
	for i, found := range usable {
		names[i] = found.String()
	}
	return fmt.Errorf("the data was written by PostgreSQL %d, but this machine has only %s; "+
		"the data is left as it is: install PostgreSQL %d, or upgrade the data with pg_upgrade or a dump",
		major, strings.Join(names, " and "), major)
}

// candidates lists folders that hold a server, each once. PATH may hold links to
// it, or a pg_config that came without one, so links are followed and what
// pg_config says is looked at.
func candidates(ctx context.Context) []string {
	var dirs []string
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	if path, err := exec.LookPath("pg_config"); err == nil {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if output, err := exec.CommandContext(ctx, path, "--bindir").Output(); err == nil {
			dirs = append(dirs, strings.TrimSpace(string(output)))
		}
	}
	for _, place := range places {
		matches, err := filepath.Glob(place)
		if err == nil { // only a malformed pattern is an error, and ours are constants
			dirs = append(dirs, matches...)
		}
	}
	var once []string
	for _, dir := range dirs {
		server, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		if dir = filepath.Dir(server); err == nil && !slices.Contains(once, dir) {
			once = append(once, dir)
		}
	}
	return once
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)(?:\.(\d+))?`)

// probe asks the binaries themselves, as the user who will run them: a folder
// below a home that this user can't enter is no use.
func probe(ctx context.Context, dir string, as account) (binaries, bool) {
	found := binaries{dir: dir}
	for _, file := range []string{found.postgres(), found.initdb()} {
		if info, err := os.Stat(file); err != nil || info.IsDir() {
			return binaries{}, false
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	output, err := run(ctx, as, found.postgres(), "--version")
	if err != nil {
		return binaries{}, false
	}
	match := versionLine.FindStringSubmatch(output)
	if match == nil {
		return binaries{}, false
	}
	found.major, _ = strconv.Atoi(match[1])
	found.minor, _ = strconv.Atoi(match[2]) // a beta has none, and counts as 0
	return found, true
}
