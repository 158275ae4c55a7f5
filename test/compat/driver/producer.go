package driver

import (
	"context"
	"encoding/json"
	"fmt"
)

// Producer is a running producer.
type Producer struct{ c *child }

// Produce starts a producer.
func (d *Driver) Produce(bootstrap, topic, codec string) (*Producer, error) {
	c, err := d.start("produce", bootstrap, topic, codec)
	if err != nil {
		return nil, err
	}
	return &Producer{c}, nil
}

// Send hands over records without waiting.
func (p *Producer) Send(records ...Record) error {
	for _, r := range records {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := p.c.in.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("%s: %w", p.c.name, err)
		}
	}
	return nil
}

// Ack waits for the next answer, as long as ctx lasts.
func (p *Producer) Ack(ctx context.Context) (Ack, error) {
	var a Ack
	return a, p.c.line(ctx, &a)
}

// Finish ends the input, waits for the answers to the n records sent and for the producer to end well. Acks are not to
// be had earlier: kcat looks for them only when it reads on.
func (p *Producer) Finish(ctx context.Context, n int) ([]Ack, error) {
	if err := p.c.in.Close(); err != nil {
		return nil, err
	}
	acks := make([]Ack, 0, n)
	for range n {
		var a Ack
		if err := p.c.next(ctx, &a); err != nil {
			return acks, fmt.Errorf("after %d of %d acks: %w", len(acks), n, err)
		}
		if a.Error != "" {
			return acks, fmt.Errorf("%s: record %d: %s", p.c.name, len(acks), a.Error)
		}
		acks = append(acks, a)
	}
	return acks, p.c.finish()
}

// Kill9 kills the producer; after Finish it does nothing.
func (p *Producer) Kill9() { p.c.kill() }
