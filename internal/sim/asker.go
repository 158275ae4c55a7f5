package sim

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// asker asks one partition after the other where its committed records end. It asks nobody in an older epoch than it has heard of,
// so what it is told never goes back: within an epoch the high watermark doesn't, and a new leader tells nothing before it knows
// what the one before it may have told (K3, KIP-207). Two askers might well hear different things, one of them from a leader
// that doesn't know yet that it is none.
type asker struct {
	c    *client
	ends map[kafka.TopicPartition]told
}

// told is the end of a partition as it was told last.
type told struct {
	end kafka.Offset
	by  lead
}

func newAsker(r *run) *asker {
	a := &asker{c: newClient(r, "asker"), ends: map[kafka.TopicPartition]told{}}
	a.again()
	return a
}

func (a *asker) again() { a.c.later(30*time.Millisecond, a.turn) }

func (a *asker) turn() {
	r := a.c.r
	if r.phase == reading {
		return
	}
	tp := kafka.TopicPartition{Topic: topic, Partition: int32(r.dice.IntN(r.plan.Swarm.Partitions))}
	at, known := a.c.leader(tp)
	if !known {
		a.c.refresh(a.again)
		return
	}
	a.c.to(at.node).ask(endOf(tp, at.epoch), asked, func(resp kmsg.Response, _ history.Transport) {
		in, ok := resp.(*kmsg.ListOffsetsResponse)
		if !ok || in.Topics[0].Partitions[0].ErrorCode != 0 {
			a.c.wrong(tp)
			a.again()
			return
		}
		now := told{kafka.Offset(in.Topics[0].Partitions[0].Offset), at}
		if was, asked := a.ends[tp]; asked && now.end < was.end {
			r.broken("K3 list-offsets", "%v ended at %d by the word of node %d in epoch %d, and then at %d by that of node %d in epoch %d",
				tp, was.end, was.by.node, was.by.epoch, now.end, at.node, at.epoch)
		}
		a.ends[tp] = now
		a.again()
	})
}

// endOf asks where a partition's committed records end.
func endOf(tp kafka.TopicPartition, epoch kafka.LeaderEpoch) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = 6, -1
	t, p := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	t.Topic, p.Partition, p.Timestamp, p.CurrentLeaderEpoch = tp.Topic, tp.Partition, -1, int32(epoch)
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}
