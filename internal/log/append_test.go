package log

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

func TestAppendAssignsOffsetsAndEpoch(t *testing.T) {
	r := newRig(t)
	for i, want := range []Appended{{Base: 0, Last: 1}, {Base: 2, Last: 2}, {Base: 3, Last: 5}} {
		b := nobody.batch(r.now.WallMs, slices.Repeat([]string{"v"}, int(want.Last-want.Base)+1)...)
		got, err := r.l.AppendAsLeader(r.now, b, 7, Client)
		want.TimestampMs, want.Bytes = -1, len(b)
		if err != nil || got != want {
			t.Fatalf("append %d: %+v, %v, want %+v", i, got, err, want)
		}
		if b.BaseOffset() != want.Base || b.LeaderEpoch() != 7 || b.CheckCRC() != nil {
			t.Errorf("append %d: batch at %d of epoch %d, %v", i, b.BaseOffset(), b.LeaderEpoch(), b.CheckCRC())
		}
	}
	r.offsets(0, 6, 0, 6)
	if e, end := r.l.EndOffsetForEpoch(7); e != 7 || end != 6 {
		t.Errorf("epoch %d ends at %d", e, end)
	}
	if got := r.values(1); !slices.Equal(got, []string{"1=v", "2=v", "3=v", "4=v", "5=v"}) {
		t.Errorf("read %v", got)
	}
}

func TestAppendRefuses(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Accept.MaxMessageBytes = 300; c.Roll.SegmentBytes = 200 })
	good := func() record.Batch { return nobody.batch(r.now.WallMs, "a", "b") }
	for name, c := range map[string]struct {
		batch func() record.Batch
		code  kafka.ErrorCode
		set   func(*AcceptConfig)
	}{
		"base offset":           {func() record.Batch { b := good(); b.SetBaseOffset(4); return b }, kafka.ErrInvalidRecord, nil},
		"crc":                   {func() record.Batch { b := good(); b[len(b)-1]++; return b }, kafka.ErrCorruptMessage, nil},
		"too large":             {func() record.Batch { return nobody.batch(1, string(make([]byte, 300))) }, kafka.ErrMessageTooLarge, nil},
		"larger than a segment": {func() record.Batch { return nobody.batch(1, string(make([]byte, 150))) }, kafka.ErrRecordListTooLarge, nil},
		"control from a client": {func() record.Batch {
			return record.NewEndTxn(1, 0, true, record.EndTxnMarker{}, 1)
		}, kafka.ErrInvalidRecord, nil},
		"too old": {func() record.Batch { return nobody.batch(r.now.WallMs-11, "x") }, kafka.ErrInvalidTimestamp,
			func(a *AcceptConfig) { a.TimestampBeforeMaxMs = 10 }},
		"too new": {func() record.Batch { return nobody.batch(r.now.WallMs+11, "x") }, kafka.ErrInvalidTimestamp,
			func(a *AcceptConfig) { a.TimestampAfterMaxMs = 10 }},
		"too new, header only": {func() record.Batch { return nobody.batch(r.now.WallMs+11, "x") }, kafka.ErrInvalidTimestamp,
			func(a *AcceptConfig) { a.TimestampAfterMaxMs, a.HeaderOnly = 10, true }},
		"no key": {func() record.Batch {
			b := record.NewBuilder(record.Plain())
			b.Append(1, nil, []byte("v"))
			return must.Get(b.Build())
		}, kafka.ErrInvalidRecord, func(a *AcceptConfig) { a.Compacted = true }},
	} {
		cfg := r.cfg
		if c.set != nil {
			c.set(&cfg.Accept)
		}
		r.l.SetConfig(cfg)
		_, err := r.l.AppendAsLeader(r.now, c.batch(), 0, Client)
		if got := fault.CodeOf(err); got != c.code {
			t.Errorf("%s: code %v (%v), want %v", name, got, err, c.code)
		}
	}
	r.offsets(0, 0, 0, 0)
	if size := r.l.Size(); size != 0 {
		t.Errorf("refused batches left %d bytes", size)
	}
}

