package segment

import (
	"errors"
	"io"
	"sort"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
)

// lastWhere finds the last entry of an index file for which keep holds, given that it holds for all entries before it,
// by reading the entries that a binary search touches. A file that is missing or cut is corruption.
func lastWhere(fsys disk.FS, path string, width int64, keep func(entry []byte) bool) (entry []byte, err error) {
	const op = "segment.index"
	f, err := fsys.Open(path, 0)
	if errors.Is(err, disk.ErrNotExist) {
		return nil, fault.Corruption(op, "%s is missing", path)
	}
	if err != nil {
		return nil, fault.Storage(op, err)
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return nil, fault.Storage(op, err)
	}
	if size%width != 0 {
		return nil, fault.Corruption(op, "%s has %d bytes, no multiple of %d", path, size, width)
	}
	buf := make([]byte, width)
	var failed error
	read := func(i int) {
		n, err := f.ReadAt(buf, int64(i)*width)
		if int64(n) < width && failed == nil {
			if err == nil || errors.Is(err, io.EOF) {
				failed = fault.Corruption(op, "%s ended early", path)
			} else {
				failed = fault.Storage(op, err)
			}
		}
	}
	beyond := sort.Search(int(size/width), func(i int) bool {
		read(i)
		return failed != nil || !keep(buf)
	})
	if beyond > 0 && failed == nil {
		read(beyond - 1)
	}
	if beyond == 0 || failed != nil {
		return nil, failed
	}
	return buf, nil
}
