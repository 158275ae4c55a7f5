package metrics

import (
	"slices"
	"strconv"
)

// topics writes Kafka's BrokerTopicMetrics: all topics together without a label, then each topic.
func (p *page) topics(all *Traffic, topics []Topic) {
	labels := make([]string, len(topics))
	for i := range topics {
		labels[i] = label("topic", topics[i].Name)
	}
	each := func(name, help string, of func(*Traffic) uint64) {
		p.family("kafka_server_brokertopicmetrics_"+name+"_total", counter, help)
		p.uint("", of(all))
		for i := range topics {
			p.uint(labels[i], of(&topics[i].Traffic))
		}
	}
	each("bytesin", "Bytes of record batches appended.", func(t *Traffic) uint64 { return t.BytesIn })
	each("bytesout", "Bytes of record batches sent to consumers.", func(t *Traffic) uint64 { return t.BytesOut })
	each("messagesin", "Records appended.", func(t *Traffic) uint64 { return t.Records })
	each("totalproducerequests", "Batches that clients asked to append.", func(t *Traffic) uint64 { return t.Produces })
	each("failedproducerequests", "Batches refused for other reasons than leadership, size, a checksum or a disk.", func(t *Traffic) uint64 { return t.FailedProduces })
	each("totalfetchrequests", "Partitions that fetches asked for.", func(t *Traffic) uint64 { return t.Fetches })
	each("failedfetchrequests", "Partitions of fetches refused for other reasons than leadership, epochs, a range or a disk.", func(t *Traffic) uint64 { return t.FailedFetches })
	p.family("kafka_server_brokertopicmetrics_replicationbytesin_total", counter, "Bytes of record batches fetched from leaders.")
	p.uint("", all.ReplicationIn)
	p.family("kafka_server_brokertopicmetrics_replicationbytesout_total", counter, "Bytes of record batches sent to followers.")
	p.uint("", all.ReplicationOut)
	p.family("kafka_topic_partitions", gauge, "Partitions of the topic.")
	for i := range topics {
		p.int(labels[i], int64(topics[i].Partitions))
	}
}

// partitions writes the series of single partitions.
func (p *page) partitions(all []Partition) {
	labels := make([]string, len(all))
	for i := range all {
		labels[i] = label("topic", all[i].Topic, "partition", strconv.Itoa(int(all[i].Partition)))
	}
	each := func(name, help string, of func(*Partition) int64) {
		p.family(name, gauge, help)
		for i := range all {
			p.int(labels[i], of(&all[i]))
		}
	}
	each("kafka_log_log_size", "Bytes of the log's segments.", func(t *Partition) int64 { return t.Bytes })
	each("kafka_log_log_logstartoffset", "First offset of the log.", func(t *Partition) int64 { return int64(t.LogStart) })
	each("kafka_log_log_logendoffset", "Offset of the next record.", func(t *Partition) int64 { return int64(t.LogEnd) })
	each("kafka_topic_partition_oldest_offset", "First offset that consumers can read.", func(t *Partition) int64 { return int64(t.LogStart) })
	each("kafka_topic_partition_current_offset", "High watermark.", func(t *Partition) int64 { return int64(t.High) })
	each("kafka_topic_partition_leader", "Node that leads the partition.", func(t *Partition) int64 { return int64(t.Leader) })
	each("kafka_topic_partition_leader_is_preferred", "1 when the leader is the first replica.", func(t *Partition) int64 { return one(t.Preferred) })
	each("kafka_topic_partition_replicas", "Replicas assigned.", func(t *Partition) int64 { return int64(t.Replicas) })
	each("kafka_topic_partition_in_sync_replica", "Replicas in sync.", func(t *Partition) int64 { return int64(t.InSync) })
	each("kafka_topic_partition_under_replicated_partition", "1 when a replica is not in sync.", func(t *Partition) int64 { return one(t.UnderReplicated) })
	each("kafka_cluster_partition_underreplicated", "1 when a replica is not in sync.", func(t *Partition) int64 { return one(t.UnderReplicated) })
	each("kafka_cluster_partition_underminisr", "1 when fewer replicas are in sync than min.insync.replicas.", func(t *Partition) int64 { return one(t.UnderMinISR) })
	each("kafka_cluster_partition_atminisr", "1 when one replica less would be fewer than min.insync.replicas.", func(t *Partition) int64 { return one(t.AtMin) })
}

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// groups writes what groups have committed, by the names of kafka_exporter. With detail the partitions are shown singly.
func (p *page) groups(all []Group, detail bool) {
	p.family("kafka_consumergroup_members", gauge, "Members of the group.")
	for i := range all {
		p.int(label("consumergroup", all[i].Name), int64(all[i].Members))
	}
	p.family("milena_consumergroup_state", gauge, "1 for the state that the group is in.")
	for i := range all {
		p.int(label("consumergroup", all[i].Name, "state", all[i].State), 1)
	}
	if detail {
		p.offsets(all)
	}
	type sums struct {
		labels      string
		offset, lag int64
		whole       bool // the lag of every partition is known
	}
	var topics []sums
	for i := range all {
		last := ""
		for j := range all[i].Offsets {
			c := &all[i].Offsets[j]
			if j == 0 || c.Topic != last {
				last = c.Topic
				topics = append(topics, sums{labels: label("consumergroup", all[i].Name, "topic", c.Topic), whole: true})
			}
			s := &topics[len(topics)-1]
			s.offset += int64(c.Offset)
			s.lag += c.Lag
			s.whole = s.whole && c.Known
		}
	}
	p.family("kafka_consumergroup_current_offset_sum", gauge, "Sum of the offsets that the group has committed for a topic.")
	for _, s := range topics {
		p.int(s.labels, s.offset)
	}
	p.family("kafka_consumergroup_lag_sum", gauge, "Records of a topic that the group has not committed yet.")
	for _, s := range slices.DeleteFunc(topics, func(s sums) bool { return !s.whole }) {
		p.int(s.labels, s.lag)
	}
}

// offsets writes the committed offsets of single partitions.
func (p *page) offsets(all []Group) {
	var labels []string
	for i := range all {
		group := label("consumergroup", all[i].Name)
		for _, c := range all[i].Offsets {
			labels = append(labels, and(group, label("topic", c.Topic, "partition", strconv.Itoa(int(c.Partition)))))
		}
	}
	each := func(name, help string, sample func(labels string, c *Committed)) {
		p.family(name, gauge, help)
		n := 0
		for i := range all {
			for j := range all[i].Offsets {
				sample(labels[n], &all[i].Offsets[j])
				n++
			}
		}
	}
	each("kafka_consumergroup_current_offset", "Offset that the group has committed.", func(l string, c *Committed) { p.int(l, int64(c.Offset)) })
	each("kafka_consumergroup_lag", "Records between the committed offset, or the log start where that is later, and the high watermark.", func(l string, c *Committed) {
		if c.Known {
			p.int(l, c.Lag)
		}
	})
}
