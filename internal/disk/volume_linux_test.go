package disk

import "testing"

func TestVersionsOfTheKernel(t *testing.T) {
	for release, want := range map[string]bool{
		"5.8.0": true, "5.8": true, "5.10.0-23-amd64": true, "6.1-rc3": true, "5.7.19": false, "4.19.0": false, "": false, "odd": false,
	} {
		if got := versionSince(release, 5, 8); got != want {
			t.Errorf("%q: %v", release, got)
		}
	}
}
