package topics

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/wire"
)

// ListPartitionReassignments serves ListPartitionReassignments v0 (KIP-455): what is under way of the partitions named, null for
// all. Of what is unknown or stays where it is nothing is said.
func (t *Topics) ListPartitionReassignments(req *wire.Request) {
	in := req.Body.(*kmsg.ListPartitionReassignmentsRequest)
	out := in.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	img := t.image()
	if in.Topics == nil {
		for topic := range img.Topics() {
			listReassignments(out, topic, nil)
		}
	}
	for _, asked := range in.Topics {
		if topic := img.TopicNamed(asked.Topic); topic != nil {
			listReassignments(out, topic, append([]int32{}, asked.Partitions...))
		}
	}
	req.Reply(wire.Reply{Message: out})
}

// listReassignments adds what is under way in a topic; nil asks for every partition.
func listReassignments(out *kmsg.ListPartitionReassignmentsResponse, topic *image.Topic, asked []int32) {
	rt := kmsg.NewListPartitionReassignmentsResponseTopic()
	rt.Topic = topic.Name
	add := func(id int32, p *image.Partition) {
		if !p.Reassigning() {
			return
		}
		rp := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
		rp.Partition, rp.Replicas = id, nodes(p.Replicas())
		rp.AddingReplicas, rp.RemovingReplicas = nodes(p.Adding()), nodes(p.Removing())
		rt.Partitions = append(rt.Partitions, rp)
	}
	if asked == nil {
		for id, p := range topic.Partitions() {
			add(id, p)
		}
	}
	for _, id := range asked {
		if p, ok := topic.Partition(id); ok {
			add(id, p)
		}
	}
	if len(rt.Partitions) > 0 {
		out.Topics = append(out.Topics, rt)
	}
}
