package disk

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

var errNoVolume = errors.New("volumes are not synced as a whole here")

// syncfs numbers the system call on the architectures that we build for.
func syncfs() (number uintptr, ok bool) {
	switch runtime.GOARCH {
	case "amd64":
		return 306, true
	case "arm64", "riscv64", "loong64":
		return 267, true
	}
	return 0, false
}

// OpenVolume opens a directory to sync its volume by (syncfs). Failures are told since Linux 5.8, of what was written after
// the directory was opened, or before and nobody was told.
func (OS) OpenVolume(dir string) (Volume, error) {
	if _, ok := syncfs(); !ok || !kernelSince(5, 8) {
		return nil, fail("open volume", dir, errNoVolume)
	}
	f, err := os.Open(filepath.FromSlash(dir))
	if err != nil {
		return nil, err
	}
	return osVolume{f}, nil
}

type osVolume struct{ dir *os.File }

func (v osVolume) Close() error { return v.dir.Close() }

func (v osVolume) Sync() error {
	number, _ := syncfs()
	for {
		_, _, errno := syscall.Syscall(number, v.dir.Fd(), 0, 0)
		switch errno {
		case 0:
			return nil
		case syscall.EINTR:
		default:
			return &os.PathError{Op: "syncfs", Path: v.dir.Name(), Err: errno}
		}
	}
}

// kernelSince reports whether the kernel is of a version or a later one.
func kernelSince(major, minor int) bool {
	var name syscall.Utsname
	if syscall.Uname(&name) != nil {
		return false
	}
	var release strings.Builder
	for _, c := range name.Release {
		if c == 0 {
			break
		}
		release.WriteByte(byte(c))
	}
	return versionSince(release.String(), major, minor)
}

// versionSince reads a release such as 6.8.0-45-generic.
func versionSince(release string, major, minor int) bool {
	first, rest, _ := strings.Cut(release, ".")
	second, _, _ := strings.Cut(rest, ".")
	second, _, _ = strings.Cut(second, "-")
	a, errA := strconv.Atoi(first)
	b, errB := strconv.Atoi(second)
	return errA == nil && errB == nil && (a > major || a == major && b >= minor)
}

// waitForWriting is SYNC_FILE_RANGE_WAIT_BEFORE.
const waitForWriting = 1

// Written waits for writing that is under way, and tells of any that failed and nobody who has the file open was told of.
// Unlike fdatasync it asks neither the journal nor the device for anything.
func (f osFile) Written() error {
	for {
		err := syscall.SyncFileRange(int(f.Fd()), 0, 0, waitForWriting)
		switch err {
		case nil:
			return nil
		case syscall.EINTR:
		case syscall.ENOSYS, syscall.EINVAL, syscall.ESPIPE:
			return f.Sync()
		default:
			return &os.PathError{Op: "sync_file_range", Path: f.Name(), Err: err}
		}
	}
}
