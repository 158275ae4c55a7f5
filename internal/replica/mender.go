package replica

import (
	"log/slog"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// Source is another replica of a partition, which is asked for what is damaged here.
type Source struct {
	Node kafka.NodeID
	Addr string
}

// MenderOptions is what a Mender is given.
type MenderOptions struct {
	World  world.World
	Peers  *peer.Peers
	Logger *slog.Logger
	// Sources are the other replicas of a partition that may be asked, the best first.
	Sources  func(kafka.TopicIDPartition) []Source
	Settings func() Settings
}

// Mender repairs what does not check in logs of this node with what other replicas have (R15). It asks as a consumer does, so
// that it is given what is committed, checked by who sends it; log.Mend checks once more. One stretch is mended at a time, a
// few MiB with each question, so that it takes little from others. What nobody could give is asked for again and again, more
// and more rarely.
type Mender struct {
	o   MenderOptions
	api wire.API

	turns turns

	mu      sync.Mutex
	known   map[kafka.TopicIDPartition]*broken // waiting for their turn, under way, or to be tried again
	closed  bool
	figures MenderFigures
}

// MenderFigures are how mending goes, since the start.
type MenderFigures struct {
	Mended int64 // stretches
	Left   int   // partitions with damage that is being mended, or is to be tried again
}

// broken is a partition with damage.
type broken struct {
	waiting
	tries int
	again bool // more was found since its turn began
}

// The pauses after everybody was asked in vain.
const (
	mendFirst = 100 * time.Millisecond
	mendMost  = time.Minute
	mendBytes = 8 << 20
)

// NewMender makes one.
func NewMender(o MenderOptions) *Mender {
	api, _ := o.Peers.API(kafka.KeyFetch)
	api.Min, api.Served = wire.FetchCallMin, wire.FetchCallMin
	m := &Mender{o: o, api: api, known: map[kafka.TopicIDPartition]*broken{}}
	m.turns = turns{world: o.World, take: m.begin}
	return m
}

// Damaged hears that something of a partition's log does not check.
func (m *Mender) Damaged(id kafka.TopicIDPartition, p *partition.Partition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if was := m.known[id]; m.closed || was != nil && was.p == p {
		if was != nil {
			was.again = true // its turn, if it has come, looks for what was known when it came
		}
		return
	}
	b := &broken{waiting: waiting{id: id, p: p}}
	m.known[id] = b
	m.turns.add(b.waiting)
}

// Forget gives a partition up that left this node.
func (m *Mender) Forget(id kafka.TopicIDPartition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.known, id)
}

// Close begins nothing any more.
func (m *Mender) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	clear(m.known)
	m.turns.close()
}

// Figures tells how mending goes.
func (m *Mender) Figures() MenderFigures {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.figures
	f.Left = len(m.known)
	return f
}

// begin looks through the partition whose turn it is, unless it left meanwhile.
func (m *Mender) begin(next waiting) {
	m.mu.Lock()
	b, known := broken{}, false
	if k := m.known[next.id]; k != nil && k.p == next.p {
		k.again = false
		b, known = *k, true
	}
	m.mu.Unlock()
	if !known {
		m.turns.over()
		return
	}
	w := &mending{m: m, broken: b, sources: m.o.Sources(b.id), left: partition.Damages(b.p)}
	w.step()
}

// ended takes note of a partition that was looked through; what could not be mended is tried again later.
func (m *Mender) ended(w *mending) {
	m.mu.Lock()
	b := m.known[w.id]
	m.figures.Mended += w.mended
	if b != nil && b.p == w.p {
		switch {
		case w.failed == nil && b.again:
			m.turns.add(b.waiting)
		case w.failed == nil:
			delete(m.known, w.id)
		default:
			wait := min(mendFirst<<min(b.tries, 20), mendMost)
			b.tries++
			m.o.World.After(wait, func() {
				m.mu.Lock()
				defer m.mu.Unlock()
				if now := m.known[w.id]; now == b && !m.closed {
					m.turns.add(b.waiting)
				}
			})
		}
	}
	m.mu.Unlock()
	if w.failed != nil && w.tries == 0 {
		m.o.Logger.Warn("What is damaged of "+w.p.Name().String()+" cannot be repaired from another replica; it will be tried again.", "error", w.failed)
	}
	m.turns.over()
}

