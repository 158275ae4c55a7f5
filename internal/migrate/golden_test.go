package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/golden"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/world"
)

const (
	archives = "testdata/kafka-4.3.1/"
	older    = "../log/testdata/kafka-4.3.1/"
)

// unpack puts a golden data directory of Apache Kafka into a file system in memory, as /data.
func unpack(t testing.TB, name string) *disk.Mem {
	t.Helper()
	m := disk.NewMem()
	for _, e := range golden.Read(t, name+".tar.gz") {
		if !e.Dir && e.Name != "DUMP.txt" {
			write(t, m, "/data/"+e.Name, e.Data)
		}
	}
	return m
}

func write(t testing.TB, m disk.FS, name string, data []byte) {
	t.Helper()
	if err := m.MkdirAll(path.Dir(name)); err != nil {
		t.Fatal(err)
	}
	f, err := m.Open(name, disk.Write|disk.Create|disk.Trunc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		if err := m.SyncDir(dir); err != nil {
			t.Fatal(err)
		}
		if dir == "/" {
			return
		}
	}
}

func inspect(t testing.TB, fsys disk.FS) *Found {
	t.Helper()
	f, err := Inspect(fsys, []string{"/data"}, "/data")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func codes(all []Finding) (out []string) {
	for _, f := range all {
		out = append(out, f.Code)
	}
	return out
}

func TestWhatKafkaLeftIsFound(t *testing.T) {
	data, err := os.ReadFile(archives + "static.json")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Facts struct {
			TopicID string `json:"topic_id"`
		} `json:"facts"`
	}
	if err := json.Unmarshal(data, &manifest); err != nil {
		t.Fatal(err)
	}
	f := inspect(t, unpack(t, archives+"static"))
	topic := f.Metadata.Image.TopicNamed("work")
	// The client that made the manifest prints ids in another alphabet.
	id := strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(manifest.Facts.TopicID)
	if !f.Clean || f.Milena || !f.Begun || f.Node != 1 || f.Metadata.KRaftVersion != 0 || f.ClassicGroups != 1 ||
		topic == nil || topic.ID.String() != id {
		t.Errorf("%+v, topic %+v, its id was %s", f, topic, id)
	}
	if refused := Judge(f); len(refused) > 0 {
		t.Errorf("refused: %v", refused)
	}
	f = inspect(t, unpack(t, older+"node-clean"))
	if !f.Clean || f.Metadata.KRaftVersion != 1 || len(Judge(f)) > 0 {
		t.Errorf("of a dynamic quorum: %+v, %v", f, Judge(f))
	}
}

func TestWhatIsNotBuiltIsRefusedByName(t *testing.T) {
	f := inspect(t, unpack(t, archives+"refused"))
	refused := Judge(f)
	want := []string{"ACLS", "SCRAM_USERS", "CLIENT_QUOTAS", "OPEN_TRANSACTIONS", "GROUP_PROTOCOL"}
	if got := codes(refused); !slices.Equal(got, want) {
		t.Errorf("refused are %v, want %v", got, want)
	}
	for i, name := range []string{"User:alice", "bob", "user=carol producer_byte_rate", "open", "modern (consumer)"} {
		if i < len(refused) && !strings.Contains(refused[i].Message, name) {
			t.Errorf("%q does not name %s", refused[i].Message, name)
		}
	}
	if len(f.Unfinished) != 1 || f.Unfinished[0].Partition.String() != "work-1" {
		t.Errorf("open transactions in partitions: %+v", f.Unfinished)
	}
	if f := inspect(t, unpack(t, older+"node-killed")); !slices.Equal(codes(Judge(f)), []string{"OPEN_TRANSACTIONS"}) {
		t.Errorf("a killed node with an open transaction: %v", Judge(f))
	}
}

// TestLookingTouchesNothing compares every byte before and after.
func TestLookingTouchesNothing(t *testing.T) {
	for _, name := range []string{archives + "refused", older + "node-torn"} {
		m := unpack(t, name)
		before := contents(t, m, "/data")
		Judge(inspect(t, m))
		if after := contents(t, m, "/data"); !slices.Equal(before, after) {
			t.Errorf("%s has changed", name)
		}
	}
}

// contents lists every file with its bytes.
func contents(t testing.TB, fsys disk.FS, dir string) (out []string) {
	t.Helper()
	entries, err := fsys.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := dir + "/" + e.Name
		if e.Dir {
			out = append(out, contents(t, fsys, name)...)
			continue
		}
		f, err := fsys.Open(name, 0)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, e.Size)
		if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		_ = f.Close()
		out = append(out, name+" "+string(b))
	}
	return out
}

func TestOddDirectories(t *testing.T) {
	m := unpack(t, archives+"static")
	write(t, m, "/data/work-9/00000000000000000000.log", append(make([]byte, 16), 1, 0, 0, 0))
	write(t, m, "/data/work-0.0123456789abcdef0123456789abcdef-future/00000000000000000000.log", nil)
	if got := codes(Judge(inspect(t, m))); !slices.Equal(got, []string{"OLD_MESSAGE_FORMAT", "REPLICA_MOVES"}) {
		t.Errorf("refused are %v", got)
	}
	m = unpack(t, archives+"static")
	if err := m.RemoveAll("/data/__cluster_metadata-0"); err != nil {
		t.Fatal(err)
	}
	if got := codes(Judge(inspect(t, m))); !slices.Equal(got, []string{"NEVER_STARTED"}) {
		t.Errorf("refused are %v", got)
	}
	if _, err := Inspect(disk.NewMem(), []string{"/data"}, "/data"); err == nil {
		t.Error("an empty place is taken for a log directory")
	}
}

