package node

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

func TestSurface05AcksZeroIsNotAnswered(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	r.main.send(producing("a", 0, 0, plain("x")))
	if got := ask[*kmsg.ApiVersionsResponse](r, kmsg.NewPtrApiVersionsRequest()); got.ErrorCode != 0 {
		t.Fatal("the next request's answer has to be the next frame")
	}
	r.w.Run(10 * time.Millisecond) // nobody tells when it is durable, and only then can it be read
	if got := values(t, r.read("a", 0, 0).RecordBatches); len(got) != 1 {
		t.Fatalf("the record was not written: %v", got)
	}
	r.main.send(producing("missing", 0, 0, plain("x")))
	if f := r.main.receive(time.Second); f != nil || !r.main.l.Ended() {
		t.Fatal("an error under acks=0 closes the connection and says nothing")
	}
}

func TestSurface05OtherAcksAreRefused(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	for _, acks := range []int16{2, -2} {
		got := ask[*kmsg.ProduceResponse](r, producing("a", 0, acks, plain("x")))
		wantCode(t, got.Topics[0].Partitions[0].ErrorCode, kafka.ErrInvalidRequiredAcks)
	}
}

func TestSurface08IdempotentRetriesAndGaps(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	for i := range int32(7) {
		if p := r.write("a", 0, idempotent(5, 0, i, "x")); p.ErrorCode != 0 || p.BaseOffset != int64(i) {
			t.Fatalf("batch %d: %+v", i, p)
		}
	}
	again := func(what string) {
		t.Helper()
		for i := int32(2); i < 7; i++ { // the last five
			if p := r.write("a", 0, idempotent(5, 0, i, "x")); p.ErrorCode != 0 || p.BaseOffset != int64(i) {
				t.Fatalf("%s: retry of batch %d: %+v", what, i, p)
			}
		}
		wantCode(t, r.write("a", 0, idempotent(5, 0, 1, "x")).ErrorCode, kafka.ErrOutOfOrderSequenceNumber)
		wantCode(t, r.write("a", 0, idempotent(5, 0, 9, "x")).ErrorCode, kafka.ErrOutOfOrderSequenceNumber)
	}
	again("in one life")
	r.kill()
	again("after kill -9")
	r.restart()
	again("after a clean restart")
}

func TestSurface08SequencesWrapAndEpochsRise(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	const top = 1<<31 - 1
	wantCode(t, r.write("a", 0, idempotent(5, 0, top, "any first sequence")).ErrorCode, kafka.ErrNone)
	wantCode(t, r.write("a", 0, idempotent(5, 0, 0, "wrapped")).ErrorCode, kafka.ErrNone)
	wantCode(t, r.write("a", 0, idempotent(5, 1, 3, "a new epoch begins at 0")).ErrorCode, kafka.ErrOutOfOrderSequenceNumber)
	wantCode(t, r.write("a", 0, idempotent(5, 1, 0, "x")).ErrorCode, kafka.ErrNone)
	wantCode(t, r.write("a", 0, idempotent(5, 0, 1, "an old epoch")).ErrorCode, kafka.ErrInvalidProducerEpoch)
}

func TestSurface09TransactionsAreRefused(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version, req.TransactionalID = 4, new("tx")
	if got := ask[*kmsg.InitProducerIDResponse](r, req); got.ErrorCode == 0 {
		t.Fatal("a transactional id was accepted, and there is no coordinator")
	}
	o := record.Plain()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = 5, 0, 0, true
	wantCode(t, r.write("a", 0, built(o, "x")).ErrorCode, kafka.ErrTransactionalIdAuthorizationFailed)
	named := producing("a", 0, -1, built(o, "x"))
	named.TransactionID = new("tx")
	wantCode(t, ask[*kmsg.ProduceResponse](r, named).Topics[0].Partitions[0].ErrorCode, kafka.ErrInvalidTxnState)
}

