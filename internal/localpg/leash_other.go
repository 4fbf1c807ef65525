//go:build unix && !linux

package localpg

import "os/exec"

// tie makes the command end when we do. There is no signal for a parent's death
// here, so a shell watches.
func tie(command *exec.Cmd) (release func(), err error) { return tieWithShell(command) }
