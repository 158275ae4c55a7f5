package log

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// filled is a log of segments with one record of the same size each, at 1000 ms of their own.
func filled(t *testing.T, n int, change ...func(*Config)) *rig {
	r := newRig(t, append([]func(*Config){func(c *Config) { c.Keep.RetentionMs = -1; c.Roll.SegmentBytes = 79 }}, change...)...)
	for range n {
		r.put("some value")
		r.now = r.now.Add(time.Second)
	}
	if r.l.Segments() != n {
		t.Fatalf("%d segments", r.l.Segments())
	}
	return r
}

func TestRetentionByTime(t *testing.T) {
	r := filled(t, 5, func(c *Config) { c.Keep.RetentionMs = 3000 })
	r.flush()
	// Their ages are 5, 4, 3, 2 and 1 s.
	if n, err := r.l.Retain(r.now, 5); n != 2 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	r.offsets(2, 5, 5, 5)
	for _, how := range []string{"kill", "clean", "power"} {
		r.restart(how)
		r.offsets(2, 5, 5, 5)
	}
	r.now = r.now.Add(time.Minute)
	if n, err := r.l.Retain(r.now, 4); n != 2 || err != nil { // the high watermark has passed two of three
		t.Fatalf("%d, %v", n, err)
	}
	if n, err := r.l.Retain(r.now, 5); n != 1 || err != nil { // also the one that is not appended to since the clean start
		t.Fatalf("%d, %v", n, err)
	}
	r.offsets(5, 5, 5, 5)
	if n := r.l.Segments(); n != 1 {
		t.Fatalf("%d segments", n)
	}
	r.put("goes on")
	r.flush()
	r.restart("power")
	r.offsets(5, 6, 6, 6)
	if got := r.values(5); !slices.Equal(got, []string{"5=goes on"}) {
		t.Errorf("read %v", got)
	}
}

func TestRetainTellsWhatWentAndWhy(t *testing.T) {
	r := filled(t, 6)
	r.flush()
	each := r.l.Size() / 6
	if err := r.l.AdvanceStart(1); err != nil {
		t.Fatal(err)
	}
	c := r.l.config
	c.Keep.RetentionBytes, c.Keep.RetentionMs = 4*each, 3000
	r.l.SetConfig(c)
	// The first is below the log start, the second too much, the third 4 s old.
	if n, err := r.l.Retain(r.now, 6); n != 3 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	want := Retired{Segments: 3, Bytes: 3 * each, ByStart: 1, BySize: 1, ByTime: 1, Start: 3}
	if r.l.Retired != want {
		t.Errorf("%+v, want %+v", r.l.Retired, want)
	}
	if _, err := r.l.Retain(r.now, 6); err != nil || r.l.Retired != (Retired{}) {
		t.Errorf("%v: nothing went, and it tells %+v", err, r.l.Retired)
	}
}

func TestRetentionWithoutDeletePolicy(t *testing.T) {
	r := filled(t, 3, func(c *Config) { c.Keep.RetentionMs, c.Keep.RetentionBytes, c.Keep.Delete = 0, 0, false })
	if n, err := r.l.Retain(r.now.Add(time.Hour), 3); n != 0 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	must.OK(r.l.AdvanceStart(2))
	if n, err := r.l.Retain(r.now, 3); n != 2 || err != nil {
		t.Fatalf("below the log start: %d, %v", n, err)
	}
}

func TestRetentionBySize(t *testing.T) {
	one := int64(79)
	for excess, want := range map[int64]int{-1: 0, 0: 0, 1: 0, one - 1: 0, one: 1, one + 1: 1, 3 * one: 3, 5 * one: 5} {
		r := filled(t, 5)
		if size := r.l.Size(); size != 5*one {
			t.Fatalf("size %d", size)
		}
		r.cfg.Keep.RetentionBytes = 5*one - excess
		r.l.SetConfig(r.cfg)
		if n, err := r.l.Retain(r.now, 5); n != want || err != nil {
			t.Errorf("excess %d: %d segments went, %v, want %d", excess, n, err, want)
		}
	}
	// What goes for the log start is no reason for more to go.
	r := filled(t, 5, func(c *Config) { c.Keep.RetentionBytes = 4 * one })
	must.OK(r.l.AdvanceStart(1))
	if n, err := r.l.Retain(r.now, 5); n != 1 || err != nil {
		t.Errorf("%d segments went, %v", n, err)
	}
}

