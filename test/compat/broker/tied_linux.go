package broker

import (
	"os/exec"
	"runtime"
	"syscall"
)

// StartTied starts cmd so that the kernel kills it when this process is gone, however it went: a suite that is itself
// killed must not leave a broker behind. The signal is tied to the thread that forks, so the thread must live as long
// as the process: one goroutine keeps its thread for ever and does all the starting.
func StartTied(cmd *exec.Cmd) error {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	done := make(chan error)
	starts <- start{cmd, done}
	return <-done
}

type start struct {
	cmd  *exec.Cmd
	done chan error
}

var starts = func() chan start {
	todo := make(chan start)
	go func() {
		runtime.LockOSThread()
		for s := range todo {
			s.done <- s.cmd.Start()
		}
	}()
	return todo
}()
