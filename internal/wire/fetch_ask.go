package wire

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/milena-io/milena/internal/kafka"
)

// FetchCall is a Fetch request of ours, as a follower asks its leader. It is written in the versions in which a replica names
// its broker epoch (KIP-903): FetchCallMin and later.
type FetchCall struct {
	ClusterID    string // empty for none
	Replica      kafka.NodeID
	BrokerEpoch  kafka.BrokerEpoch
	MaxWaitMs    int32
	MinBytes     int32
	MaxBytes     int32
	SessionID    int32
	SessionEpoch int32
	// Partitions and Forget name topics by id. Sort puts those of one topic together, as the request has them.
	Partitions []FetchedPartition
	Forget     []FetchedPartition
}

// FetchCallMin is the first version that FetchCall is written in.
const FetchCallMin = fetchReplicaState

// Sort orders what is asked for by topic and partition.
func (f *FetchCall) Sort() {
	slices.SortFunc(f.Partitions, byTopic)
	slices.SortFunc(f.Forget, byTopic)
}

func byTopic(a, b FetchedPartition) int {
	if c := cmp.Compare(binary.BigEndian.Uint64(a.TopicID[:8]), binary.BigEndian.Uint64(b.TopicID[:8])); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(binary.BigEndian.Uint64(a.TopicID[8:]), binary.BigEndian.Uint64(b.TopicID[8:])), cmp.Compare(a.Partition, b.Partition))
}

// AppendTo appends the request's body. The partitions are sorted.
func (f *FetchCall) AppendTo(dst []byte, version int16) []byte {
	for _, v := range []int32{f.MaxWaitMs, f.MinBytes, f.MaxBytes} {
		dst = appendInt32(dst, v)
	}
	dst = append(dst, 0) // read_uncommitted
	dst = appendInt32(dst, f.SessionID)
	dst = appendInt32(dst, f.SessionEpoch)
	dst = eachTopic(dst, f.Partitions, func(dst []byte, p *FetchedPartition) []byte {
		return appendAsked(dst, version, p)
	})
	dst = eachTopic(dst, f.Forget, func(dst []byte, p *FetchedPartition) []byte { return appendInt32(dst, p.Partition) })
	dst = append(dst, 1) // no rack
	if f.ClusterID == "" {
		dst = append(dst, 1)
	} else {
		dst = append(dst, 2, tagClusterID)
		dst = appendTagged(dst, len(f.ClusterID)+len(binary.AppendUvarint(nil, uint64(len(f.ClusterID)+1))))
		dst = appendText(dst, f.ClusterID, true)
	}
	dst = append(dst, tagReplicaState)
	dst = appendTagged(dst, 4+8+1)
	dst = appendInt32(dst, f.Replica)
	dst = appendInt64(dst, f.BrokerEpoch)
	return append(dst, 0)
}

// eachTopic appends an array of topics, each with an array of its partitions.
func eachTopic(dst []byte, all []FetchedPartition, one func([]byte, *FetchedPartition) []byte) []byte {
	topics := 0
	for i := range all {
		if i == 0 || all[i].TopicID != all[i-1].TopicID {
			topics++
		}
	}
	dst = appendCount(dst, topics, true)
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].TopicID == all[0].TopicID {
			n++
		}
		dst = append(dst, all[0].TopicID[:]...)
		dst = appendCount(dst, n, true)
		for i := range all[:n] {
			dst = one(dst, &all[i])
		}
		dst = append(dst, 0)
		all = all[n:]
	}
	return dst
}

func appendAsked(dst []byte, version int16, p *FetchedPartition) []byte {
	dst = appendInt32(dst, p.Partition)
	dst = appendInt32(dst, p.CurrentEpoch)
	dst = appendInt64(dst, p.FetchOffset)
	dst = appendInt32(dst, p.LastFetchedEpoch)
	dst = appendInt64(dst, p.LogStart)
	dst = appendInt32(dst, p.MaxBytes)
	high := version >= fetchHighWatermarks && p.HighWatermark >= 0
	count := byte(1)
	if high {
		count++
	}
	dst = append(dst, count)
	if high {
		dst = append(dst, tagHighWatermark)
		dst = appendTagged(dst, 8)
		dst = appendInt64(dst, p.HighWatermark)
	}
	dst = binary.AppendUvarint(dst, TagDurable)
	dst = appendTagged(dst, 8)
	return appendInt64(dst, p.Durable)
}

func appendTagged(dst []byte, size int) []byte { return binary.AppendUvarint(dst, uint64(size)) }
