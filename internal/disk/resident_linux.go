package disk

import (
	"os"
	"syscall"
	"unsafe"
)

// sysCachestat is cachestat(2), Linux 6.5; the number is the same on every architecture.
const sysCachestat = 451

// Resident reports whether every page of a range is in the page cache. Where the kernel doesn't tell, it says yes.
func (f osFile) Resident(off, n int64) bool {
	ask := struct{ off, n uint64 }{uint64(off), uint64(n)}
	var got struct{ cached, dirty, writeback, evicted, recentlyEvicted uint64 }
	_, _, errno := syscall.RawSyscall6(sysCachestat, f.Fd(), uintptr(unsafe.Pointer(&ask)), uintptr(unsafe.Pointer(&got)), 0, 0, 0)
	page := int64(os.Getpagesize())
	return errno != 0 || int64(got.cached) >= (off+n-1)/page-off/page+1
}

// POSIX_FADV_WILLNEED and POSIX_FADV_DONTNEED.
const (
	fadvWillNeed = 3
	fadvDontNeed = 4
)

// Ahead begins to read a range into the page cache and does not wait for it. It is a hint: an error changes nothing.
func (f osFile) Ahead(off, n int64) {
	_, _, _ = syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), uintptr(off), uintptr(n), fadvWillNeed, 0, 0)
}

// Drop lets whole clean pages of a range go. It is a hint, too.
func (f osFile) Drop(off, n int64) {
	_, _, _ = syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), uintptr(off), uintptr(n), fadvDontNeed, 0, 0)
}
