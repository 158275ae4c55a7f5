package twin

import "github.com/twmb/franz-go/pkg/kmsg"

// batches are Produce requests with odd batches, for topics that take less than others, or in odd company.
func (t *talk) batches() error {
	topics := map[string]fixed{"unknown": {"unknown", [16]byte{7}}, "no name": {}}
	var err error
	for _, name := range []string{"records", "isr", "stamped", "old", "zipped", "both", "twice"} {
		if topics[name], err = t.lookup(name); err != nil {
			return err
		}
	}
	steps := batchSteps()
	return t.each(kmsg.Produce, func(v int16) error {
		for _, s := range steps {
			req := versioned(kmsg.NewPtrProduceRequest(), v)
			req.Acks, req.TimeoutMillis = s.acks, 3000
			for _, name := range s.topics {
				topic := kmsg.NewProduceRequestTopic()
				topic.Topic, topic.TopicID = topics[name].name, topics[name].id
				p := kmsg.NewProduceRequestTopicPartition()
				p.Records = append([]byte(nil), s.batch...)
				topic.Partitions = append(topic.Partitions, p)
				req.Topics = append(req.Topics, topic)
			}
			if _, err := t.ask(s.name, req); err != nil {
				return err
			}
		}
		return nil
	})
}

// batchStep is one Produce request: the batch goes to partition 0 of each topic.
type batchStep struct {
	name   string
	acks   int16
	topics []string
	batch  []byte
}

func batchSteps() []batchStep {
	one := func(change func(*kmsg.RecordBatch)) []byte { return packed(1, change) }
	attribute := func(bit int16) []byte { return one(func(b *kmsg.RecordBatch) { b.Attributes |= bit }) }
	records := []string{"records"}
	return []batchStep{
		{"not enough replicas", -1, []string{"isr"}, one(nil)},
		{"not enough replicas, and enough", -1, []string{"isr", "records"}, one(nil)},
		{"not enough replicas, acks 1", 1, []string{"isr"}, one(nil)},
		{"a partition twice", -1, []string{"twice", "twice"}, one(nil)},
		{"neither name nor id", -1, []string{"no name"}, one(nil)},
		{"an unknown topic and a known", -1, []string{"unknown", "records"}, one(nil)},
		{"says log append time", -1, records, attribute(8)},
		{"says log append time, stamped", -1, []string{"stamped"}, attribute(8)},
		{"too old", -1, []string{"old"}, packed(2, nil)},
		{"no timestamp", -1, []string{"old"}, one(func(b *kmsg.RecordBatch) { b.FirstTimestamp, b.MaxTimestamp = -1, -1 })},
		{"zero records", -1, records, one(func(b *kmsg.RecordBatch) { b.NumRecords, b.Records, b.LastOffsetDelta = 0, nil, 0 })},
		{"a base offset", -1, records, one(func(b *kmsg.RecordBatch) { b.FirstOffset = 5 })},
		{"a negative base offset", -1, records, one(func(b *kmsg.RecordBatch) { b.FirstOffset = -5 })},
		{"for a gzip topic", -1, []string{"zipped"}, packed(3, nil)},
		{"a lying max timestamp", -1, records, packed(3, func(b *kmsg.RecordBatch) { b.MaxTimestamp += 100 })},
		{"no key, compacted and deleted", -1, []string{"both"}, keyless()},
		{"a delete horizon", -1, records, attribute(0x40)},
		{"a reserved bit", -1, records, attribute(0x80)},
		{"transactional without a producer", -1, records, attribute(0x10)},
		{"not compressed as it says, gzip", -1, records, attribute(1)},
		{"not compressed as it says, snappy", -1, records, attribute(2)},
		{"not compressed as it says, lz4", -1, records, attribute(3)},
		{"not compressed as it says, zstd", -1, records, attribute(4)},
		{"no topic", -1, nil, nil},
		{"no topic, acks 2", 2, nil, nil},
	}
}
