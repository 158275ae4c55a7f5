package node

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// changed is a batch whose header was altered, with the checksum made good again.
func changed(b []byte, at int, bytes ...byte) []byte {
	b = slices.Clone(b)
	copy(b[at:], bytes)
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// timed is a batch with a record at each time.
func timed(ms ...int64) []byte {
	b := record.NewBuilder(record.Plain())
	for _, at := range ms {
		b.Append(at, []byte("k"), []byte("v"))
	}
	return must.Get(b.Build())
}

// to asks at a version, which decides whether topics go by name or by id.
func to(version int16, topic string, id kafka.TopicID, batch []byte) *kmsg.ProduceRequest {
	req := producing(topic, 0, -1, batch)
	req.Version = version
	if version >= 13 {
		req.Topics[0].Topic, req.Topics[0].TopicID = "", id
	}
	return req
}

func TestProduceAnswersForEachFault(t *testing.T) {
	r := newRig(t)
	id := r.create("a", 1, "max.message.bytes", "400", "message.timestamp.before.max.ms", "1000", "message.timestamp.after.max.ms", "2000")
	now := r.w.Now().WallMs
	fill := timed(now)
	wantCode(t, r.write("a", 0, fill).ErrorCode, kafka.ErrNone)
	const attributes, count = 21, 57
	for _, version := range []int16{3, 8, 13} {
		for _, c := range []struct {
			what   string
			batch  []byte
			code   kafka.ErrorCode
			start  int64 // the log start that is told
			faulty []int32
		}{
			{"too old", timed(now, now-1_001_000, now-1_001_000), kafka.ErrInvalidTimestamp, 0, []int32{1, 2}},
			{"too far ahead", timed(now + 1_000_000), kafka.ErrInvalidTimestamp, 0, []int32{0}},
			{"too large", built(record.Plain(), string(make([]byte, 500))), kafka.ErrMessageTooLarge, -1, nil},
			{"no records", changed(fill, count, 0, 0, 0, 0), kafka.ErrInvalidRecord, 0, nil},
			{"a base offset", changed(fill, 0, 0, 0, 0, 0, 0, 0, 0, 5), kafka.ErrInvalidRecord, 0, nil},
			{"a base offset below zero", changed(fill, 0, 0xff), kafka.ErrInvalidRecord, -1, nil},
			{"a wrong checksum", append(slices.Clone(fill[:17]), append([]byte{1, 2, 3, 4}, fill[21:]...)...), kafka.ErrCorruptMessage, -1, nil},
			{"a control batch", changed(fill, attributes, 0, 0x20), kafka.ErrInvalidRecord, 0, nil},
			{"an old magic", changed(fill, 16, 1), kafka.ErrInvalidRecord, -1, nil},
			{"a transaction without its id", changed(fill, attributes, 0, 0x10), kafka.ErrTransactionalIdAuthorizationFailed, -1, nil},
			{"a producer without a sequence", built(record.Options{Level: -1, ProducerID: 5, BaseSequence: -1}, "x"), kafka.ErrInvalidRecord, 0, nil},
		} {
			p := ask[*kmsg.ProduceResponse](r, to(version, "a", id, c.batch)).Topics[0].Partitions[0]
			var faulty []int32
			for _, e := range p.ErrorRecords {
				faulty = append(faulty, e.RelativeOffset)
			}
			want := c.faulty
			if version < 8 {
				want = nil
			}
			if kafka.ErrorCode(p.ErrorCode) != c.code || p.BaseOffset != -1 || p.LogAppendTime != -1 || !slices.Equal(faulty, want) ||
				version >= 5 && p.LogStartOffset != c.start {
				t.Errorf("v%d %s: %+v, want %v, log start %d, records %v", version, c.what, p, c.code, c.start, want)
			}
		}
	}
	if p := r.read("a", 0, 0); p.HighWatermark != 1 {
		t.Errorf("a refused batch was written: the high watermark is %d", p.HighWatermark)
	}
}

func TestProduceToWhatIsNotThere(t *testing.T) {
	r := newRig(t)
	id := r.create("a", 1)
	for _, c := range []struct {
		version   int16
		topic     string
		id        kafka.TopicID
		partition int32
		want      kafka.ErrorCode
	}{
		{3, "missing", id, 0, kafka.ErrUnknownTopicOrPartition},
		{12, "", id, 0, kafka.ErrUnknownTopicOrPartition},
		{12, "a", id, 1, kafka.ErrUnknownTopicOrPartition},
		{12, "a", id, -1, kafka.ErrUnknownTopicOrPartition},
		{13, "", kafka.TopicID{}, 0, kafka.ErrUnknownTopicId},
		{13, "", kafka.TopicID{7}, 0, kafka.ErrUnknownTopicId},
		{13, "", id, 1, kafka.ErrUnknownTopicOrPartition},
	} {
		req := to(c.version, c.topic, c.id, plain("x"))
		req.Topics[0].Partitions[0].Partition = c.partition
		good := to(c.version, "a", id, plain("x")).Topics[0]
		req.Topics = append(req.Topics, good)
		got := ask[*kmsg.ProduceResponse](r, req).Topics
		first, second := got[0].Partitions[0], got[len(got)-1].Partitions[len(got[len(got)-1].Partitions)-1]
		if kafka.ErrorCode(first.ErrorCode) != c.want || first.BaseOffset != -1 || second.ErrorCode != 0 {
			t.Errorf("v%d %q-%d: %+v, want %v; beside it %+v", c.version, c.topic, c.partition, first, c.want, second)
		}
	}
	none := producing("a", 0, -1, nil)
	none.Topics = nil
	for _, acks := range []int16{-1, 1} {
		none.Acks = acks
		if got := ask[*kmsg.ProduceResponse](r, none); len(got.Topics) != 0 {
			t.Errorf("nothing was produced: %+v", got)
		}
	}
}

func TestProduceZstandardNeedsVersion7(t *testing.T) {
	r := newRig(t)
	id := r.create("a", 1)
	o := record.Plain()
	o.Codec = record.Zstd
	for version, want := range map[int16]kafka.ErrorCode{3: kafka.ErrUnsupportedCompressionType, 6: kafka.ErrUnsupportedCompressionType, 7: kafka.ErrNone, 13: kafka.ErrNone} {
		wantCode(t, ask[*kmsg.ProduceResponse](r, to(version, "a", id, built(o, "x"))).Topics[0].Partitions[0].ErrorCode, want)
	}
}

// What is not committed in time is answered with a time-out, and written all the same.
func TestProduceTimesOut(t *testing.T) {
	r := newRig(t)
	r.create("a", 2)
	req := producing("a", 0, -1, plain("x"))
	req.TimeoutMillis = 0
	bad := kmsg.NewProduceRequestTopicPartition()
	bad.Partition, bad.Records = 7, plain("x")
	req.Topics[0].Partitions = append(req.Topics[0].Partitions, bad)
	got := ask[*kmsg.ProduceResponse](r, req).Topics[0].Partitions
	wantCode(t, got[0].ErrorCode, kafka.ErrRequestTimedOut)
	wantCode(t, got[1].ErrorCode, kafka.ErrUnknownTopicOrPartition) // which was known before
	r.w.Run(time.Second)
	if p := r.read("a", 0, 0); p.HighWatermark != 1 || len(values(t, p.RecordBatches)) != 1 {
		t.Errorf("%+v", p)
	}
	req.Acks = 1 // which waits for nothing
	wantCode(t, ask[*kmsg.ProduceResponse](r, req).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
}

func TestTimestampsAreCheckedOnlyWhereTheyAreTheClients(t *testing.T) {
	r := newRig(t)
	r.create("stamped", 1, "message.timestamp.type", "LogAppendTime", "message.timestamp.before.max.ms", "1000")
	r.create("old", 1, "message.timestamp.before.max.ms", "1000")
	p := r.write("stamped", 0, timed(1))
	if p.ErrorCode != 0 || p.LogAppendTime <= 0 {
		t.Errorf("the broker's time replaces the client's: %+v", p)
	}
	wantCode(t, r.write("old", 0, timed(-1)).ErrorCode, kafka.ErrNone) // no timestamp is not an old one
	wantCode(t, r.write("old", 0, timed(1)).ErrorCode, kafka.ErrInvalidTimestamp)
	q := r.write("stamped", 0, changed(plain("x"), 21, 0, 8)) // a client must not say that the time is the broker's
	if kafka.ErrorCode(q.ErrorCode) != kafka.ErrInvalidTimestamp || len(q.ErrorRecords) != 1 {
		t.Errorf("%+v", q)
	}
}

func TestTheAdminClientWritesInternalTopics(t *testing.T) {
	r := newRig(t)
	r.create("__transaction_state", 1)
	req := producing("__transaction_state", 0, -1, plain("x"))
	wantCode(t, ask[*kmsg.ProduceResponse](r, req).Topics[0].Partitions[0].ErrorCode, kafka.ErrInvalidTopicException)
	r.main.next++
	r.main.l.Send(kmsg.NewRequestFormatter(kmsg.FormatterClientID("__admin_client")).AppendRequest(nil, req, r.main.next))
	got := parse(t, r.main.receive(time.Second), req).(*kmsg.ProduceResponse)
	wantCode(t, got.Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
}
