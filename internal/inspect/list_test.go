package inspect

import (
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
)

func list(t testing.TB, fsys disk.FS, name string) Listing {
	t.Helper()
	l, err := List(fsys, name, nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l Listing) partition(t testing.TB, dir string) ListedPartition {
	t.Helper()
	for _, p := range l.Partitions {
		if p.Dir == dir {
			return p
		}
	}
	t.Fatalf("%s is not listed", dir)
	return ListedPartition{}
}

// TestListAgreesWithVerify holds what is read of ends and headers against a reading of everything, on directories that a
// real broker wrote: as many segments and bytes, and ends and timestamps as the batches have them.
func TestListAgreesWithVerify(t *testing.T) {
	for _, name := range everyArchive {
		m, _ := unpack(t, name)
		l, r := list(t, m, "/data"), verify(t, m, "/data")
		segments, problems := 0, 0
		for _, p := range l.Partitions {
			segments += len(p.Segments)
			problems += p.Damaged
			for i, s := range p.Segments {
				end, newest := s.Base, int64(-1)
				file := "/data/" + p.Dir + "/" + segment.Name(s.Base, segment.LogSuffix)
				if err := Dump(m, file, DumpOptions{}, func(e Entry) error {
					if b, ok := e.(Batch); ok {
						end, newest = b.LastOffset+1, max(newest, b.MaxTimestamp)
					}
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				if s.End != end || s.MaxTimestampMs != newest {
					t.Errorf("%s: %s: listed to %d and %d, read to %d and %d", name, file, s.End, s.MaxTimestampMs, end, newest)
				}
				if i == len(p.Segments)-1 && p.End != end {
					t.Errorf("%s: %s ends at %d, listed %d", name, p.Dir, end, p.End)
				}
			}
		}
		if segments != r.Segments || problems != len(r.Problems) || len(l.Problems) != problems {
			t.Errorf("%s: %d segments and %d problems listed, verify finds %d and %d: %+v", name, segments, problems, r.Segments, len(r.Problems), l.Problems)
		}
	}
}

func TestListOfADirectory(t *testing.T) {
	m, _ := unpack(t, "node-clean")
	l := list(t, m, "/data")
	if !l.Clean || l.ClusterID == "" || l.NodeID < 0 {
		t.Errorf("%+v", l)
	}
	p := l.partition(t, "work-0")
	if p.Topic != "work" || p.Kind != "current" || p.RecoveryPoint != p.End || p.HighWatermark != p.End || p.TopicID == "" || p.LeaderEpoch < 0 {
		t.Errorf("%+v", p)
	}
	m, _ = unpack(t, "node-killed")
	if l := list(t, m, "/data"); l.Clean {
		t.Error("a directory whose broker was killed is listed as stopped cleanly")
	}
	one := list(t, m, "/data/work-0")
	if len(one.Partitions) != 1 || one.Partitions[0].RecoveryPoint != list(t, m, "/data").partition(t, "work-0").RecoveryPoint {
		t.Errorf("%+v", one)
	}
	if _, err := List(m, "/", nil); err == nil {
		t.Error("a directory without logs was listed")
	}
	if _, err := List(m, "/nowhere", nil); err == nil {
		t.Error("a path that is not there was listed")
	}
}

func TestListOfTransactions(t *testing.T) {
	m, _ := unpack(t, "transactions")
	p := list(t, m, "/data").partition(t, "txn-0")
	if p.Producers.Snapshot != 34 || p.Producers.Count == 0 {
		t.Errorf("%+v", p.Producers)
	}
	aborted := 0
	for _, s := range p.Segments {
		aborted += s.TxnIndex.Entries
	}
	if aborted == 0 {
		t.Error("no aborted transaction is listed")
	}
	gone := "gone-0." + strings.Repeat("0", 32) + "-delete"
	write(t, m, "/data/"+gone+"/00000000000000000000.log", nil)
	if p := list(t, m, "/data").partition(t, gone); p.Kind != "delete" || p.Topic != "gone" {
		t.Errorf("%+v", p)
	}
}

// TestListShowsDamage tells each injury that can be seen without reading every batch.
func TestListShowsDamage(t *testing.T) {
	const index0 = "/data/txn-0/00000000000000000000.index"
	for _, d := range []struct {
		name, file, says string
		hurt             func([]byte) []byte
	}{
		{"a torn tail", log6, "torn write", cutTail(3)},
		{"an unknown magic", log6, "magic 1", set(78+16, 1)},
		{"half an index entry", index0, "no multiple", replace(1, 2, 3)},
		{"an index that points past its log", "/data/txn-0/00000000000000000006.index", "of a log of", replace(0, 0, 0, 50, 0, 0x7f, 0, 0)},
		{"a broken producer snapshot", "/data/txn-0/00000000000000000034.snapshot", "checksum", flip(20)},
		{"a topic id that is none", "/data/txn-0/partition.metadata", "no topic id", replace([]byte("version: 0\n")...)},
		{"an index of a sealed segment gone", index0, "is missing", nil},
	} {
		m, _ := unpack(t, "transactions")
		if d.hurt == nil {
			if err := m.Remove(d.file); err != nil {
				t.Fatal(err)
			}
		} else {
			write(t, m, d.file, d.hurt(append([]byte(nil), read(t, m, d.file)...)))
		}
		l := list(t, m, "/data/txn-0")
		if len(l.Problems) != 1 || l.Problems[0].File != d.file || !strings.Contains(l.Problems[0].Message, d.says) || l.Partitions[0].Damaged != 1 {
			t.Errorf("%s: %+v", d.name, l.Problems)
		}
	}
	m, _ := unpack(t, "transactions")
	write(t, m, log6, set(78+16, 1)(append([]byte(nil), read(t, m, log6)...)))
	if p := list(t, m, "/data/txn-0").Partitions[0]; p.End != kafka.NoOffset {
		t.Errorf("the end of a log with damage in its middle is told as %d", p.End)
	}
}
