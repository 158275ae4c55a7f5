package controller

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
)

// createPartitions grows topics (KIP-195).
func createPartitions(d *decision, c CreatePartitions) (any, error) {
	names := map[string]int{}
	for i := range c.Topics {
		names[c.Topics[i].Name]++
	}
	out := make([]GrownTopic, len(c.Topics))
	for i := range c.Topics {
		g := &c.Topics[i]
		out[i].Name = g.Name
		if names[g.Name] > 1 {
			out[i].Problem = Problem{kafka.ErrInvalidRequest, "Duplicate topic name."}
			continue
		}
		out[i].Problem = problem(growTopic(d, g))
	}
	return out, d.finish(c.ValidateOnly)
}

func growTopic(d *decision, g *GrowTopic) error {
	t := d.img.TopicNamed(g.Name)
	if t == nil {
		return fault.New(op, kafka.ErrUnknownTopicOrPartition, "")
	}
	have := int32(t.Len())
	switch {
	case g.Count == have:
		return fault.New(op, kafka.ErrInvalidPartitions, "Topic already has %d partition(s).", have)
	case g.Count < have:
		return fault.New(op, kafka.ErrInvalidPartitions,
			"The topic %s currently has %d partition(s); %d would not be an increase.", g.Name, have, g.Count)
	}
	more := int(g.Count - have)
	if g.Assignment != nil && len(g.Assignment) != more {
		return fault.New(op, kafka.ErrInvalidReplicaAssignment,
			"Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", more, len(g.Assignment))
	}
	if more+len(d.records) > maxUserRecords {
		return fault.New(op, kafka.ErrPolicyViolation, "Unable to perform excessively large batch operation.")
	}
	replicas := 0
	for _, p := range t.Partitions() {
		// Partition 0's; while it is reassigned what it is going to have. (Kafka counts both assignments then.)
		replicas = factor(p)
		break
	}
	assigned, err := g.Assignment, error(nil)
	if assigned == nil {
		assigned, err = place(d, more, replicas)
	} else {
		err = checkGrowth(d.img, assigned, have, replicas)
	}
	if err != nil {
		return err
	}
	begun := len(d.records)
	for i, list := range assigned {
		isr := active(d.img, list)
		if len(isr) == 0 {
			d.records = d.records[:begun]
			return noneActive(int16(replicas))
		}
		d.add(newPartition(d.img, t.ID, have+int32(i), list, isr))
	}
	return nil
}

func checkGrowth(img *image.Image, assigned [][]kafka.NodeID, first int32, replicas int) error {
	for i, list := range assigned {
		if err := checkAssigned(img, list, replicas); err != nil {
			return err
		}
		if len(active(img, list)) == 0 {
			return assignedToNobody(first + int32(i))
		}
	}
	return nil
}
