//go:build unix

package disk

import (
	"errors"
	"syscall"
	"testing"

	"github.com/milena-io/milena/internal/must"
)

// TestPatience: a call that finds too many files open is repeated until others were closed, and any other error is told.
func TestPatience(t *testing.T) {
	calls := 0
	err := patient(func() error {
		if calls++; calls < 4 {
			return syscall.EMFILE
		}
		return nil
	})
	if err != nil || calls != 4 {
		t.Errorf("%v after %d calls", err, calls)
	}
	calls = 0
	err = patient(func() error { calls++; return syscall.EIO })
	if !errors.Is(err, syscall.EIO) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// TestOutOfDescriptors: with no descriptor left a file is opened, a directory listed and its names are synced as soon as
// there is one again.
func TestOutOfDescriptors(t *testing.T) {
	dir := t.TempDir()
	must.Get(OS{}.Open(dir+"/f", Write|Create)).Close()
	var limit syscall.Rlimit
	must.OK(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	for name, call := range map[string]func() error{
		"open": func() error {
			f, err := OS{}.Open(dir+"/f", 0)
			if err == nil {
				err = f.Close()
			}
			return err
		},
		"list": func() error { _, err := OS{}.List(dir); return err },
		"sync": func() error { return OS{}.SyncDir(dir) },
	} {
		none := limit
		none.Cur = 0
		must.OK(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none))
		if f, err := syscall.Open(dir+"/f", syscall.O_RDONLY, 0); !errors.Is(err, syscall.EMFILE) {
			_ = syscall.Close(f)
			must.OK(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
			t.Fatalf("a limit of none lets open: %v", err)
		}
		done := make(chan error, 1)
		go func() { done <- call() }()
		must.OK(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