func TestJudgeNodesFeaturesAndTopics(t *testing.T) {
	yes := "true"
	b := image.Empty().Edit()
	for _, r := range []staterecord.Record{
		&staterecord.FeatureLevel{Name: staterecord.FeatureMetadataVersion, Level: 31},
		&staterecord.FeatureLevel{Name: "new.version", Level: 1},
		&staterecord.RegisterBroker{BrokerID: 1}, &staterecord.RegisterBroker{BrokerID: 2}, &staterecord.RegisterController{ControllerID: 3},
		&staterecord.Topic{Name: "far", TopicID: kafka.TopicID{1}},
		&staterecord.Config{ResourceType: staterecord.ResourceTopic, ResourceName: "far", Name: "remote.storage.enable", Value: &yes},
		&staterecord.DelegationToken{TokenID: "token"},
	} {
		if err := b.Apply(r); err != nil {
			t.Fatal(err)
		}
	}
	f := &Found{Node: 1, Begun: true, Metadata: Metadata{Image: b.Build(image.Position{}), Voters: []kafka.NodeID{1, 4}}}
	want := []string{"UNSUPPORTED_FEATURE_LEVEL", "UNKNOWN_FEATURE", "MORE_THAN_ONE_NODE", "DELEGATION_TOKENS", "TIERED_STORAGE"}
	refused := Judge(f)
	if got := codes(refused); !slices.Equal(got, want) {
		t.Errorf("refused are %v, want %v", got, want)
	} else if !strings.HasSuffix(refused[2].Message, ": 2 3 4") {
		t.Errorf("%q does not name the nodes", refused[2].Message)
	}
}

// TestReturnSurvivesEveryCrash gives a directory with keys and files of ours back while the process dies at every change
// of the disk it makes; whatever is left, the command repeated ends as if nothing had been.
func TestReturnSurvivesEveryCrash(t *testing.T) {
	prepared := func() *disk.Mem {
		m := unpack(t, older+"node-clean")
		write(t, m, "/data/"+disk.ReserveFile, []byte("x"))
		write(t, m, "/data/work-0/00000000000000000016.producers", []byte("x"))
		addKey(t, m)
		return m
	}
	for _, op := range []disk.Op{disk.OpOpen, disk.OpWrite, disk.OpSync, disk.OpTruncate, disk.OpRename, disk.OpRemove, disk.OpSyncDir} {
		steps := 0
		for died := true; died; steps++ {
			m := prepared()
			failing := disk.NewFaulty(m)
			failing.Add(disk.Fault{Op: op, Skip: steps, Err: disk.ErrIO})
			died = giveBack(t, world.NewVirtual(uint64(steps)), failing) != nil
			if steps%2 == 0 {
				m = m.Killed()
			} else {
				m = m.PowerCut()
			}
			settled(t, m, fmt.Sprintf("a crash at %s %d", op, steps))
		}
		if steps == 1 && op != disk.OpTruncate {
			t.Errorf("nothing depends on %s", op)
		}
	}
}

// settled repeats the command and holds what is left to be Kafka's alone.
func settled(t *testing.T, m *disk.Mem, after string) {
	t.Helper()
	if err := giveBack(t, world.NewVirtual(7), m); err != nil {
		t.Fatalf("after %s: %v", after, err)
	}
	f := inspect(t, m)
	p, err := PlanReturn(m, []string{"/data"}, "/data")
	if err != nil || len(p.Keys)+len(p.Files)+len(p.Checkpoints) > 0 || !f.Clean || !f.Milena || len(Judge(f)) > 0 {
		t.Fatalf("after %s: %+v, %v, %+v", after, p, err, f)
	}
}

// setter is a controller that sets a key of ours.
type setter struct{ *stripper }

func (s setter) Lead(kafka.Instant, kafka.Offset) {}

func (s setter) Decide(kafka.Instant, kafka.Offset, quorum.Command) ([]quorum.Record, quorum.Reply, error) {
	v := "cache"
	return []quorum.Record{&staterecord.Config{ResourceType: staterecord.ResourceTopic, ResourceName: "work", Name: "milena.durability", Value: &v}}, nil, nil
}

func addKey(t testing.TB, fsys disk.FS) {
	t.Helper()
	v := world.NewVirtual(1)
	err := errors.New("it never ended")
	decide(ReturnOptions{World: v, FS: fsys, Dirs: []string{"/data"}, Metadata: "/data"}, setter{newStripper()}, func(e error) { err = e })
	v.Run(10 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
}

func giveBack(t testing.TB, v *world.Virtual, fsys disk.FS) error {
	t.Helper()
	p, err := PlanReturn(fsys, []string{"/data"}, "/data")
	if err != nil {
		return err
	}
	var out error = errors.New("it never ended")
	Return(ReturnOptions{World: v, FS: fsys, Dirs: []string{"/data"}, Metadata: "/data"}, p, func(err error) { out = err })
	v.Run(10 * time.Second)
	return out
}
