package node

import (
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/metrics"
)

// told is what the node tells of one topic.
func told(r *rig, topic string) metrics.Traffic {
	r.t.Helper()
	for _, t := range r.n.Gauges().Topics() {
		if t.Name == topic {
			return t.Traffic
		}
	}
	r.t.Fatalf("the node tells nothing of %s", topic)
	return metrics.Traffic{}
}

func partitionOf(r *rig, topic string, number int32) metrics.Partition {
	r.t.Helper()
	for _, p := range r.n.Gauges().Partitions() {
		if p.Topic == topic && p.Partition == number {
			return p
		}
	}
	r.t.Fatalf("the node tells nothing of %s-%d", topic, number)
	return metrics.Partition{}
}

// commit commits an offset outside of any generation.
func (r *rig) commit(group, topic string, partition int32, offset int64) {
	r.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation = 8, group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = partition, offset
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	wantCode(r.t, ask[*kmsg.OffsetCommitResponse](r, req).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
}

// coordinate makes __consumer_offsets and waits until its shards are loaded.
func (r *rig) coordinate(group string) {
	r.t.Helper()
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.Version, req.CoordinatorKeys = 4, []string{group}
	if !r.w.RunUntil(time.Minute, func() bool {
		return ask[*kmsg.FindCoordinatorResponse](r, req).Coordinators[0].ErrorCode == 0
	}) {
		r.t.Fatal("there is no coordinator")
	}
	r.groups()
}

func (r *rig) groups() []metrics.Group {
	r.t.Helper()
	var out []metrics.Group
	ok := r.w.RunUntil(time.Minute, func() bool {
		told := false
		r.n.Gauges().Groups(func(g []metrics.Group, err error) { out, told = g, err == nil })
		return told
	})
	if !ok {
		r.t.Fatal("the groups are never told of")
	}
	return out
}

func TestGaugesTellOfTraffic(t *testing.T) {
	r := newRig(t)
	r.create("orders", 2)
	first, second := plain("a", "b", "c"), plain("d")
	r.write("orders", 0, first)
	r.write("orders", 1, second)
	if got := r.write("orders", 0, []byte("no batch at all, but long enough to be looked at as if it were one: 61 bytes")); got.ErrorCode == 0 {
		t.Fatal("garbage was taken")
	}
	r.read("orders", 0, 0)
	r.read("orders", 0, 99)
	want := metrics.Traffic{
		Produces: 2, BytesIn: uint64(len(first) + len(second)), Records: 4, Fetches: 2, BytesOut: uint64(len(first)),
	}
	if got := told(r, "orders"); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := r.n.Gauges().Standing().Traffic; got != want {
		t.Errorf("all topics: %+v, want %+v", got, want)
	}
	p := partitionOf(r, "orders", 0)
	if p.Bytes != int64(len(first)) || p.LogStart != 0 || p.High != 3 || p.LogEnd != 3 || p.Leader != 1 || !p.Preferred || p.InSync != 1 || p.UnderReplicated || !p.AtMin {
		t.Errorf("%+v", p)
	}
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.Version, del.TopicNames, del.TimeoutMillis = 3, []string{"orders"}, 1000
	wantCode(t, ask[*kmsg.DeleteTopicsResponse](r, del).Topics[0].ErrorCode, kafka.ErrNone)
	if got := r.n.Gauges().Topics(); len(got) != 0 {
		t.Errorf("a deleted topic is told of: %+v", got)
	}
	if got := r.n.Gauges().Standing().Traffic; got != want {
		t.Errorf("with the topic its traffic is gone from the sum: %+v", got)
	}
}

func TestGaugesCountIdempotentRetriesOnce(t *testing.T) {
	r := newRig(t)
	r.create("orders", 1)
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version = 4
	id := ask[*kmsg.InitProducerIDResponse](r, req)
	for range 3 {
		r.write("orders", 0, idempotent(kafka.ProducerID(id.ProducerID), kafka.ProducerEpoch(id.ProducerEpoch), 0, "a", "b"))
	}
	if got := told(r, "orders"); got.Produces != 3 || got.Records != 2 {
		t.Errorf("%+v", got)
	}
}

func TestGaugesTellOfTheCluster(t *testing.T) {
	r := newRig(t)
	r.create("orders", 3)
	s := r.n.Gauges().Standing()
	if s.State != metrics.Running || s.Node != 1 || !s.Controller.Active || s.Controller.Topics != 1 || s.Controller.Partitions != 3 ||
		s.Controller.OfflinePartitions != 0 || s.Controller.UncleanElections != 0 {
		t.Errorf("%+v", s)
	}
	if want := (metrics.Replicas{All: 3, Led: 3, AtMinISR: 3}); s.Replicas != want {
		t.Errorf("%+v, want %+v", s.Replicas, want)
	}
	if len(s.Brokers) != 1 || s.Brokers[0].ID != 1 || s.Brokers[0].Address != "one:9092" || s.Brokers[0].Fenced {
		t.Errorf("%+v", s.Brokers)
	}
	if q := s.Quorum; q.Leader != 1 || !q.Leading || q.Voters != 1 || q.HighWatermark <= 0 || q.LogEnd < q.HighWatermark {
		t.Errorf("%+v", q)
	}
	if s.Controller.LastAppliedOffset < 3 || s.Controller.LastAppliedTimestamp == 0 {
		t.Errorf("%+v", s.Controller)
	}
	if len(s.Dirs) != 1 || s.Dirs[0].Path != "data" || s.Dirs[0].Offline || s.Memory.Limit == 0 {
		t.Errorf("%+v %+v", s.Dirs, s.Memory)
	}
	stopped := false
	r.n.Stop(func(error) { stopped = true })
	if got := r.n.Gauges().Standing().State; got != metrics.Stopping {
		t.Errorf("a node that stops is in state %d", got)
	}
	r.w.RunUntil(time.Minute, func() bool { return stopped })
	r.n.Gauges().Standing() // of a node that has stopped can be asked
	r.n.Gauges().Partitions()
	answered := false
	r.n.Gauges().Groups(func(_ []metrics.Group, err error) { answered = err != nil })
	if !answered {
		t.Error("a stopped node tells of groups")
	}
}

func TestGaugesDontOpenLogs(t *testing.T) {
	r := newRig(t)
	r.create("orders", 1)
	r.write("orders", 0, plain("a", "b"))
	r.write("orders", 0, plain("c"))
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Version, req.TimeoutMillis = 2, 1000
	dt := kmsg.NewDeleteRecordsRequestTopic()
	dt.Topic = "orders"
	dp := kmsg.NewDeleteRecordsRequestTopicPartition()
	dp.Offset = 2
	dt.Partitions = append(dt.Partitions, dp)
	req.Topics = append(req.Topics, dt)
	wantCode(t, ask[*kmsg.DeleteRecordsResponse](r, req).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
	before := partitionOf(r, "orders", 0)
	r.restart()
	found, err := r.n.replicas.ByName(kafka.TopicPartition{Topic: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := partitionOf(r, "orders", 0); !reflect.DeepEqual(got, before) || before.LogStart != 2 || before.High != 3 {
			t.Errorf("after a clean start %+v, before %+v", got, before)
		}
	}
	if found.Standing().Open {
		t.Fatal("telling of a log has opened it")
	}
	dirs := description{r.n}.LogDirs()
	if len(dirs[0].Logs) != 1 || dirs[0].Logs[0].Bytes != before.Bytes {
		t.Errorf("DescribeLogDirs: %+v", dirs[0].Logs)
	}
	r.write("orders", 0, plain("d"))
	if got := partitionOf(r, "orders", 0); got.LogEnd != 4 || got.Bytes <= before.Bytes {
		t.Errorf("what was remembered of the closed log is told of the open one: %+v", got)
	}
}

func TestGaugesTellOfGroups(t *testing.T) {
	r := newRig(t)
	r.create("orders", 2)
	r.coordinate("billing")
	if got := r.groups(); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	for range 10 {
		r.write("orders", 0, plain("x"))
	}
	r.commit("billing", "orders", 1, 0)
	r.commit("billing", "orders", 0, 4)
	r.commit("audit", "orders", 0, 10)
	join := kmsg.NewPtrJoinGroupRequest()
	join.Version, join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis, join.ProtocolType = 3, "workers", 10_000, 10_000, "consumer"
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name = "range"
	join.Protocols = append(join.Protocols, protocol)
	wantCode(t, ask[*kmsg.JoinGroupResponse](r, join).ErrorCode, kafka.ErrNone)
	got := r.groups()
	if len(got) != 3 || got[0].Name != "audit" || got[1].Name != "billing" || got[2].Name != "workers" {
		t.Fatalf("%+v", got)
	}
	if got[2].Members != 1 || got[0].Members != 0 || got[0].State != "Empty" {
		t.Errorf("%+v", got)
	}
	if o := got[0].Offsets; len(o) != 1 || o[0].Lag != 0 || !o[0].Known || o[0].Offset != 10 {
		t.Errorf("%+v", o)
	}
	if o := got[1].Offsets; len(o) != 2 || o[0].Partition != 0 || o[0].Lag != 6 || o[1].Lag != 0 {
		t.Errorf("%+v", o)
	}
	// Records that retention took away are nobody's lag.
	found, err := r.n.replicas.ByName(kafka.TopicPartition{Topic: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	low := kafka.NoOffset
	found.DeleteRecords(9, time.Minute, func(l kafka.Offset, err error) { low = l })
	r.w.Run(time.Second)
	if low != 9 {
		t.Fatalf("the log start is %d", low)
	}
	if o := r.groups()[1].Offsets; o[0].Lag != 1 {
		t.Errorf("with a log start of 9 and a high watermark of 10 the lag is %d", o[0].Lag)
	}
}
