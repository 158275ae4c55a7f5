package log

import (
	"fmt"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/producer"
	"github.com/milena-io/milena/internal/record"
)

const admitOp = "log.AppendAsLeader"

// admit validates a leader's batch as LogValidator and UnifiedLog of Apache Kafka 4.3 do, in their order, and recompresses
// it where the topic wants another codec. It returns the batch to write and its largest timestamp.
func (l *Log) admit(now kafka.Instant, b record.Batch, origin Origin) (record.Batch, int64, error) {
	c := &l.config.Accept
	if origin == Client && b.BaseOffset() != 0 {
		return nil, 0, refuse("The baseOffset of the record batch in the append to %s should be 0, but it is %d",
			l.options.Partition, b.BaseOffset())
	}
	if err := l.checkBytes(b); err != nil {
		return nil, 0, err
	}
	if err := b.CheckCRC(); err != nil {
		return nil, 0, err
	}
	if origin == Client {
		if err := b.CheckClientHeader(); err != nil {
			return nil, 0, err
		}
	}
	maxTs, err := l.checkRecords(now, b)
	if err != nil {
		return nil, 0, err
	}
	if c.Recompress && b.Codec() != c.Codec && !b.IsControl() {
		b, err := b.Recompress(c.Codec, c.Level, record.Limits{MaxStored: c.MaxMessageBytes})
		if fault.CodeOf(err) == kafka.ErrMessageTooLarge {
			err = fault.New(admitOp, kafka.ErrMessageTooLarge,
				"The record batch in the append to %s exceeds the maximum configured value of %d bytes when it is stored as %s, its topic's compression.type.",
				l.options.Partition, c.MaxMessageBytes, c.Codec)
		}
		return b, maxTs, err
	}
	return b, maxTs, nil
}

func refuse(format string, args ...any) error {
	return fault.New(admitOp, kafka.ErrInvalidRecord, format, args...)
}

func (l *Log) checkBytes(b record.Batch) error {
	if limit := l.config.Accept.MaxMessageBytes; len(b) > limit {
		return fault.New(admitOp, kafka.ErrMessageTooLarge,
			"The record batch size in the append to %s is %d bytes which exceeds the maximum configured value of %d.",
			l.options.Partition, len(b), limit)
	}
	return nil
}

// checkRecords looks into the batch, or under milena.validate=header only at what its header says of timestamps. It
// returns the largest timestamp.
func (l *Log) checkRecords(now kafka.Instant, b record.Batch) (int64, error) {
	c := &l.config.Accept
	if c.LogAppendTime && b.IsLogAppendTime() {
		return 0, timestampError(0, "Invalid timestamp type in message. Producer should not set timestamp type to LogAppendTime.")
	}
	if !c.HeaderOnly || c.Compacted && !b.IsControl() {
		return b.Validate(record.Rules{
			NeedKeys: c.Compacted && !b.IsControl(), NowMs: now.WallMs,
			BeforeMs: c.TimestampBeforeMaxMs, AfterMs: c.TimestampAfterMaxMs, CheckTime: !c.LogAppendTime,
		})
	}
	ts := b.MaxTimestamp()
	if age := now.WallMs - ts; !c.LogAppendTime && ts != -1 && (age > c.TimestampBeforeMaxMs || -age > c.TimestampAfterMaxMs) {
		return 0, timestampError(b.Count()-1, fmt.Sprintf(
			"Timestamp %d of message with offset %d is out of range. The timestamp should be within [%d, %d]",
			ts, b.LastOffset(), now.WallMs-c.TimestampBeforeMaxMs, now.WallMs+c.TimestampAfterMaxMs))
	}
	return ts, nil
}

func timestampError(index int32, why string) error {
	return &record.Invalid{
		Cause:   fault.New(admitOp, kafka.ErrInvalidTimestamp, "One or more records have been rejected due to invalid timestamp"),
		Records: []record.RecordError{{Index: index, Message: why}},
	}
}

// checkProducer holds a batch against producer state. While there is no transaction coordinator no client's transaction
// has been verified, so its batches are refused as Kafka refuses unverified ones.
func (l *Log) checkProducer(b record.Batch, origin Origin) error {
	if b.ProducerID() == kafka.NoProducerID {
		return nil
	}
	if b.IsControl() {
		m, ok, err := markerOf(b)
		if err != nil || !ok {
			return err
		}
		return l.producers.CheckMarker(b, m, l.end, origin)
	}
	if origin == Client && b.IsTransactional() && !l.producers.Open(b.ProducerID(), b.ProducerEpoch()) {
		return fault.New(admitOp, kafka.ErrInvalidTxnState, "Record was not part of an ongoing transaction")
	}
	return l.producers.Check(b, l.end, origin)
}

// markerOf reads the control record that ends a transaction; ok is false for other control batches and for one that
// compaction emptied.
func markerOf(b record.Batch) (m producer.Marker, ok bool, err error) {
	if b.Count() == 0 || b.ProducerID() == kafka.NoProducerID {
		return m, false, nil
	}
	kind, value, err := b.Control()
	if err != nil || kind != record.ControlAbort && kind != record.ControlCommit {
		return m, false, err
	}
	marker, err := record.ParseEndTxnMarker(value)
	return producer.Marker{Abort: kind == record.ControlAbort, CoordinatorEpoch: marker.CoordinatorEpoch}, err == nil, err
}
