package localpg

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the system user that the server runs as. PostgreSQL refuses to run
// as root, so root steps down.
type account struct {
	uid, gid int
	name     string
	dropped  bool // we are root and the server is not
}

// accountFor picks the user. As root an existing data directory decides, so
// that root may open what a user created; else it is postgres, which the
// packages create, else nobody.
func accountFor(data string) (account, error) {
	if uid := os.Geteuid(); uid != 0 {
		return account{uid: uid, gid: os.Getegid(), name: strconv.Itoa(uid)}, nil
	}
	if owner, ok := ownerOf(data); ok && owner.uid != 0 {
		return owner, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(found.Uid)
		gid, gidErr := strconv.Atoi(found.Gid)
		if uidErr != nil || gidErr != nil || uid == 0 {
			continue
		}
		return account{uid: uid, gid: gid, name: name, dropped: true}, nil
	}
	return account{}, fmt.Errorf("PostgreSQL won't run as root and there is no user postgres or nobody to run it as")
}

func ownerOf(path string) (account, bool) {
	info, err := os.Lstat(path)
	if err != nil {
		return account{}, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return account{}, false
	}
	uid := int(stat.Uid)
	return account{uid: uid, gid: int(stat.Gid), name: strconv.Itoa(uid), dropped: true}, true
}

// attributes makes a child run as this account, in a process group of its own
// so that Ctrl-C reaches us alone and we decide when the server ends.
func (a account) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if a.dropped {
		attributes.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attributes
}

// own hands a file to the account; for a normal user it is so already.
func (a account) own(path string) error {
	if !a.dropped {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

// reach checks that the account may walk to dir, since otherwise the server
// fails with a message that names the wrong cause. Only the search bits are
// looked at; an access list can say otherwise, hence the check is for root's
// case alone, where we know that the two users differ.
func (a account) reach(dir string) error {
	if !a.dropped {
		return nil
	}
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return fmt.Errorf("looking at %s: %w", at, err)
		}
		if !a.mayEnter(info) {
			return fmt.Errorf("the server runs as user %s, which may not enter %s: run \"chmod a+x %s\" or choose another directory",
				a.name, at, at)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// letIn opens our own directory to the account where a strict umask closed it;
// the directories above it are not ours to change.
func (a account) letIn(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("looking at %s: %w", dir, err)
	}
	if !a.dropped || a.mayEnter(info) {
		return nil
	}
	if err := os.Chmod(dir, info.Mode().Perm()|0o011); err != nil {
		return fmt.Errorf("letting user %s into %s: %w", a.name, dir, err)
	}
	return nil
}

func (a account) mayEnter(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	mode := info.Mode().Perm()
	switch {
	case !ok:
		return true
	case int(stat.Uid) == a.uid:
		return mode&0o100 != 0
	case int(stat.Gid) == a.gid:
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}
