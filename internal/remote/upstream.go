package remote

import (
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/world"
)

// UpstreamOptions are what an Upstream is made of.
type UpstreamOptions struct {
	World     world.World
	Peers     *peer.Peers
	ClusterID func() string // empty while none is known: then whoever is asked is believed
	Listener  string        // the first of controller.listener.names
	// Timeout is how long an answer may take beyond what the leader may hold it back (controller.quorum.request.timeout.ms).
	Timeout time.Duration
}

// Upstream is quorum.Upstream over connections: it asks a controller for the metadata log, as KRaft's observers do. There is one
// connection, to whoever was asked last, since an observer asks one thing at a time.
type Upstream struct {
	o UpstreamOptions

	mu      sync.Mutex
	channel *peer.Channel
	closed  bool
}

// NewUpstream makes it.
func NewUpstream(o UpstreamOptions) *Upstream { return &Upstream{o: o} }

// Fetch asks for what follows in the log.
func (u *Upstream) Fetch(to quorum.Voter, a quorum.Pull, done func(quorum.Pulled, error)) {
	m := kmsg.NewPtrFetchRequest()
	m.ClusterID = u.cluster()
	m.ReplicaID, m.ReplicaState.ID = int32(a.Observer.NodeID), int32(a.Observer.NodeID)
	m.MaxWaitMillis, m.MaxBytes = int32(a.MaxWait.Milliseconds()), int32(a.MaxBytes)
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = kafka.MetadataTopic, kafka.MetadataTopicID
	p := kmsg.NewFetchRequestTopicPartition()
	p.CurrentLeaderEpoch, p.FetchOffset, p.LastFetchedEpoch = int32(a.Epoch), int64(a.From), int32(a.LastEpoch)
	p.PartitionMaxBytes, p.ReplicaDirectoryID = int32(a.MaxBytes), a.Observer.DirectoryID
	t.Partitions = append(t.Partitions, p)
	m.Topics = append(m.Topics, t)
	u.ask(to, m, a.MaxWait+u.o.Timeout, func(answer kmsg.Response, err error) {
		if err != nil {
			done(quorum.Pulled{Leader: kafka.NoNode, Epoch: kafka.NoLeaderEpoch}, err)
			return
		}
		done(pulledFrom(answer.(*kmsg.FetchResponse)))
	})
}

// pulledFrom reads the answer to a Fetch.
func pulledFrom(m *kmsg.FetchResponse) (quorum.Pulled, error) {
	const op = "remote.Fetch"
	out := quorum.Pulled{Leader: kafka.NoNode, Epoch: kafka.NoLeaderEpoch}
	if code := kafka.ErrorCode(m.ErrorCode); code != kafka.ErrNone {
		return out, fault.New(op, code, "the controller refuses to be followed: %v", code)
	}
	if len(m.Topics) != 1 || len(m.Topics[0].Partitions) != 1 {
		return out, fault.Corruption(op, "%d topics in an answer about one", len(m.Topics))
	}
	p := &m.Topics[0].Partitions[0]
	out.Leader, out.Epoch = kafka.NodeID(p.CurrentLeader.LeaderID), kafka.LeaderEpoch(p.CurrentLeader.LeaderEpoch)
	for i := range m.Brokers {
		if b := &m.Brokers[i]; b.NodeID == p.CurrentLeader.LeaderID {
			out.LeaderAt = append(out.LeaderAt, record.Endpoint{Host: b.Host, Port: uint16(b.Port)})
		}
	}
	if code := kafka.ErrorCode(p.ErrorCode); code != kafka.ErrNone {
		return out, fault.New(op, code, "%v", code)
	}
	out.HighWatermark, out.LogStart = kafka.Offset(p.HighWatermark), kafka.Offset(p.LogStartOffset)
	if d := &p.DivergingEpoch; d.Epoch >= 0 {
		out.Diverging = &quorum.EpochEnd{Epoch: kafka.LeaderEpoch(d.Epoch), End: kafka.Offset(d.EndOffset)}
	}
	if s := &p.SnapshotID; s.Epoch >= 0 {
		out.Snapshot = &quorum.SnapshotID{End: kafka.Offset(s.EndOffset), Epoch: kafka.LeaderEpoch(s.Epoch)}
	}
	for rest := p.RecordBatches; len(rest) > 0; {
		b, more, err := record.Next(rest)
		if err != nil {
			return out, err
		}
		out.Batches, rest = append(out.Batches, b), more
	}
	return out, nil
}

