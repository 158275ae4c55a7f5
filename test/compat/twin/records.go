package twin

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// begin is the timestamp of the first record, long ago and always the same, so that the bytes are too.
const begin = 1_700_000_000_000

// packed is a batch of n records; change alters it before the checksum is made.
func packed(n int, change func(*kmsg.RecordBatch)) []byte {
	b := kmsg.NewRecordBatch()
	b.Magic, b.PartitionLeaderEpoch, b.ProducerID, b.ProducerEpoch, b.FirstSequence = 2, -1, -1, -1, -1
	b.FirstTimestamp = begin
	b.MaxTimestamp = b.FirstTimestamp + int64(n-1)
	b.LastOffsetDelta, b.NumRecords = int32(n-1), int32(n)
	for i := range n {
		r := kmsg.NewRecord()
		r.Key, r.Value = []byte{'k', byte('0' + i%10)}, []byte("a value of a record")
		r.TimestampDelta64, r.OffsetDelta = int64(i), int32(i)
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		b.Records = r.AppendTo(b.Records)
	}
	if change != nil {
		change(&b)
	}
	return sealed(b)
}

// sealed writes the length and the checksum.
func sealed(b kmsg.RecordBatch) []byte {
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

func (t *talk) produce() error {
	id, err := t.produced()
	if err != nil {
		return err
	}
	broken := packed(2, nil)
	broken[len(broken)-1] ^= 1
	idempotent := func(sequence int32) []byte {
		return packed(2, func(b *kmsg.RecordBatch) { b.ProducerID, b.ProducerEpoch, b.FirstSequence = id, 0, sequence })
	}
	steps := []struct {
		name, topic string
		partition   int32
		acks        int16
		batch       []byte
	}{
		{"acks all", "records", 0, -1, packed(3, nil)}, {"acks 1", "records", 0, 1, packed(2, nil)},
		{"acks 7", "records", 0, 7, packed(2, nil)}, {"unknown topic", "unknown", 0, -1, packed(1, nil)},
		{"unknown partition", "records", 9, -1, packed(1, nil)}, {"bad checksum", "records", 0, -1, broken},
		{"no records", "records", 0, -1, []byte{}}, {"half a batch", "records", 0, -1, packed(3, nil)[:50]},
		{"two batches", "records", 0, -1, append(packed(1, nil), packed(1, nil)...)},
		{"too large", "small", 0, -1, packed(20, nil)}, {"no key for a compacted topic", "compacted", 0, -1, keyless()},
		{"log append time", "stamped", 0, -1, packed(2, nil)},
		{"control bit", "records", 0, -1, packed(1, func(b *kmsg.RecordBatch) { b.Attributes |= 0x20 })},
		{"a lying count", "records", 0, -1, packed(3, func(b *kmsg.RecordBatch) { b.NumRecords = 2 })},
		{"a lying offset delta", "records", 0, -1, packed(3, func(b *kmsg.RecordBatch) { b.LastOffsetDelta = 9 })},
		{"magic 1", "records", 0, -1, packed(1, func(b *kmsg.RecordBatch) { b.Magic = 1 })},
		{"unknown codec", "records", 0, -1, packed(1, func(b *kmsg.RecordBatch) { b.Attributes = 6 })},
		{"a timestamp far ahead", "records", 0, -1, packed(1, func(b *kmsg.RecordBatch) { b.FirstTimestamp, b.MaxTimestamp = 1<<52, 1<<52 })},
		{"idempotent, first", "records", 1, -1, idempotent(0)}, {"idempotent, next", "records", 1, -1, idempotent(2)},
		{"idempotent, again", "records", 1, -1, idempotent(0)}, {"idempotent, a gap", "records", 1, -1, idempotent(40)},
		{"idempotent, an old epoch", "records", 1, -1, packed(1, func(b *kmsg.RecordBatch) {
			b.ProducerID, b.ProducerEpoch, b.FirstSequence = id, -5, 4
		})},
		{"idempotent, no sequence", "records", 1, -1, packed(1, func(b *kmsg.RecordBatch) { b.ProducerID, b.ProducerEpoch = id, 0 })},
	}
	topics := map[string]fixed{"unknown": {"unknown", [16]byte{7}}}
	for _, name := range []string{"records", "small", "compacted", "stamped"} {
		if topics[name], err = t.lookup(name); err != nil {
			return err
		}
	}
	return t.each(kmsg.Produce, func(v int16) error {
		for _, s := range steps {
			req := versioned(kmsg.NewPtrProduceRequest(), v)
			req.Acks, req.TimeoutMillis = s.acks, 20000
			topic := kmsg.NewProduceRequestTopic()
			topic.Topic, topic.TopicID = topics[s.topic].name, topics[s.topic].id
			p := kmsg.NewProduceRequestTopicPartition()
			p.Partition, p.Records = s.partition, s.batch
			topic.Partitions = append(topic.Partitions, p)
			req.Topics = append(req.Topics, topic)
			if _, err := t.ask(s.name, req); err != nil {
				return err
			}
		}
		return nil
	})
}

func keyless() []byte {
	return packed(1, func(b *kmsg.RecordBatch) {
		r := kmsg.NewRecord()
		r.Value = []byte("no key")
		r.Length = int32(len(r.AppendTo(nil)) - 1)
		b.Records = r.AppendTo(nil)
	})
}

// produced is a producer id for the idempotent steps. A fresh Kafka node answers COORDINATOR_LOAD_IN_PROGRESS until it
// has its first block of ids.
func (t *talk) produced() (int64, error) {
	for range 5000 {
		resp, err := t.exchange(versioned(kmsg.NewPtrInitProducerIDRequest(), 4))
		if err != nil || resp == nil {
			return 0, fmt.Errorf("init producer id: %v", err)
		}
		if got := resp.(*kmsg.InitProducerIDResponse); got.ErrorCode == 0 {
			return got.ProducerID, nil
		}
	}
	return 0, fmt.Errorf("the broker has no producer ids")
}

func (t *talk) initProducerID() error {
	if _, err := t.produced(); err != nil {
		return err
	}
	return t.each(kmsg.InitProducerID, func(v int16) error {
		req := versioned(kmsg.NewPtrInitProducerIDRequest(), v)
		req.TransactionTimeoutMillis = 60000
		if _, err := t.ask("idempotent", req); err != nil {
			return err
		}
		if v >= 3 {
			again := versioned(kmsg.NewPtrInitProducerIDRequest(), v)
			again.ProducerID, again.ProducerEpoch = 1234, 3
			if _, err := t.ask("idempotent with an id", again); err != nil {
				return err
			}
		}
		bad := versioned(kmsg.NewPtrInitProducerIDRequest(), v)
		bad.TransactionalID = kmsg.StringPtr("")
		_, err := t.ask("empty transactional id", bad)
		return err
	})
}

func (t *talk) deleteRecords() error {
	return t.each(kmsg.DeleteRecords, func(v int16) error {
		for _, step := range []struct {
			name, topic string
			partition   int32
			offset      int64
		}{{"some", "records", 0, int64(v) + 1}, {"again", "records", 0, 1}, {"beyond the end", "records", 0, 1 << 40}, {"below zero", "records", 0, -7},
			{"unknown", "unknown", 0, 1}, {"unknown partition", "records", 7, 1}, {"a compacted topic", "compacted", 0, 0}} {
			req := versioned(kmsg.NewPtrDeleteRecordsRequest(), v)
			req.TimeoutMillis = 20000
			topic := kmsg.NewDeleteRecordsRequestTopic()
			topic.Topic = step.topic
			p := kmsg.NewDeleteRecordsRequestTopicPartition()
			p.Partition, p.Offset = step.partition, step.offset
			topic.Partitions = append(topic.Partitions, p)
			req.Topics = append(req.Topics, topic)
			if _, err := t.ask(step.name, req); err != nil {
				return err
			}
		}
		return nil
	})
}
