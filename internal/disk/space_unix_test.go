//go:build unix

package disk

import (
	"os"
	"syscall"
	"testing"
)

// blocks returns the bytes that a file takes on its volume.
func blocks(t *testing.T, path string) (n int64, known bool) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int64(st.Blocks) * 512, true
}
