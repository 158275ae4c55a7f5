package log

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// told is everything that a log says of itself.
type told struct {
	Offsets Offsets
	Stable  kafka.Offset
	Epochs  string
	Who     string
	Aborted string
	Values  []string
}

func (r *rig) told() told {
	r.t.Helper()
	o := r.l.Offsets()
	return told{
		Offsets: o, Stable: r.l.LastStable(o.End), Epochs: fmt.Sprint(r.l.Epochs().Entries()), Who: fmt.Sprintf("%+v", r.l.Producers()),
		Aborted: fmt.Sprint(must.Get(r.l.AbortedTransactions(o.LogStart, o.End))), Values: r.values(o.LogStart),
	}
}

// troubled is a log of 36 offsets in 5 epochs, by an idempotent producer and two with transactions, of which the end aborts some.
// Its segments are small and have room left in them, or there is but one.
func troubled(t *testing.T, single bool, start kafka.Offset) *rig {
	r := newRig(t, func(c *Config) {
		if !single {
			c.Roll.SegmentBytes = 700
		}
	})
	seq := map[kafka.ProducerID]int32{}
	put := func(epoch kafka.LeaderEpoch, s sender, values ...string) {
		origin := Client
		if s.txn {
			origin = Coordinator
		}
		must.Get(r.l.AppendAsLeader(r.now, s.at(seq[s.id]).batch(r.now.WallMs, values...), epoch, origin))
		seq[s.id] += int32(len(values))
	}
	abort := func(epoch kafka.LeaderEpoch, s sender) {
		must.Get(r.l.AppendAsLeader(r.now, markerBatch(s, false, 1, r.now.WallMs), epoch, Coordinator))
	}
	plain, a, b := sender{id: 5}, txn(7), txn(8)
	put(0, plain, "a00", "b00", "c00") // 0
	put(0, a, "a01", "b01", "c01")
	abort(0, a) // 6
	put(1, a, "a02", "b02", "c02")
	put(1, plain, "a03", "b03", "c03") // 10
	put(2, b, "a04", "b04", "c04")
	put(2, plain, "a05", "b05", "c05")
	abort(2, a) // 19, whose records begin at 7
	put(3, plain, "a06", "b06", "c06")
	put(3, a, "a07", "b07", "c07")
	put(3, plain, "a08", "b08", "c08") // 26
	abort(4, b)                        // 29, whose records begin at 13
	put(4, plain, "a09", "b09", "c09")
	put(4, plain, "a10", "b10", "c10") // 33
	r.cfg.Roll.SegmentBytes = 1 << 20
	r.flush()
	r.checkpointed()
	if start > 0 {
		must.OK(r.l.AdvanceStart(start))
	}
	if o := r.l.Offsets(); o.End != 36 {
		t.Fatalf("%+v", o)
	}
	return r
}

// shortening is a truncation of one of these logs.
type shortening struct {
	name  string
	start kafka.Offset
	anew  kafka.Offset // where it begins anew
	do    func(l *Log) error
}

func shortenings() []shortening {
	to := func(o, start kafka.Offset) shortening {
		return shortening{fmt.Sprintf("cut at %d from %d", o, start), start, kafka.NoOffset, func(l *Log) error { return l.TruncateTo(o) }}
	}
	anew := func(o, start kafka.Offset) shortening {
		return shortening{fmt.Sprintf("begun at %d from %d", o, start), start, o, func(l *Log) error { return l.TruncateFullyAndStartAt(o) }}
	}
	return []shortening{to(30, 0), to(18, 0), to(8, 0), to(8, 20), anew(50, 0), anew(5, 20)}
}

// A full disk, or one file too many, wherever it strikes a truncation, leaves a log that is what it would be had it been cut there
// without: at once as far as a follower asks it, and with the first record in everything.
func TestATruncationOnAFullDisk(t *testing.T) {
	for _, c := range shortenings() {
		for _, single := range []bool{true, false} {
			for _, op := range []disk.Op{"", disk.OpOpen, disk.OpWrite, disk.OpSync, disk.OpSyncDir, disk.OpRename, disk.OpTruncate, disk.OpRemove} {
				for _, times := range []int{0, 1} {
					if op == "" && times == 1 {
						continue // each call is one of the others
					}
					for n, skip := 0, 0; ; skip++ {
						s := struggle{t: t, c: c, single: single, op: op, times: times, skip: skip}
						hit := s.run([]string{"", "kill", "power", "clean"}[n%4], n/4%2 == 0, n/8%2 == 0)
						if n++; hit {
							s.run([]string{"kill", "power", "clean"}[n%3], true, n%2 == 0)
							s.run([]string{"kill", "power", "clean"}[n/2%3], false, n%2 == 1)
						} else {
							break
						}
					}
				}
			}
		}
	}
}

type struggle struct {
	t      *testing.T
	c      shortening
	single bool
	op     disk.Op
	times  int
	skip   int
}

// stopped is for a clean stop before anything is appended.
func (s struggle) stopped(r, like *rig, what string) {
	s.t.Helper()
	r.around = nil
	r.restart("clean")
	like.restart("clean")
	if got, want := r.told(), like.told(); !reflect.DeepEqual(got, want) {
		s.t.Fatalf("%s: after a clean stop\ngot  %+v\nwant %+v", what, got, want)
	}
}

