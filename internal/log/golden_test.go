package log

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/golden"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// noted is what test/golden wrote down about a directory that Apache Kafka 4.3.1 left.
type noted struct {
	Partitions map[string]struct {
		Files        []string     `json:"files"`
		LogEndOffset kafka.Offset `json:"log_end_offset"`
		Batches      []struct {
			BaseOffset    kafka.Offset        `json:"base_offset"`
			LastOffset    kafka.Offset        `json:"last_offset"`
			LeaderEpoch   kafka.LeaderEpoch   `json:"leader_epoch"`
			CRC           uint32              `json:"crc"`
			ProducerID    kafka.ProducerID    `json:"producer_id"`
			ProducerEpoch kafka.ProducerEpoch `json:"producer_epoch"`
			BaseSequence  int32               `json:"base_sequence"`
			Count         int32               `json:"count"`
			MaxTimestamp  int64               `json:"max_timestamp"`
		} `json:"batches"`
	} `json:"partitions"`
}

// unpack puts an archive on a disk in memory, under root, durably.
func unpack(t *testing.T, name string) (*disk.Mem, noted) {
	t.Helper()
	base := filepath.Join("testdata", "kafka-4.3.1", name)
	var g noted
	must.OK(json.Unmarshal(must.Get(os.ReadFile(base+".json")), &g))
	mem := disk.NewMem()
	must.OK(mem.MkdirAll(root))
	for _, e := range golden.Read(t, base+".tar.gz") {
		to := path.Join(root, e.Name)
		if e.Dir {
			must.OK(mem.MkdirAll(to))
			continue
		}
		must.OK(writeFile(mem, to, e.Data))
	}
	return mem, g
}

var goldens = []string{"codecs", "compacted", "groups", "idempotent", "logstart", "metadata", "node-clean", "node-killed", "node-torn", "transactions"}

// openGolden opens one partition's directory as it is. A node's directory brings its checkpoints; of the others only the
// partitions were kept, after a clean stop.
func openGolden(t *testing.T, mem *disk.Mem, name, partition string, end kafka.Offset, change func(*Options)) *Log {
	t.Helper()
	p, ok := ParseDirName(partition)
	if !ok {
		t.Fatalf("%s is no partition's", partition)
	}
	cfg := DefaultConfig()
	cfg.ProducerExpirationMs = 1 << 60
	o := Options{FS: mem, Path: root + "/" + partition, Partition: p.Partition, Config: cfg, Clean: true, RecoveryPoint: end}
	if strings.HasPrefix(name, "node") {
		meta := must.Get(ParseMeta(must.Get(checkpoint.Load(mem, root+"/meta.properties", 1<<20))))
		d, err := OpenDir(mem, root, Identity{ClusterID: meta.ClusterID, NodeID: meta.NodeID})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { must.OK(d.Release()) }()
		if len(d.Damaged) != 0 || meta.DirectoryID.IsZero() {
			t.Errorf("%s: damaged %v, %+v", name, d.Damaged, meta)
		}
		clean, epoch := d.Clean()
		if clean != (name == "node-clean") || clean && epoch <= 0 {
			t.Errorf("%s: clean %v, broker epoch %d", name, clean, epoch)
		}
		o = d.Options(p.Partition, cfg, kafka.Instant{})
		o.Clean = o.Clean || clean
	}
	if change != nil {
		change(&o)
	}
	l, err := Open(o)
	if err != nil {
		t.Fatalf("%s/%s: %v", name, partition, err)
	}
	return l
}

