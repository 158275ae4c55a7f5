package wire

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// TagDigest is the tag of a partition in OffsetForLeaderEpoch, from version 4 on, by which replicas compare what they have: in a
// request the offsets from and to, in an answer the offset up to which was summed up, its bytes, and the sum. Eight bytes each.
const TagDigest = 19786

// AskDigest puts a question into a request.
func AskDigest(tags *kmsg.Tags, from, to kafka.Offset) {
	tags.Set(TagDigest, binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(from)), uint64(to)))
}

// DigestAsked takes it out; ok is false when there is none.
func DigestAsked(tags *kmsg.Tags) (from, to kafka.Offset, ok bool) {
	v, ok := digestTag(tags, 16)
	if !ok {
		return 0, 0, false
	}
	from, to = kafka.Offset(binary.BigEndian.Uint64(v)), kafka.Offset(binary.BigEndian.Uint64(v[8:]))
	return from, to, from >= 0 && to > from
}

// TellDigest puts the answer into a response.
func TellDigest(tags *kmsg.Tags, next kafka.Offset, bytes int64, sum uint64) {
	v := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(next)), uint64(bytes))
	tags.Set(TagDigest, binary.BigEndian.AppendUint64(v, sum))
}

// DigestTold takes it out; ok is false when there is none.
func DigestTold(tags *kmsg.Tags) (next kafka.Offset, bytes int64, sum uint64, ok bool) {
	v, ok := digestTag(tags, 24)
	if !ok {
		return 0, 0, 0, false
	}
	return kafka.Offset(binary.BigEndian.Uint64(v)), int64(binary.BigEndian.Uint64(v[8:])), binary.BigEndian.Uint64(v[16:]), true
}

func digestTag(tags *kmsg.Tags, size int) (value []byte, ok bool) {
	tags.Each(func(key uint32, v []byte) {
		if key == TagDigest && len(v) == size {
			value, ok = v, true
		}
	})
	return value, ok
}
