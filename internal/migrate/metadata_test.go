package migrate

import (
	"fmt"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// TestWhoWroteTheSnapshotRanLast: a node that was given a snapshot, or has forgotten the beginning of its log, holds no
// LEADER_CHANGE of the epoch that it is in. Ours tells by its header who ran.
func TestWhoWroteTheSnapshotRanLast(t *testing.T) {
	const dir = "data/__cluster_metadata-0"
	for _, ours := range []bool{true, false} {
		fsys := disk.NewMem()
		must.OK(fsys.MkdirAll(dir))
		header := record.SnapshotHeader{LastTimestampMs: 1, RaftIndex: -1}
		if ours {
			header.RaftIndex = 17
		}
		head := record.NewControl(0, 2, 1, record.ControlRecord{Type: record.ControlSnapshotHeader, Value: header.Append(nil)})
		foot := record.NewControl(head.NextOffset(), 2, 1, record.ControlRecord{Type: record.ControlSnapshotFooter, Value: record.SnapshotFooter()})
		f := must.Get(fsys.Open(fmt.Sprintf("%s/%020d-%010d.checkpoint", dir, 49, 2), disk.Create|disk.Write))
		must.Get(f.WriteAt(append(head, foot...), 0))
		must.OK(f.Close())
		// What the log knows of epochs begins where it does, at the snapshot's end.
		epochs := must.Get(fsys.Open(dir+"/leader-epoch-checkpoint", disk.Create|disk.Write))
		must.Get(epochs.WriteAt([]byte("0\n1\n2 49\n"), 0))
		must.OK(epochs.Close())
		got, err := RanLast(fsys, dir)
		if err != nil || got != ours {
			t.Errorf("ours %v: %v, %v", ours, got, err)
		}
	}
}

// TestAnEpochThatWasOnlyNoted: a full disk or a crash may leave the note of an epoch without its first batch. Who ran before tells.
func TestAnEpochThatWasOnlyNoted(t *testing.T) {
	const dir = "data/__cluster_metadata-0"
	for _, ours := range []bool{true, false} {
		fsys := disk.NewMem()
		must.OK(fsys.MkdirAll(dir))
		change := record.LeaderChange{Leader: 1, Milena: ours}
		head := record.NewControl(0, 1, 1, record.ControlRecord{Type: record.ControlLeaderChange, Value: change.Append(nil)})
		f := must.Get(fsys.Open(fmt.Sprintf("%s/%020d.log", dir, 0), disk.Create|disk.Write))
		must.Get(f.WriteAt(head, 0))
		must.OK(f.Close())
		epochs := must.Get(fsys.Open(dir+"/leader-epoch-checkpoint", disk.Create|disk.Write))
		must.Get(epochs.WriteAt([]byte("0\n2\n1 0\n2 1\n"), 0))
		must.OK(epochs.Close())
		got, err := RanLast(fsys, dir)
		if err != nil || got != ours {
			t.Errorf("ours %v: %v, %v", ours, got, err)
		}
	}
}

// TestATornLogTellsByWhatIsBeforeTheTear: power may go before a segment is durable that the next one already follows. Recovery cuts what
// is torn, and who ran last is told by what stays.
func TestATornLogTellsByWhatIsBeforeTheTear(t *testing.T) {
	const dir = "data/__cluster_metadata-0"
	for _, ours := range []bool{true, false} {
		fsys := disk.NewMem()
		must.OK(fsys.MkdirAll(dir))
		change := record.LeaderChange{Leader: 1, Milena: ours}
		head := record.NewControl(0, 1, 1, record.ControlRecord{Type: record.ControlLeaderChange, Value: change.Append(nil)})
		torn := record.NewControl(head.NextOffset(), 1, 1, record.ControlRecord{Type: record.ControlLeaderChange, Value: change.Append(nil)})
		next := record.NewControl(torn.NextOffset(), 1, 1, record.ControlRecord{Type: record.ControlLeaderChange, Value: change.Append(nil)})
		for base, bytes := range map[int64][]byte{0: append(head, torn[:len(torn)-7]...), int64(torn.NextOffset()): next} {
			f := must.Get(fsys.Open(fmt.Sprintf("%s/%020d.log", dir, base), disk.Create|disk.Write))
			must.Get(f.WriteAt(bytes, 0))
			must.OK(f.Close())
		}
		got, err := RanLast(fsys, dir)
		if err != nil || got != ours {
			t.Errorf("ours %v: %v, %v", ours, got, err)
		}
	}
}
