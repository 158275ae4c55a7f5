package wire

import "github.com/milena-io/milena/internal/kafka"

// ProduceAnswer is the answer to a Produce request, encoded by AppendTo for versions 3 to 13. Partitions of one topic
// stand together, in the order of the request.
type ProduceAnswer struct {
	Version    int16 // of the request
	ThrottleMs int32
	Partitions []ProducePartitionAnswer
}

// ProducePartitionAnswer is what became of one partition's records. Of Topic and TopicID the one that the request used
// is written.
type ProducePartitionAnswer struct {
	Topic           string
	TopicID         kafka.TopicID
	Partition       int32
	ErrorCode       kafka.ErrorCode
	BaseOffset      kafka.Offset // NoOffset on error
	LogAppendTimeMs int64        // -1 when records keep the time of their creation
	LogStart        kafka.Offset // NoOffset on error
	RecordErrors    []RecordError
	ErrorMessage    *string
	Leader          *LeaderHint // with NOT_LEADER_OR_FOLLOWER, from version 10 on
}

// RecordError names a record that made its batch be refused (KIP-467).
type RecordError struct {
	Index   int32
	Message *string
}

const produceLeaders = 10

// AppendTo appends the body of the response.
func (a *ProduceAnswer) AppendTo(dst []byte) []byte {
	v, flexible := a.Version, a.Version >= produceFlexible
	topics := 0
	for i := range a.Partitions {
		if i == 0 || !a.sameTopic(i-1, i) {
			topics++
		}
	}
	dst = appendCount(dst, topics, flexible)
	var leaders []*LeaderHint
	for i := 0; i < len(a.Partitions); {
		n := 1
		for i+n < len(a.Partitions) && a.sameTopic(i, i+n) {
			n++
		}
		if v >= produceTopicIDs {
			dst = append(dst, a.Partitions[i].TopicID[:]...)
		} else {
			dst = appendText(dst, a.Partitions[i].Topic, flexible)
		}
		dst = appendCount(dst, n, flexible)
		for ; n > 0; n-- {
			p := &a.Partitions[i]
			dst = p.appendTo(dst, v)
			if v >= produceLeaders {
				leaders = addLeader(leaders, p.Leader)
			}
			i++
		}
		if flexible {
			dst = append(dst, 0)
		}
	}
	if v >= 1 {
		dst = appendInt32(dst, a.ThrottleMs)
	}
	if flexible {
		dst = appendEndpoints(dst, leaders)
	}
	return dst
}

func (a *ProduceAnswer) sameTopic(i, j int) bool {
	if a.Version >= produceTopicIDs {
		return a.Partitions[i].TopicID == a.Partitions[j].TopicID
	}
	return a.Partitions[i].Topic == a.Partitions[j].Topic
}

func (p *ProducePartitionAnswer) appendTo(dst []byte, v int16) []byte {
	flexible := v >= produceFlexible
	dst = appendInt32(dst, p.Partition)
	dst = appendInt16(dst, p.ErrorCode)
	dst = appendInt64(dst, p.BaseOffset)
	if v >= 2 {
		dst = appendInt64(dst, p.LogAppendTimeMs)
	}
	if v >= 5 {
		dst = appendInt64(dst, p.LogStart)
	}
	if v >= 8 {
		dst = appendCount(dst, len(p.RecordErrors), flexible)
		for i := range p.RecordErrors {
			dst = appendInt32(dst, p.RecordErrors[i].Index)
			dst = appendNullableText(dst, p.RecordErrors[i].Message, flexible)
			if flexible {
				dst = append(dst, 0)
			}
		}
		dst = appendNullableText(dst, p.ErrorMessage, flexible)
	}
	if !flexible {
		return dst
	}
	if p.Leader == nil || v < produceLeaders {
		return append(dst, 0)
	}
	return p.Leader.appendTag(append(dst, 1), 0)
}
