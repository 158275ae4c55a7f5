package crash

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
)

// kin are the files that were written with a log, by its name and its bytes: what a compaction found, and what its rehearsal
// made. While it swaps them, each log that is found has its own beside it. A recovery that begins above them makes no other,
// and without them a lookup reads the whole segment.
type kin map[string]map[string][]byte

// relatives are the suffixes of files that are of one log and of no other.
func relatives() []string {
	return []string{segment.IndexSuffix, segment.TimeIndexSuffix, segment.TxnIndexSuffix}
}

// add takes every segment of a directory.
func (k kin) add(fsys disk.FS, dir string) error {
	all, err := files(fsys, dir)
	if err != nil {
		return err
	}
	for name, data := range all {
		base, suffix, ok := segment.ParseName(name)
		if !ok || suffix != segment.LogSuffix {
			continue
		}
		mine := map[string][]byte{}
		for _, suffix := range relatives() {
			mine[suffix] = all[segment.Name(base, suffix)]
		}
		k[name+string(data)] = mine
	}
	return nil
}

// check holds a directory that was just opened against them, from an offset up to a recovery point.
func (k kin) check(fsys disk.FS, dir string, from, recoveryPoint kafka.Offset) error {
	all, err := files(fsys, dir)
	if err != nil {
		return err
	}
	var bases []kafka.Offset
	for name := range all {
		if base, suffix, ok := segment.ParseName(name); ok && suffix == segment.LogSuffix {
			bases = append(bases, base)
		}
	}
	slices.Sort(bases)
	for i := 0; i+1 < len(bases) && bases[i+1] < recoveryPoint; i++ {
		name := segment.Name(bases[i], segment.LogSuffix)
		mine, known := k[name+string(all[name])]
		if bases[i+1] <= from {
			continue
		}
		if !known {
			return fmt.Errorf("C5 %s is neither what was compacted nor what came of it", name)
		}
		for _, suffix := range relatives() {
			if have := all[segment.Name(bases[i], suffix)]; !bytes.Equal(have, mine[suffix]) {
				return fmt.Errorf("S2 %s below the recovery point %d has %d bytes beside it in %s, and was written with %d",
					name, recoveryPoint, len(have), suffix, len(mine[suffix]))
			}
		}
	}
	return nil
}