// run truncates with a call that fails, appends, and has a crash; again says that it is truncated again before, flushed that it is
// flushed before.
func (s struggle) run(how string, again, flushed bool) (hit bool) {
	t := s.t
	what := fmt.Sprintf("%s, single %v, %s %d fails for %d, again %v, flushed before %v, then %q", s.c.name, s.single, s.op, s.skip, s.times, again, flushed, how)
	r := troubled(t, s.single, s.c.start)
	was := r.told()
	var faulty *disk.Faulty
	r.around = func(fsys disk.FS) disk.FS { faulty = disk.NewFaulty(fsys); return faulty }
	if s.skip%2 == 0 {
		r.restart("clean")
	} else {
		r.restart("kill")
	}
	faulty.Add(disk.Fault{Op: s.op, Skip: s.skip, Times: s.times, Err: disk.ErrNoSpace, Slow: func() { hit = true }})
	err := s.c.do(r.l)
	o := r.l.Offsets()
	if fault.IsKind(err, fault.Disk) || o.LogStart > o.End {
		t.Fatalf("%s: %+v after %v", what, o, err)
	}
	for _, e := range r.l.Epochs().Entries() {
		if e.Start >= o.End {
			t.Fatalf("%s: the log ends at %d, and its epochs are %v", what, o.End, r.l.Epochs().Entries())
		}
	}
	if !r.l.blank && len(r.l.durability.current) == 1 && r.l.durability.current[0] != disk.Syncer(r.l.active()) {
		t.Fatalf("%s: another segment than the last is synced", what)
	}
	if s.times == 0 { // it fails while the disk is full, and leaves the log as it is
		_, _ = r.l.AppendAsFollower(r.now, nobody.batch(r.now.WallMs, "none"))
		_ = r.l.MaybeRoll(r.now)
		_, _ = r.l.Retain(r.now, 0)
		o = r.l.Offsets()
	}
	faulty.Heal()
	if flushed {
		r.flush()
		r.checkpointed()
	}
	if again {
		if err := s.c.do(r.l); err != nil {
			t.Fatalf("%s: again: %v", what, err)
		}
		o = r.l.Offsets()
	}
	like := troubled(t, s.single, s.c.start)
	switch {
	case err == nil || again:
		must.OK(s.c.do(like.l))
	case o.LogStart == s.c.anew:
		must.OK(like.l.TruncateFullyAndStartAt(o.End))
	default:
		must.OK(like.l.TruncateTo(o.End))
	}
	if how == "clean" && s.skip%3 == 0 {
		s.stopped(r, like, what)
		return hit
	}
	// As long as what went, so that what went would be read after it.
	values := []string{"x00", "x01", "x02"}
	last := int32(-1)
	for _, e := range like.l.Producers() {
		if e.ID == 5 {
			last = e.LastSequence()
		}
	}
	for _, each := range []*rig{r, like} {
		got, err := each.l.AppendAsLeader(each.now, sender{id: 5}.at(last+1).batch(each.now.WallMs, values...), 9, Client)
		if err != nil || got.Duplicate || got.Base != o.End {
			t.Fatalf("%s: the first record: %+v, %v\nof %v, it was to be at %+v", what, got, err, each == r, o)
		}
		each.flush()
	}
	compare := func(when string) {
		t.Helper()
		if got, want := r.told(), like.told(); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %s\ngot  %+v\nwant %+v\nwas  %+v", what, when, got, want, was)
		}
	}
	compare("after the first record")
	r.around = nil
	if how != "" {
		r.checkpointed()
		like.checkpointed()
		r.restart(how)
		like.restart(how)
		compare("after a restart")
	}
	for _, each := range []*rig{r, like} {
		each.end(txn(8), false)
		each.flush()
		each.restart("power")
	}
	compare("at the end")
	return hit
}

// What is left of a log that a full disk keeps from being emptied is not durable before it is synced: its files are, and not the last
// one alone.
func TestEmptyingOnAFullDiskForgetsNoChore(t *testing.T) {
	for _, op := range []disk.Op{disk.OpOpen, disk.OpRename, disk.OpSyncDir} {
		for skip := 0; chores(t, op, skip); skip++ {
		}
	}
}

func chores(t *testing.T, op disk.Op, skip int) (hit bool) {
	r := newRig(t, small)
	var faulty *disk.Faulty
	r.around = func(fsys disk.FS) disk.FS { faulty = disk.NewFaulty(fsys); return faulty }
	r.restart("clean")
	r.put("0")
	r.flush()
	r.checkpointed()
	for i := range 20 {
		r.put(fmt.Sprintf("value %d", i), "and another")
	}
	whole := r.told()
	faulty.Add(disk.Fault{Op: op, Skip: skip, Err: disk.ErrNoSpace, Slow: func() { hit = true }})
	err := r.l.TruncateFullyAndStartAt(50)
	faulty.Heal()
	o := r.l.Offsets()
	if err == nil || o.LogStart == 50 {
		return hit
	}
	r.flush()
	r.around = nil
	r.restart("power")
	if got := r.values(0); r.l.Offsets().End < o.End || !reflect.DeepEqual(got, whole.Values[:len(got)]) {
		t.Fatalf("%s %d: durable to %d, and after a power cut %v", op, skip, o.End, got)
	}
	return hit
}

// Whoever condemns records beside a log that is being emptied finds none.
func TestCondemnBesideATruncation(t *testing.T) {
	r := threes(t, 2)
	r.l.segments = nil
	r.code(Condemn(r.l, 0, 3), kafka.ErrOffsetOutOfRange)
}
