package node

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// flip flips a bit of a file behind the node's back.
func (r *rig) flip(path string, at int64) {
	f := must.Get(r.fs.Open(path, disk.Write))
	defer f.Close()
	var b [1]byte
	must.Get(f.ReadAt(b[:], at))
	b[0] ^= 1
	must.Get(f.WriteAt(b[:], at))
}

// A bit that rots where nobody reads is found within a round, told as what a reader finds, counted, and served around.
func TestTheScrubFindsWhatNobodyReads(t *testing.T) {
	r := newRig(t, "milena.scrub.interval.ms", "60000")
	r.logs.info = true
	r.create("t", 1, "segment.bytes", "1048576", "retention.ms", "-1")
	r.create("idle", 3)
	r.bulky("t", 1, 6)
	r.flip("data/t-0/00000000000000000000.log", 400<<10)
	r.w.Run(3 * time.Minute)
	r.said("A record of t-0 is damaged", "firstOffset=1", "nextOffset=2")
	wantCode(t, r.read("t", 0, 1).ErrorCode, kafka.ErrCorruptMessage)
	wantCode(t, r.read("t", 0, 2).ErrorCode, kafka.ErrNone)
	s := (gauges{r.n}).Standing()
	if s.Damages != 1 || s.Scrub.Damages != 1 || s.Scrub.Rounds < 2 || s.Scrub.LastFinished == 0 || s.Scrub.Bytes < 2*900_000 {
		t.Errorf("%d damages, %+v", s.Damages, s.Scrub)
	}
	if said := r.logs.with("Scrubbed the sealed segments of", ": 1 damaged stretches", "leftOut=0"); len(said) < 2 {
		t.Errorf("said %v of %v", said, r.logs.with("Scrubbed"))
	}
}

// After a restart a log that nobody opens is scrubbed too; one without a sealed segment is not opened for it.
func TestTheScrubOpensWhatHasSealedSegments(t *testing.T) {
	r := newRig(t, "milena.scrub.interval.ms", "60000")
	r.logs.info = true
	r.create("t", 1, "segment.bytes", "1048576", "retention.ms", "-1")
	r.create("small", 1)
	r.bulky("t", 1, 6)
	wantCode(t, r.write("small", 0, plain("v")).ErrorCode, kafka.ErrNone)
	r.restart()
	r.flip("data/t-0/00000000000000000000.log", 400<<10)
	r.w.Run(2 * time.Minute)
	r.said("A record of t-0 is damaged")
	for _, p := range r.n.replicas.All() {
		if p.Name().Topic == "small" && p.Standing().Open {
			t.Error("a log without sealed segments was opened")
		}
	}
}

// The throttle holds, a stop comes between two steps, and 0 scrubs never.
func TestTheScrubIsSlowAndStops(t *testing.T) {
	r := newRig(t, "milena.scrub.interval.ms", "60000", "milena.scrub.io.max.bytes.per.second", "4096")
	r.create("t", 1, "segment.bytes", "1048576", "retention.ms", "-1")
	r.bulky("t", 1, 6)
	r.w.Run(3 * time.Minute)
	s := (gauges{r.n}).Standing().Scrub
	if !s.Running || s.Left == 0 || s.Rounds != 0 || s.Bytes == 0 || s.Bytes > 3*60*4096+400<<10 {
		t.Errorf("%+v", s)
	}
	r.restart()
	if last, records := r.lastOf("t"); records != 6 || last["k0"] != "5" {
		t.Errorf("%d records, last %v", records, last)
	}
	never := newRig(t, "milena.scrub.interval.ms", "0")
	never.w.Run(time.Hour)
	if s := (gauges{never.n}).Standing().Scrub; s.Rounds != 0 || s.Running {
		t.Errorf("%+v", s)
	}
}

// A directory that is full or has failed is left alone.
func TestTheScrubLeavesAFullDirectoryAlone(t *testing.T) {
	r := boundedRig(t, "milena.scrub.interval.ms", "60000")
	r.create("a", 1)
	r.fillUp("a")
	before := (gauges{r.n}).Standing().Scrub
	r.w.Run(3 * time.Minute)
	after := (gauges{r.n}).Standing().Scrub
	if after.Bytes != before.Bytes || after.Rounds < before.Rounds+2 {
		t.Errorf("%+v, then %+v", before, after)
	}
	r.said("The log directory data is full")
}

// So is one that has failed.
func TestTheScrubLeavesALostDirectoryAlone(t *testing.T) {
	r := newDirsRig(t, "milena.scrub.interval.ms", "60000")
	r.logs.info = true
	r.create("t", 3, "segment.bytes", "1048576", "retention.ms", "-1")
	r.w.Run(90 * time.Second)
	r.said("INFO Scrubbed the sealed segments of", "leftOut=0")
	r.n.storage.Lose(r.n.storage.Volumes[1], disk.ErrIO)
	r.w.Run(time.Minute)
	r.said("INFO Scrubbed the sealed segments of", "leftOut=1")
}
