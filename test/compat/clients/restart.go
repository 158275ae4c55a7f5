package clients

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/milena-io/milena/test/compat/driver"
)

// patience bounds every wait of a scenario. It is a bound on a hang, not a measurement.
const patience = 90 * time.Second

// restart: the broker ends and comes back under a running producer and a running consumer. Both go on without help:
// no acknowledged record is lost or doubled, and the consumer skips nothing.
func (st *stage) restart(ctx context.Context, name string, end func() error) error {
	topic := st.named(name)
	if err := st.topic(ctx, topic, 1); err != nil {
		return err
	}
	p, err := st.drive.Produce(st.node.Bootstrap(), topic, "none")
	if err != nil {
		return err
	}
	defer p.Kill9()
	m, err := st.drive.Join(st.node.Bootstrap(), topic, "g-"+topic)
	if err != nil {
		return err
	}
	defer m.Kill9()
	before, during, after := wide(40), wide(40), wide(40)
	if err := p.Send(before...); err != nil {
		return err
	}
	got, err := m.Records(ctx, len(before)-10)
	if err != nil {
		return fmt.Errorf("before: %w", err)
	}
	meanwhile, err := m.Commit(ctx)
	if err != nil {
		return err
	}
	got = append(got, meanwhile...)
	if err := p.Send(during...); err != nil { // in flight, perhaps: who knows where the end meets them
		return err
	}
	if err := end(); err != nil {
		return err
	}
	if err := st.node.Start(ctx); err != nil {
		return err
	}
	if err := p.Send(after...); err != nil {
		return err
	}
	if err := st.acknowledged(ctx, p, topic, "none", slices.Concat(before, during, after)); err != nil {
		return err
	}
	if err := readOn(ctx, m, got, int64(len(before)+len(during)+len(after))); err != nil {
		return err
	}
	return m.Stop()
}

// wide makes records of more than 1 KiB: kcat reads its input in pieces of that size, so the last few records sent may
// stay with it until more come.
func wide(n int) []driver.Record {
	records := plain(1, n)
	for i := range records {
		records[i].Value = append(records[i].Value, bytes.Repeat([]byte{'.'}, 1200)...)
	}
	return records
}

// readOn reads until offset end: records may come again after the restart, but none may be passed over.
func readOn(ctx context.Context, m *driver.Member, got []driver.Record, end int64) error {
	seen := map[int64]bool{}
	for _, r := range got {
		seen[r.Offset] = true
	}
	for int64(len(seen)) < end {
		more, err := m.Records(ctx, 1)
		if err != nil {
			return fmt.Errorf("after: %d of %d offsets read: %w", len(seen), end, err)
		}
		at := more[0].Offset
		if at > 0 && !seen[at-1] {
			return fmt.Errorf("after: offset %d came before %d", at, at-1)
		}
		seen[at] = true
	}
	return nil
}
