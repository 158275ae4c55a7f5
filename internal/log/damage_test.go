package log

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// readable reads every offset of a log on its own and returns the values by offset; an offset that is refused as corrupt
// is not there. No answer may be anything else.
func (r *rig) readable() map[kafka.Offset]string {
	r.t.Helper()
	got := map[kafka.Offset]string{}
	o := r.l.Offsets()
	for at := o.LogStart; at < o.End; at++ {
		s, err := r.l.Read(at, ReadOptions{MaxBytes: 1, MinOne: true, Upper: o.End})
		if fault.IsKind(err, fault.Corrupt) {
			continue
		}
		must.OK(err)
		data := must.Get(s.AppendTo(nil))
		s.Release()
		for len(data) > 0 {
			b, rest, err := record.Next(data)
			must.OK(err)
			must.OK(b.CheckCRC())
			must.OK(b.Each(record.Limits{}, func(c *record.Record) error {
				v := fmt.Sprintf("%s in epoch %d", c.Value, b.LeaderEpoch())
				if old, twice := got[c.Offset]; twice && old != v {
					r.t.Errorf("offset %d is %q and %q", c.Offset, old, v)
				}
				got[c.Offset] = v
				return nil
			}))
			data = rest
		}
	}
	return got
}

// wantReadable demands that every record is read as it was written, or not at all, and that those outside of [from, to)
// are read.
func (r *rig) wantReadable(what string, all map[kafka.Offset]string, from, to kafka.Offset) {
	r.t.Helper()
	got := r.readable()
	for o, v := range got {
		if all[o] != v {
			r.t.Errorf("%s: offset %d reads %q, it was %q", what, o, v, all[o])
		}
	}
	for o := range all {
		if _, there := got[o]; !there && (o < from || o >= to) {
			r.t.Errorf("%s: offset %d is not read, and was not damaged", what, o)
		}
	}
}

// durableRig has twelve batches of three records, four in a segment, all durable and checkpointed.
func durableRig(t *testing.T) (*rig, map[kafka.Offset]string) {
	r := threes(t, 12)
	r.flush()
	r.checkpointed()
	must.OK(r.dir.CheckpointHighWatermarks(func() checkpoint.Offsets { return checkpoint.Offsets{tp: r.l.Offsets().Durable} }))
	return r, r.readable()
}

func logName(base kafka.Offset) string { return segment.Name(base, segment.LogSuffix) }

// S4: damage below the recovery point is served around, and so it is after every further start; writes go on.
func TestDamageBelowTheRecoveryPointIsServedAround(t *testing.T) {
	for _, how := range []string{"clean", "kill"} {
		for name, c := range map[string]struct {
			hurt func(r *rig, bases []kafka.Offset)
			lost func(bases []kafka.Offset, end kafka.Offset) (from, to kafka.Offset)
		}{
			"structure of the last": {func(r *rig, b []kafka.Offset) { r.edit(b[len(b)-1], func(d []byte) []byte { d[16] = 9; return d }) }, lastBatches(0, 3)},
			"tail of the last":      {func(r *rig, b []kafka.Offset) { r.edit(b[len(b)-1], func(d []byte) []byte { return d[:len(d)-1] }) }, lastBatch},
			"a batch of the last": {func(r *rig, b []kafka.Offset) {
				r.edit(b[len(b)-1], func(d []byte) []byte { return d[:len(d)-batchSize(d)] })
			}, lastBatch},
			"the last":              {func(r *rig, b []kafka.Offset) { must.OK(r.mem.Remove(root + "/t-0/" + logName(b[len(b)-1]))) }, segmentOf(-1)},
			"tail of a middle one":  {func(r *rig, b []kafka.Offset) { r.edit(b[1], func(d []byte) []byte { return d[:len(d)-1] }) }, segmentOf(1)},
			"a batch of a middle":   {func(r *rig, b []kafka.Offset) { r.edit(b[1], func(d []byte) []byte { return d[:len(d)-batchSize(d)] }) }, segmentOf(1)},
			"zeros in a middle one": {func(r *rig, b []kafka.Offset) { r.edit(b[1], func(d []byte) []byte { clear(d); return d }) }, segmentOf(1)},
			"a middle one":          {func(r *rig, b []kafka.Offset) { must.OK(r.mem.Remove(root + "/t-0/" + logName(b[1]))) }, segmentOf(1)},
			"the first":             {func(r *rig, b []kafka.Offset) { r.edit(b[0], func(d []byte) []byte { return d[:40] }) }, segmentOf(0)},
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				r, all := durableRig(t)
				var bases []kafka.Offset
				for _, s := range r.l.segments {
					bases = append(bases, s.Base())
				}
				if how == "clean" {
					must.OK(r.l.Close(r.now))
					end := checkpoint.Offsets{tp: r.l.Offsets().End}
					must.OK(r.dir.CloseClean(77, end, end))
				} else {
					r.mem = r.mem.Killed()
				}
				c.hurt(r, bases)
				r.open()
				from, to := c.lost(bases, 36)
				for life := range 3 {
					r.wantReadable(fmt.Sprint(name, " life ", life), all, from, to)
					if len(r.readable()) == len(all) {
						t.Fatal("nothing is damaged")
					}
					if end := r.l.Offsets().End; end != kafka.Offset(36+life) {
						t.Fatalf("life %d: the end is %d", life, end)
					}
					if damages := r.l.Damages(); len(damages) != 1 || damages[0].First < from || damages[0].Next > to {
						t.Errorf("life %d: damages %+v, want one in %d to %d", life, damages, from, to)
					}
					v := fmt.Sprint("life", life)
					all[r.put(v).Base] = fmt.Sprintf("%s in epoch %d", v, r.epoch())
					r.flush()
					r.checkpointed()
					r.restart([]string{how, "kill", "clean"}[life])
				}
			})
		}
	}
}

