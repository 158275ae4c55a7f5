package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/offline"
)

// compacted writes ten keys in many rounds, waits until the cleaner has been over all segments but the last, and checks
// that exactly the newest value of each key is left of them.
func (s *scenes) compacted(ctx context.Context) error {
	if err := createTopic(ctx, s.at, "compacted", 1, map[string]string{"cleanup.policy": "compact", "segment.ms": "8000",
		"min.cleanable.dirty.ratio": "0.01", "file.delete.delay.ms": "0"}); err != nil {
		return err
	}
	p, err := newSender(s.at, s.sent)
	if err != nil {
		return err
	}
	defer p.client.Close()
	txn, err := newSender(s.at, s.sent, kgo.TransactionalID("compacted"))
	if err != nil {
		return err
	}
	defer txn.client.CloseAllowingRebalance()
	n := 0
	for round := range 6 {
		for pair := range 5 {
			records := make([]offline.Record, 2)
			for i := range records {
				key := 2*pair + i
				records[i] = rec(n, fmt.Sprintf("k%d", key), fmt.Sprintf("round %d", round))
				if round == 3 && key%4 == 0 {
					records[i].Value = nil
				}
			}
			n++
			if round > 3 && pair%2 == 0 { // leave the tombstones of k0, k4 and k8 the newest of their keys
				records = records[1:]
			}
			if err := p.batch(ctx, "compacted", 0, records...); err != nil {
				return err
			}
		}
		if round == 2 {
			if err := txn.client.BeginTransaction(); err != nil {
				return err
			}
			if err := txn.batch(ctx, "compacted", 0, rec(n, "k1", "aborted")); err != nil {
				return err
			}
			if err := txn.client.EndTransaction(ctx, kgo.TryAbort); err != nil {
				return err
			}
		}
	}
	// One record in the future of the others rolls the log, so that everything before it can be cleaned. A segment that
	// begins with a marker goes by the marker's time, which is the broker's clock, so this one is ahead of that too.
	last := rec(0, "last", "active segment")
	last.Timestamp = time.Now().Add(30 * time.Minute).UnixMilli()
	if err := p.batch(ctx, "compacted", 0, last); err != nil {
		return err
	}
	newest := map[string]int64{}
	for _, r := range s.sent["compacted-0"] {
		if string(r.Value) != "aborted" {
			newest[string(r.Key)] = r.Offset
		}
	}
	s.compactFacts = map[string]any{"newest_offset_by_key": newest, "deleted_keys": []string{"k0", "k4", "k8"}}
	return awaitCompaction(ctx, filepath.Join(s.node.DataDir(), "compacted-0"), newest)
}

// awaitCompaction waits until only the newest record of each key is left. A read may meet the cleaner renaming files, so
// an error only means to look again.
func awaitCompaction(ctx context.Context, dir string, newest map[string]int64) error {
	return await(ctx, dir+" to be compacted", func() bool {
		log, err := offline.Read(dir)
		if err != nil {
			return false
		}
		records, err := log.Records()
		clean := err == nil && len(records) == len(newest)
		for _, r := range records {
			clean = clean && newest[string(r.Key)] == r.Offset
		}
		return clean
	})
}
