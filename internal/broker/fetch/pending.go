package fetch

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/fetchsession"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// pending is one fetch from its first reading to its last byte. It reads everything at once; when that is not enough it
// watches its partitions and reads those again that moved, until enough is there or the wait is over.
//
// One goroutine at a time reads, and owns everything but the state. When nobody needs a pending any more it serves another
// fetch, so that fetching allocates nothing; who may still call it counts as a user. Watchers don't: one that calls late
// makes a fetch of another request read once more.
type pending struct {
	area        *Fetches
	req         *wire.Request // not to be touched after Reply
	ask         ask
	from        sender
	asked       fetchsession.Request
	session     *fetchsession.Session // nil for none
	sessionID   int32
	incremental bool
	partitions  []fetchsession.Partition // as of this request: the session may move on meanwhile
	results     []result                 // of each partition, as last read
	watched     []*watch                 // of each partition, once it waits
	reply       reply
	calls       calls
	memory      int64 // charged for it

	state state
}

// sender is who fetches.
type sender struct {
	replica kafka.NodeID // NoNode for a consumer
	epoch   kafka.BrokerEpoch
	refused error           // why nothing is read for it
	noted   bool            // where the replica stands was noted when its Fetch was read first
	rack    string          // of a consumer
	choice  []replica.Known // memory to choose a replica for it
}

// ask is what the request says for all its partitions.
type ask struct {
	committed bool // read_committed
	byID      bool // topics are named by id
	report    bool // a broker tells where its replicas stand, and wants no records
	minBytes  int
	maxBytes  int
	// anyReplica says that the client knows of KIP-392.
	anyReplica bool
}

// calls are the methods that others are handed, made once: a bound method is allocated.
type calls struct {
	readOn, expired, sent func()
}

// state is what several goroutines see of a pending.
type state struct {
	mu       sync.Mutex
	users    int  // the answer until it was written, a deadline, a reading to come
	parked   bool // it waits, or did
	answered bool
	reading  bool
	again    bool // something moved while reading
	over     bool // the wait is over: the next reading is answered
	deadline world.Deadline
}

// watch is one partition that is waited for.
type watch struct {
	owner     *pending
	partition *partition.Partition
	watcher   partition.Watcher
	moved     atomic.Bool // since it was last read
}

// take returns a pending for a new request.
func (f *Fetches) take() *pending {
	w, ok := f.idle.Get().(*pending)
	if !ok {
		w = &pending{area: f}
		w.calls = calls{readOn: w.readOn, expired: w.expired, sent: w.sent}
	}
	w.state.mu.Lock()
	w.state.users, w.state.answered = 1, false
	w.state.parked, w.state.reading, w.state.again, w.state.over = false, false, false, false
	w.state.mu.Unlock()
	return w
}

// leave takes users off; after the last one the pending is ready for another request.
func (w *pending) leave(users int) {
	w.state.mu.Lock()
	w.state.users -= users
	left := w.state.users
	w.state.mu.Unlock()
	if left > 0 {
		return
	}
	w.area.budget.Take(-w.memory)
	if len(w.partitions) > keptPartitions {
		return
	}
	w.reply.reset()
	clear(w.asked.Add)
	clear(w.asked.Forget)
	clear(w.partitions)
	clear(w.results)
	w.asked.Add, w.asked.Forget = w.asked.Add[:0], w.asked.Forget[:0]
	w.partitions, w.results = w.partitions[:0], w.results[:0]
	w.req, w.session, w.sessionID, w.incremental, w.memory = nil, nil, fetchsession.NoSession, false, 0
	w.area.idle.Put(w)
}

// keptPartitions is the most that a pending may have had to serve again; more would hold much memory for a rare need.
const keptPartitions = 256

// perPartition is what a pending keeps for each of its partitions.
const perPartition = 768

func (w *pending) start(maxWait time.Duration) {
	w.memory = int64(len(w.partitions)) * perPartition
	w.area.budget.Take(w.memory)
	for range w.partitions {
		w.results = append(w.results, result{stale: true})
	}
	if w.read() || maxWait <= 0 || len(w.partitions) == 0 {
		w.answer()
		return
	}
	w.release()
	w.park(maxWait)
}

