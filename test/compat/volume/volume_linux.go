// Package volume is small ext4 file systems in files, whose power can be cut: what was not synced is gone with the page cache, as
// the kernel and its journal leave it.
//
// The suites of power cuts and the chaos runs mount their brokers' data on them. It knows nothing of brokers but how to stop one
// for good before its power goes. It needs Linux and root, and New's error says which of them is missing.
package volume

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"
)

// Volume is a small ext4 file system in a file, mounted at dir, whose power can be cut.
type Volume struct {
	image, dir string
	mounted    bool
}

const (
	// shutdownIoctl is EXT4_IOC_SHUTDOWN: the file system stops at once, and everything after it fails. noLogFlush leaves
	// even the journal as the device has it, which is what a power cut does.
	shutdownIoctl = 0x8004587d
	noLogFlush    = uint32(2)
)

// New makes one of so many bytes, which the image takes from the disk only as they are used, and mounts it; the error says what is
// missing here.
func New(image, dir string, bytes int64) (*Volume, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("mounting a file system needs root")
	}
	v := &Volume{image: image, dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(bytes), f.Close()); err != nil {
		return nil, err
	}
	if err := command("mkfs.ext4", "-q", "-F", image); err != nil {
		return nil, err
	}
	if err := v.Mount(); err != nil {
		return nil, err
	}
	return v, os.Remove(filepath.Join(dir, "lost+found"))
}

// Mount is the boot: the kernel reads the device, and its journal.
func (v *Volume) Mount() error {
	if err := command("mount", "-t", "ext4", "-o", "loop", v.image, v.dir); err != nil {
		return err
	}
	v.mounted = true
	return nil
}

// Cut takes the power away. Who has files open hears of it by errors.
func (v *Volume) Cut() error {
	d, err := os.Open(v.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	flag := noLogFlush
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, d.Fd(), shutdownIoctl, uintptr(unsafe.Pointer(&flag))); errno != 0 {
		return fmt.Errorf("shutdown ioctl on %s: %w", v.dir, errno)
	}
	return nil
}

// Restore is the next boot: the kernel forgets what it had in memory and reads the device again. Nobody has files open.
func (v *Volume) Restore() error {
	if err := v.Close(); err != nil {
		return err
	}
	return v.Mount()
}

// Close unmounts it. Nobody has files open.
func (v *Volume) Close() error {
	if !v.mounted {
		return nil
	}
	if err := command("umount", v.dir); err != nil {
		return err
	}
	v.mounted = false
	return nil
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
