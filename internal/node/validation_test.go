package node

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

// forgery is a batch of which something is a lie, and what becomes of it: under milena.validate=full, whose answers are
// Apache Kafka's (the twin conversation compares them), and under header, which looks at the batch header only.
type forgery struct {
	name   string
	batch  []byte
	full   kafka.ErrorCode
	header kafka.ErrorCode
}

// forgedMs is the time of the records of a forged batch, where that isn't what is forged.
const forgedMs = 1_790_003_600_000

// aRecord is a record by its fields, which may lie; its length is right.
func aRecord(attributes byte, timestampDelta, offsetDelta int64, rest ...byte) []byte {
	body := []byte{attributes}
	body = binary.AppendVarint(body, timestampDelta)
	body = binary.AppendVarint(body, offsetDelta)
	body = append(body, rest...)
	return append(binary.AppendVarint(nil, int64(len(body))), body...)
}

// content is a null key, a value and no headers.
func content() []byte { return []byte{1, 2, 'v', 0} }

// holding is a batch whose header says that it holds n records, and what it holds.
func holding(n uint32, records ...[]byte) []byte {
	return forged(record.None, both(both(put32(atCount, n), put32(atLastDelta, n-1)), with(slices.Concat(records...))))
}

func put64(at int, v int64) func([]byte) []byte {
	return func(b []byte) []byte { binary.BigEndian.PutUint64(b[at:], uint64(v)); return b }
}

func forgeries(nowMs int64) []forgery {
	ok, invalid, badTime := kafka.ErrNone, kafka.ErrInvalidRecord, kafka.ErrInvalidTimestamp
	good := aRecord(0, 0, 0, content()...)
	second := aRecord(0, 0, 1, content()...)
	packed := func(c record.Codec, records ...[]byte) []byte {
		plain := must.Get(c.Compress(nil, -1, slices.Concat(records...)))
		return forged(c, both(both(put32(atCount, 2), put32(atLastDelta, 1)), with(plain)))
	}
	idempotentLie := func(sequence uint32) []byte {
		return forged(record.None, both(both(put64(atProducerID, 7), put16(atEpoch, 0)), put32(atSequence, sequence)))
	}
	const atBaseTime, atMaxTime = 27, 35
	return []forgery{
		{"two records", holding(2, good, second), ok, ok},
		{"fewer records than it says", holding(3, good, second), invalid, ok},
		{"more records than it says", holding(1, good, second), invalid, ok},
		{"a count that is no number of offsets", forged(record.None, put32(atCount, 2)), invalid, invalid},
		{"an offset delta twice", holding(2, good, good), invalid, ok},
		{"an offset delta that skips", holding(2, good, aRecord(0, 0, 2, content()...)), invalid, ok},
		{"an offset delta below zero", holding(2, good, aRecord(0, 0, -1, content()...)), invalid, ok},
		{"a first offset delta of one", holding(1, second), invalid, ok},
		{"a record longer than its batch", holding(1, append([]byte{0x7e}, good[1:]...)), invalid, ok},
		{"a record shorter than its fields", holding(1, append([]byte{good[0] - 2}, good[1:]...)), invalid, ok},
		{"an empty record", holding(1, []byte{0}), invalid, ok},
		{"a record of negative length", holding(1, []byte{1}), invalid, ok},
		{"a length of six bytes", holding(1, append([]byte{good[0] | 0x80, 0x80, 0x80, 0x80, 0x80, 0}, good[1:]...)), invalid, ok},
		{"a length that never ends", holding(1, bytes.Repeat([]byte{0xff}, 20)), invalid, ok},
		{"a timestamp delta that never ends", holding(1, append([]byte{40, 0}, bytes.Repeat([]byte{0xff}, 19)...)), invalid, ok},
		{"a key longer than its record", holding(1, aRecord(0, 0, 0, 0x7e, 2, 'v', 0)), invalid, ok},
		{"a value longer than its record", holding(1, aRecord(0, 0, 0, 1, 0x7e, 'v', 0)), invalid, ok},
		{"a header count below zero", holding(1, aRecord(0, 0, 0, 1, 2, 'v', 1)), invalid, ok},
		{"more headers than there are", holding(1, aRecord(0, 0, 0, 1, 2, 'v', 4, 2, 'h', 0)), invalid, ok},
		{"fewer headers than there are", holding(1, aRecord(0, 0, 0, 1, 2, 'v', 2, 2, 'h', 0, 2, 'i', 0)), invalid, ok},
		{"a header without a key", holding(1, aRecord(0, 0, 0, 1, 2, 'v', 2, 1, 0)), invalid, ok},
		{"a header without a value", holding(1, aRecord(0, 0, 0, 1, 2, 'v', 2, 2, 'h', 1)), ok, ok},
		{"attributes of a record", holding(1, aRecord(0xff, 0, 0, content()...)), ok, ok},
		{"bytes behind the last record", holding(2, good, second, []byte{0}), invalid, ok},
		{"a lying count, packed", packed(record.Zstd, good), invalid, ok},
		{"bytes behind the last record, packed", packed(record.Gzip, good, second, []byte{0}), invalid, ok},
		{"an offset delta twice, packed", packed(record.LZ4, good, good), invalid, ok},
		{"a record that ends early, packed", packed(record.Snappy, good, second[:3]), invalid, ok},
		{"records as they should be, packed", packed(record.Snappy, good, second), ok, ok},
		{"a codec that it isn't packed with", forged(record.None, put16(atAttributes, uint16(record.Gzip))), invalid, ok},
		{"an unknown codec", forged(record.None, put16(atAttributes, 5)), invalid, invalid},
		{"a control bit", forged(record.None, put16(atAttributes, record.AttrControl)), invalid, invalid},
		{"a delete horizon", forged(record.None, put16(atAttributes, record.AttrDeleteHorizon)), ok, ok},
		{"a reserved bit", forged(record.None, put16(atAttributes, 0x80)), ok, ok},
		{"a largest timestamp that is too small", forged(record.None, put64(atMaxTime, 5)), ok, ok},
		{"a largest timestamp far ahead, of records that are not", forged(record.None, put64(atMaxTime, 1<<50)), ok, badTime},
		{"records far ahead", forged(record.None, both(put64(atBaseTime, 1<<50), put64(atMaxTime, 1<<50))), badTime, badTime},
		{"records far ahead, which the header hides", forged(record.None, put64(atBaseTime, 1<<50)), badTime, ok},
		{"a record far ahead, which the header hides", holding(1, aRecord(0, nowMs, 0, content()...)), badTime, ok},
		{"a timestamp past the end of time", holding(1, aRecord(0, 1<<62, 0, content()...)), badTime, ok},
		{"a sequence without a producer", forged(record.None, put32(atSequence, 3)), ok, ok},
		{"a producer without a sequence", idempotentLie(0xffffffff), invalid, invalid},
		{"a sequence that wraps", idempotentLie(0x7fffffff), ok, ok},
	}
}

