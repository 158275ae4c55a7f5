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
	a.c.to(at.node).ask(boundOf(tp, at.epoch, latest), asked, func(resp kmsg.Response, _ history.Transport) {
		end, ok := boundIn(resp)
		if !ok {
			a.c.wrong(tp)
			a.again()
			return
		}
		now := told{end, at}
		if was, asked := a.ends[tp]; asked && now.end < was.end {
			r.broken("K3 list-offsets", "%v ended at %d by the word of node %d in epoch %d, and then at %d by that of node %d in epoch %d",
				tp, was.end, was.by.node, was.by.epoch, now.end, at.node, at.epoch)
		}
		a.ends[tp] = now
		a.again()
	})
}

// What ListOffsets calls the bounds of a log.
const (
	latest   = -1
	earliest = -2
)

// boundOf asks where a partition's committed records end, or where its log begins.
func boundOf(tp kafka.TopicPartition, epoch kafka.LeaderEpoch, which int64) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = 6, -1
	t, p := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	t.Topic, p.Partition, p.Timestamp, p.CurrentLeaderEpoch = nameOf(tp.Topic), tp.Partition, which, int32(epoch)
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// boundIn is what was answered; false for an error, and for nothing.
func boundIn(resp kmsg.Response) (kafka.Offset, bool) {
	in, ok := resp.(*kmsg.ListOffsetsResponse)
	if !ok || in.Topics[0].Partitions[0].ErrorCode != 0 {
		return 0, false
	}
	return kafka.Offset(in.Topics[0].Partitions[0].Offset), true
}
