package driver

import (
	"context"
	"fmt"
	"io"
)

// Member is a running consumer in a group.
type Member struct{ c *child }

// Join starts a consumer.
func (d *Driver) Join(bootstrap, topic, group string) (*Member, error) {
	c, err := d.start("consume", bootstrap, topic, group)
	if err != nil {
		return nil, err
	}
	return &Member{c}, nil
}

// Next waits for the next event; an "error" event is returned as an error.
func (m *Member) Next(ctx context.Context) (Event, error) {
	var e Event
	if err := m.c.next(ctx, &e); err != nil {
		return Event{}, err
	}
	if e.Event == "error" {
		return Event{}, fmt.Errorf("%s: %s", m.c.name, e.Error)
	}
	return e, nil
}

// Say hands over a line.
func (m *Member) Say(line string) error {
	_, err := io.WriteString(m.c.in, line+"\n")
	return err
}

// Hear waits for the next event, whatever it is, as long as ctx lasts.
func (m *Member) Hear(ctx context.Context) (Event, error) {
	var e Event
	return e, m.c.line(ctx, &e)
}

// Records waits until n records came and returns them; other events are passed over.
func (m *Member) Records(ctx context.Context, n int) ([]Record, error) {
	records := make([]Record, 0, n)
	for len(records) < n {
		e, err := m.Next(ctx)
		if err != nil {
			return records, fmt.Errorf("after %d of %d records: %w", len(records), n, err)
		}
		if e.Event == "record" {
			records = append(records, e.Record)
		}
	}
	return records, nil
}

// Commit commits everything consumed so far and waits for it. Records that come meanwhile are returned.
func (m *Member) Commit(ctx context.Context) ([]Record, error) {
	if err := m.Say("commit"); err != nil {
		return nil, err
	}
	var meanwhile []Record
	for {
		e, err := m.Next(ctx)
		if err != nil {
			return meanwhile, fmt.Errorf("waiting for the commit: %w", err)
		}
		switch e.Event {
		case "record":
			meanwhile = append(meanwhile, e.Record)
		case "committed":
			return meanwhile, nil
		}
	}
}

// Stop lets the member leave the group and waits for it to end well.
func (m *Member) Stop() error {
	if err := m.Say("stop"); err != nil {
		return err
	}
	return m.c.finish()
}

// Kill9 kills the member without a goodbye; after Stop it does nothing.
func (m *Member) Kill9() { m.c.kill() }
