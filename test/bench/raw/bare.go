package raw

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ProduceAnswer is what the bare loop answers to every Produce of a topic: no error.
func ProduceAnswer(topic string) []byte {
	part := kmsg.NewProduceResponseTopicPartition()
	t := kmsg.NewProduceResponseTopic()
	t.Topic, t.Partitions = topic, []kmsg.ProduceResponseTopicPartition{part}
	resp := kmsg.NewPtrProduceResponse()
	resp.Version, resp.Topics = 7, []kmsg.ProduceResponseTopic{t}
	return answerFrame(resp.AppendTo(nil))
}

func answerFrame(body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))
	out = append(out, 0, 0, 0, 0) // correlation id
	return append(out, body...)
}

// BatchBytes is the length of a batch as it is stored.
func BatchBytes(records, size int) int { return len(Batch(records, size)) }

// WriteFetchable writes the file the bare loop answers fetches from, and the head of its answers beside it. A batch is a write,
// as it is for brokers: how a file was written decides into how many pieces of memory it falls, and with that what sendfile
// costs.
func WriteFetchable(path, topic string, records, size, batches int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	b := Batch(records, size)
	for i := range batches {
		binary.BigEndian.PutUint64(b, uint64(i*records))
		if _, err := f.Write(b); err != nil {
			return err
		}
	}
	part := kmsg.NewFetchResponseTopicPartition()
	part.RecordBatches = []byte{}
	t := kmsg.NewFetchResponseTopic()
	t.Topic, t.Partitions = topic, []kmsg.FetchResponseTopicPartition{part}
	resp := kmsg.NewPtrFetchResponse()
	resp.Version, resp.Topics = 11, []kmsg.FetchResponseTopic{t}
	return os.WriteFile(path+".head", answerFrame(resp.AppendTo(nil)), 0o644)
}

// FetchSpec tells the bare loop the length of a batch, its records, and where a request says offset and bytes.
func FetchSpec(topic string, records, size int) string {
	req, offsetAt := Drain{Topic: topic, MaxBytes: 0x0a0b0c0d}.request(0, 0)
	bytesAt := slices.Index(req[offsetAt:], 0x0a) + offsetAt // the partition's own limit comes after its offset
	return fmt.Sprintf("%d %d %d %d", len(Batch(records, size)), records, offsetAt, bytesAt)
}

// Alone sends one request after the other on one connection, and times each until its answer. The times come back sorted.
func (l Load) Alone(ctx context.Context, times int) ([]time.Duration, error) {
	c, err := dial(l.Addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	frames := l.frames()
	took := make([]time.Duration, 0, times)
	for i := range times {
		begin := time.Now()
		if _, err := c.Write(frames[i%len(frames)]); err != nil {
			return nil, err
		}
		if err := c.produced(l.Topic); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begin))
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	slices.Sort(took)
	return took, nil
}
