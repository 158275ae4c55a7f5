package kill

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/suite"
)

// injector is an strace at work: the kernel itself answers some system calls of a process with an error.
type injector struct {
	cmd  *exec.Cmd
	log  string
	gone chan struct{} // it has ended: it was told to, or its process has
}

// strace is the command, with leave to trace and to tamper; the error is a skip with its reason.
func strace(args ...string) (*exec.Cmd, error) {
	program, err := broker.Install("strace")
	if err != nil {
		return nil, suite.Skip("there is no strace here: %v", err)
	}
	cmd := exec.Command(program, args...)
	if dir := broker.Libraries(program); dir != "" {
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+dir)
	}
	return cmd, nil
}

// canInject tries it.
func canInject() error {
	cmd, err := strace("-e", "inject=getpid:error=EPERM", "true")
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return suite.Skip("strace may not trace here: %v: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// inject attaches to every thread of a process. rule is as in strace -e inject; the counts in it are of each thread.
func inject(pid int, rule, log string) (*injector, error) {
	call, _, _ := strings.Cut(rule, ":")
	cmd, err := strace("-f", "-qq", "-o", log, "-p", strconv.Itoa(pid), "-e", "trace="+call, "-e", "inject="+rule)
	if err != nil {
		return nil, err
	}
	// With -qq it says nothing once it is attached: that it is the kernel tells.
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	i := &injector{cmd: cmd, log: log, gone: make(chan struct{})}
	var said bytes.Buffer
	go func() {
		_, _ = io.Copy(&said, stderr)
		_ = cmd.Wait()
		close(i.gone)
	}()
	err = eventually("every thread is traced", func() (bool, error) {
		select {
		case <-i.gone:
			return false, fmt.Errorf("strace: %s", bytes.TrimSpace(said.Bytes()))
		default:
			return traced(pid, cmd.Process.Pid)
		}
	})
	if err != nil {
		i.stop()
	}
	return i, err
}

// traced reports whether all threads of a process have a tracer.
func traced(pid, tracer int) (bool, error) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, t := range threads {
		status, err := os.ReadFile(dir + "/" + t.Name() + "/status")
		if err == nil && !strings.Contains(string(status), fmt.Sprintf("TracerPid:\t%d\n", tracer)) {
			return false, nil
		}
	}
	return true, nil
}

// stop lets the process go on untraced.
func (i *injector) stop() {
	_ = i.cmd.Process.Signal(syscall.SIGINT) // it may have ended
	<-i.gone
}

// hits counts the calls that were tampered with.
func (i *injector) hits() (n int, err error) {
	f, err := os.Open(i.log)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "(INJECTED)") || strings.Contains(lines.Text(), "(DELAYED)") {
			n++
		}
	}
	return n, lines.Err()
}