func TestLogAppendTime(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Accept.LogAppendTime = true })
	b := nobody.batch(5, "a", "b")
	a, err := r.l.AppendAsLeader(r.now, b, 0, Client)
	if err != nil || a.TimestampMs != r.now.WallMs {
		t.Fatalf("%+v, %v", a, err)
	}
	if !b.IsLogAppendTime() || b.MaxTimestamp() != r.now.WallMs || b.CheckCRC() != nil {
		t.Errorf("batch has time %d, log append time %v, %v", b.MaxTimestamp(), b.IsLogAppendTime(), b.CheckCRC())
	}
	found, ok, err := r.l.OffsetForTimestamp(r.now.WallMs)
	if err != nil || !ok || found != (TimestampOffset{0, r.now.WallMs, 0}) {
		t.Errorf("by time: %+v, %v, %v", found, ok, err)
	}
	if _, ok, _ := r.l.OffsetForTimestamp(r.now.WallMs + 1); ok {
		t.Error("found a record after the last")
	}
}

func TestRecompression(t *testing.T) {
	plain := newRig(t)
	plain.put("aaaaaaaaaaaaaaaaaaaaaaaa", "b")
	for _, codec := range []record.Codec{record.None, record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		r := newRig(t, func(c *Config) { c.Accept.Recompress, c.Accept.Codec, c.Accept.Level = true, codec, -1 })
		r.put("aaaaaaaaaaaaaaaaaaaaaaaa", "b")
		s := sender{id: 4, epoch: 2, seq: 0}
		r.send(s, "c", "d")
		if !r.send(s, "c", "d").Duplicate {
			t.Error("a retry of a batch that was recompressed was not recognised")
		}
		b, _, err := record.Next(r.bytes(2))
		if err != nil || b.Codec() != codec || b.ProducerID() != 4 || b.BaseSequence() != 0 {
			t.Errorf("stored as %v: %v", b.Codec(), err)
		}
		if got := r.values(0); !slices.Equal(got, []string{"0=aaaaaaaaaaaaaaaaaaaaaaaa", "1=b", "2=c", "3=d"}) {
			t.Errorf("%v: read %v", codec, got)
		}
	}
}

func TestFollowerKeepsBytesAndChecksOffsets(t *testing.T) {
	leader, r := newRig(t), newRig(t)
	leader.put("a", "b")
	leader.put("c")
	b, rest, _ := record.Next(leader.bytes(0))
	c, _, _ := record.Next(rest)
	if _, err := r.l.AppendAsFollower(r.now, b); err != nil {
		t.Fatal(err)
	}
	if _, err := r.l.AppendAsFollower(r.now, b); err == nil {
		t.Error("an offset that is there was taken again")
	}
	torn := slices.Clone(c)
	torn[len(torn)-1]++
	_, err := r.l.AppendAsFollower(r.now, torn)
	r.code(err, kafka.ErrCorruptMessage)
	c = slices.Clone(c)
	c.SetBaseOffset(40)
	if _, err := r.l.AppendAsFollower(r.now, c); err != nil {
		t.Fatal(err)
	}
	equalBytes(t, "follower", r.bytes(0), append(slices.Clone(b), c...))
	r.offsets(0, 41, 0, 41)
	if s, err := r.l.Read(20, ReadOptions{MaxBytes: 1000, Upper: 41}); err != nil || s.Next != 41 || s.First > 40 {
		t.Errorf("read inside the gap: %+v, %v", s, err)
	} else {
		s.Release()
	}
	garbled := record.NewEndTxn(7, 0, true, record.EndTxnMarker{}, 1)
	garbled.SetBaseOffset(41)
	copy(garbled[len(garbled)-12:], bytes.Repeat([]byte{0xff}, 11))
	garbled.Seal()
	if _, err := r.l.AppendAsFollower(r.now, garbled); err == nil {
		t.Error("a marker that does not parse was written")
	}
	r.offsets(0, 41, 0, 41)
}