// S8: directories of Apache Kafka 4.3.1 open here, cleanly and with everything made anew, and say what they say there.
func TestKafkasDirectoriesOpen(t *testing.T) {
	for _, name := range goldens {
		_, g := unpack(t, name)
		for partition, want := range g.Partitions {
			for _, how := range []string{"as it is", "recovered", "without indexes"} {
				t.Run(name+"/"+partition+"/"+how, func(t *testing.T) {
					mem, _ := unpack(t, name)
					dir := root + "/" + partition
					if how == "without indexes" {
						for _, e := range must.Get(mem.List(dir)) {
							if _, suffix, ok := segment.ParseName(e.Name); ok && suffix != segment.LogSuffix && suffix != ".checkpoint" && name != "logstart" {
								must.OK(mem.Remove(dir + "/" + e.Name))
							}
						}
						_ = mem.Remove(dir + "/leader-epoch-checkpoint")
					}
					l := openGolden(t, mem, name, partition, want.LogEndOffset, func(o *Options) {
						if how != "as it is" {
							o.Clean, o.RecoveryPoint = false, 0
						}
					})
					if how == "as it is" && l.Recovered.Clean != (name != "node-killed" && name != "node-torn") {
						t.Errorf("recovery %+v", l.Recovered)
					}
					if end := l.Offsets().End; end != want.LogEndOffset {
						t.Fatalf("the log ends at %d, want %d (%+v)", end, want.LogEndOffset, l.Recovered)
					}
					m := model{}
					for rest := must.Get(readAllOf(l, l.Offsets().LogStart)); len(rest) > 0; {
						b, more, err := record.Next(rest)
						must.OK(err)
						must.OK(b.CheckCRC())
						m.batches, rest = append(m.batches, b), more
					}
					if len(m.batches) != len(want.Batches) {
						t.Fatalf("%d batches, want %d", len(m.batches), len(want.Batches))
					}
					for i, b := range m.batches {
						w := want.Batches[i]
						if b.BaseOffset() != w.BaseOffset || b.LastOffset() != w.LastOffset || b.LeaderEpoch() != w.LeaderEpoch || b.CRC() != w.CRC ||
							b.ProducerID() != w.ProducerID && w.ProducerEpoch >= 0 || b.Count() != w.Count || b.MaxTimestamp() != w.MaxTimestamp {
							t.Errorf("batch %d: offsets %d-%d, want %+v", i, b.BaseOffset(), b.LastOffset(), w)
						}
					}
					checkGoldenState(t, name, how, l, &m)
				})
			}
		}
	}
}

// checkGoldenState compares producers, transactions and epochs with what the batches say. Kafka's snapshot remembers one
// batch of a producer, so a clean start knows no more than that.
func checkGoldenState(t *testing.T, name, how string, l *Log, m *model) {
	t.Helper()
	producers, aborted, epochs := m.replay()
	if name == "compacted" || name == "logstart" || name == "metadata" { // batches are missing that made the state
		return
	}
	for _, e := range l.Producers() {
		p := producers[e.ID]
		if p == nil || e.Epoch != p.epoch || e.TxnFirst != p.open || len(p.batches) > 0 && e.LastSequence() != p.batches[len(p.batches)-1].LastSequence {
			t.Errorf("producer %+v, want %+v", e, p)
		} else if how == "without indexes" && !slices.Equal(e.Batches(), p.batches) {
			t.Errorf("producer %d remembers %v, want %v", e.ID, e.Batches(), p.batches)
		}
	}
	if len(l.Producers()) != len(producers) {
		t.Errorf("%d producers, want %d", len(l.Producers()), len(producers))
	}
	got := must.Get(l.AbortedTransactions(0, l.Offsets().End+1))
	slices.SortFunc(got, func(a, b AbortedTxn) int { return int(a.Last - b.Last) })
	if !slices.Equal(got, aborted) {
		t.Errorf("aborted %+v, want %+v", got, aborted)
	}
	if have := l.Epochs().Entries(); !slices.Equal(m.epochsAt(have), m.epochsAt(epochs)) {
		t.Errorf("epochs %v, want %v", have, epochs)
	}
	if name == "transactions" && l.options.Partition.Topic == "txn" {
		if got := l.LastStable(l.Offsets().End); got != 30 {
			t.Errorf("last stable offset %d", got)
		}
	}
}

