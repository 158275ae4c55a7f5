package volume

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// FIFREEZE and FITHAW: every write and every sync waits from the one to the other, as on a disk that hangs.
const (
	freezeIoctl = 0xc0045877
	thawIoctl   = 0xc0045878
)

// Freeze lets the disk hang until Thaw. What was written before is durable then.
func (v *Volume) Freeze() error { return v.ioctl(freezeIoctl, "freeze") }

// Thaw lets it go on.
func (v *Volume) Thaw() error { return v.ioctl(thawIoctl, "thaw") }

func (v *Volume) ioctl(call uintptr, what string) error {
	d, err := os.Open(v.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, d.Fd(), call, 0); errno != 0 {
		return fmt.Errorf("%s %s: %w", what, v.dir, errno)
	}
	return nil
}

// ballast is the file that takes what room is left.
const ballast = "ballast"

// Fill takes all the room but so many bytes.
func (v *Volume) Fill(left int64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(v.dir, &s); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(v.dir, ballast))
	if err != nil {
		return err
	}
	defer f.Close()
	if room := int64(s.Bavail)*s.Bsize - left; room > 0 {
		if err := syscall.Fallocate(int(f.Fd()), 0, 0, room); err != nil {
			return fmt.Errorf("fill %s: %w", v.dir, err)
		}
	}
	return nil
}

// Free gives the room back.
func (v *Volume) Free() error { return os.Remove(filepath.Join(v.dir, ballast)) }

// Release unmounts everything below a directory, also what hangs: what a run that was itself killed has left behind.
func Release(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for _, at := range mountsBelow(string(mounts), dir) {
		v := &Volume{dir: at, mounted: true}
		_ = v.Thaw() // it may not hang
		if err := v.Close(); err != nil {
			return err
		}
	}
	return nil
}
