package feed

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/world"
)

// tape is a metadata log that commits when it is told to; it hands out a batch at a time.
type tape struct {
	w         world.World
	batches   []record.Batch
	committed int // batches
	next      kafka.Offset
	watchers  []func()
	pulls     int
	err       error
}

func (s *tape) Committed(from kafka.Offset, _ int) (quorum.Committed, error) {
	s.pulls++
	c := quorum.Committed{}
	for i, b := range s.batches[:s.committed] {
		c.End = b.NextOffset()
		if s.err == nil && len(c.Batches) == 0 && b.NextOffset() > max(from, 0) {
			c.Batches = append(c.Batches, s.batches[i])
		}
	}
	return c, s.err
}

func (s *tape) Watch(f func()) func() {
	s.watchers = append(s.watchers, f)
	return func() { s.watchers = nil }
}

func (s *tape) write(o record.Options, values ...[]byte) {
	o.BaseOffset, o.LeaderEpoch = s.next, 3
	b := record.NewBuilder(o)
	for _, v := range values {
		b.Append(1000+int64(s.next), nil, v)
	}
	s.batches = append(s.batches, must.Get(b.Build()))
	s.next += kafka.Offset(len(values))
}

func (s *tape) records(records ...staterecord.Record) {
	var values [][]byte
	for _, r := range records {
		values = append(values, staterecord.Append(nil, r))
	}
	s.write(record.Plain(), values...)
}

// commit makes so many more batches known, as one advance.
func (s *tape) commit(n int) {
	s.committed += n
	for _, f := range s.watchers {
		s.w.Go(f)
	}
}

func topic(n byte) staterecord.Record {
	return &staterecord.Topic{Name: fmt.Sprintf("t%d", n), TopicID: kafka.TopicID{n}}
}

// rig is a feed and what it said.
type rig struct {
	t      *testing.T
	w      *world.Virtual
	s      *tape
	f      *Feed
	said   []string
	failed error
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, w: world.NewVirtual(5)}
	r.s = &tape{w: r.w}
	r.f = New(r.w.Go, func(d image.Delta) {
		line := fmt.Sprintf("%d to %d:", d.From.Offset(), d.To.Offset())
		for c := range d.Topics() {
			line += " " + c.Topic().Name
		}
		r.said = append(r.said, line)
	}, func(err error) { r.failed = err })
	return r
}

// wants compares what was said since the last time.
func (r *rig) wants(what string, want ...string) {
	r.t.Helper()
	if !slices.Equal(r.said, want) {
		r.t.Errorf("%s: %q, want %q", what, r.said, want)
	}
	r.said = nil
}

func (r *rig) await(end kafka.Offset) {
	r.f.WaitFor(end, func() {
		if r.f.Offset()+1 < end {
			r.t.Errorf("called for %d while the image is at %d", end, r.f.Offset())
		}
		r.said = append(r.said, fmt.Sprintf("waited for %d", end))
	})
}

func TestEachCommitIsPublishedOnceAndInOrder(t *testing.T) {
	r := newRig(t)
	r.s.records(topic(1), topic(2))
	r.s.records(topic(3))
	r.s.commit(1)
	r.f.Start(r.s)
	r.w.Run(time.Second)
	r.wants("what is there at the start", "-1 to 1: t1 t2")
	r.s.commit(1)
	if r.f.Image().TopicNamed("t3") != nil {
		t.Error("an image shows what nobody has published")
	}
	r.w.RunUntil(time.Second, func() bool { return len(r.said) > 0 })
	r.wants("a commit", "1 to 2: t3")
	r.s.records(topic(4))
	r.s.records(topic(5))
	r.s.records(topic(6))
	r.s.commit(3)
	r.s.commit(0) // woken again for nothing
	r.w.Run(time.Second)
	r.wants("three at once", "2 to 3: t4", "3 to 4: t5", "4 to 5: t6")
	if r.f.Image().Offset() != 5 || r.f.Offset() != 5 || r.f.Image().TopicNamed("t1") == nil {
		t.Errorf("the image is at %d", r.f.Image().Offset())
	}
}

func TestWhatIsNotCommittedIsNotSeen(t *testing.T) {
	r := newRig(t)
	r.s.records(topic(1))
	r.f.Start(r.s)
	r.await(1)
	r.w.Run(time.Second)
	r.wants("written and not committed")
	r.s.commit(1)
	r.w.Run(time.Second)
	r.wants("committed", "-1 to 0: t1", "waited for 1")
}

func TestWaitersAreCalledAfterTheirPublicationInTheOrderTheyCame(t *testing.T) {
	r := newRig(t)
	r.s.records(topic(1))
	r.s.records(topic(2), topic(3))
	r.s.records(topic(4))
	r.await(3) // also before the start
	r.f.Start(r.s)
	r.await(4)
	r.await(1)
	r.await(2) // within a batch
	r.await(0)
	r.wants("offset 0 is always reached", "waited for 0")
	r.s.commit(2)
	r.w.Run(time.Second)
	r.wants("two batches", "-1 to 0: t1", "waited for 1", "0 to 2: t2 t3", "waited for 3", "waited for 2")
	r.await(3)
	r.wants("at once", "waited for 3")
	r.s.commit(1)
	r.w.Run(time.Second)
	r.wants("the last", "2 to 3: t4", "waited for 4")
}

