package group

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// ConsumerProtocol is the protocol type of consumers; other types (connect, sr) embed bytes of their own.
const ConsumerProtocol = "consumer"

// Subscription is a ConsumerProtocolSubscription, the metadata a consumer sends in JoinGroup. The bytes are a client's:
// whatever does not parse is an error and nothing worse.
type Subscription struct {
	Version    int16
	Topics     []string
	UserData   []byte
	Owned      []kafka.TopicPartition // version 1
	Generation int32                  // version 2, else -1
	RackID     string                 // version 3
}

// ParseSubscription reads as much as the version says and this package knows; every version begins with the fields of
// the one before, so a newer one is read as version 3.
func ParseSubscription(b []byte) (Subscription, error) {
	s := Subscription{Generation: -1}
	r := reader{b: b}
	s.Version = r.i16()
	for n := r.array(); n > 0 && !r.bad; n-- {
		s.Topics = append(s.Topics, r.str())
	}
	s.UserData = r.bytes()
	if s.Version >= 1 {
		s.Owned = r.partitions()
	}
	if s.Version >= 2 {
		s.Generation = r.i32()
	}
	if s.Version >= 3 {
		s.RackID = r.optional()
	}
	if r.bad || s.Version < 0 {
		return Subscription{}, fault.Corruption("staterecord/group.ParseSubscription", "%d bytes are no consumer subscription", len(b))
	}
	return s, nil
}

// SubscribedTopics reads only the topics, as Kafka's coordinator does: the version 0 prefix of any version.
func SubscribedTopics(b []byte) ([]string, error) {
	r := reader{b: b}
	version := r.i16()
	var topics []string
	for n := r.array(); n > 0 && !r.bad; n-- {
		topics = append(topics, r.str())
	}
	if r.bad || version < 0 {
		return nil, fault.Corruption("staterecord/group.SubscribedTopics", "%d bytes are no consumer subscription", len(b))
	}
	return topics, nil
}

// Assignment is a ConsumerProtocolAssignment, what a leader assigned to a consumer.
type Assignment struct {
	Version    int16
	Partitions []kafka.TopicPartition
	UserData   []byte
}

// ParseAssignment reads an assignment of any version; all have the same fields.
func ParseAssignment(b []byte) (Assignment, error) {
	r := reader{b: b}
	a := Assignment{Version: r.i16(), Partitions: r.partitions(), UserData: r.bytes()}
	if r.bad || a.Version < 0 {
		return Assignment{}, fault.Corruption("staterecord/group.ParseAssignment", "%d bytes are no consumer assignment", len(b))
	}
	return a, nil
}

// partitions reads an array of (topic, array of partition).
func (r *reader) partitions() []kafka.TopicPartition {
	var out []kafka.TopicPartition
	for n := r.array(); n > 0 && !r.bad; n-- {
		topic := r.str()
		for k := r.array(); k > 0 && !r.bad; k-- {
			if p := r.i32(); !r.bad {
				out = append(out, kafka.TopicPartition{Topic: topic, Partition: p})
			}
		}
	}
	return out
}

// AppendSubscription writes a version 0 subscription; tools and tests use it.
func AppendSubscription(b []byte, topics ...string) []byte {
	b = appendI16(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(topics)))
	for _, t := range topics {
		b = appendString(b, t)
	}
	return binary.BigEndian.AppendUint32(b, 0xffffffff)
}

// AppendAssignment writes a version 0 assignment; consecutive partitions of one topic share an entry.
func AppendAssignment(b []byte, partitions ...kafka.TopicPartition) []byte {
	b = appendI16(b, 0)
	count := len(b)
	b = binary.BigEndian.AppendUint32(b, 0)
	topics, at := uint32(0), 0
	for i, p := range partitions {
		if i == 0 || p.Topic != partitions[i-1].Topic {
			topics++
			b = appendString(b, p.Topic)
			at = len(b)
			b = binary.BigEndian.AppendUint32(b, 0)
		}
		binary.BigEndian.PutUint32(b[at:], binary.BigEndian.Uint32(b[at:])+1)
		b = binary.BigEndian.AppendUint32(b, uint32(p.Partition))
	}
	binary.BigEndian.PutUint32(b[count:], topics)
	return binary.BigEndian.AppendUint32(b, 0xffffffff)
}
