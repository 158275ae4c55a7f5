//go:build !linux

package volume

import "errors"

// Volume is a file system whose power can be cut; there is none here.
type Volume struct{}

var errNoVolume = errors.New("cutting the power of a file system needs Linux")

// New says so.
func New(string, string, int64) (*Volume, error) { return nil, errNoVolume }

// Cut says so.
func (*Volume) Cut() error { return errNoVolume }

// Restore says so.
func (*Volume) Restore() error { return errNoVolume }

// Close has nothing to unmount.
func (*Volume) Close() error { return nil }

// Halt says so.
func Halt(int) error { return errNoVolume }

// Freeze says so.
func (*Volume) Freeze() error { return errNoVolume }

// Thaw says so.
func (*Volume) Thaw() error { return errNoVolume }

// Fill says so.
func (*Volume) Fill(int64) error { return errNoVolume }

// Free says so.
func (*Volume) Free() error { return errNoVolume }

// Release has nothing to unmount.
func Release(string) error { return nil }

// Mount says so.
func (*Volume) Mount() error { return errNoVolume }
