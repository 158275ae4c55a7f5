package sim

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// trimmer deletes records from the beginning of partitions (KIP-107), and knows how far a log may begin by that and has to.
type trimmer struct {
	c     *client
	every time.Duration
}

// trimmed is where a partition may begin.
type trimmed struct {
	asked kafka.Offset // the furthest that anybody has asked for, whatever became of it
	done  kafka.Offset // the furthest that was acknowledged
}

// trim has records deleted, in runs that are to have that.
func (r *run) trim() {
	if r.plan.Swarm.Variety.Deletes {
		t := &trimmer{c: newClient(r, "trimmer"), every: time.Duration(100+r.dice.IntN(1500)) * time.Millisecond}
		t.again()
	}
}

// trimmed is where a partition may begin.
func (r *run) trimmed(tp kafka.TopicPartition) *trimmed {
	t := r.crowd.trims[tp]
	if t == nil {
		if r.crowd.trims == nil {
			r.crowd.trims = map[kafka.TopicPartition]*trimmed{}
		}
		t = &trimmed{}
		r.crowd.trims[tp] = t
	}
	return t
}

func (t *trimmer) again() { t.c.later(t.every, t.turn) }

// turn asks where some partition ends, and then for what is before some offset to be deleted.
func (t *trimmer) turn() {
	r := t.c.r
	if r.phase != faulty {
		return
	}
	t.c.end(func(tp kafka.TopicPartition, by lead, end kafka.Offset) {
		t.delete(tp, by.node, max(0, end-kafka.Offset(r.dice.Int64N(int64(max(1, end/4+2))))))
	}, t.again)
}

func (t *trimmer) delete(tp kafka.TopicPartition, leader kafka.NodeID, to kafka.Offset) {
	r := t.c.r
	may := r.trimmed(tp)
	may.asked = max(may.asked, to)
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Version, req.TimeoutMillis = 2, 2000
	of, p := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	of.Topic, p.Partition, p.Offset = tp.Topic, tp.Partition, int64(to)
	of.Partitions = append(of.Partitions, p)
	req.Topics = append(req.Topics, of)
	t.c.to(leader).ask(req, asked, func(resp kmsg.Response, _ history.Transport) {
		t.again()
		in, ok := resp.(*kmsg.DeleteRecordsResponse)
		if !ok || in.Topics[0].Partitions[0].ErrorCode != 0 {
			t.c.wrong(tp)
			return
		}
		low := kafka.Offset(in.Topics[0].Partitions[0].LowWatermark)
		if low < to || low > may.asked {
			r.broken("C5 log-start", "%v was to begin at %d, %d had been asked for at the most, and node %d answered that it begins at %d", tp, to, may.asked, leader, low)
		}
		may.done = max(may.done, low)
		r.reached.add(Trimmed)
		r.note("%v begins at %d", tp, low)
	})
}
