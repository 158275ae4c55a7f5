package partition

import (
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// configured is a lone leader's partition with another configuration.
func configured(t *testing.T, d replica.Durability, f FlushConfig) *rig {
	r := newRig(t, disk.NewMem(), d, 1, self)
	cfg := *r.p.cfg
	cfg.Flush = f
	r.p.Configure(&cfg)
	if err := r.p.Open(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) durable() kafka.Offset { return r.p.Standing().Durable }

// flush.messages flushes within the append that reaches them, as Kafka does: its answer comes after the flush, also with
// acks=1. The appends before are answered at once.
func TestFlushMessages(t *testing.T) {
	r := configured(t, replica.Cached, FlushConfig{Messages: 3})
	for _, acks := range []int16{1, -1} {
		before := r.durable()
		if a := r.append(acks, "a", "b"); a.Err != nil {
			t.Fatalf("acks=%d: two records of three wait: %v", acks, a.Err)
		}
		third := r.append(acks, "c")
		if third.Err != errPending || r.durable() != before {
			t.Fatalf("acks=%d: the third record was answered before its flush: %+v", acks, third)
		}
		if a := r.append(acks, "d"); a.Err != nil {
			t.Fatalf("acks=%d: a record after the third waits for its flush: %v", acks, a.Err)
		}
		r.w.Run(time.Second)
		if third.Err != nil || r.durable() != before+3 {
			t.Fatalf("acks=%d: after the flush: %+v, durable to %d", acks, third, r.durable())
		}
		r.append(1, "e", "f") // with "d" the next three
		r.w.Run(time.Second)
	}
	if a := r.append(0, "g", "h", "i"); a.Err != nil {
		t.Fatalf("acks=0 waits for a flush: %v", a.Err)
	}
}

// flush.ms flushes what has waited so long when the scheduler comes by, and not before.
func TestFlushMs(t *testing.T) {
	r := configured(t, replica.Cached, FlushConfig{Ms: 10_000})
	r.append(1, "a")
	r.w.Run(9 * time.Second)
	r.p.FlushOld(false)
	r.w.Run(time.Millisecond)
	if r.durable() != 0 {
		t.Fatal("flushed before its time")
	}
	r.w.Run(time.Second)
	r.p.FlushOld(false)
	r.w.Run(time.Second)
	if r.durable() != 1 {
		t.Fatalf("durable to %d after flush.ms", r.durable())
	}
	r.append(1, "b")
	r.p.FlushOld(false) // the time counts from the last flush
	r.w.Run(time.Second)
	if r.durable() != 1 {
		t.Fatal("flushed again at once")
	}
}

// A flush that was asked for under page-cache durability is one flush: it does not go on while records keep coming.
func TestCacheModeIsFlushedOnce(t *testing.T) {
	r := configured(t, replica.Cached, FlushConfig{Ms: 1})
	r.append(1, "a")
	r.w.Run(time.Second)
	r.p.FlushOld(false)
	r.append(1, "b") // while the flush is under way
	r.w.Run(time.Minute)
	if r.durable() != 1 {
		t.Fatalf("durable to %d, asked for 1", r.durable())
	}
}

// The switch from cache to sync is over when what was there is durable; until then the high watermark follows the page cache,
// and acks=all already the disk.
func TestSwitchToSync(t *testing.T) {
	r := configured(t, replica.Cached, FlushConfig{})
	r.append(-1, "a")
	cfg := *r.p.cfg
	cfg.Durability = replica.Synced
	r.p.Configure(&cfg)
	b := r.append(-1, "b")
	if s := r.p.Standing(); s.High != 2 || s.Rules != replica.Cached || b.Err != errPending {
		t.Fatalf("in the first phase: %+v, %v", s, b.Err)
	}
	r.w.Run(time.Second)
	if s := r.p.Standing(); s.Durable != 2 || s.Rules != replica.Synced || b.Err != nil {
		t.Fatalf("after it: %+v, %v", s, b.Err)
	}
	c := r.append(-1, "c")
	if s := r.p.Standing(); s.High != 2 || c.Err != errPending {
		t.Fatalf("under sync: %+v, %v", s, c.Err)
	}
}

// What the log has made durable by itself, before old segments go, counts like a flush: after the switch to sync a retry of what was acknowledged from
// the page cache is answered although nobody writes anything new, and the controller hears that the switch is over (simulation seed 81001647).
func TestRetentionMakesDurable(t *testing.T) {
	r := newRig(t, disk.NewMem(), replica.Cached, 1, self)
	r.p.cfg.Log.Roll.SegmentBytes = 80 // a batch is a segment
	var last record.Batch
	for _, v := range []string{"a", "b"} {
		o := record.Plain()
		o.ProducerID, o.ProducerEpoch, o.BaseSequence = 5, 0, int32(v[0]-'a')
		b := record.NewBuilder(o)
		b.Append(1000, nil, []byte(v))
		last = must.Get(b.Build())
		r.p.Append(Append{Batch: slices.Clone(last), Acks: -1, Epoch: kafka.NoLeaderEpoch}, func(a Appended) { must.OK(a.Err) })
	}
	if low, err := r.deleteRecords(1); err != nil || low != 1 {
		t.Fatal(low, err)
	}
	must.OK(r.p.Tend())
	if got := r.durable(); got != 2 {
		t.Fatalf("durable to %d: retention has synced nothing, and this test shows nothing", got)
	}
	cfg := *r.p.cfg
	cfg.Durability = replica.Synced
	r.p.Configure(&cfg)
	again := error(errPending)
	r.p.Append(Append{Batch: slices.Clone(last), Acks: -1, Epoch: kafka.NoLeaderEpoch}, func(a Appended) { again = a.Err })
	r.w.Run(time.Minute)
	if again != nil {
		t.Errorf("a retry: %v", again)
	}
	if got := r.p.Standing().Rules; got != replica.Synced {
		t.Errorf("the rules are %v", got)
	}
}
