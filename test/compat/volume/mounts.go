package volume

import "strings"

// mountsBelow returns the mount points below a directory from what /proc/self/mounts says, the innermost first.
func mountsBelow(mounts, dir string) []string {
	var out []string
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		// The kernel writes what separates fields in octal.
		at := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[1])
		if strings.HasPrefix(at, strings.TrimSuffix(dir, "/")+"/") {
			out = append([]string{at}, out...)
		}
	}
	return out
}
