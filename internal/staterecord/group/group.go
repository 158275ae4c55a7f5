// Package group holds the records of __consumer_offsets that the classic protocol writes and reads, byte for byte as
// Apache Kafka 4.3 writes them, the embedded consumer protocol of clients, and the hash that picks a coordinator.
//
// machine/group decides with these types, coordinator puts them into batches and reads them back. The package never
// does IO. Decoding copies: a Record owns its bytes. A key type that nobody here knows decodes to Unknown and is
// skipped by loaders, as Kafka does, because a newer or older broker may have written it.
//
// Invariants: Decode(Encode(r)) equals r for every record of ours; no allocation is larger than the bytes given.
package group

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Type is the int16 a key begins with. Kafka calls it the key's version; since 4.0 it names the record's kind.
type Type int16

// The key types of the classic protocol. Types 3 to 24 belong to the consumer, share and streams protocols.
const (
	TypeOffsetCommitV0 Type = 0 // same fields as 1, written by brokers before 0.9
	TypeOffsetCommit   Type = 1
	TypeGroupMetadata  Type = 2
)

// Record is one of *OffsetCommit, *GroupMetadata and Unknown.
type Record interface{ isRecord() }

// OffsetKey names a committed offset.
type OffsetKey struct {
	Group     string
	Topic     string
	Partition int32
}

// OffsetValue is what a group committed for one partition.
type OffsetValue struct {
	Offset      kafka.Offset
	LeaderEpoch kafka.LeaderEpoch // -1 when the client gave none
	Metadata    string
	CommitMs    int64
	ExpireMs    int64         // -1 unless a client before OffsetCommit v5 asked for a retention of its own
	TopicID     kafka.TopicID // zero when unknown: below value version 4
}

// OffsetCommit sets the offset of a key; a nil Value is a tombstone.
type OffsetCommit struct {
	Key   OffsetKey
	Value *OffsetValue
}

// GroupMetadata is the state of a classic group; a nil Value is a tombstone.
type GroupMetadata struct {
	Group string
	Value *GroupValue
}

// GroupValue is a classic group as written when its members have their assignments, or when it became empty.
type GroupValue struct {
	ProtocolType string // "" for a group that never had members
	Generation   int32
	Protocol     string // "" is written as null
	Leader       string // "" is written as null
	StateSinceMs int64  // -1 below version 2
	Members      []MemberValue

	// Promised is the highest generation that members may have been told of, beyond Generation. Kafka tells a new
	// generation before it writes anything, and after a failover it can hand out the same number a second time. We
	// write the old state again with this number in a tagged field of our own (value version 4), which Kafka skips.
	// Zero means none.
	Promised int32
}

// MemberValue is one member of a GroupValue.
type MemberValue struct {
	ID                 string
	InstanceID         *string
	ClientID           string
	ClientHost         string
	RebalanceTimeoutMs int32 // below version 1 the session timeout stands in
	SessionTimeoutMs   int32
	Subscription       []byte
	Assignment         []byte
}

// Unknown is a record of a type that the classic protocol does not know.
type Unknown struct{ Type Type }

func (*OffsetCommit) isRecord()  {}
func (*GroupMetadata) isRecord() {}
func (Unknown) isRecord()        {}

const opDecode = "staterecord/group.Decode"

// Decode reads one record. A nil value is a tombstone; an unknown key type is Unknown and no error.
func Decode(key, value []byte) (Record, error) {
	if len(key) < 2 {
		return nil, fault.Corruption(opDecode, "a key of %d bytes has no type", len(key))
	}
	r := reader{b: key[2:]}
	switch t := Type(binary.BigEndian.Uint16(key)); t {
	case TypeOffsetCommitV0, TypeOffsetCommit:
		rec := &OffsetCommit{Key: OffsetKey{Group: r.str(), Topic: r.str(), Partition: r.i32()}}
		if r.bad {
			return nil, fault.Corruption(opDecode, "an offset commit key of %d bytes is cut short", len(key))
		}
		if value == nil {
			return rec, nil
		}
		v, err := decodeOffset(value)
		rec.Value = v
		return rec, err
	case TypeGroupMetadata:
		rec := &GroupMetadata{Group: r.str()}
		if r.bad {
			return nil, fault.Corruption(opDecode, "a group metadata key of %d bytes is cut short", len(key))
		}
		if value == nil {
			return rec, nil
		}
		v, err := decodeGroup(value)
		rec.Value = v
		return rec, err
	default:
		return Unknown{Type: t}, nil
	}
}

// Encode writes a record's key and value; the value is nil for a tombstone. It must not be called with Unknown.
func Encode(rec Record) (key, value []byte) {
	switch rec := rec.(type) {
	case *OffsetCommit:
		key = make([]byte, 0, 2+2+len(rec.Key.Group)+2+len(rec.Key.Topic)+4)
		key = appendI16(key, int16(TypeOffsetCommit))
		key = appendString(key, rec.Key.Group)
		key = appendString(key, rec.Key.Topic)
		key = binary.BigEndian.AppendUint32(key, uint32(rec.Key.Partition))
		if rec.Value != nil {
			value = encodeOffset(rec.Value)
		}
	case *GroupMetadata:
		key = make([]byte, 0, 2+2+len(rec.Group))
		key = appendI16(key, int16(TypeGroupMetadata))
		key = appendString(key, rec.Group)
		if rec.Value != nil {
			value = encodeGroup(rec.Value)
		}
	}
	return key, value
}
