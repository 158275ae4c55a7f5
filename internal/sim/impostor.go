package sim

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/history/replicas"
	"github.com/milena-io/milena/internal/kafka"
	machinereplica "github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/partition"
)

// impostor says once more to leaders what their followers said in the epoch before: a Fetch that was on its way for too long. No leader
// may hear it (R11, KIP-320).
type impostor struct{ c *client }

func newImpostor(r *run) *impostor {
	a := &impostor{c: newClient(r, "impostor")}
	a.again()
	return a
}

func (a *impostor) again() { a.c.later(150*time.Millisecond, a.turn) }

func (a *impostor) turn() {
	r := a.c.r
	if r.phase == reading {
		return
	}
	a.again()
	w := &r.watch
	t := w.newest.TopicNamed(topic)
	if t == nil {
		return
	}
	id := kafka.TopicIDPartition{TopicID: t.ID, Partition: int32(r.dice.IntN(r.plan.Swarm.Partitions))}
	reg, ok := w.newest.Partition(id)
	if !ok {
		return
	}
	m, to := r.at(reg.Leader), reg.Replicas()[r.dice.IntN(len(reg.Replicas()))]
	if m == nil || m.node == nil || to == reg.Leader {
		return
	}
	p := m.node.Probe().Replica(id)
	if p == nil {
		return
	}
	own := partition.Probe(p)
	x := w.watched[id]
	if b := w.newest.Broker(to); own.Leads && own.Registration.LeaderEpoch > 0 && b != nil && x != nil && x.seen[to] != nil {
		a.ask(id, own.Registration, to, b.Epoch, &x.seen[to].Replica)
	}
}

// ask fetches as a follower that has not heard of the leader's epoch.
func (a *impostor) ask(id kafka.TopicIDPartition, led machinereplica.Registration, as kafka.NodeID, epoch kafka.BrokerEpoch, at *replicas.Replica) {
	r := a.c.r
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = 16, 0, 0, 1000, -1
	req.ReplicaState.ID, req.ReplicaState.Epoch = int32(as), int64(epoch)
	t, p := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	t.TopicID, p.Partition, p.FetchOffset, p.PartitionMaxBytes = id.TopicID, id.Partition, int64(at.End), 100
	p.CurrentLeaderEpoch, p.LastFetchedEpoch, p.LogStartOffset = int32(led.LeaderEpoch-1), -1, int64(at.Start)
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	a.c.to(led.Leader).ask(req, asked, func(resp kmsg.Response, _ history.Transport) {
		in, ok := resp.(*kmsg.FetchResponse)
		if !ok || in.ErrorCode != 0 || len(in.Topics) == 0 {
			return
		}
		code := kafka.ErrorCode(in.Topics[0].Partitions[0].ErrorCode)
		if code != kafka.ErrNone && code != kafka.ErrOffsetOutOfRange {
			r.reached.add(Fenced)
			return
		}
		if _, known := r.watch.newest.Partition(id); known {
			r.watch.look(id, func(s *replicas.State) {
				s.Answers = append(s.Answers, replicas.Answer{Node: led.Leader, Asked: led.LeaderEpoch - 1, Own: led.LeaderEpoch, Code: code})
			})
		}
	})
}
