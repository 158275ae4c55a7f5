package log

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// stop ends a life cleanly, or kills it.
func (r *rig) stop(clean bool) {
	if !clean {
		r.mem = r.mem.Killed()
		return
	}
	must.OK(r.l.Close(r.now))
	end := checkpoint.Offsets{tp: r.l.Offsets().End}
	must.OK(r.dir.CloseClean(77, end, end))
}

// settle makes everything durable, so that a power cut is a copy.
func (r *rig) settle() {
	for _, name := range r.files() {
		must.OK(segment.PathSyncer(r.mem, root+"/t-0/"+name).Sync())
	}
	must.OK(r.mem.SyncDir(root + "/t-0"))
}

func (r *rig) bases() (out []kafka.Offset) {
	for _, s := range r.l.segments {
		out = append(out, s.Base())
	}
	return out
}

func (r *rig) remove(base kafka.Offset, suffixes ...string) {
	for _, suffix := range suffixes {
		_ = r.mem.Remove(root + "/t-0/" + segment.Name(base, suffix))
	}
}

// inOrder reads the log as a follower does, from where one answer leads to the next, and returns the offsets of its batches up to
// what is refused.
func (r *rig) inOrder() (got []kafka.Offset) {
	for at, end := r.l.Offsets().LogStart, r.l.Offsets().End; at < end; {
		s, err := r.l.Read(at, ReadOptions{MaxBytes: 1 << 20, MinOne: true, Upper: end})
		if err != nil {
			return got
		}
		data := must.Get(s.AppendTo(nil))
		for len(data) > 0 {
			b, rest, err := record.Next(data)
			must.OK(err)
			got, data = append(got, b.BaseOffset()), rest
		}
		at = s.Next
		s.Release()
	}
	return got
}

// S4: a sealed segment that lost batches at its end is no compacted one, whatever its indexes say: their offsets are refused, and
// nobody is led past them. Without the seal they are missing and nobody knows; that is what the test would see otherwise.
func TestASealedSegmentThatWasCutIsDamaged(t *testing.T) {
	for _, clean := range []bool{true, false} {
		for i := range 2 {
			for lost := 1; lost <= 4; lost++ {
				for _, sealed := range []bool{true, false} {
					t.Run(fmt.Sprintf("segment %d, %d batches, clean %v, sealed %v", i, lost, clean, sealed), func(t *testing.T) {
						r, all := durableRig(t)
						bases := r.bases()
						r.stop(clean)
						r.edit(bases[i], func(d []byte) []byte { return d[:len(d)-lost*batchSize(d)] })
						r.remove(bases[i], segment.IndexSuffix, segment.TimeIndexSuffix)
						if !sealed {
							r.remove(bases[i], segment.SealSuffix)
						}
						r.open()
						from := bases[i+1] - 3*kafka.Offset(lost)
						order := r.inOrder()
						if sealed == slices.Contains(order, bases[i+1]) {
							t.Errorf("reading in order gives %v", order)
						}
						r.wantReadable("random reads", all, from, bases[i+1])
						if damages := r.l.Damages(); sealed && (len(damages) != 1 || damages[0].First != from || damages[0].Next != bases[i+1]) || !sealed && len(damages) > 0 {
							t.Errorf("damages %+v, want %d to %d", damages, from, bases[i+1])
						}
						r.put("and on")
						r.flush()
					})
				}
			}
		}
	}
}

// S4: a segment of which no file is left is missed by the seal of the one before it.
func TestASegmentThatIsGoneIsDamage(t *testing.T) {
	r, all := durableRig(t)
	bases := r.bases()
	r.stop(false)
	r.remove(bases[1], segment.LogSuffix, segment.IndexSuffix, segment.TimeIndexSuffix, segment.TxnIndexSuffix, segment.SealSuffix)
	r.open()
	if order := r.inOrder(); slices.Contains(order, bases[2]) {
		t.Errorf("reading in order gives %v", order)
	}
	r.wantReadable("gone", all, bases[1], bases[2])
	if damages := r.l.Damages(); len(damages) != 1 || damages[0].First != bases[1] || damages[0].Next != bases[2] {
		t.Errorf("damages %+v, want %d to %d", damages, bases[1], bases[2])
	}
}

// gappy is a compacted log: gaps in and between its segments, several epochs, a segment of one batch.
func gappy(t *testing.T) (*rig, map[kafka.Offset]string) {
	r := newRig(t, compacting, func(c *Config) { c.Roll.SegmentBytes, c.Clean.SegmentBytes = 500, 700 })
	for i := range 40 {
		o := record.Plain()
		o.ProducerEpoch, o.BaseSequence = -1, -1
		b := record.NewBuilder(o)
		for j := range 1 + i%3 {
			b.Append(r.now.WallMs, fmt.Appendf(nil, "k%d", (7*i+3*j)%13), fmt.Appendf(nil, "v%d", i))
		}
		must.Get(r.l.AppendAsLeader(r.now, must.Get(b.Build()), kafka.LeaderEpoch(i/6), Client))
	}
	r.flush()
	must.OK(r.l.roll(r.now, r.l.end))
	r.put("newest")
	r.flush()
	h := history{rig: r}
	must.Get(h.compact(clean.DefaultBuffers(), func() {}))
	r.checkpointed()
	return r, r.readable()
}