// TestForgedBatches holds what becomes of each forgery in both modes, and that whatever was taken is served around: a
// forged batch hides nothing of the others and fails no request of anybody, before and after a start that reads it again.
func TestForgedBatches(t *testing.T) {
	for _, mode := range []string{"full", "header"} {
		r := newRig(t, "milena.validate", mode)
		for i, f := range forgeries(r.w.Now().WallMs) {
			want := f.full
			if mode == "header" {
				want = f.header
			}
			topic := "forged-" + string(rune('a'+i/26)) + string(rune('a'+i%26))
			r.create(topic, 1)
			wantCode(t, r.write(topic, 0, timed(forgedMs-100_000)).ErrorCode, kafka.ErrNone)
			p := r.write(topic, 0, bytes.Clone(f.batch))
			if kafka.ErrorCode(p.ErrorCode) != want {
				t.Errorf("%s, %s: %v, want %v (%s)", mode, f.name, kafka.ErrorCode(p.ErrorCode), want, text(p.ErrorMessage))
			}
			wantCode(t, r.write(topic, 0, timed(forgedMs+100_000)).ErrorCode, kafka.ErrNone)
			r.servedAround(mode+", "+f.name, topic, p)
		}
		r.kill()
		for i, f := range forgeries(r.w.Now().WallMs) {
			topic := "forged-" + string(rune('a'+i/26)) + string(rune('a'+i%26))
			r.servedAround(mode+", "+f.name+", after kill -9", topic, kmsg.ProduceResponseTopicPartition{})
		}
	}
}

