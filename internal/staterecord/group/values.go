package group

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// maxValueVersion is the newest version of both values; it is the first flexible one.
const maxValueVersion = 4

// topicIDTag is the tagged field of OffsetCommit v4 that holds the topic's id.
const topicIDTag = 0

// promisedTag is our own tagged field of GroupMetadata v4 (GroupValue.Promised). Kafka's own tags count up from 0.
const promisedTag = 10100

// encodeOffset writes what Kafka 4.3 does: version 4 when the topic's id is known, 3 when not, and 1, which has no room
// for the id, when the commit carries an expiry of its own.
func encodeOffset(v *OffsetValue) []byte {
	version := int16(3)
	switch {
	case v.ExpireMs >= 0:
		version = 1
	case !v.TopicID.IsZero():
		version = 4
	}
	w := writer{b: make([]byte, 0, 48+len(v.Metadata)), flexible: version >= 4}
	w.b = appendI16(w.b, version)
	w.i64(int64(v.Offset))
	if version >= 3 {
		w.i32(int32(v.LeaderEpoch))
	}
	w.str(v.Metadata)
	w.i64(v.CommitMs)
	if version == 1 {
		w.i64(v.ExpireMs)
	}
	if version >= 4 {
		w.b = append(w.b, 1, topicIDTag, byte(len(v.TopicID)))
		w.b = append(w.b, v.TopicID[:]...)
	}
	return w.b
}

func decodeOffset(b []byte) (*OffsetValue, error) {
	r := reader{b: b}
	version := r.i16()
	if version < 0 || version > maxValueVersion {
		return nil, fault.Corruption(opDecode, "offset commit value of version %d, known are 0 to %d", version, maxValueVersion)
	}
	r.flexible = version >= 4
	v := &OffsetValue{LeaderEpoch: kafka.NoLeaderEpoch, ExpireMs: -1}
	v.Offset = kafka.Offset(r.i64())
	if version >= 3 {
		v.LeaderEpoch = kafka.LeaderEpoch(r.i32())
	}
	v.Metadata = r.str()
	v.CommitMs = r.i64()
	if version == 1 {
		v.ExpireMs = r.i64()
	}
	r.tags(func(tag uint64, b []byte) {
		if tag == topicIDTag && len(b) == len(v.TopicID) {
			copy(v.TopicID[:], b)
		}
	})
	if r.bad {
		return nil, fault.Corruption(opDecode, "offset commit value of %d bytes, version %d, does not parse", len(b), version)
	}
	return v, nil
}

// encodeGroup writes version 3, or 4 when there is a promise to be kept in a tagged field.
func encodeGroup(v *GroupValue) []byte {
	w := writer{flexible: v.Promised > 0}
	if w.flexible {
		w.b = appendI16(w.b, 4)
	} else {
		w.b = appendI16(w.b, 3)
	}
	w.str(v.ProtocolType)
	w.i32(v.Generation)
	w.nullable(optional(v.Protocol))
	w.nullable(optional(v.Leader))
	w.i64(v.StateSinceMs)
	w.array(len(v.Members))
	for i := range v.Members {
		m := &v.Members[i]
		w.str(m.ID)
		w.nullable(m.InstanceID)
		w.str(m.ClientID)
		w.str(m.ClientHost)
		w.i32(m.RebalanceTimeoutMs)
		w.i32(m.SessionTimeoutMs)
		w.bytes(m.Subscription)
		w.bytes(m.Assignment)
		if w.flexible {
			w.b = append(w.b, 0)
		}
	}
	if w.flexible {
		w.b = append(w.b, 1)
		w.b = binary.AppendUvarint(w.b, promisedTag)
		w.b = append(w.b, 4)
		w.i32(v.Promised)
	}
	return w.b
}

func decodeGroup(b []byte) (*GroupValue, error) {
	r := reader{b: b}
	version := r.i16()
	if version < 0 || version > maxValueVersion {
		return nil, fault.Corruption(opDecode, "group metadata value of version %d, known are 0 to %d", version, maxValueVersion)
	}
	r.flexible = version >= 4
	v := &GroupValue{StateSinceMs: -1}
	v.ProtocolType = r.str()
	v.Generation = r.i32()
	v.Protocol = r.optional()
	v.Leader = r.optional()
	if version >= 2 {
		v.StateSinceMs = r.i64()
	}
	// Members are appended one by one as their bytes come: the count is a claim and allocates nothing (D9).
	for n := r.array(); n > 0 && !r.bad; n-- {
		v.Members = append(v.Members, decodeMember(&r, version))
	}
	r.tags(func(tag uint64, b []byte) {
		if tag == promisedTag && len(b) == 4 {
			v.Promised = int32(binary.BigEndian.Uint32(b))
		}
	})
	if r.bad {
		return nil, fault.Corruption(opDecode, "group metadata value of %d bytes, version %d, does not parse", len(b), version)
	}
	return v, nil
}

func decodeMember(r *reader, version int16) MemberValue {
	m := MemberValue{ID: r.str(), RebalanceTimeoutMs: -1}
	if version >= 3 {
		m.InstanceID = r.nullable()
	}
	m.ClientID = r.str()
	m.ClientHost = r.str()
	if version >= 1 {
		m.RebalanceTimeoutMs = r.i32()
	}
	m.SessionTimeoutMs = r.i32()
	if m.RebalanceTimeoutMs == -1 {
		m.RebalanceTimeoutMs = m.SessionTimeoutMs
	}
	m.Subscription = r.bytes()
	m.Assignment = r.bytes()
	r.tags(nil)
	return m
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// optional reads a string that is empty when it is null.
func (r *reader) optional() string {
	s, _ := r.text()
	return s
}
