package log

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

var (
	tp      = kafka.TopicPartition{Topic: "t", Partition: 0}
	topicID = kafka.TopicID{1, 2, 3}
	me      = Identity{ClusterID: "cluster", NodeID: 1}
)

const root = "data"

// rig is one log in one directory on a disk in memory, through all its lives.
type rig struct {
	t   *testing.T
	mem *disk.Mem
	fs  disk.FS // mem, or something around it
	dir *Dir
	l   *Log
	cfg Config
	now kafka.Instant
	// around wraps the disk of each life.
	around func(disk.FS) disk.FS
}

func newRig(t *testing.T, change ...func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, mem: disk.NewMem(), cfg: DefaultConfig(), now: kafka.Instant{Mono: time.Hour, WallMs: 1_790_000_000_000}}
	r.cfg.Accept.TimestampBeforeMaxMs, r.cfg.Accept.TimestampAfterMaxMs = 1<<62, 1<<62
	for _, f := range change {
		f(&r.cfg)
	}
	r.open()
	return r
}

func small(c *Config) { c.Roll.SegmentBytes = 400 }

func (r *rig) openDir() {
	r.t.Helper()
	r.fs = r.mem
	if r.around != nil {
		r.fs = r.around(r.mem)
	}
	d, err := OpenDir(r.fs, root, me)
	if err != nil {
		r.t.Fatalf("open directory: %v", err)
	}
	if _, formatted := d.Meta(); !formatted {
		must.OK(d.Format(Meta{ClusterID: me.ClusterID, NodeID: me.NodeID, DirectoryID: kafka.DirectoryID{9}}))
	}
	r.dir = d
}

func (r *rig) tryOpen() error {
	o := r.dir.Options(tp, r.cfg, r.now)
	o.TopicID = topicID
	l, err := Open(o)
	r.l = l
	return err
}

func (r *rig) open() {
	r.t.Helper()
	r.openDir()
	if err := r.tryOpen(); err != nil {
		r.t.Fatalf("open log: %v", err)
	}
	if r.l.Recovered.Doubt != nil {
		r.t.Errorf("a false alarm: %v", r.l.Recovered.Doubt)
	}
}

// restart ends this life: "clean", "kill", "power" (only what was synced survives), or "roll" (a roll, then kill).
func (r *rig) restart(how string) {
	r.t.Helper()
	switch how {
	case "clean":
		must.OK(r.l.Close(r.now))
		end := checkpoint.Offsets{tp: r.l.Offsets().End}
		must.OK(r.dir.CloseClean(77, end, end))
	case "kill":
		r.mem = r.mem.Killed()
	case "power":
		r.mem = r.mem.PowerCut()
	case "roll":
		must.OK(r.l.roll(r.now, r.l.end))
		r.mem = r.mem.Killed()
	}
	r.open()
}

// flush syncs what is dirty, as the flush service does.
func (r *rig) flush() {
	r.t.Helper()
	targets, upTo := r.l.Dirty()
	for _, y := range targets {
		must.OK(y.Sync())
	}
	r.l.Flushed(upTo)
}

// checkpointed saves the recovery point, as the node does now and then.
func (r *rig) checkpointed() {
	must.OK(r.l.Epochs().Sync())
	must.OK(r.dir.SaveRecoveryPoints(checkpoint.Offsets{tp: Recoverable(r.l)}))
}

// sender says who a batch is from.
type sender struct {
	id    kafka.ProducerID
	epoch kafka.ProducerEpoch
	seq   int32
	txn   bool
}

var nobody = sender{id: kafka.NoProducerID, epoch: -1, seq: -1}

func (s sender) batch(ts int64, values ...string) record.Batch {
	o := record.Plain()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = s.id, s.epoch, s.seq, s.txn
	b := record.NewBuilder(o)
	for i, v := range values {
		b.Append(ts+int64(i), []byte("k"), []byte(v))
	}
	return must.Get(b.Build())
}

func (s sender) at(seq int32) sender { s.seq = seq; return s }

