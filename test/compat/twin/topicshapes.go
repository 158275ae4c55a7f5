package twin

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// placed is a topic whose replicas are given: replicas[i] are those of partition i.
func placed(count int32, factor int16, replicas ...[]int32) kmsg.CreateTopicsRequestTopic {
	topic := newTopic("placed", count, factor)
	for i, r := range replicas {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = int32(i), r
		topic.ReplicaAssignment = append(topic.ReplicaAssignment, a)
	}
	return topic
}

// topicShapes are CreateTopics requests with odd names, counts and assignments. It leaves base-v2 to base-v7.
func (t *talk) topicShapes() error {
	type topics = []kmsg.CreateTopicsRequestTopic
	below := placed(-1, -1, []int32{1})
	below.ReplicaAssignment[0].Partition = -1
	return t.each(kmsg.CreateTopics, func(v int16) error {
		base := fmt.Sprintf("base-v%d", v)
		return t.createAll(v, []topicStep{
			{"base", false, topics{newTopic(base, 3, 1)}},
			{"only validated, exists", true, topics{newTopic(base, 1, 1)}},
			{"assigned and a factor", false, topics{placed(-1, 1, []int32{1})}},
			{"assigned and a count", false, topics{placed(1, -1, []int32{1})}},
			{"assigned to nobody", false, topics{placed(-1, -1, []int32{})}},
			{"assigned to one twice", false, topics{placed(-1, -1, []int32{1, 1})}},
			{"assigned unevenly", false, topics{placed(-1, -1, []int32{1}, []int32{})}},
			{"assigned from a negative partition", false, topics{below}},
			{"assigned, three partitions", true, topics{placed(-1, -1, []int32{1}, []int32{1}, []int32{1})}},
			{"the metadata topic", false, topics{newTopic("__cluster_metadata", 1, 1)}},
			{"the metadata topic and a good one", true, topics{newTopic("__cluster_metadata", 1, 1), newTopic("fine", 1, 1)}},
			{"the metadata topic twice", true, topics{newTopic("__cluster_metadata", 1, 1), newTopic("__cluster_metadata", 1, 1)}},
			{"the share state topic", true, topics{newTopic("__share_group_state", 1, 1)}},
			{"the offsets topic", true, topics{newTopic("__consumer_offsets", 2, 1)}},
			{"a bad name twice", false, topics{newTopic("bad name", 1, 1), newTopic("bad name", 1, 1), newTopic("fine", 0, 1)}},
			{"too many partitions", false, topics{newTopic("shape", 25001, 1)}},
			{"a count of -2", false, topics{newTopic("shape", -2, 1)}},
			{"a factor of -2", false, topics{newTopic("shape", 1, -2)}},
			{"a bad count and a bad factor", false, topics{newTopic("shape", 0, 0)}},
			{"a bad count and an unknown config", false, topics{newTopic("shape", 0, 0, "no.such.key", "1")}},
			{"two that collide", true, topics{newTopic("q.w", 1, 1), newTopic("q_w", 1, 1)}},
			{"alone what would collide", true, topics{newTopic("q.w", 1, 1)}},
		})
	})
}
