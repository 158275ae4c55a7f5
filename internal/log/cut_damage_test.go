package log

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// rotten is a log in one segment, of batches of three records each, that nobody has read since a byte of one rotted.
type rotten struct {
	*rig
	what  string
	all   map[kafka.Offset]string
	whole []byte       // the segment as it was
	at    kafka.Offset // where the rotten batch begins
	size  int          // of each batch
}

func rot(t *testing.T, batches, hurt, bit int, how, value string) *rotten {
	r := &rotten{rig: newRig(t)}
	for i := range batches {
		v := func(j int) string { return fmt.Sprintf("%s%03d", value, 3*i+j) }
		r.send(sender{id: 7, seq: int32(3 * i)}, v(0), v(1), v(2))
	}
	r.flush()
	r.checkpointed()
	r.all = r.readable()
	if how != "" {
		r.restart(how)
	}
	r.whole, r.at = slices.Clone(r.file(logName(0))), kafka.Offset(3*hurt)
	r.size = batchSize(r.whole)
	r.edit(0, func(d []byte) []byte { d[hurt*r.size+bit/8] ^= 1 << (bit % 8); return d })
	r.what = fmt.Sprintf("byte %d, bit %d of batch %d of %d, %q before", bit/8, bit%8, hurt, batches, how)
	return r
}

// cut truncates, and demands that the log ends where it should and goes on.
func (r *rotten) cut(o kafka.Offset) {
	r.t.Helper()
	r.what += fmt.Sprintf(", cut at %d", o)
	must.OK(r.l.TruncateTo(o))
	end := r.l.Offsets().End
	if whole := o - o%3; end != whole && (whole != r.at || end != o) {
		r.t.Fatalf("%s: ends at %d", r.what, end)
	}
	if r.l.left.half {
		r.t.Fatalf("%s: the truncation is not done", r.what)
	}
	maps.DeleteFunc(r.all, func(at kafka.Offset, _ string) bool { return at >= end })
	if _, err := r.l.Retain(r.now, end); err != nil {
		r.t.Fatalf("%s: retention: %v", r.what, err)
	}
	r.goOn()
}

// goOn appends, and demands that what is not damaged is read.
func (r *rotten) goOn() {
	r.t.Helper()
	a, err := r.try(nobody, Client, "x", "y")
	if err != nil {
		r.t.Fatalf("%s: append: %v", r.what, err)
	}
	if end := r.l.Offsets().End; a.Last+1 != end || r.l.Recovered.CutAt >= 0 {
		r.t.Fatalf("%s: %+v, and the log ends at %d", r.what, a, end)
	}
	r.all[a.Base], r.all[a.Last] = fmt.Sprintf("x in epoch %d", r.epoch()), fmt.Sprintf("y in epoch %d", r.epoch())
	r.flush()
	r.checkpointed()
	r.wantReadable(r.what, r.all, r.at, min(r.at+3, a.Base))
	if r.t.Failed() {
		r.t.FailNow()
	}
}

// A truncation of a log with damage that nobody has met, wherever that is, is done: the log goes on at its end, in this life and the next
// ones, what is damaged stays so, and what another replica has of it is put back.
func TestATruncationGoesAroundDamage(t *testing.T) {
	bits := []int{8 * 9, 8*11 + 6, 8*16 + 1, 8*7 + 1, 8*26 + 1, 8 * 70} // lengths too long and too short, magic, base offset, last offset, a record
	for _, batches := range []int{12, 45} {
		for _, hurt := range []int{0, 1, 8, batches - 2, batches - 1} {
			for _, how := range []string{"", "clean", "kill"} {
				for i, bit := range bits {
					if i > 2 && how != "clean" {
						break // what this process has written or read it goes on to believe
					}
					first := kafka.Offset(3 * hurt)
					for j, o := range []kafka.Offset{first - 1, first, first + 1, first + 3, first + 4, first + 6, first + 20, kafka.Offset(3*batches - 1)} {
						if o <= 0 || o >= kafka.Offset(3*batches) {
							continue
						}
						r := rot(t, batches, hurt, bit, how, "abc")
						r.cut(o)
						later := []string{"kill", "clean", "power"}[(i+j)%3]
						r.what += ", then " + later
						stays := o >= first+3 // and is not gone, or a part of it
						if now := hurt == 0 || j%2 == 0; stays && now {
							r.mended(first) // in a later life the log does not know the epoch of its first batch
						}
						r.restart(later)
						r.goOn()
						if stays && r.at >= 0 {
							r.mended(first)
							r.restart(later)
							r.goOn()
						}
					}
				}
			}
		}
	}
}

