package replica

import (
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// ComparerOptions is what a Comparer is given.
type ComparerOptions struct {
	World   world.World
	Peers   *peer.Peers
	Self    kafka.NodeID
	Logger  *slog.Logger
	Sources func(kafka.TopicIDPartition) []Source // the leader first, where that is another
	Leads   func(kafka.TopicIDPartition) bool
	Rate    func() int64 // bytes a second of this node's log
}

// Comparer compares what this node has of a partition with what the others have, as part of the scrub (R15): bytes that check may yet
// be others than were written, by a write that went astray or a fault of ours. Each replica sums up stretches of its log and asks
// the others for their sums of the same offsets, in a tag of OffsetForLeaderEpoch. What most of them have is right, and in doubt
// what the leader has; who has something else condemns it, and has it repaired as any damage. One stretch is compared at a time, no
// faster than the scrub reads.
type Comparer struct {
	o ComparerOptions

	turns turns

	mu      sync.Mutex
	figures ComparerFigures
}

// ComparerFigures are how comparing goes, since the start.
type ComparerFigures struct {
	Bytes       int64 // that were compared with at least one other replica
	Differences int64 // stretches in which this replica differs from most
}

// compareTimeout is how long another replica has to sum up.
const compareTimeout = 10 * time.Second

// NewComparer makes one.
func NewComparer(o ComparerOptions) *Comparer {
	c := &Comparer{o: o}
	c.turns = turns{world: o.World, take: c.begin}
	return c
}

// Compare has a partition compared in its turn.
func (c *Comparer) Compare(id kafka.TopicIDPartition, p *partition.Partition) {
	c.turns.add(waiting{id: id, p: p})
}

// Figures tells how comparing goes.
func (c *Comparer) Figures() ComparerFigures {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.figures
}

// Close begins nothing any more.
func (c *Comparer) Close() { c.turns.close() }

func (c *Comparer) begin(next waiting) {
	w := &comparing{c: c, waiting: next, at: next.p.Standing().LogStart}
	w.step()
}

// comparing is one partition's turn.
type comparing struct {
	c *Comparer
	waiting
	at      kafka.Offset
	mine    partition.Digest
	sources []Source
	theirs  []partition.Digest // of those that could tell, in the order of the sources
	channel *peer.Channel
}

// step sums up the next stretch. What cannot be read, or not be compared, ends the turn: another round comes.
func (w *comparing) step() {
	var err error
	w.sources, w.theirs = w.c.o.Sources(w.id), nil
	w.mine, err = partition.DigestOf(w.p, w.at, 1<<62)
	if err != nil || w.mine.Bytes == 0 || len(w.sources) == 0 {
		w.c.turns.over()
		return
	}
	w.ask()
}

// ask asks the next replica for its sum.
func (w *comparing) ask() {
	if w.channel != nil {
		w.channel.Close()
		w.channel = nil
	}
	if len(w.sources) == 0 {
		w.judge()
		return
	}
	name := w.p.Name()
	m := kmsg.NewPtrOffsetForLeaderEpochRequest()
	m.ReplicaID = int32(w.c.o.Self)
	t, p := kmsg.NewOffsetForLeaderEpochRequestTopic(), kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	t.Topic, p.Partition, p.CurrentLeaderEpoch = name.Topic, name.Partition, int32(partition.Epoch(w.p))
	wire.AskDigest(&p.UnknownTags, w.at, w.mine.Next)
	t.Partitions = append(t.Partitions, p)
	m.Topics = append(m.Topics, t)
	w.channel = w.c.o.Peers.Channel(w.sources[0].Addr, func(peer.Ending) {})
	w.channel.AskMessage(m, compareTimeout, w.answered)
}

func (w *comparing) answered(r kmsg.Response, err error) {
	w.sources = w.sources[1:]
	if err == nil {
		topics := r.(*kmsg.OffsetForLeaderEpochResponse).Topics
		if len(topics) == 1 && len(topics[0].Partitions) == 1 {
			next, bytes, sum, ok := wire.DigestTold(&topics[0].Partitions[0].UnknownTags)
			if ok {
				w.theirs = append(w.theirs, partition.Digest{Next: next, Bytes: bytes, Sum: sum})
			}
		}
	}
	w.ask()
}

// judge holds this node's sum against the others', and goes on.
func (w *comparing) judge() {
	if right, ok := verdict(w.mine, w.theirs, w.c.o.Leads(w.id)); !ok {
		w.differs(right)
	}
	c := w.c
	c.mu.Lock()
	if len(w.theirs) > 0 {
		c.figures.Bytes += w.mine.Bytes
	}
	c.mu.Unlock()
	if c.turns.ended() {
		return
	}
	wait := time.Duration(float64(w.mine.Bytes) / float64(max(c.o.Rate(), 1)) * float64(time.Second))
	w.at = w.mine.Next
	c.o.World.After(wait, w.step)
}

// verdict reports whether what this node has is right, and what is: what most replicas have, and in doubt what the leader has, which
// is the first of the others where it is not here.
func verdict(mine partition.Digest, theirs []partition.Digest, leads bool) (right partition.Digest, ok bool) {
	votes := func(d partition.Digest) (n int) {
		for _, t := range append(theirs[:len(theirs):len(theirs)], mine) {
			if t == d {
				n++
			}
		}
		return n
	}
	right = mine
	for i, t := range theirs {
		if v := votes(t); v > votes(right) || v == votes(right) && i == 0 && !leads {
			right = t
		}
	}
	return right, right == mine
}

// differs tells of a stretch that most have otherwise, and has it repaired where theirs fits in its place.
func (w *comparing) differs(right partition.Digest) {
	w.c.mu.Lock()
	w.c.figures.Differences++
	w.c.mu.Unlock()
	var err error
	if right.Next != w.mine.Next || right.Bytes != w.mine.Bytes {
		err = fault.Corruption("replica.Compare", "they have %d bytes up to offset %d, this replica %d up to %d", right.Bytes, right.Next, w.mine.Bytes, w.mine.Next)
	} else {
		err = partition.Condemn(w.p, w.at, w.mine.Next)
	}
	w.c.o.Logger.Error("A replica of "+w.p.Name().String()+" differs from the others although its checksums are right.", "firstOffset", int64(w.at), "nextOffset", int64(w.mine.Next), "error", err)
}
