package fetch

import (
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/fetchsession"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// pending is one fetch from its first reading to its answer. It reads everything at once; when that is not enough it
// watches its partitions and reads again whenever one of them moved, until enough is there or the wait is over.
type pending struct {
	area        *Fetches
	req         *wire.Request
	session     *fetchsession.Session
	sessionID   int32
	partitions  []fetchsession.Partition // as of this request: the session may move on meanwhile
	incremental bool
	ask         ask

	mu       sync.Mutex
	answered bool
	reading  bool
	again    bool // something moved while reading
	deadline *world.Deadline
	watched  []watch
}

// ask is what the request says for all its partitions.
type ask struct {
	committed bool // read_committed
	byID      bool // topics are named by id
	follower  bool // a broker asks, to replicate
	minBytes  int
	maxBytes  int
}

type watch struct {
	partition *partition.Partition
	watcher   partition.Watcher
}

// result is one partition's part of the answer.
type result struct {
	key     fetchsession.Key
	records partition.Records
	err     error
}

// reading is one pass over all partitions.
type pass struct {
	results []result
	bytes   int
	final   bool // an error or a divergence: answer now, whatever min.bytes says
}

func (w *pending) start(maxWait time.Duration) {
	first := w.read()
	if first.final || first.bytes >= w.ask.minBytes || maxWait <= 0 || len(w.partitions) == 0 {
		w.answered = true
		w.answer(first)
		return
	}
	first.release()
	w.req.Timeline.Appended = w.area.world.Now().Mono // the rest is waiting for records to come
	w.reading = true                                  // who moves from here on leaves a note: an answer takes away watchers and deadline, so they come first
	w.watch()
	w.mu.Lock()
	w.deadline = w.area.deadlines.Add(maxWait, w.expired)
	w.mu.Unlock()
	w.readOn() // what we wait for may have come between reading and watching
	if w.area.stops() {
		w.expired() // Close may have rushed the others just before this one began to wait
	}
}

// watch puts a watcher on every partition that is here. The handles are made first: watchers must not move in memory.
func (w *pending) watch() {
	for i := range w.partitions {
		if found, err := w.find(w.partitions[i].Key); err == nil {
			w.watched = append(w.watched, watch{partition: found, watcher: partition.Watcher{Moved: w.moved}})
		}
	}
	for i := range w.watched {
		w.watched[i].partition.Watch(&w.watched[i].watcher)
	}
}

// moved reads again. Only one goroutine reads at a time; who comes meanwhile leaves a note.
func (w *pending) moved() {
	w.mu.Lock()
	if w.answered || w.reading {
		w.again = true
		w.mu.Unlock()
		return
	}
	w.reading = true
	w.mu.Unlock()
	w.area.world.Go(w.readOn) // who moved the partition, the flush service above all, has others to tell
}

// readOn reads until it is enough, or until nothing moved meanwhile. Called with reading set.
func (w *pending) readOn() {
	w.mu.Lock()
	for {
		w.again = false
		w.mu.Unlock()
		p := w.read()
		w.mu.Lock()
		if w.answered {
			w.mu.Unlock()
			p.release()
			return
		}
		if p.final || p.bytes >= w.ask.minBytes {
			w.answered = true
			w.mu.Unlock()
			w.finish(p)
			return
		}
		p.release()
		if !w.again {
			w.reading = false
			w.mu.Unlock()
			return
		}
	}
}

func (w *pending) expired() {
	w.mu.Lock()
	if w.answered {
		w.mu.Unlock()
		return
	}
	w.answered = true
	w.mu.Unlock()
	w.finish(w.read())
}

func (w *pending) finish(p pass) {
	if w.deadline != nil {
		w.area.deadlines.Cancel(w.deadline)
	}
	for i := range w.watched {
		w.watched[i].partition.Unwatch(&w.watched[i].watcher)
	}
	w.answer(p)
}

// read makes one pass in the session's order, within the request's byte limit.
func (w *pending) read() pass {
	out := pass{results: make([]result, 0, len(w.partitions))}
	left := w.ask.maxBytes
	for i := range w.partitions {
		p := &w.partitions[i]
		r := result{key: p.Key}
		var found *partition.Partition
		if found, r.err = w.find(p.Key); r.err == nil && w.ask.follower {
			r.err = fault.New("fetch", kafka.ErrNotLeaderOrFollower, "%s is not replicated to the node that asks", found.Name())
		} else if r.err == nil {
			r.records, r.err = found.Read(partition.Read{
				From: p.FetchOffset, MaxBytes: min(int(p.MaxBytes), left), MinOne: out.bytes == 0,
				Committed: w.ask.committed, CurrentEpoch: p.CurrentEpoch, LastEpoch: p.LastFetchedEpoch,
			})
		}
		n := int(r.records.Slice.Len)
		out.bytes += n
		left = max(left-n, 0)
		out.final = out.final || r.err != nil || r.records.Diverging != nil
		out.results = append(out.results, r)
	}
	return out
}

func (w *pending) find(k fetchsession.Key) (*partition.Partition, error) {
	if w.ask.byID {
		return w.area.partitions.ByID(kafka.TopicIDPartition{TopicID: k.TopicID, Partition: k.Partition})
	}
	return w.area.partitions.ByName(kafka.TopicPartition{Topic: k.Topic, Partition: k.Partition})
}

func (p *pass) release() {
	for i := range p.results {
		p.results[i].records.Slice.Release()
	}
}

// answer decides what an incremental response leaves out, and replies. The records' files stay open until the bytes are
// written.
func (w *pending) answer(p pass) {
	a := wire.FetchAnswer{SessionID: w.sessionID}
	var held []partition.Records
	w.area.mu.Lock()
	for i := range p.results {
		r := &p.results[i]
		r.records.Answered(r.err)
		include := w.session.Answered(r.key, fetchsession.Answer{
			Err: fault.CodeOf(r.err), Bytes: int(r.records.Slice.Len),
			HighWatermark: r.records.High, LogStart: r.records.LogStart, Always: r.records.Diverging != nil,
		})
		if w.incremental && !include {
			r.records.Slice.Release()
			continue
		}
		held = append(held, r.records)
		a.Partitions = append(a.Partitions, w.part(r))
	}
	w.area.mu.Unlock()
	a.Release = func() {
		for i := range held {
			held[i].Slice.Release()
		}
	}
	w.req.Reply(wire.Reply{Payload: wire.EncodeFetch(w.req.Version, &a)})
}

func (w *pending) part(r *result) wire.FetchPartition {
	out := wire.FetchPartition{
		Topic: r.key.Topic, TopicID: r.key.TopicID, Partition: r.key.Partition, ErrorCode: fault.CodeOf(r.err),
		HighWatermark: r.records.High, LastStable: r.records.LastStable, LogStart: r.records.LogStart,
		PreferredReplica: kafka.NoNode,
	}
	if r.err != nil {
		out.HighWatermark, out.LastStable, out.LogStart = kafka.NoOffset, kafka.NoOffset, kafka.NoOffset
		if found := out.ErrorCode; found == kafka.ErrUnknownTopicOrPartition || found == kafka.ErrUnknownTopicId {
			out.Aborted = []wire.AbortedTxn{} // where Kafka never came to the log, the list is empty and not null
		}
		// KIP-951: who leads instead is told from v16 on, where the answer has room for its address too.
		if w.req.Version >= 16 && (out.ErrorCode == kafka.ErrNotLeaderOrFollower || out.ErrorCode == kafka.ErrFencedLeaderEpoch) {
			out.Leader = w.area.partitions.Leader(w.req.Peer.Listener, r.key.Topic, r.key.TopicID, r.key.Partition)
		}
		return out
	}
	if d := r.records.Diverging; d != nil {
		out.Diverging = &wire.EpochEnd{Epoch: d.Epoch, EndOffset: d.End}
	}
	if w.ask.committed {
		out.Aborted = make([]wire.AbortedTxn, 0, len(r.records.Aborted))
		for _, t := range r.records.Aborted {
			out.Aborted = append(out.Aborted, wire.AbortedTxn{ProducerID: t.Producer, FirstOffset: t.First})
		}
	}
	if s := &r.records.Slice; s.Len > 0 {
		out.Records = []wire.Piece{{File: s.File, Pos: s.Pos, Len: s.Len}}
	}
	return out
}
