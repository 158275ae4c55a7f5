package log

import (
	"testing"

	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/must"
)

// Records beside a partition.metadata that says nothing are nobody's, unless something vouches for them or no such file was ever made.
func TestRecordsOfNobody(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(r *rig)
		clean  bool
		owner  func(r *rig)
		want   bool
	}{
		{"torn", nil, false, func(r *rig) { r.overwrite("partition.metadata", nil) }, true},
		{"said", nil, false, func(*rig) {}, false},
		{"never made", nil, false, func(r *rig) { must.OK(r.mem.Remove(root + "/t-0/partition.metadata")) }, false},
		{"torn below a recovery point", func(r *rig) { r.flush(); r.checkpointed() }, false, func(r *rig) { r.overwrite("partition.metadata", nil) }, false},
		{"torn after a clean stop", nil, true, func(r *rig) { r.overwrite("partition.metadata", nil) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.put("a")
			if c.before != nil {
				c.before(r)
			}
			if c.clean {
				must.OK(r.l.Close(r.now))
				must.OK(r.dir.CloseClean(77, checkpoint.Offsets{}, checkpoint.Offsets{}))
			}
			r.mem = r.mem.Killed()
			c.owner(r)
			r.openDir()
			if got := must.Get(Unowned(r.dir, tp)); got != c.want {
				t.Errorf("unowned: %t", got)
			}
		})
	}
}