// DeleteRecords: durable when it returns, in every restart (Kafka forgets it at kill -9).
func TestLogStartSurvives(t *testing.T) {
	for _, how := range []string{"kill", "clean", "power", "roll"} {
		r := newRig(t)
		for i := range 10 {
			r.put(fmt.Sprint(i))
		}
		r.flush()
		must.OK(r.l.AdvanceStart(6))
		must.OK(r.l.AdvanceStart(4))
		r.code(r.l.AdvanceStart(11), kafka.ErrOffsetOutOfRange)
		for range 2 {
			r.restart(how)
			r.offsets(6, 10, 10, 10)
			if got := r.values(6); !slices.Equal(got, []string{"6=6", "7=7", "8=8", "9=9"}) {
				t.Errorf("%s: read %v", how, got)
			}
			_, err := r.l.Read(5, ReadOptions{MaxBytes: 1, Upper: 10})
			r.code(err, kafka.ErrOffsetOutOfRange)
		}
		if e := r.l.Epochs().Entries(); len(e) != 1 || e[0].Start != 6 {
			t.Errorf("%s: epochs %v", how, e)
		}
	}
}

// The log start may be ahead of what a power cut leaves; then the log begins there.
func TestLogStartAheadOfTheLog(t *testing.T) {
	r := newRig(t)
	r.put("a")
	r.flush()
	r.put("b")
	r.put("c")
	must.OK(r.l.AdvanceStart(3))
	for range 2 {
		r.restart("power")
		r.offsets(3, 3, 3, 3)
	}
	r.put("d")
	if got := r.values(3); !slices.Equal(got, []string{"3=d"}) {
		t.Errorf("read %v", got)
	}
}

// F15: a wall clock that jumps a year ahead deletes nothing until it has stayed there for an hour.
func TestRetentionDistrustsAJumpOfTheClock(t *testing.T) {
	r := filled(t, 3, func(c *Config) { c.Keep.RetentionMs = 86_400_000 })
	year := int64(365 * 86_400_000)
	jumped := r.now
	jumped.WallMs += year
	for _, minutes := range []int{0, 10, 59} {
		if n, err := r.l.Retain(jumped.Add(time.Duration(minutes)*time.Minute), 3); n != 0 || err != nil {
			t.Fatalf("%d minutes after the jump %d segments went, %v", minutes, n, err)
		}
	}
	if n, err := r.l.Retain(jumped.Add(time.Hour), 3); n != 3 || err != nil {
		t.Fatalf("an hour after the jump %d segments went, %v", n, err)
	}
	r = filled(t, 3, func(c *Config) { c.Keep.RetentionMs = 86_400_000 })
	if n, _ := r.l.Retain(jumped, 3); n != 0 {
		t.Fatal("a jump was believed")
	}
	back := r.now.Add(2 * time.Hour)
	if n, _ := r.l.Retain(back, 3); n != 0 {
		t.Fatal("a jump that was taken back was believed")
	}
	if n, _ := r.l.Retain(back.Add(48*time.Hour), 3); n != 3 {
		t.Fatal("time that really passed was not believed")
	}
}

// A reader that holds a slice finishes it though retention takes the segment away.
func TestRetentionBesideAReader(t *testing.T) {
	r := filled(t, 3)
	want := r.bytes(0)[:79]
	s := must.Get(r.l.Read(0, ReadOptions{MaxBytes: 100, Upper: 3}))
	must.OK(r.l.AdvanceStart(2))
	must.Get(r.l.Retain(r.now, 3))
	got, err := s.AppendTo(nil)
	must.OK(err)
	equalBytes(t, "slice", got, want)
	s.Release()
	s.Release()
}

// Producer state outlives the batches that it was made of, whatever crashes when.
func TestRetentionKeepsProducers(t *testing.T) {
	for _, how := range []string{"kill", "power", "clean"} {
		r := newRig(t, func(c *Config) { c.Keep.RetentionMs = 1000; c.Roll.SegmentBytes = 200 })
		s := sender{id: 3}
		for i := range int32(7) {
			r.send(s.at(i), "value")
		}
		r.now = r.now.Add(time.Minute)
		if n, err := r.l.Retain(r.now, 7); n != 4 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
		r.restart(how)
		r.offsets(7, 7, 7, 7)
		for i := int32(2); i < 7; i++ {
			if !r.send(s.at(i), "value").Duplicate {
				t.Errorf("%s: retry of batch %d not recognised", how, i)
			}
		}
	}
}

// Retention with nothing to remove asks nothing of a truncation that a full disk has stopped half-way.
func TestRetentionLeavesATruncationAlone(t *testing.T) {
	r := newRig(t)
	var faulty *disk.Faulty
	r.around = func(fsys disk.FS) disk.FS { faulty = disk.NewFaulty(fsys); return faulty }
	r.restart("clean")
	r.put("a", "b")
	r.put("c")
	faulty.Add(disk.Fault{Op: disk.OpTruncate, Err: disk.ErrNoSpace})
	if err := r.l.TruncateTo(2); !fault.IsKind(err, fault.Full) {
		t.Fatal(err)
	}
	if removed, err := r.l.Retain(r.now, 2); removed != 0 || err != nil {
		t.Errorf("removed %d, %v", removed, err)
	}
	faulty.Heal()
	if a := r.put("d"); a.Base != 2 {
		t.Errorf("%+v", a)
	}
}