// Whoever tells of an advance may be the flusher of the metadata log or carry Raft's messages, and a publication waits for partitions,
// whose disk may be another.
func TestAPublicationHoldsUpNobody(t *testing.T) {
	r := newRig(t)
	var kept []func()
	r.f = New(func(f func()) { kept = append(kept, f) }, func(d image.Delta) { r.said = append(r.said, "published") }, func(err error) { r.failed = err })
	r.s.records(topic(1))
	r.s.records(topic(2))
	r.s.committed = 1
	r.f.Start(r.s)
	r.s.committed = 2
	for _, tell := range r.s.watchers {
		tell()
	}
	r.await(2)
	r.wants("on the goroutines of others")
	if len(kept) != 1 {
		t.Fatalf("it runs %d times at once", len(kept))
	}
	kept[0]()
	r.wants("on its own", "published", "published", "waited for 2")
}

// Who is to close what a publication works on waits for that, and no longer.
func TestTheEndOfAPublicationIsWaitedFor(t *testing.T) {
	r := newRig(t)
	end := func() { r.f.StopAnd(func() { r.said = append(r.said, "ended") }) }
	r.f = New(r.w.Go, func(image.Delta) {
		end()
		r.said = append(r.said, "published")
	}, func(err error) { r.failed = err })
	r.s.records(topic(1))
	r.s.records(topic(2))
	r.s.committed = 2
	r.f.Start(r.s)
	r.w.Run(time.Second)
	r.wants("in the middle of one", "published", "ended")
	end()
	r.wants("afterwards", "ended")
}

// A waiter may ask for more while it is called: nothing of the feed is locked then.
func TestAWaiterMayWaitAgain(t *testing.T) {
	r := newRig(t)
	r.s.records(topic(1))
	r.s.records(topic(2))
	r.f.Start(r.s)
	r.f.WaitFor(1, func() { r.await(1); r.await(2) })
	r.s.commit(2)
	r.w.Run(time.Second)
	r.wants("nested", "-1 to 0: t1", "waited for 1", "0 to 1: t2", "waited for 2")
}

func TestControlBatchesMoveTheOffsetAndNothingElse(t *testing.T) {
	r := newRig(t)
	o := record.Plain()
	o.Control = true
	r.s.write(o, []byte("not a metadata record"))
	r.s.records(topic(1))
	r.f.Start(r.s)
	r.await(1)
	r.s.commit(1)
	r.w.Run(time.Second)
	r.wants("a control batch", "-1 to 0:", "waited for 1")
	r.s.commit(1)
	r.w.Run(time.Second)
	r.wants("a record", "0 to 1: t1")
}

// A metadata transaction (KIP-868) shows when it ends, as one change; waiters don't wait for its end.
func TestAMetadataTransactionShowsAsAWhole(t *testing.T) {
	r := newRig(t)
	r.s.records(topic(1))
	r.s.records(&staterecord.BeginTransaction{}, topic(2))
	r.s.records(topic(3))
	r.s.records(&staterecord.EndTransaction{})
	r.s.records(&staterecord.BeginTransaction{}, topic(4))
	r.s.records(&staterecord.AbortTransaction{})
	r.f.Start(r.s)
	r.s.commit(3)
	r.await(4)
	r.w.Run(time.Second)
	if r.f.Image().TopicNamed("t2") != nil || r.f.Image().Offset() != 0 || r.f.Offset() != 3 {
		t.Errorf("in the transaction: image at %d, feed at %d", r.f.Image().Offset(), r.f.Offset())
	}
	r.wants("in the transaction", "-1 to 0: t1", "0 to 0:", "0 to 0:", "waited for 4")
	r.s.commit(1)
	r.w.Run(time.Second)
	r.wants("ended", "0 to 4: t2 t3")
	r.s.commit(2)
	r.w.Run(time.Second)
	if r.f.Image().TopicNamed("t4") != nil {
		t.Error("an aborted transaction shows")
	}
}

func TestALogThatCannotBeUnderstoodEndsTheFeed(t *testing.T) {
	for what, spoil := range map[string]func(s *tape){
		"an unknown record": func(s *tape) { s.write(record.Plain(), []byte{1, 0x7f, 0}) },
		"a change of nothing": func(s *tape) {
			s.records(&staterecord.RemoveTopic{TopicID: kafka.TopicID{9}})
		},
		"a log that cannot be read": func(s *tape) { s.records(topic(2)); s.err = errors.New("no disk") },
	} {
		r := newRig(t)
		r.s.records(topic(1))
		r.f.Start(r.s)
		r.s.commit(1)
		r.w.Run(time.Second)
		spoil(r.s)
		r.await(2)
		r.s.commit(1)
		r.w.Run(time.Second)
		r.wants(what, "-1 to 0: t1")
		if r.failed == nil || r.f.Image().Offset() != 0 {
			t.Errorf("%s: failed with %v, image at %d", what, r.failed, r.f.Image().Offset())
		}
		pulls := r.s.pulls
		r.s.err = nil
		r.s.records(topic(3))
		r.s.commit(1)
		r.w.Run(time.Second)
		if r.wants(what + ", later"); r.s.pulls != pulls {
			t.Errorf("%s: it reads on", what)
		}
	}
}

func TestStopEndsTheFeed(t *testing.T) {
	r := newRig(t)
	r.s.records(topic(1))
	r.s.records(topic(2))
	r.f.Start(r.s)
	r.s.commit(1)
	r.w.Run(time.Second)
	r.await(2)
	r.f.Stop()
	r.f.Stop()
	r.s.commit(1)
	r.w.Run(time.Second)
	r.wants("stopped", "-1 to 0: t1")
	if len(r.s.watchers) != 0 {
		t.Error("it watches on")
	}
}
