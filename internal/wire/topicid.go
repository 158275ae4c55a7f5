package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// TagTopicID is the tag of a partition in an OffsetForLeaderEpoch request, from version 4 on, by which a replica says which topic it
// means: the name may be another one's by now. Sixteen bytes.
const TagTopicID = 19787

// NameTopicID puts an id into a request.
func NameTopicID(tags *kmsg.Tags, id kafka.TopicID) { tags.Set(TagTopicID, id[:]) }

// TopicIDNamed takes it out; it is zero where there is none.
func TopicIDNamed(tags *kmsg.Tags) (id kafka.TopicID) {
	tags.Each(func(key uint32, v []byte) {
		if key == TagTopicID && len(v) == len(id) {
			copy(id[:], v)
		}
	})
	return id
}
