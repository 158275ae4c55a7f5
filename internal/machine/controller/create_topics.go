package controller

import (
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// maxUserRecords is the most partitions that one request may create and the most records that it may cause. All of them are one
// batch of the metadata log, for which Apache Kafka allows 8 MiB: the record of a partition with 12 replicas takes some 300
// bytes. Kafka's own bound is 10,000.
const maxUserRecords = 25_000

// createTopics creates what it can and says of the rest why not, in Kafka's order of checks: name, existence, configs,
// then partitions and replicas.
func createTopics(d *decision, c CreateTopics) (any, error) {
	total, names, ids := int64(0), map[string]int{}, map[kafka.TopicID]int{}
	for i := range c.Topics {
		t := &c.Topics[i]
		names[t.Name]++
		ids[t.ID]++
		switch {
		case len(t.Assignment) > 0:
			total += int64(len(t.Assignment))
		case t.Partitions == -1:
			total += int64(d.o.DefaultPartitions)
		case t.Partitions > 0:
			total += int64(t.Partitions)
		}
	}
	if total > maxUserRecords {
		return nil, fault.New(op, kafka.ErrPolicyViolation, "Excessively large number of partitions per request.")
	}
	rules := configRules{topicConfigs{d: d}}
	out := make([]CreatedTopic, len(c.Topics))
	for i := range c.Topics {
		t := &c.Topics[i]
		out[i] = CreatedTopic{ID: t.ID, Name: t.Name}
		var err error
		switch {
		case names[t.Name] > 1:
			err = fault.New(op, kafka.ErrInvalidRequest, "Duplicate topic name.")
		case ids[t.ID] > 1:
			err = takenID(t.ID)
		default:
			err = createTopic(d, &rules, t, &out[i])
		}
		if err != nil {
			out[i] = CreatedTopic{Problem: problem(err), Name: t.Name, Partitions: -1, Replicas: -1}
		}
	}
	return out, d.finish(c.ValidateOnly)
}

func takenID(id kafka.TopicID) error {
	return fault.New(op, kafka.ErrUnknownServerError, "The topic id %s cannot be given to a topic.", id)
}

// createTopic adds the records of one topic: itself, its configs, its partitions.
func createTopic(d *decision, rules *configRules, t *NewTopic, out *CreatedTopic) error {
	if err := checkNewName(d.img, t.Name); err != nil {
		return err
	}
	if reserved(kafka.DirectoryID(t.ID)) || d.img.Topic(t.ID) != nil {
		return takenID(t.ID)
	}
	configs, err := rules.created(t)
	if err != nil {
		return err
	}
	partitions, err := newPartitions(d, t)
	if err != nil {
		return err
	}
	d.add(&staterecord.Topic{Name: t.Name, TopicID: t.ID})
	for _, r := range configs {
		d.add(r)
	}
	for _, p := range partitions {
		d.add(p)
	}
	out.Partitions, out.Replicas = int32(len(partitions)), int16(len(partitions[0].Replicas))
	return nil
}

func newPartitions(d *decision, t *NewTopic) ([]*staterecord.Partition, error) {
	if len(t.Assignment) > 0 {
		return assignedPartitions(d.img, t)
	}
	if t.Replicas < -1 || t.Replicas == 0 {
		return nil, fault.New(op, kafka.ErrInvalidReplicationFactor,
			"Replication factor must be larger than 0, or -1 to use the default value.")
	}
	if t.Partitions < -1 || t.Partitions == 0 {
		return nil, fault.New(op, kafka.ErrInvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	}
	partitions, replicas := t.Partitions, t.Replicas
	if partitions == -1 {
		partitions = d.o.DefaultPartitions
	}
	if replicas == -1 {
		replicas = d.o.DefaultReplicas
	}
	placed, err := place(d, int(partitions), int(replicas))
	if err != nil {
		return nil, fault.New(op, fault.CodeOf(err), "Unable to replicate the partition %d time(s): %s", replicas, *fault.MessageOf(err))
	}
	out := make([]*staterecord.Partition, len(placed))
	for i, list := range placed {
		isr := active(d.img, list)
		if len(isr) == 0 {
			return nil, noneActive(replicas)
		}
		out[i] = newPartition(d.img, t.ID, int32(i), list, isr)
	}
	return out, nil
}

func noneActive(replicas int16) error {
	return fault.New(op, kafka.ErrInvalidReplicationFactor,
		"Unable to replicate the partition %d time(s): All brokers are currently fenced or in controlled shutdown.", replicas)
}

// assignedPartitions takes the assignment that was given by hand, in any order of partitions.
func assignedPartitions(img *image.Image, t *NewTopic) ([]*staterecord.Partition, error) {
	switch {
	case t.Replicas != -1:
		return nil, fault.New(op, kafka.ErrInvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
	case t.Partitions != -1:
		return nil, fault.New(op, kafka.ErrInvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
	}
	out, replicas := make([]*staterecord.Partition, 0, len(t.Assignment)), -1
	seen := make(map[int32]bool, len(t.Assignment))
	for _, a := range t.Assignment {
		if seen[a.Partition] {
			return nil, fault.New(op, kafka.ErrInvalidReplicaAssignment, "Found multiple manual partition assignments for partition %d", a.Partition)
		}
		seen[a.Partition] = true
		if err := checkAssigned(img, a.Replicas, replicas); err != nil {
			return nil, err
		}
		replicas = len(a.Replicas)
		isr := active(img, a.Replicas)
		if len(isr) == 0 {
			return nil, assignedToNobody(a.Partition)
		}
		out = append(out, newPartition(img, t.ID, a.Partition, a.Replicas, isr))
	}
	slices.SortFunc(out, func(a, b *staterecord.Partition) int { return int(a.PartitionID) - int(b.PartitionID) })
	for i, p := range out {
		if p.PartitionID != int32(i) {
			return nil, fault.New(op, kafka.ErrInvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
	}
	return out, nil
}

func assignedToNobody(partition int32) error {
	return fault.New(op, kafka.ErrInvalidReplicaAssignment,
		"All brokers specified in the manual partition assignment for partition %d are fenced or in controlled shutdown.", partition)
}

// finish bounds what one request may cause, and forgets it all when it was only a question.
func (d *decision) finish(validateOnly bool) error {
	if validateOnly {
		d.records = nil
	}
	if len(d.records) > maxUserRecords {
		return fault.New(op, kafka.ErrPolicyViolation, "Unable to perform excessively large batch operation.")
	}
	return nil
}

// created checks the configs of a new topic and returns their records, by key.
func (c *configRules) created(t *NewTopic) ([]*staterecord.Config, error) {
	var none []string
	set := map[string]string{}
	for _, s := range t.Configs {
		if s.Value == nil {
			none = append(none, s.Name)
		} else {
			set[s.Name] = *s.Value
		}
	}
	if len(none) > 0 {
		return nil, fault.New(op, kafka.ErrInvalidConfig, "Null value not supported for topic configs: %s", strings.Join(none, ","))
	}
	if len(set) == 0 {
		return nil, nil
	}
	if err := c.topic(nil, set); err != nil {
		return nil, err
	}
	var out []*staterecord.Config
	for _, name := range sortedKeys(set) {
		value := set[name]
		out = append(out, &staterecord.Config{ResourceType: staterecord.ResourceTopic, ResourceName: t.Name, Name: name, Value: &value})
	}
	return out, nil
}
