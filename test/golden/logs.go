package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/offline"
)

// logs is one node with a topic for each thing a log must cope with, stopped cleanly.
func logs(ctx context.Context, work string, a *archive) error {
	node, err := broker.New("kafka", broker.Options{Dir: filepath.Join(work, "logs"), Overrides: small(map[string]string{
		"log.cleaner.backoff.ms":                          "100",
		"log.retention.check.interval.ms":                 "200",
		"metadata.log.max.record.bytes.between.snapshots": "6000",
	})})
	if err != nil {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return err
	}
	defer node.Kill9()
	s := &scenes{node: node, at: node.Bootstrap(), sent: map[string][]offline.Record{}}
	for _, scene := range []func(context.Context) error{s.codecs, s.idempotent, s.transactions, s.compacted, s.logStart,
		s.groups, s.metadata} {
		if err := scene(ctx); err != nil {
			return err
		}
	}
	if err := node.Stop(); err != nil {
		return err
	}
	root := node.DataDir()
	for dir, sent := range s.sent {
		if dir == "compacted-0" || dir == "logstart-0" {
			continue // the broker has removed records on purpose
		}
		if err := checkSent(root, dir, sent); err != nil {
			return err
		}
	}
	return s.pack(a, root)
}

func (s *scenes) pack(a *archive, root string) error {
	for _, part := range []struct {
		name, about string
		facts       map[string]any
		dirs        []string
	}{
		{"codecs", "one partition per codec, three batches each: odd records, then two plain ones; `codec-time-0` has LogAppendTime",
			nil, []string{"codec-none-0", "codec-gzip-0", "codec-snappy-0", "codec-lz4-0", "codec-zstd-0", "codec-time-0"}},
		{"idempotent", "two idempotent producers in turn, eight batches each, rolled into several segments by segment.ms, with producer snapshots",
			nil, []string{"idempotent-0"}},
		{"transactions", "committed, aborted and interleaved transactions with markers, `.txnindex`, and one still open at the clean stop",
			s.txnFacts, []string{"txn-0", "__transaction_state-0"}},
		{"compacted", "a compacted log: the cleaner has run over all but the active segment; tombstones with delete horizon, an aborted transaction",
			s.compactFacts, []string{"compacted-0"}},
		{"logstart", "DeleteRecords moved the log start into the middle of a segment, whole segments before it are gone",
			s.startFacts, []string{"logstart-0"}},
		{"groups", "`__consumer_offsets`: a classic group, a group of the new protocol, a simple group with a deleted offset, a deleted group",
			s.groupFacts, []string{"__consumer_offsets-0", "__consumer_offsets-1", "__consumer_offsets-2"}},
		{"metadata", "the metadata log with snapshots: topics, one deleted, partitions added, topic and broker configs, a quota, a SCRAM user",
			s.metaFacts, []string{"__cluster_metadata-0"}},
	} {
		if err := a.add(part.name, part.about, root, part.facts, part.dirs...); err != nil {
			return err
		}
	}
	return nil
}

// scenes is what the scenes of the logs node share.
type scenes struct {
	node broker.Broker
	at   string
	sent map[string][]offline.Record

	txnFacts, compactFacts, startFacts, groupFacts, metaFacts map[string]any
}

func (s *scenes) codecs(ctx context.Context) error {
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(), "time": kgo.GzipCompression(),
	} {
		topic := "codec-" + name
		configs := map[string]string{}
		sent := s.sent
		if name == "time" {
			configs["message.timestamp.type"] = "LogAppendTime"
			sent = map[string][]offline.Record{} // the broker overwrites the timestamps
		}
		if err := createTopic(ctx, s.at, topic, 1, configs); err != nil {
			return err
		}
		p, err := newSender(s.at, sent, kgo.ProducerBatchCompression(codec), kgo.DisableIdempotentWrite())
		if err != nil {
			return err
		}
		for i, records := range [][]offline.Record{odd(0), {rec(10, "a", "1")}, {rec(11, "b", "2"), rec(12, "c", "3")}} {
			if err := p.batch(ctx, topic, 0, records...); err != nil {
				return fmt.Errorf("%s, batch %d: %w", topic, i, err)
			}
		}
		p.client.Close()
	}
	return nil
}

// idempotent rolls by record time: segment.ms looks at the records' timestamps, so the segments are the same each time.
func (s *scenes) idempotent(ctx context.Context) error {
	if err := createTopic(ctx, s.at, "idempotent", 1, map[string]string{"segment.ms": "5000"}); err != nil {
		return err
	}
	one, err := newSender(s.at, s.sent)
	if err != nil {
		return err
	}
	defer one.client.Close()
	two, err := newSender(s.at, s.sent)
	if err != nil {
		return err
	}
	defer two.client.Close()
	for i := range 8 {
		if err := one.batch(ctx, "idempotent", 0, rec(2*i, "one", fmt.Sprint(i)), rec(2*i, "one", "second")); err != nil {
			return err
		}
		if err := two.batch(ctx, "idempotent", 0, rec(2*i+1, "two", fmt.Sprint(i))); err != nil {
			return err
		}
	}
	return nil
}

func (s *scenes) logStart(ctx context.Context) error {
	if err := createTopic(ctx, s.at, "logstart", 1, map[string]string{"segment.ms": "5000", "file.delete.delay.ms": "0"}); err != nil {
		return err
	}
	p, err := newSender(s.at, s.sent)
	if err != nil {
		return err
	}
	defer p.client.Close()
	for i := range 20 {
		if err := p.batch(ctx, "logstart", 0, rec(i, "k", fmt.Sprint(i))); err != nil {
			return err
		}
	}
	admin := kadm.NewClient(p.client)
	offsets := kadm.Offsets{}
	offsets.AddOffset("logstart", 0, 9, -1)
	answer, err := admin.DeleteRecords(ctx, offsets)
	if err == nil {
		err = answer.Error()
	}
	s.startFacts = map[string]any{"log_start_offset": 9, "log_end_offset": 20,
		"log-start-offset-checkpoint": "holds the line `logstart 0 9` in a whole data directory"}
	if err != nil {
		return err
	}
	first := filepath.Join(s.node.DataDir(), "logstart-0", fmt.Sprintf("%020d.log", 0))
	return await(ctx, "the first segment of logstart to go", func() bool {
		_, err := os.Stat(first)
		return errors.Is(err, fs.ErrNotExist)
	})
}
