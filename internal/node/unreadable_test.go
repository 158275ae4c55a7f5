package node

import (
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/storage"
	"github.com/milena-io/milena/internal/world"
)

// TestAMetadataLogThatCannotBeRead fails one read of the metadata log after the other, those that the Raft library asks for
// among them: the node says which directory it is and ends, and never by a panic.
func TestAMetadataLogThatCannotBeRead(t *testing.T) {
	base := newRig(t)
	base.create("t", 3)
	base.proc.Kill()
	ended, library := 0, 0
	for skip := 0; ; skip++ {
		r := unbooted(t)
		r.fs, r.faulty = base.fs.Killed(), disk.NewFaulty(base.fs)
		r.sick = []disk.Fault{{Op: disk.OpRead, Path: storage.MetadataPartition.String() + "/", Skip: skip, Err: disk.ErrIO}}
		r.proc = world.NewProcess(r.w)
		var ready *error
		_, err := Start(r.options(), func(err error) { ready = &err })
		if err == nil {
			r.w.RunUntil(10*time.Second, func() bool { return ready != nil })
			if ready == nil {
				t.Fatalf("read %d: the node neither starts nor ends", skip)
			}
			err = *ready
		}
		r.proc.Kill()
		if err == nil {
			break // there is no such read
		}
		ended++
		if !strings.Contains(err.Error(), "data/__cluster_metadata-0/") {
			t.Errorf("read %d: no file is named: %v", skip, err)
		}
		if strings.Contains(err.Error(), "the metadata log in data/__cluster_metadata-0 cannot be read; `milena log verify") {
			library++
		}
	}
	if ended == 0 || library == 0 {
		t.Errorf("%d reads failed, %d of them the Raft library's", ended, library)
	}
}
