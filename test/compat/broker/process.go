package broker

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// stopWithin bounds a clean stop. It is a bound on a hang, not a measurement.
const stopWithin = 90 * time.Second

// process is one child with its output in a file. It dies with the test process, also when that one is killed.
type process struct {
	name string
	argv []string
	cpus string
	env  []string
	logs string

	cmd    *exec.Cmd
	began  time.Time     // of the last start
	exited chan struct{} // closed after the child was reaped; cmd.ProcessState is valid then
}

func (p *process) start() error {
	if p.cmd != nil {
		return fmt.Errorf("%s: already running", p.name)
	}
	argv := p.argv
	if p.cpus != "" {
		argv = append([]string{"taskset", "-c", p.cpus}, argv...)
	}
	out, err := os.OpenFile(p.logs, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), p.env...)
	// A group of its own keeps a Ctrl-C at the terminal away from the broker, so that the suite decides how it ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.began = time.Now()
	if err := StartTied(cmd); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	p.cmd, p.exited = cmd, exited
	return nil
}

func (p *process) pid() int {
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// stop sends SIGTERM and waits. clean lists the exit statuses that mean a clean stop.
func (p *process) stop(clean ...int) error {
	if p.cmd == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
	case <-time.After(stopWithin):
		_ = p.kill9()
		return fmt.Errorf("%s: did not stop within %s of SIGTERM\n%s", p.name, stopWithin, tail(p.logs))
	}
	status := p.cmd.ProcessState.ExitCode()
	if ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		status = 128 + int(ws.Signal())
	}
	p.cmd = nil
	for _, ok := range clean {
		if status == ok {
			return nil
		}
	}
	return fmt.Errorf("%s: exit status %d after SIGTERM\n%s", p.name, status, tail(p.logs))
}

func (p *process) kill9() error {
	if p.cmd == nil {
		return nil
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.exited
	p.cmd = nil
	return nil
}

// tail is the last part of a log file, for an error message.
func tail(path string) string {
	const most = 4096
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if len(data) > most {
		data = data[len(data)-most:]
	}
	return string(data)
}
