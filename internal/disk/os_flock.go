//go:build unix && !linux

package disk

import (
	"os"
	"syscall"
)

// exclusive keeps out other processes of ours and others in this process.
func exclusive(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
