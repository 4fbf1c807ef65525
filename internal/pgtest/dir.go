package pgtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// dirPrefix is followed by the process's id, by which sweep knows whose it is.
const dirPrefix = "purser-test-"

// fast is where a cluster goes: in memory if there is plenty, since copying a
// database there takes a tenth of the time, else the usual place.
func fast() string {
	if roomy(memory) {
		return memory
	}
	return os.TempDir()
}

// memory is a file system in memory on most Linux systems. In containers it is
// often tiny, and elsewhere it isn't there.
const memory = "/dev/shm"

// makeDir makes a folder that others may pass, but not list: as root the server
// is one of those others.
func makeDir(in string) (string, error) {
	dir, err := os.MkdirTemp(in, dirPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return "", fmt.Errorf("making a folder for a test cluster: %w", err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", fmt.Errorf("opening the folder of a test cluster: %w", err)
	}
	return dir, nil
}

// sweep removes the folders of test binaries that were killed. One whose process
// id is in use again stays until a later sweep.
func sweep() {
	for _, in := range []string{memory, os.TempDir()} {
		found, err := filepath.Glob(filepath.Join(in, dirPrefix+"*"))
		if err != nil {
			continue // only a malformed pattern is an error
		}
		for _, dir := range found {
			owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
			pid, err := strconv.Atoi(owner)
			if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
				_ = os.RemoveAll(dir) // another user's folder stays, as it should
			}
		}
	}
}
