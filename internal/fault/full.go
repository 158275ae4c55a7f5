package fault

import (
	"errors"
	"runtime"
	"syscall"
)

// What Windows answers where others answer ENOSPC: ERROR_HANDLE_DISK_FULL and ERROR_DISK_FULL.
const (
	windowsHandleDiskFull = syscall.Errno(39)
	windowsDiskFull       = syscall.Errno(112)
)

// OutOfFiles reports whether the operating system failed a call because too many files are open. Nothing was done, no disk
// is to blame, and it passes.
func OutOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// OutOfSpace reports whether the operating system failed a call because the volume, or the quota on it, is used up. That
// passes, unlike every other failure of a disk.
func OutOfSpace(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return true
	}
	return runtime.GOOS == "windows" && (errors.Is(err, windowsHandleDiskFull) || errors.Is(err, windowsDiskFull))
}
