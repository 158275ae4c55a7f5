package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"unsafe"
)

// syncDir does nothing: NTFS journals names, and a directory cannot be flushed through a handle that os gives.
func syncDir(string) error { return nil }

// errSharing is ERROR_SHARING_VIOLATION: somebody has the file open and shares it with nobody.
const errSharing = syscall.Errno(32)

// lockFile opens the file without sharing, which Windows ends with the process.
func lockFile(path string) (io.Closer, error) {
	p, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	h, err := syscall.CreateFile(p, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharing) {
		return nil, fmt.Errorf("%s: %w", path, ErrLocked)
	}
	if err != nil {
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

func usage(dir string) (total, usable int64, err error) {
	p, err := syscall.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	ask := syscall.NewLazyDLL("kernel32.dll").NewProc("GetDiskFreeSpaceExW")
	var free, all, allFree uint64
	ok, _, err := ask.Call(uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&free)), uintptr(unsafe.Pointer(&all)), uintptr(unsafe.Pointer(&allFree)))
	if ok == 0 {
		return 0, 0, &os.PathError{Op: "usage", Path: dir, Err: err}
	}
	return int64(all), int64(free), nil
}

// Descriptors returns how many files this process may have open; Windows sets no limit that would matter.
func Descriptors() int { return 1 << 16 }
