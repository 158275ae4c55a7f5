package log

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/must"
)

// S2, S3: a flipped bit in a file that stands beside the logs, or says whose a log is, changes nothing that a reader sees, or is
// told: the directory or the log is refused by its path, or what is missing is. Records are never others than they were. One
// file has no second witness after a crash: a later log start hides the records below it (ADR 0013).
func TestEveryFlippedBitOfTheDirectorysFiles(t *testing.T) {
	origin, _ := gappy(t)
	must.OK(origin.l.AdvanceStart(42))
	must.OK(origin.dir.CheckpointHighWatermarks(func() checkpoint.Offsets { return checkpoint.Offsets{tp: origin.l.Offsets().Durable} }))
	all, end := origin.readable(), origin.l.Offsets().End
	origin.stop(true)
	origin.settle()
	image := origin.mem
	paths := []string{"t-0/" + partitionMetadata}
	for _, e := range must.Get(image.List(root)) {
		if !e.Dir && e.Name != lockFile {
			paths = append(paths, e.Name)
		}
	}
	outcomes := map[string]map[string]int{}
	for _, path := range paths {
		data := must.Get(checkpoint.Load(image, root+"/"+path, 1<<20))
		outcomes[path] = map[string]int{}
		for _, clean := range []bool{true, false} {
			for bit := range 8 * len(data) {
				if !clean && bit%3 != 0 && os.Getenv("MILENA_EVERY_BIT") == "" {
					continue
				}
				r := &rig{t: t, mem: image.PowerCut(), cfg: origin.cfg, now: origin.now}
				bad := slices.Clone(data)
				bad[bit/8] ^= 1 << (bit % 8)
				must.OK(writeFile(r.mem, root+"/"+path, bad))
				if !clean && path != cleanFile {
					must.OK(r.mem.Remove(root + "/" + cleanFile))
				}
				what := fmt.Sprintf("%s, byte %d, bit %d, clean %v, %q", path, bit/8, bit%8, clean, bad)
				outcome := r.outcome(what)
				if outcomes[path][outcome]++; outcome != "refused" {
					told := len(r.dir.Damaged) > 0 || len(r.l.Damages()) > 0 || r.l.Recovered.Reason != nil ||
						r.l.Recovered.Doubt != nil || !clean && path == logStartFile
					got := r.readable()
					for o, v := range all {
						if have, there := got[o]; there && have != v || !there && !told {
							t.Errorf("%s: offset %d reads %q, it was %q; told %v", what, o, have, v, told)
						}
					}
					if r.l.Offsets().End < end && !told {
						t.Errorf("%s: the log ends at %d", what, r.l.Offsets().End)
					}
				}
				if t.Failed() {
					t.FailNow()
				}
			}
		}
	}
	t.Log(outcomes)
}

// outcome opens the directory and the log, and tells whether it was refused. A refusal names the path.
func (r *rig) outcome(what string) string {
	r.fs = r.mem
	d, err := OpenDir(r.fs, root, me)
	if err == nil {
		r.dir = d
		if err = r.tryOpen(); err == nil {
			return "open"
		}
	}
	if !strings.Contains(err.Error(), root) {
		r.t.Errorf("%s: refused without a path: %v", what, err)
	}
	return "refused"
}