// park begins to wait. Until it has, it counts as reading: who moves meanwhile leaves a note, and an answer, which takes
// away watchers and deadline, comes after them.
func (w *pending) park(maxWait time.Duration) {
	w.req.Timeline.Appended = w.area.world.Now().Mono // the rest is waiting for records to come
	s := &w.state
	s.mu.Lock()
	s.parked, s.reading = true, true
	s.users += 2 // this reading and the deadline
	s.mu.Unlock()
	missed := w.watch()
	w.area.deadlines.Set(&s.deadline, maxWait, w.calls.expired)
	w.waits(true)
	s.mu.Lock()
	s.over = s.over || w.area.closing.Load() // Close may have rushed the others just before this one began to wait
	missed = missed || s.again || s.over
	s.reading = missed
	s.mu.Unlock()
	if missed {
		w.readOn()
		return
	}
	w.leave(1)
}

// watch puts a watcher on every partition, and reports whether one moved since it was read.
func (w *pending) watch() (missed bool) {
	for len(w.watched) < len(w.partitions) {
		x := &watch{owner: w}
		x.watcher.Moved = x.call
		w.watched = append(w.watched, x)
	}
	for i := range w.partitions {
		x, r := w.watched[i], &w.results[i]
		x.moved.Store(false)
		found, err := w.find(&w.partitions[i].Key)
		if err != nil { // it was deleted just now
			r.stale, missed = true, true
			continue
		}
		x.partition = found
		x.watcher.End = w.from.replica != kafka.NoNode
		if found.Watch(&x.watcher, r.records.Moves) {
			r.stale, missed = true, true
		}
	}
	return missed
}

// call is the watcher's.
func (x *watch) call() {
	x.moved.Store(true)
	x.owner.moved()
}

// moved reads again. Only one goroutine reads at a time; who comes meanwhile leaves a note.
func (w *pending) moved() {
	s := &w.state
	s.mu.Lock()
	if !s.parked || s.answered || s.reading {
		s.again = true
		s.mu.Unlock()
		return
	}
	s.reading = true
	s.users++
	s.mu.Unlock()
	w.area.world.Go(w.calls.readOn) // who moved the partition, the flush service above all, has others to tell
}

// readOn reads until it is enough, the wait is over, or nothing moved meanwhile. It is called with reading set, by a user.
func (w *pending) readOn() {
	s := &w.state
	for {
		s.mu.Lock()
		s.again = false
		s.mu.Unlock()
		enough := w.read()
		s.mu.Lock()
		over := s.over
		s.mu.Unlock()
		if enough || over {
			w.finish()
			return
		}
		w.release()
		s.mu.Lock()
		if !s.again && !s.over {
			s.reading = false
			s.mu.Unlock()
			w.leave(1)
			return
		}
		s.mu.Unlock()
	}
}

// expired answers with what there is; while somebody reads, that is left to him.
func (w *pending) expired() {
	s := &w.state
	s.mu.Lock()
	s.over = true
	busy := s.answered || s.reading
	s.reading = true
	s.mu.Unlock()
	if busy {
		w.leave(1)
		return
	}
	w.readOn()
}

// finish answers a fetch that has waited.
func (w *pending) finish() {
	s := &w.state
	s.mu.Lock()
	s.answered = true
	s.mu.Unlock()
	w.waits(false)
	users := 1
	if w.area.deadlines.Cancel(&s.deadline) {
		users++
	}
	for i := range w.partitions {
		if x := w.watched[i]; x.partition != nil {
			x.partition.Unwatch(&x.watcher)
			x.partition = nil
		}
	}
	w.answer()
	w.leave(users)
}

func (w *pending) find(k *fetchsession.Key) (*partition.Partition, error) {
	if w.ask.byID {
		return w.area.partitions.ByID(kafka.TopicIDPartition{TopicID: k.TopicID, Partition: k.Partition})
	}
	return w.area.partitions.ByName(kafka.TopicPartition{Topic: k.Topic, Partition: k.Partition})
}
