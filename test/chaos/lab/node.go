package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/volume"
)

// Node is one milena process with a machine of its own: a network namespace, and a disk.
type Node struct {
	ID     int
	Role   Role
	Dir    string // configuration, log and where the volume is mounted
	Volume *volume.Volume

	space   string // network namespace
	metrics string
	argv    []string

	mu      sync.Mutex
	cmd     *exec.Cmd
	exited  chan struct{}
	wanted  bool // to run
	strange error
}

// Data is its log directory.
func (n *Node) Data() string { return filepath.Join(n.Dir, "disk", "data") }

// Log is the file with what it printed.
func (n *Node) Log() string { return filepath.Join(n.Dir, "log") }

// Start starts the process, and does not wait for it to serve.
func (n *Node) Start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd != nil {
		return fmt.Errorf("node %d already runs", n.ID)
	}
	out, err := os.OpenFile(n.Log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	// nsenter becomes the program, in the same process; "ip netns exec" would give it mounts of its own, which hold volumes.
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + n.space}, n.argv...)...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), "GOTRACEBACK=all")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := broker.StartTied(cmd); err != nil {
		return err
	}
	exited := make(chan struct{})
	n.cmd, n.exited, n.wanted = cmd, exited, true
	go func() {
		_ = cmd.Wait() // the state is in cmd
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.wanted && n.strange == nil {
			n.strange = fmt.Errorf("node %d ended by itself: %v", n.ID, cmd.ProcessState)
		}
		n.cmd = nil
		close(exited)
	}()
	return nil
}

// Runs reports whether the process is there.
func (n *Node) Runs() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cmd != nil
}

// Strange is an end that nobody asked for.
func (n *Node) Strange() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.strange
}

// signal sends a signal, and says that the process may end where ends is set; wait is closed when it has.
func (n *Node) signal(s syscall.Signal, ends bool) (wait <-chan struct{}, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if ends {
		n.wanted = false
	}
	if n.cmd == nil {
		gone := make(chan struct{})
		close(gone)
		return gone, nil
	}
	if err := n.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return nil, err
	}
	return n.exited, nil
}

// Kill is kill -9; it returns when the process is gone.
func (n *Node) Kill() error { return n.end(syscall.SIGKILL) }

// Stop is a clean stop.
func (n *Node) Stop() error { return n.end(syscall.SIGTERM) }

// Dump ends it with the stacks of all goroutines in its log.
func (n *Node) Dump() error { return n.end(syscall.SIGQUIT) }

// endsWithin bounds the end of a process. It is a bound on a hang, not a measurement.
const endsWithin = 3 * time.Minute

// end sends a signal that ends the process, and waits until it is gone. One that hangs is ended with its stacks in its log.
func (n *Node) end(s syscall.Signal) error {
	wait, err := n.signal(s, true)
	if err != nil {
		return err
	}
	late := time.NewTimer(endsWithin)
	defer late.Stop()
	select {
	case <-wait:
		return nil
	case <-late.C:
	}
	if s != syscall.SIGQUIT {
		return errors.Join(fmt.Errorf("node %d goes on %v after %v; its log has its stacks", n.ID, endsWithin, s), n.Dump())
	}
	return errors.Join(fmt.Errorf("node %d goes on %v after %v", n.ID, endsWithin, s), n.Kill())
}

// Pause lets it stand still until Continue.
func (n *Node) Pause() error { return n.only(syscall.SIGSTOP) }

// Continue lets it go on.
func (n *Node) Continue() error { return n.only(syscall.SIGCONT) }

func (n *Node) only(s syscall.Signal) error {
	_, err := n.signal(s, false)
	return err
}

// halt stops all its threads for good: what comes is the end of its power.
func (n *Node) halt() error {
	n.mu.Lock()
	pid := 0
	if n.cmd != nil {
		pid = n.cmd.Process.Pid
	}
	n.wanted = false
	n.mu.Unlock()
	if pid == 0 {
		return nil
	}
	return volume.Halt(pid)
}

// Measure writes its metrics to beside its log, as far as it tells any.
func (n *Node) Measure() error {
	client := http.Client{Timeout: 2 * time.Second}
	answer, err := client.Get(n.metrics)
	if err != nil {
		return os.WriteFile(filepath.Join(n.Dir, "metrics"), []byte(err.Error()+"\n"), 0o644)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return errors.Join(err, os.WriteFile(filepath.Join(n.Dir, "metrics"), text, 0o644))
}

// Keep copies what is on its disk to beside its log: the disk goes with the lab.
func (n *Node) Keep() error {
	if err := n.Kill(); err != nil {
		return err
	}
	if _, err := os.Stat(n.Data()); err != nil {
		return nil // it has written nothing, or its power is off
	}
	return os.CopyFS(filepath.Join(n.Dir, "kept"), os.DirFS(n.Data()))
}

// Printed is how many bytes it has printed so far.
func (n *Node) Printed() (int64, error) {
	info, err := os.Stat(n.Log())
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Tells returns an error unless it has printed a text, after its first so many bytes.
func (n *Node) Tells(after int64, text string) error {
	log, err := os.ReadFile(n.Log())
	if err == nil && !bytes.Contains(log[min(after, int64(len(log))):], []byte(text)) {
		err = fmt.Errorf("node %d doesn't tell %q", n.ID, text)
	}
	return err
}

// Said returns what it printed that no working process prints.
func (n *Node) Said() ([]string, error) {
	text, err := os.ReadFile(n.Log())
	if err != nil {
		return nil, err
	}
	var out []string
	for _, sign := range []string{"panic: ", "fatal error: ", "WARNING: DATA RACE"} {
		if at := bytes.Index(text, []byte("\n"+sign)); at >= 0 {
			out = append(out, fmt.Sprintf("node %d: %s", n.ID, text[at+1:min(len(text), at+1500)]))
		}
	}
	return out, nil
}
