package replica

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	machine "github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/world"
)

// Control takes commands to the active controller, wherever it is.
type Control interface {
	Submit(timeout time.Duration, cmd controller.Command, done func(reply any, err error))
}

// Wishes takes what leaders want their ISRs to be to the controller, those of many partitions in one AlterPartition (KIP-497).
// One is under way at a time, so that the answers of a partition come in order.
type Wishes struct {
	world   world.World
	control Control
	self    kafka.NodeID
	epoch   func() kafka.BrokerEpoch

	mu     sync.Mutex
	ids    map[*partition.Partition]kafka.TopicIDPartition
	queue  []*partition.Partition
	queued map[*partition.Partition]bool
	under  bool
	closed bool

	refused atomic.Uint64
}

// wishTimeout is how long the controller has to answer; then the same wishes are sent again.
const wishTimeout = 2 * time.Second

// wishPause is the pause after a request that nobody answered, or that was refused as a whole.
const wishPause = 20 * time.Millisecond

// mostWishes bounds one request.
const mostWishes = 5000

// NewWishes makes one. epoch tells the broker's epoch.
func NewWishes(w world.World, c Control, self kafka.NodeID, epoch func() kafka.BrokerEpoch) *Wishes {
	return &Wishes{world: w, control: c, self: self, epoch: epoch, ids: map[*partition.Partition]kafka.TopicIDPartition{}, queued: map[*partition.Partition]bool{}}
}

// Know tells which partition one is; a partition that nobody told of has no wishes.
func (s *Wishes) Know(p *partition.Partition, id kafka.TopicIDPartition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids[p] = id
}

// Forget forgets one.
func (s *Wishes) Forget(p *partition.Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ids, p)
}

// Wish hears that a partition has one (partition.Replication).
func (s *Wishes) Wish(p *partition.Partition) {
	s.mu.Lock()
	if _, known := s.ids[p]; known && !s.queued[p] && !s.closed {
		s.queued[p] = true
		s.queue = append(s.queue, p)
	}
	send := !s.under && len(s.queue) > 0 && !s.closed
	s.under = s.under || send
	s.mu.Unlock()
	if send {
		s.world.Go(s.send) // those that come in the same moment go together
	}
}

// wished is one wish of a request.
type wished struct {
	p    *partition.Partition
	wish machine.Wish
}

// send sends what is wished.
func (s *Wishes) send() {
	s.mu.Lock()
	batch := s.queue[:min(len(s.queue), mostWishes)]
	s.queue = append([]*partition.Partition(nil), s.queue[len(batch):]...)
	ids := make([]kafka.TopicIDPartition, len(batch))
	for i, p := range batch {
		delete(s.queued, p)
		ids[i] = s.ids[p]
	}
	s.mu.Unlock()
	cmd := controller.AlterPartition{Broker: s.self, Epoch: s.epoch()}
	asked := map[kafka.TopicIDPartition]wished{}
	for i, p := range batch {
		w, ok := partition.AsLeader(p).Wish()
		if !ok || ids[i].TopicID.IsZero() {
			continue
		}
		one := controller.PartitionWish{ID: ids[i], LeaderEpoch: w.LeaderEpoch, PartitionEpoch: w.PartitionEpoch, Settled: w.Settled}
		for _, m := range w.ISR {
			one.ISR, one.Epochs = append(one.ISR, m.Node), append(one.Epochs, m.BrokerEpoch)
		}
		cmd.Partitions = append(cmd.Partitions, one)
		asked[ids[i]] = wished{p, w}
	}
	if len(cmd.Partitions) == 0 {
		s.next(0)
		return
	}
	s.control.Submit(wishTimeout, cmd, func(reply any, err error) { s.answered(cmd.Partitions, asked, reply, err) })
}

// answered tells each partition what became of its wish.
func (s *Wishes) answered(order []controller.PartitionWish, asked map[kafka.TopicIDPartition]wished, reply any, err error) {
	var pause time.Duration
	if err != nil {
		pause = wishPause
		for _, w := range order {
			a := asked[w.ID]
			partition.AsLeader(a.p).Answered(a.wish, unsettled(err), 0)
		}
		s.next(pause)
		return
	}
	for _, out := range reply.([]controller.AlteredPartition) {
		a, ok := asked[out.ID]
		if !ok {
			continue
		}
		if machine.OutcomeOf(out.Code) != machine.Granted {
			pause = wishPause
		}
		delete(asked, out.ID)
		if out.Code != kafka.ErrNone {
			s.refused.Add(1)
		}
		partition.AsLeader(a.p).Answered(a.wish, out.Code, out.PartitionEpoch)
	}
	for _, w := range order { // of whom nothing was said
		if a, ok := asked[w.ID]; ok {
			partition.AsLeader(a.p).Answered(a.wish, kafka.ErrRequestTimedOut, 0)
			pause = wishPause
		}
	}
	s.next(pause)
}

// unsettled is the code of a request that was refused or lost as a whole: nothing of it is certain.
func unsettled(err error) kafka.ErrorCode {
	if code := fault.CodeOf(err); machine.OutcomeOf(code) == machine.Unknown {
		return code
	}
	return kafka.ErrRequestTimedOut
}

// next sends what was wished meanwhile, after a pause.
func (s *Wishes) next(pause time.Duration) {
	s.mu.Lock()
	s.under = len(s.queue) > 0 && !s.closed
	under := s.under
	s.mu.Unlock()
	if under {
		s.world.After(pause, s.send)
	}
}

// Refused counts the wishes that the controller has refused.
func (s *Wishes) Refused() uint64 { return s.refused.Load() }

// Close sends nothing any more.
func (s *Wishes) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.queue = true, nil
}