// S3: the offset and the epoch of a batch lie outside Kafka's checksum. Where compaction left gaps around it no neighbour can
// tell that they are wrong; the seal can, and false alarms it raises none.
func TestEveryFlippedBitOfACompactedSegment(t *testing.T) {
	origin, all := gappy(t)
	bases := origin.bases()
	origin.stop(true)
	origin.settle()
	image := origin.mem
	open := 0
	for i, base := range bases[:len(bases)-1] {
		data := origin.file(logName(base))
		for pos := 0; pos < len(data); pos += batchSize(data[pos:]) {
			for bit := range 16 * 8 {
				if (bit+pos)%5 != 0 && os.Getenv("MILENA_EVERY_BIT") == "" {
					continue
				}
				r := &rig{t: t, mem: image.PowerCut(), cfg: origin.cfg, now: origin.now}
				bad := slices.Clone(data)
				bad[pos+bit/8] ^= 1 << (bit % 8)
				r.overwrite(logName(base), bad)
				r.settle()
				r.open()
				what := fmt.Sprintf("segment %d, batch at %d, bit %d", base, pos, bit)
				r.wantReadable(what, all, base, bases[i+1])
				if len(r.l.Damages()) == 0 {
					t.Errorf("%s: no damage is known", what)
				}
				r = &rig{t: t, mem: r.mem.PowerCut(), cfg: origin.cfg, now: origin.now}
				r.remove(base, segment.SealSuffix)
				r.open()
				if maps.Equal(r.readable(), all) || wrong(r.readable(), all) {
					open++
				}
				if t.Failed() {
					t.FailNow()
				}
			}
		}
	}
	if open == 0 {
		t.Error("without a seal every flip is found, too: the test says nothing of it")
	}
}

// wrong reports whether a record is read that was not written so.
func wrong(got, all map[kafka.Offset]string) bool {
	for o, v := range got {
		if all[o] != v {
			return true
		}
	}
	return false
}

// A seal of what is no more raises no alarm: Apache Kafka has compacted the log meanwhile, which its checkpoint tells.
func TestASealOfEarlierContentIsNotBelieved(t *testing.T) {
	compacted, all := gappy(t)
	compacted.stop(true)
	for _, name := range compacted.files() {
		if strings.HasSuffix(name, segment.SealSuffix) {
			compacted.overwrite(name, other(compacted.file(name)))
		}
	}
	compacted.settle()
	alarmed := &rig{t: t, mem: compacted.mem.PowerCut(), cfg: compacted.cfg, now: compacted.now}
	alarmed.open()
	if maps.Equal(alarmed.readable(), all) {
		t.Error("nothing here could raise an alarm")
	}
	must.OK(compacted.mem.Remove(root + "/" + OwnCleanedFile)) // as if the other checkpoint had moved on
	compacted.open()
	compacted.wantReadable("compacted by somebody else", all, 0, 0)
	if damages := compacted.l.Damages(); len(damages) > 0 {
		t.Errorf("damages %+v", damages)
	}
	for _, name := range compacted.files() {
		if strings.HasSuffix(name, segment.SealSuffix) {
			t.Errorf("%s is still there", name)
		}
	}
}

// other is the seal of other batches in as many bytes, at the same offsets.
func other(data []byte) []byte {
	s := must.Get(segment.ParseSeal(data))
	for i := range s.Stretches {
		s.Stretches[i].Sum++
	}
	return s.Append(nil)
}

// Nor does one of what Apache Kafka has cut since, with as many bytes of a later epoch in its place.
func TestASealOfWhatWasCutIsNotBelieved(t *testing.T) {
	of := func(epoch kafka.LeaderEpoch) *rig {
		r := newRig(t, small)
		r.l.Epochs().Assign(epoch, 0)
		for i := range 12 {
			r.put("first", "second", fmt.Sprint("value", i%10))
		}
		r.flush()
		r.checkpointed()
		return r
	}
	first, second := of(1), of(2)
	all := second.readable()
	second.stop(false)
	for _, name := range first.files() {
		if strings.HasSuffix(name, segment.SealSuffix) {
			second.overwrite(name, first.file(name))
		}
	}
	second.open()
	second.wantReadable("written anew", all, 0, 0)
	if damages := second.l.Damages(); len(damages) > 0 {
		t.Errorf("damages %+v", damages)
	}
}