// mending is one partition's turn: stretch by stretch, source by source.
type mending struct {
	m *Mender
	broken
	sources []Source
	left    []partition.Damage
	asked   int // sources of this stretch
	channel *peer.Channel
	mended  int64
	why     error // of the source of this stretch that was asked last
	failed  error // of a stretch that nobody could give
}

// step asks for the stretch that is due.
func (w *mending) step() {
	if w.channel != nil {
		w.channel.Close()
		w.channel = nil
	}
	switch {
	case len(w.left) == 0:
		w.m.ended(w)
		return
	case w.asked >= len(w.sources):
		if w.failed = w.why; w.failed == nil {
			w.failed = fault.New("replica.Mend", kafka.ErrReplicaNotAvailable, "there is no other replica to ask")
		}
		w.left, w.asked, w.why = w.left[1:], 0, nil
		w.m.o.World.Go(w.step)
		return
	}
	w.channel = w.m.o.Peers.Channel(w.sources[w.asked].Addr, func(peer.Ending) {})
	w.ask()
}

// ask asks a source for what is damaged from where the stretch begins by now.
func (w *mending) ask() {
	o, d := w.m.o.Settings(), w.left[0]
	c := wire.FetchCall{
		Replica: kafka.NoNode, BrokerEpoch: -1, MaxBytes: mendBytes, MinBytes: 1, SessionEpoch: -1,
		Partitions: []wire.FetchedPartition{{
			TopicID: w.id.TopicID, Partition: w.id.Partition, CurrentEpoch: partition.Epoch(w.p), LastFetchedEpoch: kafka.NoLeaderEpoch,
			FetchOffset: d.First, LogStart: kafka.NoOffset, HighWatermark: kafka.NoOffset, Durable: kafka.NoOffset, MaxBytes: mendBytes,
		}},
	}
	w.channel.Ask(peer.Request{API: w.m.api, Timeout: o.Timeout, Body: c.AppendTo, Done: w.answered})
}

// answered takes what a source has, and asks the next one when it has nothing that fits.
func (w *mending) answered(a peer.Answer, err error) {
	from := w.left[0]
	next := from.First
	if err == nil {
		next, err = w.take(a)
		a.Release()
	}
	switch {
	case fault.IsKind(err, fault.Closed):
		w.failed, w.left = err, nil
		w.step()
	case next >= from.Next:
		w.tell(from)
		w.mended++
		w.left, w.asked, w.why = w.left[1:], 0, nil
		w.step()
	case next > from.First:
		w.left[0].First = next
		w.ask()
	default:
		if err == nil {
			err = fault.New("replica.Mend", kafka.ErrOffsetNotAvailable, "node %d has nothing of the offsets %d to %d", w.sources[w.asked].Node, from.First, from.Next-1)
		}
		w.why = err
		w.asked++
		w.step()
	}
}

// take mends with an answer, and returns up to where.
func (w *mending) take(a peer.Answer) (kafka.Offset, error) {
	at := w.left[0].First
	reply, err := wire.ParseFetchReply(a.Version, a.Body)
	if err == nil && reply.ErrorCode != kafka.ErrNone {
		err = fault.New("replica.Mend", reply.ErrorCode, "%s", reply.ErrorCode)
	}
	if err != nil {
		return at, err
	}
	for p := range reply.All {
		if p.TopicID != w.id.TopicID || p.Partition != w.id.Partition {
			continue
		}
		if p.ErrorCode != kafka.ErrNone {
			return at, fault.New("replica.Mend", p.ErrorCode, "node %d answers %s", w.sources[w.asked].Node, p.ErrorCode)
		}
		return partition.Mend(w.p, at, p.Records)
	}
	return at, nil
}

func (w *mending) tell(d partition.Damage) {
	w.m.o.Logger.Info("Repaired "+w.p.Name().String()+" from another replica. The bytes that were there are kept beside the segment.",
		"from", int32(w.sources[w.asked].Node), "firstOffset", int64(d.First), "nextOffset", int64(d.Next))
}
