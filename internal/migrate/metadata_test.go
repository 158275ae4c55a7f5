package migrate

import (
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// TestWhoWroteTheSnapshotRanLast: a node that was given a snapshot, or has forgotten the beginning of its log, holds no
// LEADER_CHANGE of the epoch that it is in. Ours tells by its header who ran.
func TestWhoWroteTheSnapshotRanLast(t *testing.T) {
	for _, ours := range []bool{true, false} {
		header := record.SnapshotHeader{LastTimestampMs: 1, RaftIndex: -1}
		if ours {
			header.RaftIndex = 17
		}
		head := record.NewControl(0, 2, 1, record.ControlRecord{Type: record.ControlSnapshotHeader, Value: header.Append(nil)})
		foot := record.NewControl(head.NextOffset(), 2, 1, record.ControlRecord{Type: record.ControlSnapshotFooter, Value: record.SnapshotFooter()})
		ranLast(t, ours, map[string][]byte{
			"00000000000000000049-0000000002.checkpoint": append(head, foot...),
			// What the log knows of epochs begins where it does, at the snapshot's end.
			"leader-epoch-checkpoint": []byte("0\n1\n2 49\n"),
		})
	}
}

// TestAnEpochThatWasOnlyNoted: a full disk or a crash may leave the note of an epoch without its first batch. Who ran before tells.
func TestAnEpochThatWasOnlyNoted(t *testing.T) {
	for _, ours := range []bool{true, false} {
		ranLast(t, ours, map[string][]byte{
			"00000000000000000000.log": leaderChange(0, ours),
			"leader-epoch-checkpoint":  []byte("0\n2\n1 0\n2 1\n"),
		})
	}
}

// TestATornLogTellsByWhatIsBeforeTheTear: power may go before a segment is durable that the next one already follows. Recovery cuts what
// is torn, and who ran last is told by what stays.
func TestATornLogTellsByWhatIsBeforeTheTear(t *testing.T) {
	for _, ours := range []bool{true, false} {
		torn := leaderChange(1, ours)
		ranLast(t, ours, map[string][]byte{
			"00000000000000000000.log": append(leaderChange(0, ours), torn[:len(torn)-7]...),
			"00000000000000000002.log": leaderChange(2, ours),
		})
	}
}

// leaderChange is a batch of a metadata log by which node 1 begins to lead in epoch 1, written by us or by Apache Kafka.
func leaderChange(base kafka.Offset, ours bool) record.Batch {
	change := record.LeaderChange{Leader: 1, Milena: ours}
	return record.NewControl(base, 1, 1, record.ControlRecord{Type: record.ControlLeaderChange, Value: change.Append(nil)})
}

// ranLast checks that RanLast tells of a metadata log of some files, by name, whether we ran last on it.
func ranLast(t *testing.T, ours bool, files map[string][]byte) {
	t.Helper()
	const dir = "data/__cluster_metadata-0"
	fsys := disk.NewMem()
	must.OK(fsys.MkdirAll(dir))
	for name, bytes := range files {
		f := must.Get(fsys.Open(dir+"/"+name, disk.Create|disk.Write))
		must.Get(f.WriteAt(bytes, 0))
		must.OK(f.Close())
	}
	if got, err := RanLast(fsys, dir); err != nil || got != ours {
		t.Errorf("ours %v: %v, %v", ours, got, err)
	}
}
