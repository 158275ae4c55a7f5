package record

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Voter is a member of the controller quorum, as LEADER_CHANGE and KRAFT_VOTERS name it (KIP-853).
type Voter struct {
	ID        kafka.NodeID
	Directory kafka.DirectoryID
	Endpoints []Endpoint // KRAFT_VOTERS only
	MinKRaft  int16      // supported kraft.version range, KRAFT_VOTERS only
	MaxKRaft  int16
}

// Endpoint is where a voter listens.
type Endpoint struct {
	Name string
	Host string
	Port uint16
}

// LeaderChange is the first batch of a leader's epoch. Milena is ours, an empty tagged field that Kafka skips: the leader
// was one of us. Since every process that runs on a metadata log begins an epoch of its own, it tells who ran last.
type LeaderChange struct {
	Leader   kafka.NodeID
	Voters   []Voter
	Granting []Voter
	Milena   bool
}

// SnapshotHeader begins a snapshot. RaftIndex is ours, in a tagged field that Kafka skips: the index of the last Raft
// entry the snapshot contains, -1 when the writer was not us.
type SnapshotHeader struct {
	LastTimestampMs int64
	RaftIndex       int64
}

// The numbers of our tagged fields, far above any that Kafka uses.
const (
	tagRaftIndex = 10000
	tagMilena    = 10001
)

// Append encodes LeaderChangeMessage v0, which has no directory ids: Kafka 4.3 writes it also at kraft.version 1, and its
// tools read nothing else.
func (l LeaderChange) Append(dst []byte) []byte {
	dst = append(dst, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(l.Leader))
	for _, list := range [][]Voter{l.Voters, l.Granting} {
		dst = binary.AppendUvarint(dst, uint64(len(list))+1)
		for _, v := range list {
			dst = binary.BigEndian.AppendUint32(dst, uint32(v.ID))
			dst = append(dst, 0)
		}
	}
	if !l.Milena {
		return append(dst, 0)
	}
	return append(binary.AppendUvarint(append(dst, 1), tagMilena), 0)
}

// ParseLeaderChange reads LeaderChangeMessage v0-1.
func ParseLeaderChange(value []byte) (LeaderChange, error) {
	c := flexible{b: value}
	version := c.int16()
	l := LeaderChange{Leader: kafka.NodeID(c.int32())}
	for _, list := range []*[]Voter{&l.Voters, &l.Granting} {
		for n := c.count(); n > 0 && !c.bad; n-- {
			v := Voter{ID: kafka.NodeID(c.int32())}
			if version >= 1 {
				copy(v.Directory[:], c.take(16))
			}
			c.skipTags()
			*list = append(*list, v)
		}
	}
	c.tags(func(tag uint64, _ []byte) { l.Milena = l.Milena || tag == tagMilena })
	return l, c.err("LEADER_CHANGE")
}

// Append encodes SnapshotHeaderRecord v0.
func (s SnapshotHeader) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, 0, 0), uint64(s.LastTimestampMs))
	if s.RaftIndex < 0 {
		return append(dst, 0)
	}
	dst = binary.AppendUvarint(append(dst, 1), tagRaftIndex)
	return binary.BigEndian.AppendUint64(append(dst, 8), uint64(s.RaftIndex))
}

// ParseSnapshotHeader reads SnapshotHeaderRecord v0.
func ParseSnapshotHeader(value []byte) (SnapshotHeader, error) {
	c := flexible{b: value}
	c.int16()
	s := SnapshotHeader{LastTimestampMs: c.int64(), RaftIndex: -1}
	c.tags(func(tag uint64, v []byte) {
		if tag == tagRaftIndex && len(v) == 8 {
			s.RaftIndex = int64(binary.BigEndian.Uint64(v))
		}
	})
	return s, c.err("SNAPSHOT_HEADER")
}

// SnapshotFooter encodes SnapshotFooterRecord v0.
func SnapshotFooter() []byte { return []byte{0, 0, 0} }

// KRaftVersion encodes KRaftVersionRecord v0.
func KRaftVersion(level int16) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(level)), 0)
}

// ParseKRaftVersion reads KRaftVersionRecord v0.
func ParseKRaftVersion(value []byte) (int16, error) {
	c := flexible{b: value}
	c.int16()
	level := c.int16()
	c.skipTags()
	return level, c.err("KRAFT_VERSION")
}

// KRaftVoters encodes VotersRecord v0.
func KRaftVoters(voters []Voter) []byte {
	dst := binary.AppendUvarint([]byte{0, 0}, uint64(len(voters))+1)
	for _, v := range voters {
		dst = binary.BigEndian.AppendUint32(dst, uint32(v.ID))
		dst = append(dst, v.Directory[:]...)
		dst = binary.AppendUvarint(dst, uint64(len(v.Endpoints))+1)
		for _, e := range v.Endpoints {
			dst = appendText(appendText(dst, e.Name), e.Host)
			dst = append(binary.BigEndian.AppendUint16(dst, e.Port), 0)
		}
		dst = binary.BigEndian.AppendUint16(dst, uint16(v.MinKRaft))
		dst = binary.BigEndian.AppendUint16(dst, uint16(v.MaxKRaft))
		dst = append(dst, 0, 0) // tags of the feature, tags of the voter
	}
	return append(dst, 0)
}

// ParseKRaftVoters reads VotersRecord v0.
func ParseKRaftVoters(value []byte) ([]Voter, error) {
	c := flexible{b: value}
	c.int16()
	var out []Voter
	for n := c.count(); n > 0 && !c.bad; n-- {
		v := Voter{ID: kafka.NodeID(c.int32())}
		copy(v.Directory[:], c.take(16))
		for k := c.count(); k > 0 && !c.bad; k-- {
			e := Endpoint{Name: c.text(), Host: c.text(), Port: uint16(c.int16())}
			c.skipTags()
			v.Endpoints = append(v.Endpoints, e)
		}
		v.MinKRaft, v.MaxKRaft = c.int16(), c.int16()
		c.skipTags()
		c.skipTags()
		out = append(out, v)
	}
	c.skipTags()
	return out, c.err("KRAFT_VOTERS")
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))+1), s...)
}

// flexible takes fields of a flexible message off the front of b.
type flexible struct {
	b   []byte
	bad bool
}

func (c *flexible) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.bad, c.b = true, nil
		return make([]byte, min(max(n, 0), 16))
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

func (c *flexible) int16() int16 { return int16(binary.BigEndian.Uint16(c.take(2))) }
func (c *flexible) int32() int32 { return int32(binary.BigEndian.Uint32(c.take(4))) }
func (c *flexible) int64() int64 { return int64(binary.BigEndian.Uint64(c.take(8))) }

func (c *flexible) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 || v > 1<<31 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

// count reads a compact array's length; null counts as empty.
func (c *flexible) count() int { return max(int(c.uvarint())-1, 0) }

func (c *flexible) text() string { return string(c.take(c.count())) }

func (c *flexible) skipTags() { c.tags(func(uint64, []byte) {}) }

func (c *flexible) tags(f func(tag uint64, value []byte)) {
	for n := c.uvarint(); n > 0 && !c.bad; n-- {
		tag := c.uvarint()
		if v := c.take(int(c.uvarint())); !c.bad {
			f(tag, v)
		}
	}
}

func (c *flexible) err(what string) error {
	if c.bad {
		return fault.Corruption("record", "torn or lying %s record", what)
	}
	return nil
}
