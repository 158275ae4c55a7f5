package storage

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/must"
)

// A replica leaves the node while the directories are being closed: its topic is deleted, in the last moments before the feed ends.
// The stop is clean all the same, and what was told of the log is true of what is there.
func TestAReplicaThatLeavesDuringAStopStaysForTheNextStart(t *testing.T) {
	m := newMover(t, nil)
	m.s.Metadata = m.s.Volumes[2]
	must.OK(m.p.Open())
	var closing *Closing
	m.s.Close(func(c *Closing) { closing = c })
	m.w.Run(time.Second)
	m.leaves()
	sealed := false
	closing.Seal(1, nil, func(err error) {
		if sealed = true; err != nil {
			t.Errorf("the stop: %v", err)
		}
	})
	m.w.Run(time.Second)
	if !sealed {
		t.Fatal("the stop does not end")
	}
	m.s.Abandon()
	m.start("d/a", "d/b", "d/c")
	d := m.s.Volumes[0].Dir
	if clean, _ := d.Clean(); !clean || d.Checkpointed(m.name()).RecoveryPoint != 1 {
		t.Errorf("the next start: clean %v, %+v", clean, d.Checkpointed(m.name()))
	}
	m.wantIn(m.s.Volumes[0], string(log.Current))
}
