package clients

import (
	"context"
	"fmt"

	"github.com/milena-io/milena/test/compat/driver"
)

// codecs: what the client produced with a codec, the client consumes unchanged.
func (st *stage) codecs(ctx context.Context, codec string) error {
	topic := st.named(codec)
	if err := st.topic(ctx, topic, 2); err != nil {
		return err
	}
	records := append(st.odd(0, 36), st.odd(1, 36)...)
	if err := st.produce(ctx, topic, codec, records); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	m, err := st.drive.Join(st.node.Bootstrap(), topic, "g-"+topic)
	if err != nil {
		return err
	}
	defer m.Kill9()
	got, err := m.Records(ctx, len(records))
	if err != nil {
		return fmt.Errorf("consume: %w", err)
	}
	if err := compare(st.wrote[topic], got, !st.drive.OwnTimestamps); err != nil {
		return err
	}
	return m.Stop()
}

// resumes: a group goes on exactly where it committed, after a clean leave and after a crash of its only member.
func (st *stage) resumes(ctx context.Context) error {
	topic := st.named("resume")
	if err := st.topic(ctx, topic, 1); err != nil {
		return err
	}
	for round, end := range []func(*driver.Member) error{
		func(m *driver.Member) error { return m.Stop() },
		func(m *driver.Member) error { m.Kill9(); return nil },
		func(m *driver.Member) error { return m.Stop() },
	} {
		if err := st.produce(ctx, topic, "none", plain(1, 30)); err != nil {
			return fmt.Errorf("round %d: produce: %w", round, err)
		}
		if err := st.resume(ctx, topic, round, end); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	return nil
}

// resume reads the thirty records of a round, commits, then reads ten more that are never committed by the client;
// the next round begins with those.
func (st *stage) resume(ctx context.Context, topic string, round int, end func(*driver.Member) error) error {
	m, err := st.drive.Join(st.node.Bootstrap(), topic, "g-"+topic)
	if err != nil {
		return err
	}
	defer m.Kill9()
	first := int64(round * 40)
	begins := first
	if round > 0 && !st.drive.CommitsByItself {
		begins -= 10
	}
	got, err := m.Records(ctx, int(first+30-begins))
	if err != nil {
		return err
	}
	if st.drive.CommitsByItself {
		// Where it resumes is its own choice, but it may skip nothing.
		if got[0].Offset > first || got[0].Offset < first-40 {
			return fmt.Errorf("resumes at %d with %d the first that was never read", got[0].Offset, first)
		}
		for got[len(got)-1].Offset < first+29 {
			more, err := m.Records(ctx, 1)
			if err != nil {
				return err
			}
			got = append(got, more...)
		}
		begins = got[0].Offset
	}
	for i, r := range got {
		if r.Offset != begins+int64(i) {
			return fmt.Errorf("record %d is at offset %d, want %d", i, r.Offset, begins+int64(i))
		}
	}
	if _, err := m.Commit(ctx); err != nil {
		return err
	}
	if err := st.produce(ctx, topic, "none", plain(1, 10)); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	if _, err := m.Records(ctx, 10); err != nil {
		return fmt.Errorf("after the commit: %w", err)
	}
	return end(m)
}
