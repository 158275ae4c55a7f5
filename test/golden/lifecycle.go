package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/offline"
)

// lifecycle is a small node's whole data directory three times: after a clean stop, after a kill -9 in the middle of
// work, and that one with the last batch torn.
func lifecycle(ctx context.Context, work string, a *archive) error {
	node, err := broker.New("kafka", broker.Options{Dir: filepath.Join(work, "lifecycle"), Overrides: small(nil)})
	if err != nil {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return err
	}
	defer node.Kill9()
	if err := createTopic(ctx, node.Bootstrap(), "work", 2, map[string]string{"segment.ms": "5000"}); err != nil {
		return err
	}
	sent := map[string][]offline.Record{}
	if err := produceSome(ctx, node.Bootstrap(), sent, 0); err != nil {
		return err
	}
	if err := node.Stop(); err != nil {
		return err
	}
	check := func() error {
		for dir, records := range sent {
			if err := checkSent(node.DataDir(), dir, records); err != nil {
				return err
			}
		}
		return nil
	}
	if err := check(); err != nil {
		return err
	}
	if err := a.add("node-clean", "a whole data directory after a clean stop, with all checkpoint files", node.DataDir(), nil); err != nil {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return err
	}
	open, err := newSender(node.Bootstrap(), sent, kgo.TransactionalID("open"))
	if err != nil {
		return err
	}
	defer open.client.CloseAllowingRebalance()
	if err := open.client.BeginTransaction(); err != nil {
		return err
	}
	if err := open.batch(ctx, "work", 0, rec(20, "open", "transaction")); err != nil {
		return err
	}
	if err := produceSome(ctx, node.Bootstrap(), sent, 20); err != nil {
		return err
	}
	if err := node.Kill9(); err != nil {
		return err
	}
	if err := check(); err != nil {
		return err
	}
	if err := a.add("node-killed", "the same after more work, an open transaction and kill -9: no clean-shutdown marker, indexes preallocated",
		node.DataDir(), nil); err != nil {
		return err
	}
	torn := filepath.Join(work, "torn")
	last, err := tear(node.DataDir(), torn)
	if err != nil {
		return err
	}
	return a.add("node-torn", "node-killed with the last batch of work-1 cut in the middle: recovery must end the log before it",
		torn, map[string]any{"work-1_log_end_offset_after_recovery": last})
}

// produceSome writes to both partitions of work, several segments long.
func produceSome(ctx context.Context, bootstrap string, sent map[string][]offline.Record, from int) error {
	p, err := newSender(bootstrap, sent)
	if err != nil {
		return err
	}
	defer p.client.Close()
	for i := from; i < from+16; i++ {
		if err := p.batch(ctx, "work", int32(i%2), rec(i, "k", fmt.Sprint(i)), rec(i, "", "second")); err != nil {
			return err
		}
	}
	return nil
}

// tear copies a data directory and cuts the last batch of work-1 in two. It returns the offset that batch began at.
func tear(from, to string) (int64, error) {
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o644)
	})
	if err != nil {
		return 0, err
	}
	log, err := offline.Read(filepath.Join(to, "work-1"))
	if err != nil {
		return 0, err
	}
	last := log.Batches[len(log.Batches)-1]
	return last.BaseOffset, os.Truncate(filepath.Join(to, "work-1", last.File), last.Position+int64(last.Size)/2)
}
