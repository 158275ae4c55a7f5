package load

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// watchOffsets reads what the groups committed, again and again.
func (l *Load) watchOffsets() {
	client, err := l.client()
	if err != nil {
		l.broken(l.number(), "%v", err)
		return
	}
	defer client.Close()
	for ; l.reading.Err() == nil; rest(l.reading, 200*time.Millisecond) {
		for _, group := range l.groups() {
			if _, err := l.fetchOffsets(l.reading, client, group); err != nil {
				l.broken(l.number(), "%v", err)
			}
		}
	}
}

// fetchOffsets is one fetch of all that is committed; the error is something that nobody committed.
func (l *Load) fetchOffsets(ctx context.Context, client *kgo.Client, of string) (committed map[int32]int64, strange error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = of
	topic := kmsg.NewOffsetFetchRequestGroupTopic()
	topic.Topic = l.o.Topic
	for p := range l.o.Partitions {
		topic.Partitions = append(topic.Partitions, int32(p))
	}
	group.Topics = append(group.Topics, topic)
	req.Groups = append(req.Groups, group)
	req.RequireStable = true
	op := l.rec.BeginGroup(history.GroupOp{Group: of, F: history.GroupFetch, Generation: -1, Coordinator: -1, Epoch: kafka.NoLeaderEpoch})
	r, err := req.RequestWith(ctx, client)
	op.Kind = history.Info
	committed = map[int32]int64{}
	if err == nil && len(r.Groups) == 1 && r.Groups[0].ErrorCode == 0 {
		op.Kind = history.Ok
		for _, t := range r.Groups[0].Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					op.Kind = history.Info
					continue
				}
				mark := history.Mark{Key: l.key(p.Partition), Off: offsetOf(p.Offset)}
				if p.Offset >= 0 && p.Metadata != nil {
					text := strings.TrimSuffix(*p.Metadata, "\x00") // which confluent-kafka-python sends along
					if mark.ID, err = strconv.ParseUint(text, 10, 64); err != nil {
						strange = fmt.Errorf("partition %d was committed with metadata %q, which nobody sent", p.Partition, *p.Metadata)
					}
				}
				op.Offsets = append(op.Offsets, mark)
				committed[p.Partition] = p.Offset
			}
		}
	}
	l.rec.EndGroup(op)
	return committed, strange
}

// groupToTheEnd waits until a group has committed the ends of all partitions, which nobody writes any more.
func (l *Load) groupToTheEnd(ctx context.Context, of string, ends map[int32]int64) error {
	client, err := l.client()
	if err != nil {
		return err
	}
	defer client.Close()
	for ; ; rest(ctx, 50*time.Millisecond) {
		committed, err := l.fetchOffsets(ctx, client, of)
		if err != nil {
			return err
		}
		behind := ""
		for p := range int32(l.o.Partitions) {
			if at := committed[p]; at < ends[p] {
				behind = fmt.Sprintf("it has committed offset %d of partition %d, which ends at %d", at, p, ends[p])
			}
		}
		if behind == "" {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s does not come to the end: %s", of, behind)
		}
	}
}
