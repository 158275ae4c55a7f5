package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// cores says where broker and client run.
type cores struct {
	broker, client string // taskset lists, "" when there is only one core
	all            string // what several brokers share
}

// pin binds this process, the client, to the second half of the cores and leaves the first to the broker.
func pin() (cores, error) {
	n := runtime.NumCPU()
	if n < 2 {
		return cores{}, nil
	}
	c := cores{broker: span(0, n/2-1), client: span(n/2, n-1), all: span(0, n-1)}
	out, err := exec.Command("taskset", "-a", "-p", "-c", c.client, strconv.Itoa(os.Getpid())).CombinedOutput()
	if err != nil {
		return cores{}, fmt.Errorf("taskset: %w\n%s", err, out)
	}
	runtime.GOMAXPROCS(n - n/2)
	return c, nil
}

func span(from, to int) string {
	if from == to {
		return strconv.Itoa(from)
	}
	return fmt.Sprintf("%d-%d", from, to)
}

// usage is what a process has used so far.
type usage struct {
	user, kernel time.Duration
	rss, peak    int64 // bytes
}

func (u usage) cpu() time.Duration { return u.user + u.kernel }

func (u usage) since(o usage) usage {
	return usage{user: u.user - o.user, kernel: u.kernel - o.kernel, rss: u.rss, peak: u.peak}
}

// ticksPerSecond is USER_HZ, 100 on every Linux that matters here.
const ticksPerSecond = 100

func usageOf(pid int) (usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage{}, err
	}
	// The name in parentheses may hold blanks: count fields after it. utime and stime are fields 14 and 15.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return usage{}, err
	}
	kernel, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return usage{}, err
	}
	u := usage{user: time.Duration(user) * time.Second / ticksPerSecond, kernel: time.Duration(kernel) * time.Second / ticksPerSecond}
	u.rss, u.peak, err = memoryOf(pid)
	return u, err
}

func memoryOf(pid int) (rss, peak int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	for _, line := range strings.Split(string(status), "\n") {
		var into *int64
		switch {
		case strings.HasPrefix(line, "VmRSS:"):
			into = &rss
		case strings.HasPrefix(line, "VmHWM:"):
			into = &peak
		default:
			continue
		}
		kib, err := strconv.ParseInt(strings.Fields(line)[1], 10, 64)
		if err != nil {
			return 0, 0, err
		}
		*into = kib << 10
	}
	return rss, peak, nil
}
