package kill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/offline"
	"github.com/milena-io/milena/test/compat/suite"
)

// powerCuts runs the broker on a small ext4 file system and cuts its power, again and again, with requests in flight: what
// was not synced is gone with the page cache, as the kernel and its journal leave it. Each cut is judged.
func powerCuts(ctx context.Context, s *suite.Session) error {
	n, err := asked("POWERCUTS", 20)
	if err != nil {
		return err
	}
	disk, err := newVolume(filepath.Join(s.Dir, "volume"), filepath.Join(s.Dir, "broker", "data"))
	if err != nil {
		s.Case("a file system whose power can be cut", func() error { return suite.Skip("%v", err) })
		return nil
	}
	defer func() { _ = disk.close() }()
	node, err := newNode(s)
	if err != nil {
		return err
	}
	defer node.Kill9() // before the volume goes
	return survive(ctx, s, node, end{name: "a power cut", times: n, acks: 200, judge: 1, read: offline.ReadCut, come: func() error {
		return cutPower(node, disk)
	}})
}

// cutPower ends the process and the file system under it, and boots the latter. The process is stopped first: a sync that is
// under way when ext4 is shut down may answer success (in 3 of 89 cuts of a bare loop of write and fdatasync), and on a machine
// without power nobody would be left to acknowledge anything.
func cutPower(node broker.Broker, disk *volume) error {
	if err := halt(node.Pid()); err != nil {
		return err
	}
	if err := errors.Join(disk.cut(), node.Kill9()); err != nil {
		return err
	}
	return disk.restore()
}

// halt stops a process and returns when none of its threads can run any more: a signal is taken when a thread gets a processor,
// which on a busy machine is not at once. A thread inside an uninterruptible call stops before it is back from it.
func halt(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		if errors.Is(err, syscall.ESRCH) {
			return nil
		}
		return err
	}
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil {
			return err
		}
		stopped, runs := false, ""
		for _, path := range tasks {
			stat, err := os.ReadFile(path)
			if err != nil {
				continue // the thread has ended
			}
			// The state follows the name, which stands in parentheses.
			switch state := stat[bytes.LastIndexByte(stat, ')')+2]; state {
			case 'T':
				stopped = true
			case 'D', 'Z', 'X':
			default:
				runs = path
			}
		}
		if len(tasks) == 0 || stopped && runs == "" {
			return nil
		}
		if time.Since(begin) > 10*time.Second {
			return fmt.Errorf("process %d does not stop: %s", pid, runs)
		}
	}
}
