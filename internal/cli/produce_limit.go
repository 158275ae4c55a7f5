package cli

import (
	"context"
	"fmt"
	"math/bits"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/internal/record"
)

// batchLimit is the size that no batch of a produce run may pass, before compression.
type batchLimit struct {
	topic      string
	bytes      int64
	asked      bool // by --max-bytes; otherwise it is the topic's max.message.bytes
	compressed bool
}

const (
	// unknownLimit stands where a topic's limit cannot be asked for: just below Kafka's default of it.
	unknownLimit = 1 << 20
	// mostLimit keeps a request below socket.request.max.bytes, whatever a topic would take.
	mostLimit = 99 << 20
	// prefixBytes is what the client counts to a batch and a log doesn't: its length in the request.
	prefixBytes = 5
)

// batchLimit finds out how large batches may be. A client that sends larger ones than the topic takes has them refused,
// however small each record is.
func (a *app) batchLimit(ctx context.Context, f produceFlags, topic string) (batchLimit, error) {
	l := batchLimit{topic: topic, bytes: unknownLimit, compressed: f.compression != "none" && f.compression != ""}
	if f.maxBytes != "" {
		n, err := parseSize(f.maxBytes)
		if err != nil || n < 1<<10 || n > 1<<30 {
			return l, usage("--max-bytes %q is no size from 1KiB to 1GiB", f.maxBytes)
		}
		l.bytes, l.asked = n, true
		return l, nil
	}
	return l, a.admin(ctx, func(ctx context.Context, _ *kgo.Client, adm *kadm.Client) error {
		configs, err := adm.DescribeTopicConfigs(ctx, topic)
		if err != nil {
			return nil // the topic may not be described to us, and may be written
		}
		for _, c := range configs {
			for _, kv := range c.Configs {
				if n, err := strconv.ParseInt(kv.MaybeValue(), 10, 64); err == nil && kv.Key == "max.message.bytes" {
					l.bytes = min(n, mostLimit)
				}
			}
		}
		return nil
	})
}

// options are the client's for this limit. Its least batch is 1 KiB; what is above a smaller limit is found by check.
func (l batchLimit) options() []kgo.Opt {
	largest := max(l.bytes, 1<<10)
	return []kgo.Opt{
		kgo.ProducerBatchMaxBytes(int32(largest)), kgo.BrokerMaxWriteBytes(int32(max(largest+1<<20, 100<<20))), kgo.MaxBufferedBytes(int(max(64<<20, largest+largest/2))),
	}
}

// check refuses a record that no batch can hold, before the client does: its refusal would overtake the acknowledgements
// of the records before.
func (l batchLimit) check(r *kgo.Record) error {
	if n := batchOf(r) + prefixBytes; n > l.bytes {
		whose := "max.message.bytes of " + l.topic
		if l.asked {
			whose = "--max-bytes"
		}
		f := failed(kerr.MessageTooLarge.Message, "%s: it takes %d bytes, %s is %d", kerr.MessageTooLarge.Message, n, whose, l.bytes)
		return f.try("%s", l.hint(r))
	}
	return nil
}

// hint says what would let a refused record through.
func (l batchLimit) hint(r *kgo.Record) string {
	need := batchOf(r) + prefixBytes
	alter := alterLimit(l.topic, need)
	switch {
	case l.asked && need > l.bytes:
		return fmt.Sprintf("--max-bytes %s; the topic has to take it, too: %s", roundSize(need), alter)
	case l.asked:
		return "leave --max-bytes out and batches are as large as the topic takes; for larger ones: " + alterLimit(l.topic, l.bytes)
	case need > l.bytes && l.compressed:
		return fmt.Sprintf("--max-bytes %s when it fits once compressed; else %s", roundSize(need), alter)
	case need > mostLimit:
		return fmt.Sprintf("--max-bytes %s, max.message.bytes of the topic and socket.request.max.bytes of the brokers have to hold it", roundSize(need))
	}
	return "raise max.message.bytes: " + alterLimit(l.topic, max(need, l.bytes))
}

// alterLimit is the command that lets a topic take batches of so many bytes.
func alterLimit(topic string, bytes int64) string {
	return fmt.Sprintf("milena topic alter %s -c max.message.bytes=%s", topic, roundSize(bytes))
}

// roundSize is the next size that is easy to type.
func roundSize(n int64) string {
	if n <= 1<<20-1<<10 {
		return fmt.Sprintf("%dKiB", (n+1<<10-1)>>10)
	}
	return fmt.Sprintf("%dMiB", (n+1<<20-1)>>20)
}

// batchOf is the size of an uncompressed batch of one record.
func batchOf(r *kgo.Record) int64 {
	body := 3 + field(len(r.Key)) + field(len(r.Value)) + varint(len(r.Headers)) // attributes and two deltas of zero
	for _, h := range r.Headers {
		body += field(len(h.Key)) + field(len(h.Value))
	}
	return int64(record.HeaderSize + varint(body) + body)
}

// field is a length and so many bytes.
func field(n int) int { return varint(n) + n }

// varint is how many bytes the zigzag varint of a number that is not negative takes.
func varint(n int) int { return (bits.Len(uint(n)<<1|1) + 6) / 7 }