func TestRolls(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*RollConfig)
		step int64 // ms between batches
	}{
		"size":  {func(c *RollConfig) { c.SegmentBytes = 250 }, 0},
		"time":  {func(c *RollConfig) { c.SegmentMs = 1000 }, 600},
		"index": {func(c *RollConfig) { c.IndexBytes, c.IndexIntervalBytes = 24, 1 }, 0},
	} {
		r := newRig(t, func(cfg *Config) { c.set(&cfg.Roll) })
		var want []string
		for i := range 9 {
			r.put(fmt.Sprint("value-", i))
			want = append(want, fmt.Sprintf("%d=value-%d", i, i))
			r.now.WallMs += c.step
		}
		if n := r.l.Segments(); n < 3 || n > 5 {
			t.Errorf("%s: %d segments", name, n)
		}
		for _, how := range []string{"kill", "clean", "roll", "clean"} {
			r.restart(how)
			if got := r.values(0); !slices.Equal(got, want) {
				t.Errorf("%s, %s: read %v", name, how, got)
			}
		}
	}
}

func TestRollOfAnIdleSegment(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Roll.SegmentMs = 1000 })
	must.OK(r.l.MaybeRoll(r.now))
	r.put("a")
	r.now.WallMs += 1000
	must.OK(r.l.MaybeRoll(r.now))
	if n := r.l.Segments(); n != 1 {
		t.Fatalf("%d segments before the time is over", n)
	}
	r.now.WallMs++
	must.OK(r.l.MaybeRoll(r.now))
	must.OK(r.l.MaybeRoll(r.now))
	if n := r.l.Segments(); n != 2 {
		t.Fatalf("%d segments", n)
	}
}

// A follower of a compacted log may meet offsets that no segment reaches; the hole survives a power cut, and so does
// what stands behind it.
func TestOffsetsBeyondASegmentsReach(t *testing.T) {
	r := newRig(t)
	r.put("a")
	far := nobody.batch(1, "b")
	far.SetBaseOffset(5 << 31)
	if _, err := r.l.AppendAsFollower(r.now, far); err != nil {
		t.Fatal(err)
	}
	if n := r.l.Segments(); n != 2 {
		t.Fatalf("%d segments", n)
	}
	want := []string{"0=a", fmt.Sprintf("%d=b", int64(5<<31))}
	if got := r.values(0); !slices.Equal(got, want) {
		t.Fatalf("read %v", got)
	}
	r.flush()
	for _, how := range []string{"power", "kill", "clean", "kill"} {
		r.restart(how)
		if got := r.values(0); !slices.Equal(got, want) {
			t.Fatalf("%s: read %v", how, got)
		}
	}
	r.offsets(0, 5<<31+1, 5<<31+1, 5<<31+1)
}

func TestDirtyNamesWhatMustBeSynced(t *testing.T) {
	r := newRig(t, small)
	r.offsets(0, 0, 0, 0)
	if targets, _ := r.l.Dirty(); len(targets) != 0 {
		t.Fatalf("an empty log is dirty: %v", targets)
	}
	for i := range 12 {
		r.put(fmt.Sprint("some value ", i))
		if i%3 == 0 {
			targets, upTo := r.l.Dirty()
			r.put("behind the flush")
			for _, y := range targets {
				must.OK(y.Sync())
			}
			r.l.Flushed(upTo)
			if o := r.l.Offsets(); o.Durable != upTo || o.End != upTo+1 {
				t.Fatalf("durable %d, end %d after a flush of %d", o.Durable, o.End, upTo)
			}
			have := r.bytes(0)
			lost := &rig{t: t, mem: r.mem.PowerCut(), cfg: r.cfg, now: r.now}
			lost.open()
			if got := lost.l.Offsets(); got.End < upTo {
				t.Fatalf("after a power cut the log ends at %d, durable was %d", got.End, upTo)
			}
			kept := lost.bytes(0)
			equalBytes(t, "after a power cut", kept, have[:len(kept)])
		}
	}
	r.flush()
	if targets, upTo := r.l.Dirty(); len(targets) != 0 || upTo != r.l.Offsets().End {
		t.Errorf("dirty after a flush: %v", targets)
	}
	// The common case allocates nothing.
	r = newRig(t)
	r.put("x")
	r.flush()
	r.put("x")
	if n := testing.AllocsPerRun(20, func() { _, _ = r.l.Dirty() }); n != 0 {
		t.Errorf("Dirty allocates %v times", n)
	}
}

