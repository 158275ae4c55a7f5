// Package kafka is the vocabulary every other package speaks: ids, epochs, offsets, API keys, error codes and time.
//
// It owns no behaviour beyond naming, parsing and printing, imports nothing of this module, and never does IO.
// Names are Kafka's own wherever the protocol has a word for the thing.
package kafka

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
)

// UUID is Kafka's 16-byte id; its text form is 22 characters of unpadded url-safe base64.
type UUID [16]byte

// String returns Kafka's text form of the id, 22 characters.
func (u UUID) String() string { return base64.RawURLEncoding.EncodeToString(u[:]) }

// Hex returns 32 lower-case hex digits, as used in directory suffixes such as -delete.
func (u UUID) Hex() string { return hex.EncodeToString(u[:]) }

// IsZero reports whether the id is the all-zero id, which Kafka uses for "none".
func (u UUID) IsZero() bool { return u == UUID{} }

// ParseUUID reads Kafka's text form; it accepts padded input as Kafka does.
func ParseUUID(s string) (UUID, error) {
	var u UUID
	for len(s) > 0 && s[len(s)-1] == '=' {
		s = s[:len(s)-1]
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(u) {
		return u, fmt.Errorf("kafka: %q is not a uuid of 22 url-safe base64 characters", s)
	}
	copy(u[:], b)
	return u, nil
}

// TopicID identifies a topic for ever; a topic recreated under the same name has another one (KIP-516).
type TopicID UUID

// String returns Kafka's text form.
func (t TopicID) String() string { return UUID(t).String() }

// IsZero reports whether no id is given.
func (t TopicID) IsZero() bool { return t == TopicID{} }

// MetadataTopicID is the reserved id of __cluster_metadata, "AAAAAAAAAAAAAAAAAAAAAQ".
var MetadataTopicID = TopicID{15: 1}

// DirectoryID identifies a log directory (KIP-858). The first 100 ids are reserved.
type DirectoryID UUID

// String returns Kafka's text form.
func (d DirectoryID) String() string { return UUID(d).String() }

// IsZero reports whether the directory is unassigned.
func (d DirectoryID) IsZero() bool { return d == DirectoryID{} }

// Reserved directory ids of KIP-858.
var (
	DirectoryUnassigned = DirectoryID{}
	DirectoryLost       = DirectoryID{15: 1}
	DirectoryMigrating  = DirectoryID{15: 2}
)

// IncarnationID is drawn anew by each process start of a broker.
type IncarnationID UUID

// String returns Kafka's text form.
func (i IncarnationID) String() string { return UUID(i).String() }

// IsZero reports whether no incarnation is given.
func (i IncarnationID) IsZero() bool { return i == IncarnationID{} }

// NodeID is node.id; -1 stands for none.
type NodeID int32

// NoNode is the NodeID of nobody, Kafka's -1.
const NoNode NodeID = -1

// BrokerEpoch is the metadata offset of a broker's registration record; -1 stands for none.
type BrokerEpoch int64

// LeaderEpoch counts leaders of one partition; -1 stands for unknown.
type LeaderEpoch int32

// NoLeaderEpoch is the epoch of requests and batches that carry none.
const NoLeaderEpoch LeaderEpoch = -1

// PartitionEpoch counts changes of one partition's registration.
type PartitionEpoch int32

// Offset is a position in a log, counted in records.
type Offset int64

// Offsets with a meaning of their own in ListOffsets and Fetch.
const (
	NoOffset Offset = -1
)

// ProducerID identifies an idempotent or transactional producer; -1 stands for none.
type ProducerID int64

// NoProducerID is the id of a producer that is not idempotent.
const NoProducerID ProducerID = -1

// ProducerEpoch fences older incarnations of one producer; -1 stands for none.
type ProducerEpoch int16

// TopicPartition names one partition at the edge; inside, use TopicIDPartition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String returns topic-partition, as Kafka's directories and log lines do.
func (t TopicPartition) String() string {
	return t.Topic + "-" + strconv.Itoa(int(t.Partition))
}

// TopicIDPartition names one partition by id.
type TopicIDPartition struct {
	TopicID   TopicID
	Partition int32
}

// Names of the topics that Kafka itself owns.
const (
	MetadataTopic        = "__cluster_metadata"
	OffsetsTopic         = "__consumer_offsets"
	TransactionTopic     = "__transaction_state"
	ShareGroupStateTopic = "__share_group_state"
)

// IsInternalTopic reports whether Metadata marks the topic as internal.
func IsInternalTopic(name string) bool {
	return name == OffsetsTopic || name == TransactionTopic || name == ShareGroupStateTopic
}
