package wire

import (
	"github.com/milena-io/milena/internal/kafka"
)

// FetchRequest is a Fetch request, versions 4 to 18, whose every bound was checked by ParseFetch. It allocates nothing and
// aliases the frame; a copy of it is as good as the original.
type FetchRequest struct {
	ReplicaID    int32             // of the broker that replicates, -1 for a consumer
	ReplicaEpoch kafka.BrokerEpoch // of that broker (KIP-903), -1 when not told
	Rack         []byte            // of a consumer (KIP-392); aliases the frame
	ClusterID    []byte            // aliases the frame; nil when not told, as by everybody but controllers and their observers
	MaxWaitMs    int32
	MinBytes     int32
	MaxBytes     int32
	Committed    bool // read_committed
	SessionID    int32
	SessionEpoch int32
	Partitions   int // how many partitions are asked for, and how many forgotten
	Forgotten    int

	version   int16
	topics    []byte // from the array's length field on
	forgotten []byte
}

// FetchedPartition is one partition of a Fetch request. Topic aliases the frame; from version 13 on it is empty.
type FetchedPartition struct {
	Topic            []byte
	TopicID          kafka.TopicID
	Partition        int32
	CurrentEpoch     kafka.LeaderEpoch
	LastFetchedEpoch kafka.LeaderEpoch
	FetchOffset      kafka.Offset
	LogStart         kafka.Offset
	HighWatermark    kafka.Offset // a follower's view, -1 when not told (KIP-1166)
	Durable          kafka.Offset // below it a follower has everything on stable storage, -1 when not told
	MaxBytes         int32
	Directory        kafka.DirectoryID // where the follower keeps its replica (KIP-853); zero when not told
}

// TagDurable is our own tag of a partition in a Fetch request, from version 12 on: a follower's durable offset, 8 bytes
// (ADR 0021). Apache Kafka numbers its tags from 0 and skips those that it doesn't know.
const TagDurable = 19785

const (
	fetchLogStart       = 5
	fetchSession        = 7  // KIP-227
	fetchCurrentEpoch   = 9  // KIP-320
	fetchRack           = 11 // KIP-392
	fetchReplicaState   = 15 // KIP-903: the replica's id is a tag from here on
	fetchDirectoryIDs   = 17 // KIP-853
	fetchHighWatermarks = 18 // KIP-1166

	tagClusterID     = 0 // of the request
	tagReplicaState  = 1
	tagDirectoryID   = 0 // of a partition
	tagHighWatermark = 1
)

// ParseFetch walks the body of a Fetch request once and checks every length in it.
func ParseFetch(version int16, body []byte) (FetchRequest, error) {
	c := cursor{b: body}
	flexible := version >= fetchFlexible
	f := FetchRequest{version: version, ReplicaID: -1, ReplicaEpoch: -1, SessionEpoch: -1}
	if version < fetchReplicaState {
		f.ReplicaID = c.int32()
	}
	f.MaxWaitMs, f.MinBytes, f.MaxBytes = c.int32(), c.int32(), c.int32()
	f.Committed = c.int8() == 1
	if version >= fetchSession {
		f.SessionID, f.SessionEpoch = c.int32(), c.int32()
	}
	f.topics = body[c.pos:]
	for topics := c.count(flexible); topics > 0 && c.bad == ""; topics-- {
		c.fetchTopic(version)
		partitions := c.count(flexible)
		f.Partitions += partitions
		for ; partitions > 0 && c.bad == ""; partitions-- {
			c.fetchPartition(version, &FetchedPartition{})
		}
		if flexible {
			c.skipTags()
		}
	}
	if version >= fetchSession && c.bad == "" {
		f.forgotten = body[c.pos:]
		for topics := c.count(flexible); topics > 0 && c.bad == ""; topics-- {
			c.fetchTopic(version)
			partitions := c.count(flexible)
			f.Forgotten += partitions
			c.take(4 * partitions)
			if flexible {
				c.skipTags()
			}
		}
	}
	if version >= fetchRack {
		f.Rack = c.text(flexible)
	}
	if flexible {
		f.tags(&c)
	}
	if c.bad != "" {
		return FetchRequest{}, c.err("wire.Fetch")
	}
	return f, nil
}

