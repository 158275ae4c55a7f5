package log

import (
	"fmt"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// whole is all batches of a log, by their base offset.
func (r *rig) whole() (all []record.Batch) {
	for at := r.l.Offsets().LogStart; at < r.l.Offsets().End; {
		s := must.Get(r.l.Read(at, ReadOptions{MaxBytes: 1 << 20, Upper: r.l.Offsets().End}))
		data := must.Get(s.AppendTo(nil))
		at = s.Next
		s.Release()
		for len(data) > 0 {
			b, rest, err := record.Next(data)
			must.OK(err)
			all, data = append(all, b), rest
		}
	}
	return all
}

// between is the bytes of the batches from one offset to another, at most a few batches at a time.
func between(all []record.Batch, from, to kafka.Offset, most int) (out []byte) {
	for _, b := range all {
		if b.BaseOffset() >= from && b.NextOffset() <= to && most > 0 {
			out = append(out, b...)
			most--
		}
	}
	return out
}

// mendAll mends every damage with another replica's batches, a few at a time.
func (r *rig) mendAll(all []record.Batch, most int) error {
	for _, d := range r.l.Damages() {
		for at := d.First; at < d.Next; {
			next, err := Mend(r.l, at, between(all, at, d.Next, most))
			if err != nil {
				return err
			}
			if next <= at {
				r.t.Fatalf("mended from %d to %d", at, next)
			}
			at = next
		}
	}
	return nil
}

// R15: whatever was damaged, the batches of another replica take its place: all is read as it was, also after every way to
// stop, nothing is noted as damaged any more, and the bytes that were there are kept.
func TestMendingBringsBackWhatWasDamaged(t *testing.T) {
	for name, hurt := range map[string]func(r *rig, b []kafka.Offset){
		"a flipped bit": func(r *rig, b []kafka.Offset) {
			r.edit(b[1], func(d []byte) []byte { d[batchSize(d)+70] ^= 4; return d })
		},
		"a flipped offset": func(r *rig, b []kafka.Offset) {
			r.edit(b[1], func(d []byte) []byte { d[batchSize(d)+7] ^= 1; return d })
		},
		"the first batch": func(r *rig, b []kafka.Offset) {
			r.edit(b[0], func(d []byte) []byte { d[70] ^= 4; return d })
		},
		"the first batch and all epochs": func(r *rig, b []kafka.Offset) {
			r.edit(b[0], func(d []byte) []byte { d[70] ^= 4; return d })
			must.OK(r.mem.Remove(root + "/t-0/leader-epoch-checkpoint"))
		},
		"zeros in the middle": func(r *rig, b []kafka.Offset) {
			r.edit(b[1], func(d []byte) []byte { clear(d[40 : len(d)-40]); return d })
		},
		"a segment of zeros":    func(r *rig, b []kafka.Offset) { r.edit(b[1], func(d []byte) []byte { clear(d); return d }) },
		"a cut segment":         func(r *rig, b []kafka.Offset) { r.edit(b[1], func(d []byte) []byte { return d[:len(d)/2] }) },
		"a batch off the end":   func(r *rig, b []kafka.Offset) { r.edit(b[1], func(d []byte) []byte { return d[:len(d)-batchSize(d)] }) },
		"a missing segment":     func(r *rig, b []kafka.Offset) { must.OK(r.mem.Remove(root + "/t-0/" + logName(b[1]))) },
		"in the last segment":   func(r *rig, b []kafka.Offset) { r.edit(b[len(b)-1], func(d []byte) []byte { d[100] ^= 1; return d }) },
		"the end of the last":   func(r *rig, b []kafka.Offset) { r.edit(b[len(b)-1], func(d []byte) []byte { return d[:len(d)-1] }) },
		"the whole of the last": func(r *rig, b []kafka.Offset) { must.OK(r.mem.Remove(root + "/t-0/" + logName(b[len(b)-1]))) },
	} {
		for _, most := range []int{1, 100} {
			t.Run(fmt.Sprint(name, ", batches at a time: ", most), func(t *testing.T) {
				r, all := durableRig(t)
				theirs := r.whole()
				var bases []kafka.Offset
				for _, s := range r.l.segments {
					bases = append(bases, s.Base())
				}
				r.mem = r.mem.Killed()
				hurt(r, bases)
				r.open()
				if len(r.readable()) == len(all) {
					t.Fatal("nothing is damaged")
				}
				if err := r.mendAll(theirs, most); err != nil {
					t.Fatal(err)
				}
				for _, how := range []string{"", "clean", "kill", "power", "kill"} {
					if how != "" {
						r.restart(how)
					}
					r.wantReadable(how, all, 0, 0)
					if d := r.l.Damages(); len(d) != 0 {
						t.Fatalf("after %q damages are known: %+v", how, d)
					}
					v := "life" + how
					all[r.put(v).Base] = fmt.Sprintf("%s in epoch %d", v, r.epoch())
					r.flush()
					r.checkpointed()
				}
				mendedScrub(t, r)
			})
		}
	}
}

func mendedScrub(t *testing.T, r *rig) {
	s := NewScrub(r.l)
	for {
		done, _, err := s.Step(1 << 20)
		must.OK(err)
		if done {
			break
		}
	}
	if s.Damages != 0 || len(r.l.Damages()) != 0 {
		t.Errorf("a scrub finds %d damages: %+v", s.Damages, r.l.Damages())
	}
}

// The bytes that did not check are kept, and what is offered is not believed: batches that don't fit, of another epoch, with a
// wrong checksum or for offsets that are not damaged change nothing.
func TestMendingTakesOnlyWhatFits(t *testing.T) {
	r, all := durableRig(t)
	theirs := r.whole()
	base := r.l.segments[1].Base()
	r.mem = r.mem.Killed()
	var bad []byte
	r.edit(base, func(d []byte) []byte {
		d[70] ^= 1
		bad = slices.Clone(d[:batchSize(d)])
		return d
	})
	r.open()
	r.readable()
	right := between(theirs, base, base+3, 9)
	flipped := slices.Clone(right)
	flipped[80] ^= 1
	other := record.Batch(slices.Clone(right))
	other.SetLeaderEpoch(9)
	for name, offer := range map[string][]byte{
		"nothing": nil, "another batch": between(theirs, base+3, base+6, 9), "a wrong checksum": flipped, "another epoch": other,
		"too little": shorter(r, base), "half a batch": right[:len(right)-1],
	} {
		before := r.file(logName(base))
		if _, err := Mend(r.l, base, offer); !fault.IsKind(err, fault.Corrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(before, r.file(logName(base))) {
			t.Errorf("%s has changed the file", name)
		}
	}
	if _, err := Mend(r.l, base+3, between(theirs, base+3, base+6, 9)); !fault.IsKind(err, fault.Corrupt) {
		t.Errorf("what is whole was mended: %v", err)
	}
	if next := must.Get(Mend(r.l, base, slices.Concat(right, between(theirs, base+3, base+6, 9)))); next != base+3 {
		t.Errorf("mended up to %d", next)
	}
	r.wantReadable("mended", all, 0, 0)
	if kept := r.file(segment.Name(base, ".log.0.damaged")); !slices.Equal(kept, bad) {
		t.Errorf("%d bytes are kept", len(kept))
	}
}

// shorter is a batch of the same offsets with other records.
func shorter(r *rig, base kafka.Offset) []byte {
	b := nobody.batch(r.now.WallMs, "x", "y", "z")
	b.SetBaseOffset(base)
	b.SetLeaderEpoch(r.epoch())
	return b
}

// Of a log that was compacted another replica may have records that are gone here, or lack some: only what resembles the bytes
// that are here is taken.
func TestMendingACompactedLogTakesWhatResembles(t *testing.T) {
	for name, c := range map[string]struct {
		hurt  func(batch []byte)
		taken bool
	}{
		"a flipped bit": {func(b []byte) { b[70] ^= 1 }, true},
		"zeros":         {func(b []byte) { clear(b[20:]) }, false},
	} {
		r, all := durableRig(t)
		theirs := r.whole()
		base := r.l.segments[1].Base()
		r.mem = r.mem.Killed()
		r.edit(base, func(d []byte) []byte {
			c.hurt(d[:batchSize(d)])
			return d
		})
		r.cfg.Accept.Compacted = true
		r.open()
		r.readable()
		_, err := Mend(r.l, base, between(theirs, base, base+3, 9))
		if c.taken {
			must.OK(err)
			r.wantReadable(name, all, 0, 0)
		} else if !fault.IsKind(err, fault.Corrupt) || len(r.l.Damages()) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
