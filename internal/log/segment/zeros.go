package segment

import (
	"bytes"
	"errors"
	"io"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
)

// OnlyZeros reports whether a file holds nothing else from a position up to its size; it reads through window. The rest of a
// gigabyte that was allocated and never written is a hole: it is known to be zeros, and not read.
func OnlyZeros(f disk.File, pos, size int64, window []byte) (bool, error) {
	window = window[:cap(window)]
	for holes, sparse := f.(disk.Sparse); ; {
		if sparse {
			pos = holes.Data(pos)
		}
		if pos >= size {
			return true, nil
		}
		n, err := f.ReadAt(window[:min(int64(len(window)), size-pos)], pos)
		if n == 0 && err != nil && !errors.Is(err, io.EOF) {
			return false, fault.Storage("segment.OnlyZeros", err)
		}
		if n == 0 || !zeros(window[:n]) {
			return false, nil
		}
		pos += int64(n)
	}
}

// zeros compares bytes with themselves one further, which the machine does many at a time.
func zeros(b []byte) bool { return b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1]) }
