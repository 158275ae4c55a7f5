package storage

import "testing"

// TestDescriptorsAreShared: however few there are, everybody has some and nobody has all.
func TestDescriptorsAreShared(t *testing.T) {
	for _, all := range []int{64, 256, 1024, 20_000, 1 << 20} {
		files, connections := FileShare(all), ConnectionShare(all)
		if files < 8 || connections < 8 || files+connections > all-all/8 {
			t.Errorf("of %d: %d files, %d connections", all, files, connections)
		}
	}
}
