package log

import (
	"path/filepath"
	"testing"

	"github.com/milena-io/milena/internal/disk"
)

// The same with the page cache and the read-ahead of the kernel.
func TestRotBehindTheKernelsReadAhead(t *testing.T) {
	rotBehind(t, func(t *testing.T) (disk.FS, string) { return disk.NewOS(), filepath.ToSlash(t.TempDir()) + "/t-0" })
}