func TestSurface16Validation(t *testing.T) {
	r := newRig(t)
	r.create("a", 1, "max.message.bytes", "200")
	r.create("compacted", 1, "cleanup.policy", "compact")
	flip := plain("x")
	flip[len(flip)-1] ^= 1
	control := record.Plain()
	control.Control = true
	two := append(plain("x"), plain("y")...)
	for _, c := range []struct {
		name, topic string
		batch       []byte
		want        kafka.ErrorCode
	}{
		{"a wrong checksum", "a", flip, kafka.ErrCorruptMessage},
		{"too large", "a", plain(string(make([]byte, 300))), kafka.ErrMessageTooLarge},
		{"no key on a compacted topic", "compacted", plain("x"), kafka.ErrInvalidRecord},
		{"two batches", "a", two, kafka.ErrInvalidRecord},
		{"a client's control batch", "a", built(control, "x"), kafka.ErrInvalidRecord},
		{"no batch", "a", []byte{}, kafka.ErrInvalidRecord},
		{"a cut batch", "a", plain("x")[:40], kafka.ErrInvalidRecord},
	} {
		if p := r.write(c.topic, 0, c.batch); kafka.ErrorCode(p.ErrorCode) != c.want {
			t.Errorf("%s: error %v, want %v", c.name, kafka.ErrorCode(p.ErrorCode), c.want)
		} else if c.want == kafka.ErrInvalidRecord && c.topic == "compacted" && len(p.ErrorRecords) != 1 {
			t.Errorf("%s: no record is named: %+v", c.name, p)
		}
	}
	if got := values(t, r.read("a", 0, 0).RecordBatches); len(got) != 0 {
		t.Errorf("refused batches left %v", got)
	}
}

func TestSurface17LogAppendTimeAndRecompression(t *testing.T) {
	r := newRig(t)
	r.create("now", 1, "message.timestamp.type", "LogAppendTime")
	p := r.write("now", 0, plain("x"))
	if p.ErrorCode != 0 || p.LogAppendTime != r.w.Now().WallMs && p.LogAppendTime < r.w.Now().WallMs-1000 {
		t.Fatalf("%+v at %d", p, r.w.Now().WallMs)
	}
	b := record.Batch(r.read("now", 0, 0).RecordBatches)
	if !b.IsLogAppendTime() || b.MaxTimestamp() != p.LogAppendTime {
		t.Errorf("the batch doesn't say so: %v %d", b.IsLogAppendTime(), b.MaxTimestamp())
	}
	for codec, want := range map[string]record.Codec{"gzip": record.Gzip, "zstd": record.Zstd, "lz4": record.LZ4, "snappy": record.Snappy, "uncompressed": record.None} {
		r.create(codec, 1, "compression.type", codec)
		o := record.Plain()
		o.Codec = record.Gzip
		wantCode(t, r.write(codec, 0, built(o, "one", "two")).ErrorCode, kafka.ErrNone)
		got := record.Batch(r.read(codec, 0, 0).RecordBatches)
		if got.Codec() != want || got.CheckCRC() != nil || len(values(t, got)) != 2 {
			t.Errorf("%s: codec %v, crc %v", codec, got.Codec(), got.CheckCRC())
		}
	}
	r.create("producer", 1)
	wantCode(t, r.write("producer", 0, plain("x")).ErrorCode, kafka.ErrNone)
	if p := r.write("producer", 0, plain("x")); p.LogAppendTime != -1 {
		t.Errorf("log append time %d under CreateTime", p.LogAppendTime)
	}
}

func TestSurface18TopicIDs(t *testing.T) {
	r := newRig(t)
	first := r.create("a", 1)
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.Version, del.TimeoutMillis = 6, 1000
	dt := kmsg.NewDeleteTopicsRequestTopic()
	dt.TopicID = first
	del.Topics = append(del.Topics, dt)
	wantCode(t, ask[*kmsg.DeleteTopicsResponse](r, del).Topics[0].ErrorCode, kafka.ErrNone)
	second := r.create("a", 1)
	if first == second {
		t.Fatal("the recreated topic has the old id")
	}
	req := producing("", 0, -1, plain("x"))
	req.Version, req.Topics[0].TopicID = 13, first
	wantCode(t, ask[*kmsg.ProduceResponse](r, req).Topics[0].Partitions[0].ErrorCode, kafka.ErrUnknownTopicId)
	f := fetching("", 0, 0)
	f.Version, f.Topics[0].TopicID = 16, first
	wantCode(t, ask[*kmsg.FetchResponse](r, f).Topics[0].Partitions[0].ErrorCode, kafka.ErrUnknownTopicId)
	wantCode(t, ask[*kmsg.DeleteTopicsResponse](r, del).Topics[0].ErrorCode, kafka.ErrUnknownTopicId)
	req.Topics[0].TopicID = second
	wantCode(t, ask[*kmsg.ProduceResponse](r, req).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
}
