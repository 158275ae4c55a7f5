package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bareArg is the first argument of this program when it is a bare loop.
const bareArg = "bare-loop"

// bareProcess is a loop of package bare in a process of its own, on the broker's core.
type bareProcess struct {
	cmd  *exec.Cmd
	in   io.Closer
	addr string
}

func bareCommand(cpus string, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	argv := append([]string{self, bareArg}, args...)
	if cpus != "" {
		argv = append([]string{"taskset", "-c", cpus}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	return cmd, nil
}

func startBare(cpus string, args ...string) (*bareProcess, error) {
	cmd, err := bareCommand(cpus, args...)
	if err != nil {
		return nil, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &bareProcess{cmd: cmd, in: in}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("a bare loop did not start: %w", err)
	}
	p.addr = strings.TrimSpace(addr)
	return p, nil
}

func (p *bareProcess) pid() int { return p.cmd.Process.Pid }

func (p *bareProcess) stop() {
	p.in.Close()
	_ = p.cmd.Wait()
}

// bareSyncs runs the loop that writes and syncs, and returns its times, sorted.
func bareSyncs(cpus, dir string, size, times int) ([]time.Duration, error) {
	cmd, err := bareCommand(cpus, "sync", dir, strconv.Itoa(size), strconv.Itoa(times))
	if err != nil {
		return nil, err
	}
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	took := make([]time.Duration, 0, times)
	for line := range bytes.Lines(out) {
		n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
		if err != nil {
			return nil, err
		}
		took = append(took, time.Duration(n))
	}
	slices.Sort(took)
	return took, nil
}