func batchSize(d []byte) int { return must.Get(record.PeekSize(d)) }

func (r *rig) edit(base kafka.Offset, f func([]byte) []byte) {
	r.overwrite(logName(base), f(slices.Clone(r.file(logName(base)))))
}

func lastBatch(_ []kafka.Offset, end kafka.Offset) (from, to kafka.Offset) { return end - 3, end }

func lastBatches(at, n kafka.Offset) func([]kafka.Offset, kafka.Offset) (from, to kafka.Offset) {
	return func(bases []kafka.Offset, _ kafka.Offset) (from, to kafka.Offset) {
		from = bases[len(bases)-1] + at
		return from, from + n
	}
}

func segmentOf(i int) func([]kafka.Offset, kafka.Offset) (from, to kafka.Offset) {
	return func(bases []kafka.Offset, end kafka.Offset) (from, to kafka.Offset) {
		at := (i + len(bases)) % len(bases)
		if at+1 < len(bases) {
			end = bases[at+1]
		}
		return bases[at], end
	}
}

// S3: every single-bit flip of a segment is found, also of the bytes that Kafka's checksum leaves out, and it costs no more
// than the batch that it is in.
func TestEveryFlippedBitOfASegment(t *testing.T) {
	origin, all := durableRig(t)
	must.OK(origin.l.Close(origin.now))
	end := checkpoint.Offsets{tp: 36}
	must.OK(origin.dir.CloseClean(77, end, end))
	image := origin.mem
	for _, base := range []kafka.Offset{origin.l.segments[1].Base(), origin.l.active().Base()} {
		data := origin.file(logName(base))
		size := batchSize(data)
		for _, clean := range []bool{true, false} {
			for bit := range 8 * len(data) {
				if bit%7 != 0 && os.Getenv("MILENA_EVERY_BIT") == "" {
					continue
				}
				r := &rig{t: t, mem: image.PowerCut(), cfg: origin.cfg, now: origin.now}
				bad := slices.Clone(data)
				bad[bit/8] ^= 1 << (bit % 8)
				r.overwrite(logName(base), bad)
				if !clean {
					must.OK(r.mem.Remove(root + "/" + cleanFile))
				}
				r.open()
				hit := base + 3*kafka.Offset(bit/8/size)
				what := fmt.Sprintf("segment %d, batch at %d, byte %d, bit %d, clean %v", base, hit, bit/8%size, bit%8, clean)
				r.wantReadable(what, all, hit, hit+3)
				if got := r.readable(); len(got) != len(all)-3 {
					t.Errorf("%s: %d records are read", what, len(got))
				}
				if t.Failed() {
					t.FailNow()
				}
			}
		}
	}
}

// S2: a flipped bit in any other file of a partition costs nothing.
func TestEveryFlippedBitOfTheOtherFiles(t *testing.T) {
	origin, all := durableRig(t)
	must.OK(origin.l.Close(origin.now))
	end := checkpoint.Offsets{tp: 36}
	must.OK(origin.dir.CloseClean(77, end, end))
	image := origin.mem
	for _, name := range origin.files() {
		if strings.HasSuffix(name, ".log") || name == partitionMetadata {
			continue
		}
		data := origin.file(name)
		for bit := range 8 * len(data) {
			r := &rig{t: t, mem: image.PowerCut(), cfg: origin.cfg, now: origin.now}
			bad := slices.Clone(data)
			bad[bit/8] ^= 1 << (bit % 8)
			r.overwrite(name, bad)
			r.open()
			what := fmt.Sprintf("%s, byte %d, bit %d", name, bit/8, bit%8)
			r.wantReadable(what, all, 0, 0)
			if end := r.l.Offsets().End; end != 36 {
				t.Errorf("%s: the end is %d", what, end)
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}
