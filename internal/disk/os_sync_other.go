//go:build !linux

package disk

import "os"

func dataSync(f *os.File) error { return f.Sync() }

// Allocate writes the bytes, which takes their blocks on any file system that does not compress.
func (f osFile) Allocate(size int64) error { return f.zero(size) }
