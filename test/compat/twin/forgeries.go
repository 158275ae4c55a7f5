package twin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// forgeries is a conversation of Produce requests whose batches have a good checksum around records that lie: about their
// lengths and counts, their place and their time, in numbers longer than they have to be. Every forgery comes plain and with
// every codec. mode stands before the names of the questions.
func forgeries(mode string) func(*talk, context.Context) error {
	return func(t *talk, ctx context.Context) error {
		if err := t.create("for forgeries", 7, false, newTopic("forged", 1, 1), newTopic("keyed", 1, 1, "cleanup.policy", "compact"),
			newTopic("rezipped", 1, 1, "compression.type", "gzip")); err != nil {
			return err
		}
		if err := t.ready(); err != nil {
			return err
		}
		for _, c := range codecs() {
			for _, f := range forged() {
				f.name = mode + f.name
				if err := errors.Join(t.forge(f, c), ctx.Err()); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// codec is one way to pack records.
type codec struct {
	name      string
	attribute int16
	codec     kgo.CompressionCodec
}

func (c codec) pack(records []byte) []byte {
	with, err := kgo.DefaultCompressor(c.codec)
	if err != nil {
		panic(err) // it is among its own
	}
	var into bytes.Buffer
	out, _ := with.Compress(&into, records)
	return bytes.Clone(out)
}

func codecs() []codec {
	return []codec{
		{"plain", 0, kgo.NoCompression()}, {"gzip", 1, kgo.GzipCompression()}, {"snappy", 2, kgo.SnappyCompression()},
		{"lz4", 3, kgo.Lz4Compression()}, {"zstd", 4, kgo.ZstdCompression()},
	}
}

// takers are the topics that forgeries are sent to.
func takers() []string { return []string{"forged", "keyed", "rezipped"} }

// ready waits until all of them take records: Apache Kafka shows a topic before it leads it.
func (t *talk) ready() error {
	for _, name := range takers() {
		taken := false
		for try := 0; !taken; try++ {
			req, err := t.producing(name, forgery{}.batch(codecs()[0]))
			if err != nil {
				return err
			}
			resp, err := t.exchange(req)
			if err != nil || resp == nil || try > 2000 {
				return fmt.Errorf("%s takes nothing: %v", name, err)
			}
			taken = resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode == 0
		}
	}
	return nil
}

// producing is a Produce request of one batch, in the newest version that both know.
func (t *talk) producing(name string, batch []byte) (kmsg.Request, error) {
	topic, err := t.lookup(name)
	if err != nil {
		return nil, err
	}
	req := versioned(kmsg.NewPtrProduceRequest(), ranges[int16(kmsg.Produce)][1])
	req.Acks, req.TimeoutMillis = -1, 20000
	to := kmsg.NewProduceRequestTopic()
	to.Topic, to.TopicID = topic.name, topic.id
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = batch
	to.Partitions = append(to.Partitions, p)
	req.Topics = append(req.Topics, to)
	return req, nil
}

// forge sends one forgery to each of the topics.
func (t *talk) forge(f forgery, c codec) error {
	for _, name := range takers() {
		req, err := t.producing(name, f.batch(c))
		if err != nil {
			return err
		}
		if _, err := t.ask(fmt.Sprintf("%s, %s, %s", f.name, c.name, name), req); err != nil {
			return err
		}
		// Where it went follows from what was taken before it, and one difference is to be told once.
		for field, value := range t.answers[len(t.answers)-1].fields {
			if strings.HasSuffix(field, ".BaseOffset") && value != "-1" {
				t.note(field, "somewhere")
			}
		}
	}
	return nil
}

// forgery is two records, the second of which may lie; or a batch that lies about them.
type forgery struct {
	name  string
	lie   func(*forgedRecord)
	says  func(*kmsg.RecordBatch)
	after []byte // behind the last record
}

// forgedRecord is a record in the raw: every number as its bytes.
type forgedRecord struct {
	length                      []byte // nil: as it is
	attributes                  byte
	timestampDelta, offsetDelta []byte
	keyLength, key              []byte
	valueLength, value          []byte
	headerCount, headers        []byte
}

func forged() []forgery {
	lie := func(name string, f func(*forgedRecord)) forgery { return forgery{name: name, lie: f} }
	says := func(name string, f func(*kmsg.RecordBatch)) forgery { return forgery{name: name, says: f} }
	return []forgery{
		{name: "honest"},
		lie("offset delta in 5 bytes", func(r *forgedRecord) { r.offsetDelta = overlong(1, 5) }),
		lie("offset delta in 6 bytes", func(r *forgedRecord) { r.offsetDelta = overlong(1, 6) }),
		lie("offset delta past 32 bits", func(r *forgedRecord) { r.offsetDelta = []byte{0x82, 0x80, 0x80, 0x80, 0x70} }),
		lie("offset delta 0 again", func(r *forgedRecord) { r.offsetDelta = zigzag(0) }),
		lie("offset delta 5", func(r *forgedRecord) { r.offsetDelta = zigzag(5) }),
		lie("offset delta -1", func(r *forgedRecord) { r.offsetDelta = zigzag(-1) }),
		lie("timestamp delta in 10 bytes", func(r *forgedRecord) { r.timestampDelta = overlong(1, 10) }),
		lie("timestamp delta in 11 bytes", func(r *forgedRecord) { r.timestampDelta = overlong(1, 11) }),
		lie("timestamp delta of a year", func(r *forgedRecord) { r.timestampDelta = zigzag(365 * 86_400_000) }),
		lie("timestamp delta of a century", func(r *forgedRecord) { r.timestampDelta = zigzag(100 * 365 * 86_400_000) }),
		lie("timestamp delta -1", func(r *forgedRecord) { r.timestampDelta = zigzag(-1) }),
		lie("timestamp delta to before 1970", func(r *forgedRecord) { r.timestampDelta = zigzag(-begin - 5) }),
		lie("key length in 5 bytes", func(r *forgedRecord) { r.keyLength = overlong(2, 5) }),
		lie("key length in 6 bytes", func(r *forgedRecord) { r.keyLength = overlong(2, 6) }),
		lie("key length -1", func(r *forgedRecord) { r.keyLength, r.key = zigzag(-1), nil }),
		lie("key length -2", func(r *forgedRecord) { r.keyLength, r.key = zigzag(-2), nil }),
		lie("key length -2 and a key", func(r *forgedRecord) { r.keyLength = zigzag(-2) }),
		lie("key length past the record", func(r *forgedRecord) { r.keyLength = zigzag(1000) }),
		lie("key length 2^31-1", func(r *forgedRecord) { r.keyLength = zigzag(1<<31 - 1) }),
		lie("key length one more", func(r *forgedRecord) { r.keyLength = zigzag(3) }),
		lie("value length in 5 bytes", func(r *forgedRecord) { r.valueLength = overlong(5, 5) }),
		lie("value length -1", func(r *forgedRecord) { r.valueLength, r.value = zigzag(-1), nil }),
		lie("value length -2", func(r *forgedRecord) { r.valueLength, r.value = zigzag(-2), nil }),
		lie("value length -2^31", func(r *forgedRecord) { r.valueLength, r.value = zigzag(-1<<31), nil }),
		lie("value length past the record", func(r *forgedRecord) { r.valueLength = zigzag(1000) }),
		lie("value length one less", func(r *forgedRecord) { r.valueLength = zigzag(4) }),
		lie("header count in 5 bytes", func(r *forgedRecord) { r.headerCount = overlong(0, 5) }),
		lie("header count -1", func(r *forgedRecord) { r.headerCount = zigzag(-1) }),
		lie("header count 1, none there", func(r *forgedRecord) { r.headerCount = zigzag(1) }),
		lie("header count 2^31-1", func(r *forgedRecord) { r.headerCount = zigzag(1<<31 - 1) }),
		lie("header count 0, one there", func(r *forgedRecord) { r.headers = []byte{2, 'h', 2, 'v'} }),
		lie("a header", func(r *forgedRecord) { r.headerCount, r.headers = zigzag(1), []byte{2, 'h', 2, 'v'} }),
		lie("a header without value", func(r *forgedRecord) { r.headerCount, r.headers = zigzag(1), []byte{2, 'h', 1} }),
		lie("a header without key", func(r *forgedRecord) { r.headerCount, r.headers = zigzag(1), []byte{1, 2, 'v'} }),
		lie("a header's value length -2", func(r *forgedRecord) { r.headerCount, r.headers = zigzag(1), []byte{2, 'h', 3} }),
		lie("attributes", func(r *forgedRecord) { r.attributes = 0x7f }),
		lie("record length one less", func(r *forgedRecord) { r.length = zigzag(r.size() - 1) }),
		lie("record length one more", func(r *forgedRecord) { r.length = zigzag(r.size() + 1) }),
		lie("record length in 5 bytes", func(r *forgedRecord) { r.length = overlong(r.size(), 5) }),
		lie("record length 0", func(r *forgedRecord) { r.length = zigzag(0) }),
		lie("record length -1", func(r *forgedRecord) { r.length = zigzag(-1) }),
		lie("record length 2^31-1", func(r *forgedRecord) { r.length = zigzag(1<<31 - 1) }),
		says("count one less", func(b *kmsg.RecordBatch) { b.NumRecords = 1 }),
		says("count one more", func(b *kmsg.RecordBatch) { b.NumRecords = 3 }),
		says("count and offset delta one more", func(b *kmsg.RecordBatch) { b.NumRecords, b.LastOffsetDelta = 3, 2 }),
		says("count and offset delta one less", func(b *kmsg.RecordBatch) { b.NumRecords, b.LastOffsetDelta = 1, 0 }),
		says("count 0", func(b *kmsg.RecordBatch) { b.NumRecords = 0 }),
		says("count -1", func(b *kmsg.RecordBatch) { b.NumRecords = -1 }),
		says("count 2^31-1", func(b *kmsg.RecordBatch) { b.NumRecords, b.LastOffsetDelta = 1<<31-1, 1<<31-2 }),
		says("last offset delta -1", func(b *kmsg.RecordBatch) { b.LastOffsetDelta = -1 }),
		{name: "bytes behind the last record", after: []byte{0, 0, 0}},
		{name: "half a record behind the last", after: []byte{30, 0, 0}},
	}
}

// batch is the forgery as bytes with a good length and checksum.
func (f forgery) batch(c codec) []byte {
	return packed(2, func(b *kmsg.RecordBatch) {
		second := honest(1)
		if f.lie != nil {
			f.lie(&second)
		}
		first := honest(0)
		records := append(append(first.append(nil), second.append(nil)...), f.after...)
		if b.Attributes = c.attribute; c.attribute != 0 {
			records = c.pack(records)
		}
		b.Records = records
		if f.says != nil {
			f.says(b)
		}
	})
}

func honest(i int64) forgedRecord {
	return forgedRecord{timestampDelta: zigzag(i), offsetDelta: zigzag(i), keyLength: zigzag(2), key: []byte("k0"),
		valueLength: zigzag(5), value: []byte("value"), headerCount: zigzag(0)}
}

func (r *forgedRecord) body() []byte {
	return bytes.Join([][]byte{{r.attributes}, r.timestampDelta, r.offsetDelta, r.keyLength, r.key, r.valueLength, r.value, r.headerCount, r.headers}, nil)
}

func (r *forgedRecord) size() int64 { return int64(len(r.body())) }

func (r *forgedRecord) append(dst []byte) []byte {
	if r.length == nil {
		return append(append(dst, zigzag(r.size())...), r.body()...)
	}
	return append(append(dst, r.length...), r.body()...)
}

// zigzag is a number as a varint of the least bytes.
func zigzag(n int64) []byte {
	u := uint64(n<<1) ^ uint64(n>>63)
	var out []byte
	for ; u >= 0x80; u >>= 7 {
		out = append(out, byte(u)|0x80)
	}
	return append(out, byte(u))
}

// overlong is a number as a varint of so many bytes.
func overlong(n int64, size int) []byte {
	out := zigzag(n)
	for len(out) < size {
		out[len(out)-1] |= 0x80
		out = append(out, 0)
	}
	return out
}
