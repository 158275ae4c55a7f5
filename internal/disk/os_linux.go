package disk

import (
	"os"
	"syscall"
)

// dataSync is fdatasync: file bytes and the size, without the times.
func dataSync(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err != syscall.EINTR {
			if err != nil {
				return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
			}
			return nil
		}
	}
}

// startWriteback is SYNC_FILE_RANGE_WRITE.
const startWriteback = 2

// Begin starts writing dirty pages back without waiting for them (sync_file_range). An error is kept by the kernel for the
// fdatasync that follows: with this flag alone the call doesn't take note of it as reported.
func (f osFile) Begin(from, n int64) {
	_ = syscall.SyncFileRange(int(f.Fd()), from, n, startWriteback)
}

// setOpenFileLock is F_OFD_SETLK: a record lock that belongs to the open file and not to the process.
const setOpenFileLock = 37

// exclusive takes a lock that keeps out other processes of ours, others in this process, and Apache Kafka, which takes a
// record lock of the process (java.nio.channels.FileLock) and would not see flock's.
func exclusive(f *os.File) error {
	lock := syscall.Flock_t{Type: syscall.F_WRLCK}
	return syscall.FcntlFlock(f.Fd(), setOpenFileLock, &lock)
}

// Allocate takes the blocks from the volume at once; where the file system cannot, it writes them.
func (f osFile) Allocate(size int64) error {
	for {
		err := syscall.Fallocate(int(f.Fd()), 0, 0, size)
		switch err {
		case nil:
			return nil
		case syscall.EINTR:
		case syscall.EOPNOTSUPP, syscall.ENOSYS:
			return f.zero(size)
		default:
			return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
		}
	}
}