func (r *rig) try(s sender, origin Origin, values ...string) (Appended, error) {
	return r.l.AppendAsLeader(r.now, s.batch(r.now.WallMs, values...), r.epoch(), origin)
}

func (r *rig) send(s sender, values ...string) Appended {
	r.t.Helper()
	origin := Client
	if s.txn {
		origin = Coordinator
	}
	a, err := r.try(s, origin, values...)
	if err != nil {
		r.t.Fatalf("append of %+v: %v", s, err)
	}
	return a
}

func (r *rig) put(values ...string) Appended {
	r.t.Helper()
	return r.send(nobody, values...)
}

func (r *rig) end(s sender, commit bool) Appended {
	r.t.Helper()
	b := record.NewEndTxn(s.id, s.epoch, commit, record.EndTxnMarker{CoordinatorEpoch: 1}, r.now.WallMs)
	a, err := r.l.AppendAsLeader(r.now, b, r.epoch(), Coordinator)
	if err != nil {
		r.t.Fatalf("marker of %+v: %v", s, err)
	}
	return a
}

// code fails unless an error has the code.
func (r *rig) code(err error, want kafka.ErrorCode) {
	r.t.Helper()
	if got := fault.CodeOf(err); got != want {
		r.t.Errorf("code %v (%v), want %v", got, err, want)
	}
}

// bytes reads the whole log from an offset on.
func (r *rig) bytes(from kafka.Offset) []byte {
	r.t.Helper()
	out, err := readAllOf(r.l, from)
	if err != nil {
		r.t.Fatalf("read from %d: %v", from, err)
	}
	return out
}

func readAllOf(l *Log, from kafka.Offset) ([]byte, error) {
	var out []byte
	for end := l.Offsets().End; from < end; {
		s, err := l.Read(from, ReadOptions{MaxBytes: 1 << 20, MinOne: true, Upper: end})
		if err != nil {
			return nil, err
		}
		if s.Next <= from {
			return nil, fmt.Errorf("reading from %d leads to %d", from, s.Next)
		}
		out, err = s.AppendTo(out)
		from = s.Next
		s.Release()
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// values reads every record's value from an offset on, with its offset, "12=abc".
func (r *rig) values(from kafka.Offset) []string {
	r.t.Helper()
	var out []string
	for rest := r.bytes(from); len(rest) > 0; {
		b, more, err := record.Next(rest)
		must.OK(err)
		must.OK(b.CheckCRC())
		must.OK(b.Each(record.Limits{}, func(c *record.Record) error {
			if c.Offset >= from && !b.IsControl() {
				out = append(out, fmt.Sprintf("%d=%s", c.Offset, c.Value))
			}
			return nil
		}))
		rest = more
	}
	return out
}

// offsets fails unless the log stands where it should.
func (r *rig) offsets(start, unstable, durable, end kafka.Offset) {
	r.t.Helper()
	want := Offsets{LogStart: start, LocalLogStart: start, FirstUnstable: unstable, Durable: durable, End: end}
	if got := r.l.Offsets(); got != want {
		r.t.Errorf("offsets %+v, want %+v", got, want)
	}
}

// files lists the log's directory.
func (r *rig) files() []string {
	var out []string
	for _, e := range must.Get(r.mem.List(root + "/t-0")) {
		out = append(out, e.Name)
	}
	return out
}

func (r *rig) file(name string) []byte {
	return must.Get(checkpoint.Load(r.mem, root+"/t-0/"+name, 1<<30))
}

func (r *rig) overwrite(name string, data []byte) { must.OK(writeFile(r.mem, root+"/t-0/"+name, data)) }

func equalBytes(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes that differ from the %d expected", what, len(got), len(want))
	}
}

func markerBatch(s sender, commit bool, coordinatorEpoch int32, ts int64) record.Batch {
	return record.NewEndTxn(s.id, s.epoch, commit, record.EndTxnMarker{CoordinatorEpoch: coordinatorEpoch}, ts)
}

// epoch is the leader's, which never falls.
func (r *rig) epoch() kafka.LeaderEpoch { return max(r.l.Epochs().Latest().Epoch, 0) }
