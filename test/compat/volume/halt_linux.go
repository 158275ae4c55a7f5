package volume

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Halt stops a process and returns when none of its threads can run any more: a signal is taken when a thread gets a processor,
// which on a busy machine is not at once. A thread inside an uninterruptible call stops before it is back from it.
func Halt(pid int) error {
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
