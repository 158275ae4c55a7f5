package raw

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Drain says what is fetched: Fetch v11 without a session, one partition a request.
type Drain struct {
	Addr       string
	Topic      string
	Partitions int
	MaxBytes   int32 // of a request
	Readers    int   // connections; each reads every partition it is given
	WaitMs     int32
	MinBytes   int32
}

// request encodes a fetch of a partition from an offset, and tells where in the frame the offset stands.
func (d Drain) request(partition int32, from int64) (out []byte, at int) {
	const mark = 0x0102030405060708
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = partition, mark, d.MaxBytes
	part.CurrentLeaderEpoch, part.LogStartOffset = -1, -1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.Partitions = d.Topic, []kmsg.FetchRequestTopicPartition{part}
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.ReplicaID, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 11, -1, d.WaitMs, max(d.MinBytes, 1), d.MaxBytes
	req.SessionID, req.SessionEpoch = 0, -1
	req.Topics = []kmsg.FetchRequestTopic{topic}
	out = frame(req.Key(), req.Version, req.AppendTo(nil))
	for at = 0; binary.BigEndian.Uint64(out[at:]) != mark; at++ {
	}
	binary.BigEndian.PutUint64(out[at:], uint64(from))
	return out, at
}

// fetched reads the answer to one request: how many bytes of records came, and the offset after the last of them.
func (c *conn) fetched(topic string, from int64) (bytes int, next int64, err error) {
	body, err := c.answer()
	if err != nil {
		return 0, 0, err
	}
	f := fields{b: body}
	f.take(4 + 4)
	if code := f.int16(); code != 0 {
		return 0, 0, kerr.ErrorForCode(code)
	}
	f.take(4 + 4 + 2 + len(topic) + 4 + 4) // session id, one topic by name, one partition by number
	code := f.int16()
	f.take(8 + 8 + 8)
	f.take(16 * int(max(f.int32(), 0))) // aborted transactions
	f.take(4)
	n := int(f.int32())
	if f.short || n > len(f.b) {
		return 0, 0, errors.New("a short answer to Fetch")
	}
	if code != 0 {
		return 0, 0, fmt.Errorf("fetch of %s at %d: %w", topic, from, kerr.ErrorForCode(code))
	}
	return max(n, 0), after(f.b[:max(n, 0)], from), nil
}

// after walks the batches and returns the offset after the last whole one.
func after(records []byte, from int64) int64 {
	for len(records) >= 61 {
		n := 12 + int(binary.BigEndian.Uint32(records[8:]))
		if n > len(records) {
			break
		}
		from = int64(binary.BigEndian.Uint64(records)) + int64(binary.BigEndian.Uint32(records[23:])) + 1
		records = records[n:]
	}
	return from
}

// All reads every partition from the beginning up to ends, its readers sharing the partitions, rounds times over.
func (d Drain) All(ctx context.Context, ends []int64, rounds int) (bytes int64, took time.Duration, err error) {
	var total, turn atomic.Int64
	begin := time.Now()
	err = Load{Addr: d.Addr, Connections: d.Readers}.each(func(c *conn, _ int) error {
		for {
			n := int(turn.Add(1) - 1)
			if n >= len(ends)*rounds || ctx.Err() != nil {
				return ctx.Err()
			}
			p := n % len(ends)
			req, at := d.request(int32(p), 0)
			for offset := int64(0); offset < ends[p]; {
				binary.BigEndian.PutUint64(req[at:], uint64(offset))
				if _, err := c.Write(req); err != nil {
					return err
				}
				got, next, err := c.fetched(d.Topic, offset)
				if err != nil {
					return err
				}
				total.Add(int64(got))
				offset = next
			}
		}
	})
	return total.Load(), time.Since(begin), err
}

// Follow reads partition 0 at its end with every reader until stop is closed, and returns the bytes delivered to all.
func (d Drain) Follow(from int64, stop <-chan struct{}) (bytes int64, err error) {
	var total atomic.Int64
	err = Load{Addr: d.Addr, Connections: d.Readers}.each(func(c *conn, _ int) error {
		req, at := d.request(0, from)
		for offset := from; ; {
			select {
			case <-stop:
				return nil
			default:
			}
			binary.BigEndian.PutUint64(req[at:], uint64(offset))
			if _, err := c.Write(req); err != nil {
				return err
			}
			got, next, err := c.fetched(d.Topic, offset)
			if err != nil {
				return err
			}
			total.Add(int64(got))
			offset = next
		}
	})
	return total.Load(), err
}
