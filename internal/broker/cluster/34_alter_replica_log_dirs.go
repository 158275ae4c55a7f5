package cluster

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

// AlterReplicaLogDirs serves AlterReplicaLogDirs v1-2 (KIP-113): replicas of this node are moved to other log directories.
// The answer comes when that is under way; DescribeLogDirs tells how far it is. A partition that is named under two directories
// goes to the one that is named last, as in Apache Kafka.
func (c *Cluster) AlterReplicaLogDirs(req *wire.Request) {
	in := req.Body.(*kmsg.AlterReplicaLogDirsRequest)
	out := in.ResponseKind().(*kmsg.AlterReplicaLogDirsResponse)
	goal := map[kafka.TopicPartition]string{}
	var order []kafka.TopicPartition
	for _, d := range in.Dirs {
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				tp := kafka.TopicPartition{Topic: t.Topic, Partition: p}
				if _, twice := goal[tp]; !twice {
					order = append(order, tp)
				}
				goal[tp] = d.Dir
			}
		}
	}
	c.world.Go(func() {
		at := map[string]int{}
		for _, tp := range order {
			i, known := at[tp.Topic]
			if !known {
				i = len(out.Topics)
				at[tp.Topic] = i
				rt := kmsg.NewAlterReplicaLogDirsResponseTopic()
				rt.Topic = tp.Topic
				out.Topics = append(out.Topics, rt)
			}
			rp := kmsg.NewAlterReplicaLogDirsResponseTopicPartition()
			rp.Partition, rp.ErrorCode = tp.Partition, code(c.node.AlterReplicaLogDir(tp, goal[tp]))
			out.Topics[i].Partitions = append(out.Topics[i].Partitions, rp)
		}
		req.Reply(wire.Reply{Message: out})
	})
}
