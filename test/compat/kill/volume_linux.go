package kill

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

// volume is a small ext4 file system in a file, mounted at dir, whose power can be cut.
type volume struct {
	image, dir string
	mounted    bool
}

const (
	volumeBytes = 1 << 30
	// shutdownIoctl is EXT4_IOC_SHUTDOWN: the file system stops at once, and everything after it fails. noLogFlush leaves
	// even the journal as the device has it, which is what a power cut does.
	shutdownIoctl = 0x8004587d
	noLogFlush    = uint32(2)
)

// newVolume makes and mounts one; the error says what is missing here.
func newVolume(image, dir string) (*volume, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("mounting a file system needs root")
	}
	v := &volume{image: image, dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(volumeBytes), f.Close()); err != nil {
		return nil, err
	}
	if err := command("mkfs.ext4", "-q", "-F", image); err != nil {
		return nil, err
	}
	if err := v.mount(); err != nil {
		return nil, err
	}
	return v, os.Remove(filepath.Join(dir, "lost+found"))
}

func (v *volume) mount() error {
	if err := command("mount", "-t", "ext4", "-o", "loop", v.image, v.dir); err != nil {
		return err
	}
	v.mounted = true
	return nil
}

// cut takes the power away. Who has files open hears of it by errors.
func (v *volume) cut() error {
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

// restore is the next boot: the kernel forgets what it had in memory and reads the device again. Nobody has files open.
func (v *volume) restore() error {
	if err := v.close(); err != nil {
		return err
	}
	return v.mount()
}

func (v *volume) close() error {
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
