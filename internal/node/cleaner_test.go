package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// keyed is a batch of one record.
func keyed(key, value string) []byte {
	b := record.NewBuilder(record.Plain())
	b.Append(1_790_003_600_000, []byte(key), []byte(value))
	return must.Get(b.Build())
}

// bulky writes values of a third of a MiB, so that a few make a segment of the smallest size.
func (r *rig) bulky(topic string, keys, rounds int) {
	r.t.Helper()
	for i := range rounds {
		for k := range keys {
			value := fmt.Sprint(i) + strings.Repeat("x", 300<<10)
			wantCode(r.t, r.write(topic, 0, keyed(fmt.Sprint("k", k), value)).ErrorCode, kafka.ErrNone)
		}
	}
}

// lastOf reads a topic from the beginning and tells the last value of each key, and how many records there are.
func (r *rig) lastOf(topic string) (last map[string]string, records int) {
	r.t.Helper()
	last = map[string]string{}
	for from := int64(0); ; {
		got := r.read(topic, 0, from)
		wantCode(r.t, got.ErrorCode, kafka.ErrNone)
		if from >= got.HighWatermark {
			return last, records
		}
		for rest := got.RecordBatches; len(rest) > 0; {
			b, more, err := record.Next(rest)
			if err != nil {
				break
			}
			rest, from = more, int64(b.NextOffset())
			must.OK(b.Each(record.Limits{}, func(c *record.Record) error {
				last[string(c.Key)], _, _ = strings.Cut(string(c.Value), "x")
				records++
				return nil
			}))
		}
	}
}

func TestTheCleanerCompactsATopic(t *testing.T) {
	r := newRig(t)
	r.logs.info = true
	r.create("t", 1, "cleanup.policy", "compact", "segment.bytes", "1048576")
	r.bulky("t", 2, 8)
	r.w.Run(time.Minute)
	r.said("Log cleaner thread 0 cleaned log t-0 (dirty section = [0, 15])", "startMessages=15")
	last, records := r.lastOf("t")
	if last["k0"] != "7" || last["k1"] != "7" || records > 6 {
		t.Errorf("%d records, last %v", records, last)
	}
	if g := r.n.upkeep.Cleaner(); g.Recopied <= 0 || g.Recopied > 0.5 || g.MaxBuffer <= 0 || g.SinceLastRun > 20*time.Second {
		t.Errorf("gauges %+v", g)
	}
	for _, how := range []func(){r.restart, r.kill, r.powerCut} {
		how()
		r.w.Run(time.Minute)
		if again, n := r.lastOf("t"); n != records || again["k0"] != "7" || again["k1"] != "7" {
			t.Errorf("after a restart %d records, last %v", n, again)
		}
	}
}

func TestTheCleanerKeepsItsHandsOff(t *testing.T) {
	for _, c := range []struct {
		name   string
		node   []string
		topic  []string
		cleans bool
	}{
		{"cleanup.policy=delete", nil, []string{"cleanup.policy", "delete"}, false},
		{"cleanup.policy empty", nil, []string{"cleanup.policy", ""}, false},
		{"cleanup.policy both", nil, []string{"cleanup.policy", "compact,delete"}, true},
		{"log.cleaner.enable=false", []string{"log.cleaner.enable", "false"}, []string{"cleanup.policy", "compact"}, false},
		{"log.cleaner.threads=0", []string{"log.cleaner.threads", "0"}, []string{"cleanup.policy", "compact"}, false},
		{"min.compaction.lag.ms", nil, []string{"cleanup.policy", "compact", "min.compaction.lag.ms", "86400000000"}, false},
		{"min.cleanable.dirty.ratio", nil, []string{"cleanup.policy", "compact", "min.cleanable.dirty.ratio", "1"}, false},
		{"max.compaction.lag.ms", nil, []string{"cleanup.policy", "compact", "min.cleanable.dirty.ratio", "1", "max.compaction.lag.ms", "1000"}, true},
	} {
		r := newRig(t, c.node...)
		r.create("t", 1, append(c.topic, "segment.bytes", "1048576", "retention.ms", "-1")...)
		r.bulky("t", 1, 6)
		r.w.Run(2 * time.Minute)
		if _, records := r.lastOf("t"); (records < 6) != c.cleans {
			t.Errorf("%s: %d records of 6 are left", c.name, records)
		}
	}
}

