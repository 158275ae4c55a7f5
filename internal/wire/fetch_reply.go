package wire

import (
	"github.com/milena-io/milena/internal/kafka"
)

// FetchReply is another node's answer to a Fetch request of ours, versions 4 to 18, whose every bound was checked by
// ParseFetchReply. It allocates nothing and aliases the frame, in which the records stay where they came.
type FetchReply struct {
	ThrottleMs int32
	ErrorCode  kafka.ErrorCode
	SessionID  int32
	Partitions int

	version int16
	topics  []byte // from the array's length field on
}

// ReplyPartition is one partition's part of a FetchReply. Topic and Records alias the frame; Topic is empty from version 13
// on.
type ReplyPartition struct {
	Topic         []byte
	TopicID       kafka.TopicID
	Partition     int32
	ErrorCode     kafka.ErrorCode
	HighWatermark kafka.Offset
	LastStable    kafka.Offset
	LogStart      kafka.Offset
	// Diverging tells where our log leaves the leader's (KIP-595): its Epoch is NoLeaderEpoch when it doesn't.
	Diverging EpochEnd
	// Leader and LeaderEpoch come with a leader error (KIP-951); NoNode when nobody is named.
	Leader      kafka.NodeID
	LeaderEpoch kafka.LeaderEpoch
	// Snapshot is what to fetch instead (KIP-630): its Epoch is NoLeaderEpoch when there is nothing to.
	Snapshot         SnapshotID
	PreferredReplica kafka.NodeID
	Records          []byte // nil for null
}

// The tags of a partition.
const (
	tagDiverging     = 0
	tagCurrentLeader = 1
	tagSnapshot      = 2
)

// ParseFetchReply walks the body of an answer to Fetch once and checks every length in it.
func ParseFetchReply(version int16, body []byte) (FetchReply, error) {
	c := cursor{b: body}
	flexible := version >= fetchFlexible
	f := FetchReply{version: version, ThrottleMs: c.int32()}
	if version >= fetchSession {
		f.ErrorCode, f.SessionID = kafka.ErrorCode(c.int16()), c.int32()
	}
	f.topics = body[c.pos:]
	for topics := c.count(flexible); topics > 0 && c.bad == ""; topics-- {
		c.fetchTopic(version)
		partitions := c.count(flexible)
		f.Partitions += partitions
		for ; partitions > 0 && c.bad == ""; partitions-- {
			c.replyPartition(version, &ReplyPartition{})
		}
		if flexible {
			c.skipTags()
		}
	}
	if flexible {
		c.skipTags() // the leaders' endpoints, which a broker knows from its image
	}
	if c.bad != "" {
		return FetchReply{}, c.err("wire.Fetch answer")
	}
	return f, nil
}

// All yields the partitions in the order of the answer.
func (f *FetchReply) All(yield func(ReplyPartition) bool) {
	if f.Partitions == 0 {
		return
	}
	c := cursor{b: f.topics}
	flexible := f.version >= fetchFlexible
	for topics := c.count(flexible); topics > 0; topics-- {
		name, id := c.fetchTopic(f.version)
		for partitions := c.count(flexible); partitions > 0; partitions-- {
			p := ReplyPartition{Topic: name, TopicID: id}
			c.replyPartition(f.version, &p)
			if !yield(p) {
				return
			}
		}
		if flexible {
			c.skipTags()
		}
	}
}

func (c *cursor) replyPartition(version int16, p *ReplyPartition) {
	flexible := version >= fetchFlexible
	p.LogStart, p.Leader, p.PreferredReplica = kafka.NoOffset, kafka.NoNode, kafka.NoNode
	p.Diverging.Epoch, p.LeaderEpoch, p.Snapshot.Epoch = kafka.NoLeaderEpoch, kafka.NoLeaderEpoch, kafka.NoLeaderEpoch
	p.Partition, p.ErrorCode = c.int32(), kafka.ErrorCode(c.int16())
	p.HighWatermark, p.LastStable = kafka.Offset(c.int64()), kafka.Offset(c.int64())
	if version >= fetchLogStart {
		p.LogStart = kafka.Offset(c.int64())
	}
	for aborted := c.length(flexible, true); aborted > 0 && c.bad == ""; aborted-- { // null for read_uncommitted
		c.take(16)
		if flexible {
			c.skipTags()
		}
	}
	if version >= fetchRack {
		p.PreferredReplica = kafka.NodeID(c.int32())
	}
	if n := c.length(flexible, true); n >= 0 {
		p.Records = c.take(n)
	}
	if flexible {
		c.replyTags(p)
	}
}

func (c *cursor) replyTags(p *ReplyPartition) {
	for n := c.uvarint(); n > 0 && c.bad == ""; n-- {
		tag := c.uvarint()
		value := cursor{b: c.take(int(c.uvarint()))}
		switch tag {
		case tagDiverging:
			p.Diverging = EpochEnd{Epoch: kafka.LeaderEpoch(value.int32()), EndOffset: kafka.Offset(value.int64())}
		case tagCurrentLeader:
			p.Leader, p.LeaderEpoch = kafka.NodeID(value.int32()), kafka.LeaderEpoch(value.int32())
		case tagSnapshot:
			p.Snapshot = SnapshotID{EndOffset: kafka.Offset(value.int64()), Epoch: kafka.LeaderEpoch(value.int32())}
		}
		if value.bad != "" {
			c.fail("a tag is not as long as its field")
		}
	}
}
