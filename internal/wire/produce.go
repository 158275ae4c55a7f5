package wire

import (
	"github.com/milena-io/milena/internal/kafka"
)

// ProduceRequest is a Produce request, versions 3 to 13, whose every bound was checked by ParseProduce. It allocates
// nothing and aliases the frame; a copy of it is as good as the original.
type ProduceRequest struct {
	TransactionalID []byte // nil for null
	Acks            int16
	TimeoutMs       int32
	Topics          int // how many topics and partitions there are
	Partitions      int

	version int16
	topics  []byte // from the array's length field on
}

// ProducePartition is one partition's records in a Produce request. Its slices alias the frame.
type ProducePartition struct {
	Topic     []byte        // the name; empty from version 13 on
	TopicID   kafka.TopicID // from version 13 on
	Partition int32
	Records   []byte // nil for null
}

const produceFlexible = 9
const produceTopicIDs = 13

// ParseProduce walks the body of a Produce request once and checks every length in it.
func ParseProduce(version int16, body []byte) (ProduceRequest, error) {
	c := cursor{b: body}
	flexible := version >= produceFlexible
	p := ProduceRequest{version: version}
	if version >= 3 {
		p.TransactionalID = c.nullableText(flexible)
	}
	p.Acks, p.TimeoutMs = c.int16(), c.int32()
	p.topics = body[c.pos:]
	topics := c.count(flexible)
	p.Topics = topics
	for ; topics > 0 && c.bad == ""; topics-- {
		c.produceTopic(version)
		partitions := c.count(flexible)
		p.Partitions += partitions
		for ; partitions > 0 && c.bad == ""; partitions-- {
			c.producePartition(flexible)
		}
		if flexible {
			c.skipTags()
		}
	}
	if flexible {
		c.skipTags()
	}
	if c.bad != "" {
		return ProduceRequest{}, c.err("wire.Produce")
	}
	return p, nil
}

// count reads the length of an array that may not be null. A lying count is found when its elements run out.
func (c *cursor) count(flexible bool) int {
	n := c.length(flexible, true)
	if n < 0 {
		c.fail("an array is null that must not be")
		return 0
	}
	return n
}

func (c *cursor) produceTopic(version int16) (name []byte, id kafka.TopicID) {
	if version >= produceTopicIDs {
		copy(id[:], c.take(len(id)))
		return nil, id
	}
	return c.text(version >= produceFlexible), id
}

func (c *cursor) producePartition(flexible bool) (partition int32, records []byte) {
	partition = c.int32()
	if n := c.length(flexible, true); n >= 0 {
		records = c.take(n)
	}
	if flexible {
		c.skipTags()
	}
	return partition, records
}

// All yields the partitions in the order of the request. It doesn't touch the frame any more when it has yielded the last
// one, which may have answered the request.
func (p *ProduceRequest) All(yield func(ProducePartition) bool) {
	c := cursor{b: p.topics}
	flexible, left := p.version >= produceFlexible, p.Partitions
	if left == 0 {
		return
	}
	for topics := c.count(flexible); topics > 0; topics-- {
		name, id := c.produceTopic(p.version)
		for partitions := c.count(flexible); partitions > 0; partitions-- {
			partition, records := c.producePartition(flexible)
			if !yield(ProducePartition{Topic: name, TopicID: id, Partition: partition, Records: records}) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
		if flexible {
			c.skipTags()
		}
	}
}
