package localpg

import (
	"fmt"
	"os"
	"os/exec"
)

// watch runs the command and beside it a reader of descriptor 3, whose other end
// only we hold. When we are gone, however we went, the reader meets the end of
// the file and asks the command for a fast shutdown.
const watch = `trap '' INT QUIT
"$@" 3<&- &
server=$!
{ cat <&3; kill -INT $server; } >/dev/null 2>&1 &
watcher=$!
wait $server
status=$?
kill $watcher 2>/dev/null
exit $status`

// tieWithShell is the leash for systems without a parent's death signal. It
// lacks one thing: whoever kills that shell with SIGKILL leaves the server
// running, until the next Start on its directory reports it.
func tieWithShell(command *exec.Cmd) (release func(), err error) {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("opening a pipe: %w", err)
	}
	command.ExtraFiles = []*os.File{theirs} // descriptor 3
	command.Args = append([]string{"sh", "-c", watch, "sh", command.Path}, command.Args[1:]...)
	command.Path = "/bin/sh"
	return func() {
		_ = theirs.Close()
		_ = ours.Close()
	}, nil
}
