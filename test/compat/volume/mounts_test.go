package volume

import (
	"slices"
	"testing"
)

func TestMountsBelow(t *testing.T) {
	mounts := "/dev/vda / ext4 rw 0 0\n/dev/loop0 /tmp/run/a ext4 rw 0 0\n/dev/loop1 /tmp/run/a/b\\040c ext4 rw 0 0\n/dev/loop2 /tmp/runner/a ext4 rw 0 0\n"
	if got := mountsBelow(mounts, "/tmp/run"); !slices.Equal(got, []string{"/tmp/run/a/b c", "/tmp/run/a"}) {
		t.Fatalf("%q", got)
	}
}
