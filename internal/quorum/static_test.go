package quorum

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/world"
)

// staticLog is a metadata log as Apache Kafka begins one with controller.quorum.voters: no snapshot, LEADER_CHANGE, data.
func staticLog(t *testing.T, fsys disk.FS) {
	t.Helper()
	if err := fsys.MkdirAll(testDir); err != nil {
		t.Fatal(err)
	}
	l, err := openFileLog(fsys)
	if err != nil {
		t.Fatal(err)
	}
	one := []record.Voter{{ID: 1}}
	change := record.LeaderChange{Leader: 1, Voters: one, Granting: one}
	v := "2"
	for _, b := range []record.Batch{
		record.NewControl(0, 4, 7, record.ControlRecord{Type: record.ControlLeaderChange, Value: change.Append(nil)}),
		dataBatch(1, 4, 7, [][]byte{
			encodeRecord(&staterecord.Config{ResourceType: staterecord.ResourceTopic, ResourceName: "t", Name: "a", Value: &v}, 0),
			encodeRecord(&staterecord.Config{ResourceType: staterecord.ResourceTopic, ResourceName: "t", Name: "b", Value: &v}, 0),
		}),
	} {
		if err := l.Append(kafka.Instant{}, b); err != nil {
			t.Fatal(err)
		}
	}
	old := election{leader: 1, epoch: 6, voted: kafka.NoNode}.encode(kraftStatic, voterSet{{Voter: one[0]}})
	if err := (stateReplacement{fsys, testDir, string(old)}).Sync(); err != nil {
		t.Fatal(err)
	}
}

func TestAStaticLogIsContinuedAsItIs(t *testing.T) {
	w := world.NewVirtual(1)
	fsys := disk.NewMem()
	staticLog(t, fsys)
	open := func() (*Quorum, *keyStore) {
		l, err := openFileLog(fsys)
		if err != nil {
			t.Fatal(err)
		}
		m := newKeyStore()
		q, err := Open(Options{
			World: w, FS: fsys, Dir: testDir, Log: l, Flusher: disk.NewFlusher(w, "d"), Machine: m,
			Self: Key{NodeID: 1, DirectoryID: kafka.DirectoryID{15: 200}}, Config: Config{SnapshotBytes: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		q.Start()
		w.Run(3 * time.Second)
		return q, m
	}
	q, m := open()
	if _, epoch := q.Leader(); epoch != 7 || !q.Active() || q.KRaftVersion() != 0 {
		t.Fatalf("epoch %d, active %v, kraft.version %d; the epoch must be above quorum-state's 6", epoch, q.Active(), q.KRaftVersion())
	}
	var failed error
	q.Submit(put{"c", "3", 1}, func(_ Reply, err error) { failed = err })
	w.Run(3 * time.Second)
	if failed != nil || m.committed["a"] != "2" || m.committed["c"] != "3" {
		t.Fatalf("%v, state %v", failed, m.committed)
	}
	q.Close()

	data, err := checkpoint.Load(fsys, testDir+"/"+stateFileName, stateFileMax)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	var state map[string]any
	if err := json.Unmarshal([]byte(text), &state); err != nil || state["data_version"] != 0.0 || state["leaderEpoch"] != 7.0 ||
		!strings.Contains(text, `"currentVoters":[{"voterId":1}]`) {
		t.Fatalf("quorum-state %s, %v: at kraft.version 0 Kafka reads version 0", text, err)
	}
	refs, err := listSnapshots(fsys, testDir)
	if err != nil || len(refs) == 0 || refs[len(refs)-1].offset != 5 {
		t.Fatalf("snapshots %+v, %v", refs, err)
	}
	snap, err := openSnapshot(fsys, testDir, 5, 7)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := snap.ref()
	if err != nil || ref.kraft != 0 || len(ref.voters) != 0 {
		t.Fatalf("%+v, %v: a snapshot of kraft.version 0 names no voters", ref, err)
	}
	if q, m := open(); m.committed["a"] != "2" || m.committed["c"] != "3" || q.KRaftVersion() != 0 {
		t.Fatalf("after a restart from the snapshot: %v, kraft.version %d", m.committed, q.KRaftVersion())
	}
}

func TestKafkasUpgradeOfAStaticQuorumIsSeen(t *testing.T) {
	w := world.NewVirtual(1)
	fsys := disk.NewMem()
	staticLog(t, fsys)
	l, err := openFileLog(fsys)
	if err != nil {
		t.Fatal(err)
	}
	self := Key{NodeID: 1, DirectoryID: kafka.DirectoryID{15: 200}}
	set, err := newVoterSet([]Voter{{ID: 1, Directory: self.DirectoryID, Endpoints: []record.Endpoint{{Name: "C", Host: "h", Port: 9}}, MaxKRaft: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Append(kafka.Instant{}, record.NewControl(3, 4, 7, versionRecord(), votersRecord(set))); err != nil {
		t.Fatal(err)
	}
	q, err := Open(Options{World: w, FS: fsys, Dir: testDir, Log: l, Flusher: disk.NewFlusher(w, "d"), Machine: newKeyStore(), Self: self})
	if err != nil {
		t.Fatal(err)
	}
	q.Start()
	w.Run(3 * time.Second)
	if d := q.Describe(); q.KRaftVersion() != 1 || len(d.Voters) != 1 || len(d.Voters[0].Endpoints) != 1 {
		t.Fatalf("kraft.version %d, voters %+v", q.KRaftVersion(), d.Voters)
	}
}

func TestALogWithoutItsBeginningIsRefused(t *testing.T) {
	w := world.NewVirtual(1)
	fsys := disk.NewMem()
	staticLog(t, fsys)
	l, err := openFileLog(fsys)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Restart(9); err != nil {
		t.Fatal(err)
	}
	_, err = Open(Options{World: w, FS: fsys, Dir: testDir, Log: l, Flusher: disk.NewFlusher(w, "d"), Machine: newKeyStore(), Self: Key{NodeID: 1}})
	if err == nil || !strings.Contains(err.Error(), "no snapshot") {
		t.Fatalf("%v", err)
	}
}