// What we write of the same batches is what Kafka wrote: logs, indexes, snapshots and checkpoints, byte for byte.
func TestOurFilesAreKafkas(t *testing.T) {
	for _, name := range []string{"codecs", "groups", "idempotent", "metadata", "node-clean", "transactions"} {
		_, g := unpack(t, name)
		for partition, want := range g.Partitions {
			t.Run(name+"/"+partition, func(t *testing.T) {
				mem, _ := unpack(t, name)
				opened, _ := unpack(t, name)
				theirs := openGolden(t, opened, name, partition, want.LogEndOffset, nil)
				p, _ := ParseDirName(partition)
				ours := disk.NewMem()
				cfg := DefaultConfig()
				o := Options{FS: ours, Path: partition, Partition: p.Partition, TopicID: theirs.options.TopicID, Config: cfg}
				l := must.Get(Open(o))
				bases := map[kafka.Offset]bool{}
				for _, s := range theirs.segments[1:] {
					bases[s.Base()] = true
				}
				for rest := must.Get(readAllOf(theirs, 0)); len(rest) > 0; {
					b, more, err := record.Next(rest)
					must.OK(err)
					if bases[b.BaseOffset()] {
						must.OK(l.roll(kafka.Instant{}, b.BaseOffset()))
					}
					must.Get(l.AppendAsFollower(kafka.Instant{}, b))
					rest = more
				}
				must.OK(l.Close(kafka.Instant{}))
				for _, file := range want.Files {
					if strings.HasSuffix(file, ".checkpoint") || file == "quorum-state" {
						continue
					}
					got := must.Get(checkpoint.Load(ours, partition+"/"+file, 1<<30))
					if kafkas := must.Get(checkpoint.Load(mem, root+"/"+partition+"/"+file, 1<<30)); got == nil || !bytes.Equal(got, kafkas) {
						t.Errorf("%s: %d bytes %x, Kafka has %d: %x", file, len(got), head(got), len(kafkas), head(kafkas))
					}
				}
				for _, e := range must.Get(ours.List(partition)) {
					if !slices.Contains(want.Files, e.Name) && !strings.HasSuffix(e.Name, segment.HistorySuffix) && !strings.HasSuffix(e.Name, segment.SealSuffix) {
						t.Errorf("Kafka has no %s", e.Name)
					}
				}
			})
		}
	}
}

func head(b []byte) []byte { return b[:min(len(b), 120)] }

// The checkpoints and the marker of a directory that we close are those that Kafka left, but for the comment and order
// in meta.properties.
func TestOurDirectoryFilesAreKafkas(t *testing.T) {
	mem, g := unpack(t, "node-clean")
	want, _ := unpack(t, "node-clean")
	read := func(fsys disk.FS, name string) string {
		return string(must.Get(checkpoint.Load(fsys, root+"/"+name, 1<<20)))
	}
	kafkas := map[string]string{}
	for _, name := range []string{metaFile, cleanFile, recoveryPointFile, highWatermarkFile, logStartFile} {
		kafkas[name] = read(want, name)
	}
	meta := must.Get(ParseMeta([]byte(kafkas[metaFile])))
	d := must.Get(OpenDir(mem, root, Identity{ClusterID: meta.ClusterID, NodeID: meta.NodeID}))
	_, epoch := d.Clean()
	ends := checkpoint.Offsets{}
	for partition, p := range g.Partitions {
		if name, _ := ParseDirName(partition); !strings.HasPrefix(partition, "__") {
			ends[name.Partition] = p.LogEndOffset
		}
	}
	must.OK(d.CloseClean(epoch, ends, ends))
	for _, name := range []string{cleanFile, recoveryPointFile, highWatermarkFile, logStartFile} {
		if got := read(mem, name); sortLines(got) != sortLines(kafkas[name]) {
			t.Errorf("%s is %q, Kafka's %q", name, got, kafkas[name])
		}
	}
	if got, err := ParseMeta(meta.Format()); err != nil || got != meta {
		t.Errorf("meta.properties came back as %+v, %v", got, err)
	}
	if got := sortLines(string(meta.Format())); got != sortLines(withoutComments(kafkas[metaFile])) {
		t.Errorf("meta.properties is %q, Kafka's %q", got, kafkas[metaFile])
	}
}

func sortLines(s string) string {
	lines := strings.Split(strings.TrimSpace(withoutComments(s)), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func withoutComments(s string) string {
	var out strings.Builder
	for line := range strings.Lines(s) {
		if !strings.HasPrefix(line, "#") {
			fmt.Fprint(&out, line)
		}
	}
	return out.String()
}
