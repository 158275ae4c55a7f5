package quorum

import (
	"bytes"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/milena-io/milena/internal/staterecord"
)

// FuzzMessage: whatever another voter sends is either a message that Raft may be shown, or an error.
func FuzzMessage(f *testing.F) {
	heartbeat, err := proto.Marshal(&raftpb.Message{Type: new(raftpb.MsgHeartbeat), Term: new(uint64(3)), Commit: new(uint64(2))})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(heartbeat)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMessage(b)
		if err != nil {
			return
		}
		for _, e := range m.GetEntries() {
			if e.GetType() == raftpb.EntryNormal && len(e.GetData()) > 0 && checkBatch(e.GetData()) != nil {
				t.Fatalf("an entry that is no batch got through: %v", m)
			}
		}
	})
}

// FuzzElection: a quorum-state file says something, or it is corrupt; what it says is what is written again.
func FuzzElection(f *testing.F) {
	f.Add(election{epoch: 4, voted: 1}.encode(kraftDynamic, nil))
	f.Add([]byte(`{"leaderId":-1,"leaderEpoch":7,"votedId":2,"data_version":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeElection(b)
		if err != nil {
			return
		}
		again, err := decodeElection(e.encode(kraftDynamic, nil))
		if err != nil || again.epoch != e.epoch || again.voted != e.voted {
			t.Fatalf("%+v was written as %s and reads %+v, %v", e, e.encode(kraftDynamic, nil), again, err)
		}
	})
}

// FuzzSnapshot: a snapshot file checks or it doesn't; nothing is allocated on a length it merely claims.
func FuzzSnapshot(f *testing.F) {
	f.Add([]byte(dataBatch(0, 1, 5, [][]byte{encodeRecord(&staterecord.NoOp{}, 0)})))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &Snapshot{file: bytes.NewReader(b), size: int64(len(b)), close: func() error { return nil }}
		records := 0
		if err := s.Each(func(staterecord.Record) error { records++; return nil }); err == nil && len(b) == 0 {
			t.Fatal("an empty file is no snapshot")
		}
		_, _ = s.ref()
	})
}