// servedAround reads a topic in every way there is: all its batches come, and every lookup by time is answered with an
// offset of the log.
func (r *rig) servedAround(what, topic string, produced kmsg.ProduceResponseTopicPartition) {
	r.t.Helper()
	p := r.read(topic, 0, 0)
	next, batches := kafka.Offset(0), 0
	for rest := p.RecordBatches; len(rest) > 0; batches++ {
		b, more, err := record.Next(rest)
		if err != nil || b.CheckCRC() != nil || b.BaseOffset() != next {
			r.t.Fatalf("%s: the log is read as %v at %d", what, err, next)
		}
		next, rest = b.NextOffset(), more
	}
	if p.ErrorCode != 0 || int64(next) != p.HighWatermark || batches < 2 || produced.ErrorCode == 0 && produced.BaseOffset > 0 && batches != 3 {
		r.t.Errorf("%s: %d batches up to %d are read: error %d, high watermark %d", what, batches, next, p.ErrorCode, p.HighWatermark)
	}
	const latest, earliest, largest = -1, -2, -3
	for _, ts := range []int64{latest, earliest, largest, 0, forgedMs - 100_000, forgedMs, forgedMs + 1, 1 << 49} {
		o := ask[*kmsg.ListOffsetsResponse](r, listOffsets(topic, 7, ts)).Topics[0].Partitions[0]
		if o.ErrorCode != 0 || o.Offset < -1 || o.Offset > p.HighWatermark {
			r.t.Errorf("%s: the offset of time %d is %+v", what, ts, o)
		}
		if first := ts == 0 || ts == forgedMs-100_000; first != (o.Offset == 0) && ts != earliest {
			r.t.Errorf("%s: the first record since %d is %d", what, ts, o.Offset)
		}
	}
}

// TestHeaderModeKeepsKeysOfCompactedTopics holds that what compaction and the coordinators rely on is checked in any mode.
func TestHeaderModeKeepsKeysOfCompactedTopics(t *testing.T) {
	for _, mode := range []string{"full", "header"} {
		r := newRig(t)
		r.create("a", 1, "milena.validate", mode, "cleanup.policy", "compact")
		wantCode(t, r.write("a", 0, timed(1_790_003_600_000)).ErrorCode, kafka.ErrNone)
		p := r.write("a", 0, plain("no key"))
		if kafka.ErrorCode(p.ErrorCode) != kafka.ErrInvalidRecord || len(p.ErrorRecords) != 1 {
			t.Errorf("%s: %+v", mode, p)
		}
		wantCode(t, r.write("a", 0, holding(3, aRecord(0, 0, 0, 2, 'k', 2, 'v', 0))).ErrorCode, kafka.ErrInvalidRecord)
	}
}

// TestTimestampBounds holds the rules of message.timestamp.before.max.ms, after.max.ms and type in both modes, at their
// edges, and that a refusal names every record.
func TestTimestampBounds(t *testing.T) {
	for _, mode := range []string{"full", "header"} {
		r := newRig(t)
		r.create("bound", 1, "milena.validate", mode, "message.timestamp.before.max.ms", "1000000", "message.timestamp.after.max.ms", "2000000")
		r.create("stamped", 1, "milena.validate", mode, "message.timestamp.type", "LogAppendTime")
		r.create("free", 1, "milena.validate", mode, "message.timestamp.after.max.ms", "9223372036854775807")
		now := r.w.Now().WallMs
		const slack = 60_000 // the virtual clock goes on a little with each request
		for _, c := range []struct {
			topic string
			at    int64
			want  kafka.ErrorCode
		}{
			{"bound", now - 1_000_000 + slack, kafka.ErrNone}, {"bound", now - 1_000_001 - slack, kafka.ErrInvalidTimestamp},
			{"bound", now + 2_000_000 - slack, kafka.ErrNone}, {"bound", now + 2_000_001 + slack, kafka.ErrInvalidTimestamp},
			{"bound", -1, kafka.ErrNone}, {"bound", 0, kafka.ErrInvalidTimestamp},
			{"stamped", 0, kafka.ErrNone}, {"stamped", 1 << 60, kafka.ErrNone},
			{"free", 1 << 60, kafka.ErrNone}, {"free", 0, kafka.ErrNone},
		} {
			p := r.write(c.topic, 0, timed(c.at, c.at))
			if kafka.ErrorCode(p.ErrorCode) != c.want {
				t.Errorf("%s, %s at %d ms from now: %v, want %v", mode, c.topic, c.at-now, kafka.ErrorCode(p.ErrorCode), c.want)
			}
			named := map[string]int{"full": 2, "header": 1}[mode]
			if c.want == kafka.ErrInvalidTimestamp && len(p.ErrorRecords) != named {
				t.Errorf("%s: %+v", mode, p.ErrorRecords)
			}
			if stamped := c.topic == "stamped"; stamped != (p.LogAppendTime > 0) {
				t.Errorf("%s, %s: the append time is told as %d", mode, c.topic, p.LogAppendTime)
			}
		}
	}
}