// FetchSnapshot asks for a piece of a snapshot.
func (u *Upstream) FetchSnapshot(to quorum.Voter, a quorum.PullChunk, done func(quorum.Chunk, error)) {
	m := kmsg.NewPtrFetchSnapshotRequest()
	m.ClusterID, m.ReplicaID, m.MaxBytes = u.cluster(), int32(a.Observer.NodeID), int32(a.MaxBytes)
	t := kmsg.NewFetchSnapshotRequestTopic()
	t.Topic = kafka.MetadataTopic
	p := kmsg.NewFetchSnapshotRequestTopicPartition()
	p.CurrentLeaderEpoch, p.Position, p.ReplicaDirectoryID = int32(a.Epoch), a.Position, a.Observer.DirectoryID
	p.SnapshotID.EndOffset, p.SnapshotID.Epoch = int64(a.Snapshot.End), int32(a.Snapshot.Epoch)
	t.Partitions = append(t.Partitions, p)
	m.Topics = append(m.Topics, t)
	u.ask(to, m, u.o.Timeout, func(answer kmsg.Response, err error) {
		if err != nil {
			done(quorum.Chunk{Leader: kafka.NoNode, Epoch: kafka.NoLeaderEpoch}, err)
			return
		}
		done(chunkFrom(answer.(*kmsg.FetchSnapshotResponse)))
	})
}

// chunkFrom reads the answer to a FetchSnapshot.
func chunkFrom(m *kmsg.FetchSnapshotResponse) (quorum.Chunk, error) {
	const op = "remote.FetchSnapshot"
	out := quorum.Chunk{Leader: kafka.NoNode, Epoch: kafka.NoLeaderEpoch}
	if code := kafka.ErrorCode(m.ErrorCode); code != kafka.ErrNone {
		return out, fault.New(op, code, "the controller refuses to be followed: %v", code)
	}
	if len(m.Topics) != 1 || len(m.Topics[0].Partitions) != 1 {
		return out, fault.Corruption(op, "%d topics in an answer about one", len(m.Topics))
	}
	p := &m.Topics[0].Partitions[0]
	out.Leader, out.Epoch = kafka.NodeID(p.CurrentLeader.LeaderID), kafka.LeaderEpoch(p.CurrentLeader.LeaderEpoch)
	for i := range m.NodeEndpoints {
		if b := &m.NodeEndpoints[i]; b.NodeID == p.CurrentLeader.LeaderID {
			out.LeaderAt = append(out.LeaderAt, record.Endpoint{Host: b.Host, Port: b.Port})
		}
	}
	if code := kafka.ErrorCode(p.ErrorCode); code != kafka.ErrNone {
		return out, fault.New(op, code, "%v", code)
	}
	out.Size, out.Bytes = p.Size, p.Bytes
	return out, nil
}

// cluster is the cluster's id for a request.
func (u *Upstream) cluster() *string {
	if id := u.o.ClusterID(); id != "" {
		return &id
	}
	return nil
}

// ask asks a controller. The connection to another one is given up.
func (u *Upstream) ask(to quorum.Voter, m kmsg.Request, timeout time.Duration, done func(kmsg.Response, error)) {
	addr := address(to.Endpoints, u.o.Listener)
	u.mu.Lock()
	var err error
	switch {
	case u.closed:
		err = fault.Shutdown("remote.upstream")
	case addr == "":
		err = fault.New("remote.upstream", kafka.ErrNetworkException, "nobody knows where node %d listens", to.ID)
	}
	if err != nil {
		u.mu.Unlock()
		u.o.World.Go(func() { done(nil, err) })
		return
	}
	var old *peer.Channel
	if u.channel == nil || u.channel.Addr() != addr {
		old, u.channel = u.channel, u.o.Peers.Channel(addr, nil)
	}
	c := u.channel
	u.mu.Unlock()
	if old != nil {
		old.Close()
	}
	c.AskMessage(m, timeout, done)
}

// Close ends what is under way.
func (u *Upstream) Close() {
	u.mu.Lock()
	u.closed = true
	c := u.channel
	u.mu.Unlock()
	if c != nil {
		c.Close()
	}
}
