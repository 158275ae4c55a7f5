package produce

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// lone is one partition that a node leads, whose ISR has a member that never comes.
type lone struct{ p *partition.Partition }

func (l lone) ByName(kafka.TopicPartition) (*partition.Partition, error) { return l.p, nil }
func (l lone) ByID(kafka.TopicIDPartition) (*partition.Partition, error) { return l.p, nil }
func (l lone) Leader(string, string, kafka.TopicID, int32) *wire.LeaderHint {
	return nil
}

// Outcomes that come after a timeout have been answered: they must not reach the request that uses the memory by then.
func TestOutcomesAfterATimeoutReachNobody(t *testing.T) {
	w := world.NewVirtual(1)
	fs := disk.NewMem()
	must.OK(fs.MkdirAll("d"))
	tp := kafka.TopicPartition{Topic: "t"}
	env := &partition.Env{World: w, Flusher: disk.NewFlusher(w, "d"), Self: 1, Failed: func(err error) { t.Error(err) }}
	p := partition.New(env, tp, &partition.Config{Log: log.DefaultConfig(), MinISR: 1}, 0, func(c log.Config) (*log.Log, error) {
		return log.Open(log.Options{FS: fs, Path: "d/t-0", Partition: tp, Config: c, Now: w.Now()})
	})
	isr := func(epoch kafka.PartitionEpoch, nodes ...kafka.NodeID) {
		p.Become(replica.Registration{Leader: 1, LeaderEpoch: 1, PartitionEpoch: epoch, Replicas: []kafka.NodeID{1, 2}, ISR: nodes})
	}
	isr(1, 1, 2)
	area := New(w, world.NewDeadlines(w), lone{p})
	var answers []kafka.ErrorCode
	send := func() {
		b := record.NewBuilder(record.Plain())
		b.Append(w.Now().WallMs, nil, []byte("x"))
		req := &wire.Request{Version: 8, Key: kafka.KeyProduce, Produce: requestOf(must.Get(b.Build()))}
		req.Reply = func(r wire.Reply) {
			answers = append(answers, r.Body.(*wire.ProduceAnswer).Partitions[0].ErrorCode)
		}
		area.Produce(req)
	}
	send()
	w.Run(2 * time.Second) // the request's timeout is one
	if len(answers) != 1 || answers[0] != kafka.ErrRequestTimedOut {
		t.Fatalf("after the timeout: %v", answers)
	}
	send() // may it have other memory
	isr(2, 1)
	w.Run(500 * time.Millisecond)
	if len(answers) != 2 || answers[1] != kafka.ErrNone {
		t.Fatalf("after both outcomes: %v", answers)
	}
	send()
	w.Run(500 * time.Millisecond)
	if len(answers) != 3 || answers[2] != kafka.ErrNone {
		t.Fatalf("and the next: %v", answers)
	}
}

func requestOf(batch []byte) wire.ProduceRequest {
	var body []byte
	n := func(v uint64, bytes int) {
		for i := bytes - 1; i >= 0; i-- {
			body = append(body, byte(v>>(8*i)))
		}
	}
	n(0xffff, 2) // no transactional id
	n(0xffff, 2) // acks=all
	n(1000, 4)
	n(1, 4)
	n(1, 2)
	body = append(body, 't')
	n(1, 4)
	n(0, 4)
	n(uint64(len(batch)), 4)
	return must.Get(wire.ParseProduce(8, append(body, batch...)))
}
