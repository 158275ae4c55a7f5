package replica

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/wire"
)

// Assents asks those who may lead a partition next whether they know of a later leader: the question that a leader has who is to
// answer for what is committed without writing anything. It is OffsetForLeaderEpoch in the leader's own epoch (KIP-320), which
// whoever knows of a later one refuses with FENCED_LEADER_EPOCH, whether it has a replica still or not; a follower of that epoch or an
// older one says that it doesn't lead. The topic is named by its id, too: another of the same name says nothing of this one.
type Assents struct {
	peers *peer.Peers
	self  kafka.NodeID

	mu       sync.Mutex
	channels map[kafka.NodeID]assenter
	closed   bool
}

// assenter is a channel to a broker.
type assenter struct {
	addr    string
	channel *peer.Channel
}

// assentTimeout is how long a broker has to answer.
const assentTimeout = time.Second

// NewAssents makes it for a node.
func NewAssents(peers *peer.Peers, self kafka.NodeID) *Assents {
	return &Assents{peers: peers, self: self, channels: map[kafka.NodeID]assenter{}}
}

// Ask asks all of them. done is called once: with nil when nobody knew of a later leader when it was asked, with FENCED_LEADER_EPOCH when
// somebody did, and else with why one of them didn't tell.
func (a *Assents) Ask(of kafka.TopicPartition, topic kafka.TopicID, epoch kafka.LeaderEpoch, rivals []Source, done func(error)) {
	round := &assenting{left: len(rivals), done: done}
	for _, r := range rivals {
		c := a.channel(r)
		if c == nil {
			round.take(fault.Shutdown("replica.Assents"))
			continue
		}
		m := kmsg.NewPtrOffsetForLeaderEpochRequest()
		m.ReplicaID = int32(a.self)
		t, p := kmsg.NewOffsetForLeaderEpochRequestTopic(), kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		t.Topic, p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = of.Topic, of.Partition, int32(epoch), int32(epoch)
		wire.NameTopicID(&p.UnknownTags, topic)
		t.Partitions = append(t.Partitions, p)
		m.Topics = append(m.Topics, t)
		c.AskMessage(m, assentTimeout, func(resp kmsg.Response, err error) {
			if err == nil {
				err = assented(resp.(*kmsg.OffsetForLeaderEpochResponse), r.Node)
			}
			round.take(err)
		})
	}
}

// assented reads an answer.
func assented(in *kmsg.OffsetForLeaderEpochResponse, by kafka.NodeID) error {
	const op = "replica.Assents"
	if len(in.Topics) != 1 || len(in.Topics[0].Partitions) != 1 {
		return fault.New(op, kafka.ErrInvalidRequest, "broker %d answers for another partition", by)
	}
	code := kafka.ErrorCode(in.Topics[0].Partitions[0].ErrorCode)
	if code == kafka.ErrFencedLeaderEpoch && mutant.On(mutant.SuccessorIgnored) {
		return nil
	}
	switch code {
	case kafka.ErrNotLeaderOrFollower, kafka.ErrUnknownLeaderEpoch:
		return nil
	case kafka.ErrNone:
		return fault.New(op, kafka.ErrFencedLeaderEpoch, "broker %d leads", by)
	default:
		return fault.New(op, code, "broker %d does not tell", by)
	}
}

func (a *Assents) channel(r Source) *peer.Channel {
	a.mu.Lock()
	defer a.mu.Unlock()
	have := a.channels[r.Node]
	if have.addr != r.Addr && !a.closed {
		if have.channel != nil {
			have.channel.Close()
		}
		have = assenter{r.Addr, a.peers.Channel(r.Addr, nil)}
		a.channels[r.Node] = have
	}
	return have.channel
}

// Close ends the connections.
func (a *Assents) Close() {
	a.mu.Lock()
	all := a.channels
	a.channels, a.closed = map[kafka.NodeID]assenter{}, true
	a.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		all[id].channel.Close()
	}
}

// assenting is one question to several.
type assenting struct {
	mu   sync.Mutex
	left int
	err  error
	done func(error)
}

// take takes an answer: who knows of a later leader counts for more than who doesn't tell.
func (r *assenting) take(err error) {
	r.mu.Lock()
	if r.left--; err != nil && (r.err == nil || fault.CodeOf(err) == kafka.ErrFencedLeaderEpoch) {
		r.err = err
	}
	last, out := r.left == 0, r.err
	r.mu.Unlock()
	if last {
		r.done(out)
	}
}