// mended puts the rotten batch back.
func (r *rotten) mended(first kafka.Offset) {
	r.t.Helper()
	_ = r.readable()
	d := r.l.Damages()
	if len(d) != 1 || d[0].First != first || d[0].Next != first+3 {
		r.t.Fatalf("%s: damages %+v", r.what, d)
	}
	from := int(first) / 3 * r.size
	if next, err := Mend(r.l, first, r.whole[from:from+r.size]); err != nil || next != first+3 {
		r.t.Fatalf("%s: mended up to %d, %v", r.what, next, err)
	}
	r.at = -3 // nothing is
	r.wantReadable(r.what+", mended", r.all, -1, -1)
}

// The same of a log with more than one stretch of sums, and index entries: what a cut reads again is what it went through.
func TestATruncationFarFromDamage(t *testing.T) {
	for _, hurt := range []int{0, 1, 17} {
		for _, bit := range []int{8 * 9, 8*16 + 1} {
			for _, o := range []kafka.Offset{3 * 10, 3*17 + 3, 3*20 - 1} {
				if o <= kafka.Offset(3*hurt) {
					continue
				}
				r := rot(t, 20, hurt, bit, "", strings.Repeat("x", 7000))
				r.cut(o)
				r.mended(r.at)
				r.restart("clean")
				r.goOn()
			}
		}
	}
}

// Where damage is longer than a batch, and nobody knows any more where its batches began, a cut within it gives up nothing below: it
// may be acknowledged, and whole elsewhere.
func TestACutWithinLongDamageKeepsWhatIsBelow(t *testing.T) {
	for _, later := range []string{"", "clean", "kill", "power"} {
		r := rot(t, 45, 3, 0, "kill", "abc")
		r.edit(0, func([]byte) []byte {
			d := slices.Clone(r.whole)
			clear(d[2*r.size : 8*r.size])
			return d
		})
		r.restart("clean")
		if d := r.l.Damages(); len(d) > 0 {
			t.Fatalf("%+v", d)
		}
		must.OK(r.l.TruncateTo(16))
		if end := r.l.Offsets().End; end != 16 {
			t.Fatalf("ends at %d", end)
		}
		maps.DeleteFunc(r.all, func(at kafka.Offset, _ string) bool { return at >= 16 })
		r.at = 6
		add := func() {
			t.Helper()
			a := r.put("x")
			r.all[a.Base] = fmt.Sprintf("x in epoch %d", r.epoch())
			r.flush()
			r.checkpointed()
			r.wantReadable(later, r.all, 6, 16)
			if d := r.l.Damages(); len(d) != 1 || d[0].First != 6 || d[0].Next != 16 {
				t.Fatalf("%q: %+v", later, d)
			}
		}
		add()
		if later != "" {
			r.restart(later)
			add()
		}
		must.OK(r.l.Close(r.now))
	}
}

// A start that was made durable does not count where the log was truncated to below it before it could, also where it has grown again.
func TestAStartThatATruncationHasTakenBack(t *testing.T) {
	for _, grows := range []bool{false, true} {
		for _, how := range []string{"clean", "kill", "power"} {
			r := threes(t, 12)
			r.flush()
			s := must.Get(r.l.NewStart(20))
			must.OK(s.Sync())
			must.OK(r.l.TruncateTo(15))
			if at := r.dir.Checkpointed(tp).LogStart; at > 15 {
				t.Errorf("a crash now would begin the log at %d", at)
			}
			end := kafka.Offset(15)
			for grows && end < 24 {
				r.put("a", "b", "c")
				end += 3
			}
			r.code(r.l.MoveStart(s), kafka.ErrNotLeaderOrFollower)
			r.flush()
			r.offsets(0, end, end, end)
			r.checkpointed()
			r.restart(how)
			r.offsets(0, end, end, end)
			must.OK(r.l.AdvanceStart(12))
			r.offsets(12, end, end, end)
		}
	}
}

// One that is not below the end counts.
func TestAStartThatATruncationHasLeft(t *testing.T) {
	r := threes(t, 12)
	r.flush()
	s := must.Get(r.l.NewStart(20))
	must.OK(s.Sync())
	must.OK(r.l.TruncateTo(24))
	must.OK(r.l.MoveStart(s))
	r.offsets(20, 24, 24, 24)
}
