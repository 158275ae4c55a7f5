package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/offline"
)

// transactions interleaves three transactional producers and a plain one on one partition.
func (s *scenes) transactions(ctx context.Context) error {
	if err := createTopic(ctx, s.at, "txn", 1, nil); err != nil {
		return err
	}
	plain, err := newSender(s.at, s.sent)
	if err != nil {
		return err
	}
	defer plain.client.Close()
	producers := map[string]*sender{}
	for _, id := range []string{"a", "b", "open"} {
		p, err := newSender(s.at, s.sent, kgo.TransactionalID(id), kgo.TransactionTimeout(10*time.Minute))
		if err != nil {
			return err
		}
		defer p.client.CloseAllowingRebalance()
		producers[id] = p
	}
	n := 0
	for _, step := range []struct{ who, do string }{
		{"plain", "send"},
		{"a", "begin"}, {"a", "send"}, {"a", "send"}, {"a", "commit"},
		{"b", "begin"}, {"b", "send"}, {"b", "abort"},
		{"a", "begin"}, {"a", "send"},
		{"b", "begin"}, {"b", "send"},
		{"plain", "send"},
		{"a", "send"}, {"a", "abort"},
		{"b", "send"}, {"b", "commit"},
		{"a", "begin"}, {"a", "send"}, {"b", "begin"}, {"b", "send"}, {"b", "abort"}, {"a", "abort"},
		{"plain", "send"},
		{"open", "begin"}, {"open", "send"},
		{"plain", "send"},
	} {
		p := producers[step.who]
		if step.who == "plain" {
			p = plain
		}
		var err error
		switch step.do {
		case "begin":
			err = p.client.BeginTransaction()
		case "commit":
			err = p.client.EndTransaction(ctx, kgo.TryCommit)
		case "abort":
			err = p.client.EndTransaction(ctx, kgo.TryAbort)
		default:
			n++
			err = p.batch(ctx, "txn", 0, rec(n, step.who, fmt.Sprintf("%d", n)), rec(n, step.who, fmt.Sprintf("%d again", n)))
		}
		if err != nil {
			return fmt.Errorf("transaction %s %s: %w", step.who, step.do, err)
		}
	}
	s.txnFacts = map[string]any{
		"open":      "the transaction of the id `open`; the last stable offset is its first record",
		"committed": "records with key plain, and those before a commit marker of their producer id",
	}
	var open offline.Record
	for _, r := range s.sent["txn-0"] {
		if string(r.Key) == "open" {
			open = r
			break
		}
	}
	s.txnFacts["last_stable_offset"] = open.Offset
	return nil
}