// S6: when the disk is full a batch is there whole or not at all, reads go on, and so do appends once there is room.
func TestNoSpace(t *testing.T) {
	for _, keep := range []int{0, 1, 60, 75, 1 << 20} {
		for _, op := range []disk.Op{disk.OpWrite, disk.OpOpen} {
			var faulty *disk.Faulty
			r := newRig(t, small)
			r.around = func(f disk.FS) disk.FS { faulty = disk.NewFaulty(f); return faulty }
			r.restart("kill")
			var want []string
			for i := range 30 {
				v := fmt.Sprint("value-", i)
				if i%4 == 1 {
					faulty.Add(disk.Fault{Op: op, Err: disk.ErrNoSpace, Keep: keep})
					if i%8 == 1 {
						faulty.Add(disk.Fault{Op: disk.OpTruncate, Err: disk.ErrIO, Times: 1})
					}
				}
				a, err := r.try(nobody, Client, v)
				if err == nil {
					want = append(want, fmt.Sprintf("%d=%s", a.Base, v))
				} else if !errors.Is(err, disk.ErrNoSpace) || !fault.IsKind(err, fault.Full) || fault.IsKind(err, fault.Disk) {
					t.Fatalf("error %v", err)
				}
				faulty.Heal()
				if got := r.values(0); !slices.Equal(got, want) {
					t.Fatalf("keep %d, %s, batch %d (%v): read %v, want %v", keep, op, i, err, got, want)
				}
			}
			r.restart("kill")
			if got := r.values(0); !slices.Equal(got, want) {
				t.Fatalf("keep %d, %s: after a restart %v, want %v", keep, op, got, want)
			}
		}
	}
}

func TestJitterTakesLessThanItSays(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Roll.SegmentMs, c.Roll.SegmentJitterMs = 1000, 300 })
	seen := map[int64]bool{}
	for base := range kafka.Offset(50) {
		s := segment.Existing(r.mem, root, base, 0, base, false, 0)
		j := r.l.limits(s).JitterMs
		if j < 0 || j >= 300 || j != r.l.limits(s).JitterMs {
			t.Fatalf("jitter %d", j)
		}
		seen[j] = true
	}
	if len(seen) < 10 {
		t.Errorf("%d different jitters of 50", len(seen))
	}
	r.cfg.Roll.SegmentBytes = math.MaxInt64
	r.l.SetConfig(r.cfg)
	if got := r.l.limits(r.l.active()).SegmentBytes; got != math.MaxInt32 {
		t.Errorf("a segment may have %d bytes, more than positions reach", got)
	}
}

// D8: appending a batch of which only the header is validated allocates nothing, but for the growth of the indexes.
func TestAppendAllocatesNothing(t *testing.T) {
	o := Options{FS: disk.NewOS(), Path: filepath.ToSlash(t.TempDir()) + "/t-0", Partition: tp, Config: DefaultConfig()}
	o.Config.Accept.HeaderOnly, o.Config.Roll.IndexIntervalBytes = true, 1<<40
	o.Config.Accept.TimestampAfterMaxMs = 1 << 62
	l := must.Get(Open(o))
	template := nobody.batch(1000, "some value")
	batch := slices.Clone(template)
	if n := testing.AllocsPerRun(100, func() {
		copy(batch, template)
		must.Get(l.AppendAsLeader(o.Now, batch, 0, Client))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	must.OK(l.Close(o.Now))
}