func TestTheCleanerIsThrottled(t *testing.T) {
	r := newRig(t, "log.cleaner.io.max.bytes.per.second", "65536")
	r.logs.info = true
	r.create("t", 1, "cleanup.policy", "compact", "segment.bytes", "1048576")
	r.bulky("t", 1, 7)
	r.w.Run(30 * time.Second)
	if said := r.logs.with("cleaned log"); len(said) > 0 {
		t.Errorf("two MiB at 64 KiB a second are cleaned within 30 s: %v", said)
	}
	r.w.Run(3 * time.Minute)
	r.said("Log cleaner thread 0 cleaned log t-0")
}

// A log that does not check is told of once and left alone; it is read and written, and other logs are compacted.
func TestALogThatDoesNotCompact(t *testing.T) {
	r := newRig(t)
	r.logs.info = true
	r.create("bad", 1, "cleanup.policy", "compact", "segment.bytes", "1048576")
	r.bulky("bad", 1, 6)
	f := must.Get(r.fs.Open("data/bad-0/00000000000000000000.log", disk.Write))
	must.Get(f.WriteAt([]byte("damage"), 1000))
	must.OK(f.Close())
	r.create("good", 1, "cleanup.policy", "compact", "segment.bytes", "1048576")
	r.bulky("good", 1, 6)
	r.w.Run(5 * time.Minute)
	if said := r.logs.with("Unexpected exception thrown when cleaning log bad-0"); len(said) != 1 {
		t.Errorf("said %d times: %v", len(said), said)
	}
	r.said("cleaned log good-0")
	wantCode(t, r.write("bad", 0, keyed("k", "v")).ErrorCode, kafka.ErrNone)
	if count, bytes := r.n.upkeep.Uncleanable("data"); count != 1 || bytes == 0 {
		t.Errorf("%d logs of %d bytes are uncleanable", count, bytes)
	}
}

// A stop in the middle of a compaction ends it where it is, cleanly.
func TestAStopEndsACompaction(t *testing.T) {
	r := newRig(t, "log.cleaner.io.max.bytes.per.second", "65536")
	r.create("t", 1, "cleanup.policy", "compact", "segment.bytes", "1048576")
	r.bulky("t", 1, 7)
	r.w.Run(25 * time.Second)
	r.restart()
	if last, records := r.lastOf("t"); records != 7 || last["k0"] != "6" {
		t.Errorf("%d records, last %v", records, last)
	}
	for _, e := range must.Get(r.fs.List("data/t-0")) {
		if strings.HasSuffix(e.Name, ".cleaned") {
			t.Errorf("%s is left", e.Name)
		}
	}
}

// __consumer_offsets is compacted, and the coordinator that loads what is left knows every group's newest offsets, and no
// offset that was deleted.
func TestTheCoordinatorReplaysACompactedLog(t *testing.T) {
	r := newGroupRig(t, "offsets.topic.num.partitions", "1", "offsets.topic.segment.bytes", "1048576", "log.cleaner.min.cleanable.ratio", "0.01")
	r.logs.info = true
	r.create("t", 4)
	rounds := int64(0)
	for offsets := r.n.replicas.All(); len(r.logs.with("Log cleaner thread 0 cleaned log __consumer_offsets-0")) == 0; rounds++ {
		if rounds > 60 {
			t.Fatalf("__consumer_offsets is never compacted: %d partitions", len(offsets))
		}
		for i := range int64(200) {
			r.commit("g", "t", int32(i%4), 1000*rounds+i)
		}
		r.w.Run(20 * time.Second)
	}
	for _, how := range []func(){r.restart, r.kill} {
		how()
		r.coordinates()
		for p := range int32(4) {
			if got, want := r.committed("t", p), 1000*(rounds-1)+196+int64(p); got != want {
				t.Errorf("partition %d is committed to %d, want %d", p, got, want)
			}
		}
	}
}

// DeleteRecords on a topic that is compacted and deleted moves the log start into what was compacted, and compaction goes on
// from there.
func TestDeleteRecordsOfACompactedTopic(t *testing.T) {
	r := newRig(t)
	r.create("t", 1, "cleanup.policy", "compact,delete", "segment.bytes", "1048576", "retention.ms", "-1")
	r.bulky("t", 2, 8)
	r.w.Run(time.Minute)
	r.deleteRecords("t")
	r.bulky("t", 2, 8)
	r.w.Run(time.Minute)
	got := r.read("t", 0, 16)
	wantCode(t, got.ErrorCode, kafka.ErrNone)
	if got.LogStartOffset != 16 || got.HighWatermark != 32 {
		t.Errorf("the log starts at %d and is committed to %d", got.LogStartOffset, got.HighWatermark)
	}
	if before := r.read("t", 0, 0); kafka.ErrorCode(before.ErrorCode) != kafka.ErrOffsetOutOfRange {
		t.Errorf("an offset below the log start: %v", kafka.ErrorCode(before.ErrorCode))
	}
}
