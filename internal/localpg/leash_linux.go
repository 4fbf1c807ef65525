package localpg

import (
	"os/exec"
	"syscall"
)

// tie makes the command end when we do, however we end: the kernel signals it
// when the thread that forked it is gone. SIGINT asks for a fast shutdown.
func tie(command *exec.Cmd) (release func(), err error) {
	command.SysProcAttr.Pdeathsig = syscall.SIGINT
	return func() {}, nil
}
