// Package staterecord is the vocabulary of the metadata log: KRaft's record types, as Apache Kafka 4.3 writes them into
// __cluster_metadata, with their byte form.
//
// image, machine/controller, quorum, feed and the inspection tools call it. It never does IO, decides nothing and keeps
// no slice of what it is given: decoded records own their memory.
//
// Invariants: a record's fields are walked by one function in both directions, so what is written is what is read;
// every type Kafka 4.3 knows is known here, and an unknown type, version or trailing byte is an error, because a
// metadata log that is only partly understood must not be acted on (architecture D14). Facts of our own travel in
// tagged fields, never in new record types (D4).
package staterecord

import (
	"fmt"
	"strconv"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Type is a metadata record's id on disk, Kafka's apiKey of the record.
type Type int16

// The record types of Kafka 4.3. Ids 6, 13 and 16 belonged to types that were never released.
const (
	TypeRegisterBroker            Type = 0
	TypeUnregisterBroker          Type = 1
	TypeTopic                     Type = 2
	TypePartition                 Type = 3
	TypeConfig                    Type = 4
	TypePartitionChange           Type = 5
	TypeFenceBroker               Type = 7
	TypeUnfenceBroker             Type = 8
	TypeRemoveTopic               Type = 9
	TypeDelegationToken           Type = 10
	TypeUserScramCredential       Type = 11
	TypeFeatureLevel              Type = 12
	TypeClientQuota               Type = 14
	TypeProducerIDs               Type = 15
	TypeBrokerRegistrationChange  Type = 17
	TypeAccessControlEntry        Type = 18
	TypeRemoveAccessControlEntry  Type = 19
	TypeNoOp                      Type = 20
	TypeZkMigrationState          Type = 21
	TypeRemoveUserScramCredential Type = 22
	TypeBeginTransaction          Type = 23
	TypeEndTransaction            Type = 24
	TypeAbortTransaction          Type = 25
	TypeRemoveDelegationToken     Type = 26
	TypeRegisterController        Type = 27
	TypeClearElr                  Type = 28
)

// Record is one metadata record; the set of types is closed.
type Record interface {
	Type() Type
	walk(c *codec)
}

// String returns Kafka's name of the type.
func (t Type) String() string {
	if k, ok := kindOf(t); ok {
		return k.name
	}
	return "metadata record type " + strconv.Itoa(int(t))
}

// kind is what the format needs to know of a type.
type kind struct {
	name   string
	newest int16 // the highest version Kafka 4.3 knows
	make   func() Record
}

// kindOf is the closed table of types.
func kindOf(t Type) (kind, bool) {
	switch t {
	case TypeRegisterBroker:
		return kind{"RegisterBrokerRecord", 4, func() Record { return new(RegisterBroker) }}, true
	case TypeUnregisterBroker:
		return kind{"UnregisterBrokerRecord", 0, func() Record { return new(UnregisterBroker) }}, true
	case TypeTopic:
		return kind{"TopicRecord", 0, func() Record { return new(Topic) }}, true
	case TypePartition:
		return kind{"PartitionRecord", 2, func() Record { return new(Partition) }}, true
	case TypeConfig:
		return kind{"ConfigRecord", 0, func() Record { return new(Config) }}, true
	case TypePartitionChange:
		return kind{"PartitionChangeRecord", 2, func() Record { return new(PartitionChange) }}, true
	case TypeFenceBroker:
		return kind{"FenceBrokerRecord", 0, func() Record { return new(FenceBroker) }}, true
	case TypeUnfenceBroker:
		return kind{"UnfenceBrokerRecord", 0, func() Record { return new(UnfenceBroker) }}, true
	case TypeRemoveTopic:
		return kind{"RemoveTopicRecord", 0, func() Record { return new(RemoveTopic) }}, true
	case TypeFeatureLevel:
		return kind{"FeatureLevelRecord", 0, func() Record { return new(FeatureLevel) }}, true
	case TypeProducerIDs:
		return kind{"ProducerIdsRecord", 0, func() Record { return new(ProducerIDs) }}, true
	case TypeBrokerRegistrationChange:
		return kind{"BrokerRegistrationChangeRecord", 3, func() Record { return new(BrokerRegistrationChange) }}, true
	case TypeNoOp:
		return kind{"NoOpRecord", 0, func() Record { return new(NoOp) }}, true
	case TypeZkMigrationState:
		return kind{"ZkMigrationStateRecord", 0, func() Record { return new(ZkMigrationState) }}, true
	case TypeBeginTransaction:
		return kind{"BeginTransactionRecord", 0, func() Record { return new(BeginTransaction) }}, true
	case TypeEndTransaction:
		return kind{"EndTransactionRecord", 0, func() Record { return new(EndTransaction) }}, true
	case TypeAbortTransaction:
		return kind{"AbortTransactionRecord", 0, func() Record { return new(AbortTransaction) }}, true
	case TypeRegisterController:
		return kind{"RegisterControllerRecord", 0, func() Record { return new(RegisterController) }}, true
	case TypeClearElr:
		return kind{"ClearElrRecord", 0, func() Record { return new(ClearElr) }}, true
	}
	return accessKindOf(t)
}

// accessKindOf is the part of the table for credentials, tokens, rights and quotas.
func accessKindOf(t Type) (kind, bool) {
	switch t {
	case TypeDelegationToken:
		return kind{"DelegationTokenRecord", 0, func() Record { return new(DelegationToken) }}, true
	case TypeRemoveDelegationToken:
		return kind{"RemoveDelegationTokenRecord", 0, func() Record { return new(RemoveDelegationToken) }}, true
	case TypeUserScramCredential:
		return kind{"UserScramCredentialRecord", 0, func() Record { return new(UserScramCredential) }}, true
	case TypeRemoveUserScramCredential:
		return kind{"RemoveUserScramCredentialRecord", 0, func() Record { return new(RemoveUserScramCredential) }}, true
	case TypeClientQuota:
		return kind{"ClientQuotaRecord", 0, func() Record { return new(ClientQuota) }}, true
	case TypeAccessControlEntry:
		return kind{"AccessControlEntryRecord", 0, func() Record { return new(AccessControlEntry) }}, true
	case TypeRemoveAccessControlEntry:
		return kind{"RemoveAccessControlEntryRecord", 0, func() Record { return new(RemoveAccessControlEntry) }}, true
	}
	return kind{}, false
}

// frameVersion is the version of the frame around every metadata record; 1 is the only one there ever was.
const frameVersion = 1

// Decode reads the value of a metadata record. The key of such a record is null and is not looked at.
func Decode(value []byte) (Record, error) {
	r, _, err := DecodeVersion(value)
	return r, err
}

// DecodeVersion is Decode that also tells which version of its schema the record was written in.
func DecodeVersion(value []byte) (Record, int16, error) {
	const op = "staterecord.Decode"
	c := &codec{decoding: true, buf: value}
	frame, id, version := c.uvarint(), c.uvarint(), c.uvarint()
	if c.err != nil {
		return nil, 0, fault.Corruption(op, "a metadata record of %d bytes ends inside its frame", len(value))
	}
	if frame != frameVersion {
		return nil, 0, fault.Corruption(op, "frame version %d of a metadata record is not %d", frame, frameVersion)
	}
	k, ok := kindOf(Type(id))
	if !ok || id > 0x7fff {
		return nil, 0, fault.New(op, kafka.ErrUnsupportedVersion, "unknown metadata record type %d, version %d", id, version)
	}
	if version > uint32(k.newest) {
		return nil, 0, fault.New(op, kafka.ErrUnsupportedVersion,
			"%s version %d is newer than %d, the newest this program knows", k.name, version, k.newest)
	}
	r := k.make()
	c.version = int16(version)
	r.walk(c)
	if c.err == nil && len(c.buf) > 0 {
		c.fail("%d bytes after the last field", len(c.buf))
	}
	if c.err != nil {
		return nil, 0, fault.Corruption(op, "%s version %d: %v", k.name, version, c.err)
	}
	return r, int16(version), nil
}

// Append writes the record in the version that metadata.version 30 (4.3-IV0) calls for.
func Append(dst []byte, r Record) []byte {
	return AppendVersion(dst, r, VersionOf(r, LatestMetadataVersion))
}

// AppendVersion writes the record in the given version of its schema; what that version has no field for is left out.
func AppendVersion(dst []byte, r Record, version int16) []byte {
	c := &codec{buf: dst, version: version}
	c.putUvarint(frameVersion)
	c.putUvarint(uint32(r.Type()))
	c.putUvarint(uint32(version))
	r.walk(c)
	if c.err != nil {
		panic(fmt.Sprintf("staterecord: %s: %v", r.Type(), c.err))
	}
	return c.buf
}
