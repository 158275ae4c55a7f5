package main

import (
	"os/exec"
	"runtime"
	"syscall"
)

// tie makes the kernel kill the child with this process. The signal belongs to the thread that starts the child, so
// the caller's thread is kept: every kcat is started from the main goroutine.
func tie(cmd *exec.Cmd) {
	runtime.LockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
