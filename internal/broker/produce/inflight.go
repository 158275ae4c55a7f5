package produce

import (
	"errors"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// inflight is one Produce request on its way. It serves again for another one when nobody can touch it any more: Produce
// itself, the partitions whose outcome is still to come, perhaps long after a timeout, and the deadline.
type inflight struct {
	area   *Produces
	req    *wire.Request
	acks   int16
	answer wire.ProduceAnswer

	slots    []*slot // one a partition, and more from requests before
	deadline world.Deadline
	expire   func() // expired, made a func once

	mu      sync.Mutex
	held    int // how many can still touch it
	left    int // partitions without an outcome
	timed   bool
	replied bool
	failed  bool
}

// slot is where the outcome of one partition goes.
type slot struct {
	w    *inflight
	i    int
	done func(partition.Appended)
}

// begin makes an inflight of a request.
func (p *Produces) begin(req *wire.Request, in *wire.ProduceRequest) *inflight {
	w, ok := p.spare.Get().(*inflight)
	if !ok {
		w = &inflight{area: p}
		w.expire = w.expired
	}
	w.req, w.acks, w.left, w.held = req, in.Acks, in.Partitions, in.Partitions+1
	w.timed, w.replied, w.failed = false, false, false
	w.answer.Version = req.Version
	for part := range in.All {
		w.answer.Partitions = append(w.answer.Partitions, wire.ProducePartitionAnswer{
			Topic: p.names.of(part.Topic), TopicID: part.TopicID, Partition: part.Partition,
			BaseOffset: kafka.NoOffset, LogAppendTimeMs: -1, LogStart: kafka.NoOffset,
		})
	}
	for len(w.slots) < in.Partitions {
		s := &slot{w: w, i: len(w.slots)}
		s.done = func(a partition.Appended) { s.w.outcome(s.i, a) }
		w.slots = append(w.slots, s)
	}
	return w
}

// mostKept is the partitions of a request whose memory is kept for another one.
const mostKept = 1024

// release ends the hold of so many; after the last the memory is another request's.
func (w *inflight) release(holds int) {
	w.mu.Lock()
	w.held -= holds
	over := w.held == 0
	w.mu.Unlock()
	if !over || len(w.slots) > mostKept {
		return
	}
	w.req = nil
	clear(w.answer.Partitions)
	w.answer.Partitions = w.answer.Partitions[:0]
	w.area.spare.Put(w)
}

// append writes one partition's batch; its outcome comes at once or later.
func (w *inflight) append(i int, records []byte) {
	found, b, err := w.check(i, records)
	if err != nil {
		w.outcome(i, partition.Refused(err))
		return
	}
	found.Append(partition.Append{Batch: b, Acks: w.acks, Origin: partition.Client, Epoch: kafka.NoLeaderEpoch}, w.slots[i].done)
}

// outcome takes what became of a partition and answers after the last one.
func (w *inflight) outcome(i int, a partition.Appended) {
	w.mu.Lock()
	last := false
	if !w.replied { // else the timeout came first
		w.fill(i, a)
		w.left--
		last = w.left == 0
		w.replied = last
	}
	timed := last && w.timed
	w.mu.Unlock()
	done := 1
	if timed && w.area.deadlines.Cancel(&w.deadline) {
		done++
	}
	if last {
		w.reply()
	}
	w.release(done)
}

func (w *inflight) fill(i int, a partition.Appended) {
	p := &w.answer.Partitions[i]
	if a.Err == nil {
		p.BaseOffset, p.LogAppendTimeMs, p.LogStart = a.Base, a.TimestampMs, a.LogStart
		return
	}
	w.failed = true
	p.ErrorCode, p.ErrorMessage = fault.CodeOf(a.Err), fault.MessageOf(a.Err)
	switch p.ErrorCode {
	case kafka.ErrNotLeaderOrFollower, kafka.ErrMessageTooLarge, kafka.ErrRecordListTooLarge, kafka.ErrCorruptMessage, kafka.ErrKafkaStorageError:
	default:
		p.LogStart = a.LogStart // Kafka tells where the log begins when it refuses what is in a batch, and not with these
	}
	var invalid *record.Invalid
	if errors.As(a.Err, &invalid) {
		for i := range invalid.Records {
			r := &invalid.Records[i]
			p.RecordErrors = append(p.RecordErrors, wire.RecordError{Index: r.Index, Message: &r.Message})
		}
	}
	if p.ErrorCode == kafka.ErrNotLeaderOrFollower {
		p.Leader = w.area.partitions.Leader(w.req.Peer.Listener, p.Topic, p.TopicID, p.Partition)
	}
}

// await bounds the waiting of a request that has no answer yet.
func (w *inflight) await(timeout time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.replied || w.left == 0 {
		return
	}
	w.req.Timeline.Appended = w.area.world.Now().Mono // nobody replies while the mutex is held
	w.timed = true
	w.held++
	w.area.deadlines.Set(&w.deadline, timeout, w.expire)
}

// expired answers REQUEST_TIMED_OUT for the partitions that are still waiting: written, but not yet committed.
func (w *inflight) expired() {
	w.mu.Lock()
	if w.replied {
		w.mu.Unlock()
		w.release(1)
		return
	}
	w.replied = true
	for i := range w.answer.Partitions {
		p := &w.answer.Partitions[i]
		if p.ErrorCode == kafka.ErrNone && p.BaseOffset == kafka.NoOffset {
			p.ErrorCode = kafka.ErrRequestTimedOut
		}
	}
	w.mu.Unlock()
	w.reply()
	w.release(1)
}

func (w *inflight) reply() {
	switch {
	case w.acks == 0 && w.failed:
		w.req.Reply(wire.Reply{None: true, Close: true})
	case w.acks == 0:
		w.req.Reply(wire.Reply{None: true})
	default:
		w.req.Reply(wire.Reply{Body: &w.answer})
	}
}
