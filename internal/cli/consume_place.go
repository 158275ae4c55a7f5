package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// locate finds out where each partition begins and ends for a plan. It fails for a topic that doesn't exist: waiting for
// it to be created would look like an empty topic.
func (a *app) locate(ctx context.Context, adm *kadm.Client, p *plan) error {
	topics, err := adm.ListTopicsWithInternal(ctx, p.topic)
	if err != nil {
		return err
	}
	t, ok := topics[p.topic]
	if !ok || t.Err == kerr.UnknownTopicOrPartition {
		return a.noTopic(ctx, adm, p.topic)
	}
	if t.Err != nil {
		return said(t.Err, "", "topic %q", p.topic)
	}
	starts, err := answered(adm.ListStartOffsets(ctx, p.topic))
	if err != nil {
		return err
	}
	endsOf := adm.ListEndOffsets
	if p.flags.readCommitted {
		endsOf = adm.ListCommittedOffsets
	}
	ends, err := answered(endsOf(ctx, p.topic))
	if err != nil {
		return err
	}
	var since, until kadm.ListedOffsets
	if p.from.kind == atTime {
		if since, err = answered(adm.ListOffsetsAfterMilli(ctx, p.from.value, p.topic)); err != nil {
			return err
		}
	}
	if p.untilMs >= 0 {
		if until, err = answered(adm.ListOffsetsAfterMilli(ctx, p.untilMs, p.topic)); err != nil {
			return err
		}
	}
	partitions := p.flags.partitions
	if len(partitions) == 0 {
		partitions = t.Partitions.Numbers()
	}
	p.assigned, p.next, p.bounds = map[int32]kgo.Offset{}, map[int32]int64{}, map[int32]int64{}
	for _, n := range partitions {
		if d, ok := t.Partitions[n]; !ok {
			return failed(kerr.UnknownTopicOrPartition.Message, "topic %q has no partition %d: it has %d", p.topic, n, len(t.Partitions))
		} else if d.Err != nil {
			return said(d.Err, "", "%s[%d]", p.topic, n)
		}
		start, end := lookup(starts, p.topic, n), lookup(ends, p.topic, n)
		for _, o := range []kadm.ListedOffset{start, end} {
			if o.Err != nil {
				return said(o.Err, "", "the offsets of %s[%d]", p.topic, n)
			}
		}
		at := resolve(p.from, start.Offset, end.Offset, lookup(since, p.topic, n))
		p.next[n] = max(at, start.Offset)
		p.bounds[n] = end.Offset
		if u := lookup(until, p.topic, n); until != nil && u.Err == nil && u.Offset >= 0 {
			p.bounds[n] = min(end.Offset, u.Offset)
		}
		if p.from.kind == atOffset && (at < start.Offset || at > end.Offset) {
			a.note("%s[%d] has offsets %d to %d; it is read from the nearest", p.topic, n, start.Offset, end.Offset)
			p.next[n] = min(max(at, start.Offset), end.Offset)
		}
		p.assigned[n] = kgo.NewOffset().At(p.next[n])
	}
	if p.flags.group != "" {
		return p.committed(ctx, adm)
	}
	return nil
}

// answered takes what was answered of a question to all partitions of a topic: some may have no leader, and they are not always
// those that are wanted.
func answered(l kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	var some *kadm.ShardErrors
	if errors.As(err, &some) && !some.AllFailed {
		return l, nil
	}
	return l, err
}

func lookup(l kadm.ListedOffsets, topic string, partition int32) kadm.ListedOffset {
	o, ok := l.Lookup(topic, partition)
	if !ok {
		o.Err = kerr.UnknownTopicOrPartition
	}
	return o
}

// resolve turns a place into an offset of one partition.
func resolve(p place, start, end int64, after kadm.ListedOffset) int64 {
	switch p.kind {
	case atStart, atStored:
		return start
	case atOffset:
		return p.value
	case atTail:
		return max(end-p.value, start)
	case atTime:
		if after.Err == nil && after.Offset >= 0 {
			return after.Offset
		}
	}
	return end
}

// committed moves the beginning to where the group stands.
func (p *plan) committed(ctx context.Context, adm *kadm.Client) error {
	offsets, err := adm.FetchOffsets(ctx, p.flags.group)
	if err != nil {
		return err
	}
	for n := range p.next {
		if o, ok := offsets.Lookup(p.topic, n); ok && o.Err == nil && o.At >= 0 {
			p.next[n] = o.At
		}
	}
	return nil
}

func sortedKeys(m map[int32]int64) []int32 { return slices.Sorted(maps.Keys(m)) }

// rangeText names the offsets from one to before another.
func rangeText(topic string, partition int32, from, to int64) string {
	return fmt.Sprintf("%s[%d]@%d-%d", topic, partition, from, to-1)
}