func (c *cursor) fetchTopic(version int16) (name []byte, id kafka.TopicID) {
	if version >= fetchTopicIDs {
		copy(id[:], c.take(len(id)))
		return nil, id
	}
	return c.text(version >= fetchFlexible), id
}

func (c *cursor) fetchPartition(version int16, p *FetchedPartition) {
	p.CurrentEpoch, p.LastFetchedEpoch = kafka.NoLeaderEpoch, kafka.NoLeaderEpoch
	p.LogStart, p.HighWatermark, p.Durable = kafka.NoOffset, kafka.NoOffset, kafka.NoOffset
	p.Directory = kafka.DirectoryID{}
	p.Partition = c.int32()
	if version >= fetchCurrentEpoch {
		p.CurrentEpoch = kafka.LeaderEpoch(c.int32())
	}
	p.FetchOffset = kafka.Offset(c.int64())
	if version >= fetchFlexible {
		p.LastFetchedEpoch = kafka.LeaderEpoch(c.int32())
	}
	if version >= fetchLogStart {
		p.LogStart = kafka.Offset(c.int64())
	}
	p.MaxBytes = c.int32()
	if version < fetchFlexible {
		return
	}
	for n := c.uvarint(); n > 0 && c.bad == ""; n-- {
		tag := c.uvarint()
		value := cursor{b: c.take(int(c.uvarint()))}
		switch {
		case tag == tagDirectoryID && version >= fetchDirectoryIDs:
			copy(p.Directory[:], value.take(len(p.Directory)))
		case tag == tagHighWatermark && version >= fetchHighWatermarks:
			p.HighWatermark = kafka.Offset(value.int64())
		case tag == TagDurable:
			p.Durable = kafka.Offset(value.int64())
		}
		if value.bad != "" {
			c.fail("a tag is not as long as its field")
		}
	}
}

// tags reads the request's own tags.
func (f *FetchRequest) tags(c *cursor) {
	for n := c.uvarint(); n > 0 && c.bad == ""; n-- {
		tag := c.uvarint()
		value := cursor{b: c.take(int(c.uvarint()))}
		switch {
		case tag == tagClusterID:
			f.ClusterID = value.nullableText(true)
		case tag == tagReplicaState && f.version >= fetchReplicaState:
			f.ReplicaID = value.int32()
			f.ReplicaEpoch = kafka.BrokerEpoch(value.int64())
			value.skipTags()
		}
		if value.bad != "" {
			c.fail("a tag is not as long as its field")
		}
	}
}

// All yields the partitions that are asked for, in the order of the request.
func (f *FetchRequest) All(yield func(FetchedPartition) bool) {
	if f.Partitions == 0 {
		return
	}
	c := cursor{b: f.topics}
	flexible := f.version >= fetchFlexible
	for topics := c.count(flexible); topics > 0; topics-- {
		var p FetchedPartition
		name, id := c.fetchTopic(f.version)
		for partitions := c.count(flexible); partitions > 0; partitions-- {
			p.Topic, p.TopicID = name, id
			c.fetchPartition(f.version, &p)
			if !yield(p) {
				return
			}
		}
		if flexible {
			c.skipTags()
		}
	}
}

// Forget yields the partitions that a session is to forget; only their names are set.
func (f *FetchRequest) Forget(yield func(FetchedPartition) bool) {
	if f.Forgotten == 0 {
		return
	}
	c := cursor{b: f.forgotten}
	flexible := f.version >= fetchFlexible
	for topics := c.count(flexible); topics > 0; topics-- {
		name, id := c.fetchTopic(f.version)
		for partitions := c.count(flexible); partitions > 0; partitions-- {
			if !yield(FetchedPartition{Topic: name, TopicID: id, Partition: c.int32()}) {
				return
			}
		}
		if flexible {
			c.skipTags()
		}
	}
}
