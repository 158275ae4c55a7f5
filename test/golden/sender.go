package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"reflect"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/offline"
)

// epoch is the timestamp of the first golden record; every later one is a second further.
const epoch = 1_700_000_000_000

// sender produces so that each call of batch makes exactly one record batch, and remembers what was sent.
type sender struct {
	client *kgo.Client
	sent   map[string][]offline.Record // by directory name, topic-partition
}

func newSender(bootstrap string, sent map[string][]offline.Record, opts ...kgo.Opt) (*sender, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.ManualFlushing(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(900_000)}, opts...)...)
	if err != nil {
		return nil, err
	}
	return &sender{client: client, sent: sent}, nil
}

// batch sends records as one batch and checks that they got consecutive offsets.
func (s *sender) batch(ctx context.Context, topic string, part int32, records ...offline.Record) error {
	results := make([]*kgo.Record, 0, len(records))
	var failed error
	for _, r := range records {
		rec := &kgo.Record{Topic: topic, Partition: part, Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.Timestamp)}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		results = append(results, rec)
		s.client.Produce(ctx, rec, func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err
			}
		})
	}
	if err := s.client.Flush(ctx); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("produce to %s-%d: %w", topic, part, failed)
	}
	dir := fmt.Sprintf("%s-%d", topic, part)
	for i, rec := range results {
		if rec.Offset != results[0].Offset+int64(i) {
			return fmt.Errorf("%s: one batch got offsets %d and %d", dir, results[0].Offset, rec.Offset)
		}
		r := records[i]
		r.Offset = rec.Offset
		s.sent[dir] = append(s.sent[dir], r)
	}
	return nil
}

// checkSent compares what the offline reader finds in a directory with what was sent.
func checkSent(root, dir string, sent []offline.Record) error {
	read, err := offline.Read(filepath.Join(root, dir))
	if err != nil {
		return err
	}
	records, err := read.Records()
	if err != nil {
		return err
	}
	if len(records) != len(sent) {
		return fmt.Errorf("%s: %d records on disk, %d sent", dir, len(records), len(sent))
	}
	for i := range sent {
		if !reflect.DeepEqual(records[i], sent[i]) {
			return fmt.Errorf("%s: on disk %+v\nsent %+v", dir, records[i], sent[i])
		}
	}
	return nil
}

// rec is a plain record: key and value from strings, the n-th second after the epoch.
func rec(n int, key, value string) offline.Record {
	return offline.Record{Timestamp: epoch + int64(n)*1000, Key: []byte(key), Value: []byte(value)}
}

// odd are the records every decoder must cope with: null and empty keys and values, headers with null, empty and
// repeated names, bytes that are no text, a timestamp that goes back, a value large enough to compress in chunks.
func odd(n int) []offline.Record {
	large := make([]byte, 70_000)
	for i := 0; i+8 <= len(large); i += 8 {
		binary.BigEndian.PutUint64(large[i:], uint64(i/64))
	}
	records := []offline.Record{
		rec(n, "key", "value"),
		{Timestamp: epoch + int64(n)*1000 + 1, Value: []byte("null key")},
		{Timestamp: epoch + int64(n)*1000 + 2, Key: []byte("null value")},
		{Timestamp: epoch + int64(n)*1000 + 2},
		{Timestamp: epoch + int64(n)*1000 - 500, Key: []byte{}, Value: []byte{}},
		{Timestamp: epoch + int64(n)*1000 + 3, Key: []byte{0, 0xff, '\n'}, Value: []byte("größer"),
			Headers: []offline.Header{{Key: "h", Value: []byte("1")}, {Key: "h", Value: []byte("2")},
				{Key: "null"}, {Key: "empty", Value: []byte{}}, {Key: "", Value: []byte{0, 1, 2}}}},
		{Timestamp: epoch + int64(n)*1000 + 4, Key: []byte("large"), Value: large},
	}
	return records
}

func createTopic(ctx context.Context, bootstrap, name string, partitions int32, configs map[string]string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return err
	}
	defer client.Close()
	set := map[string]*string{}
	for key, value := range configs {
		set[key] = &value
	}
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, partitions, 1, set, name); err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	return nil
}
