package node

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/record"
)

// several asks for partitions of one topic from the start, without a session.
func several(topic string, partitions ...int32) *kmsg.FetchRequest {
	req := fetching(topic, partitions[0], 0)
	for _, n := range partitions[1:] {
		p := req.Topics[0].Partitions[0]
		p.Partition = n
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, p)
	}
	return req
}

// answered sends a fetch that may wait for a minute and reports how long it did.
func (r *rig) answered(req *kmsg.FetchRequest, meanwhile func()) (*kmsg.FetchResponse, time.Duration) {
	r.t.Helper()
	req.MaxWaitMillis = 60_000
	begun := r.w.Now().Mono
	c := r.connect("PLAINTEXT")
	c.send(req)
	r.w.Run(time.Second)
	if meanwhile != nil {
		if len(c.frames) > 0 {
			r.t.Fatal("it was to wait")
		}
		meanwhile()
	}
	f := c.receive(2 * time.Minute)
	if f == nil {
		r.t.Fatal("no answer")
	}
	return parse(r.t, f, req).(*kmsg.FetchResponse), r.w.Now().Mono - begun
}

func TestWhatEndsTheWaitOfAFetch(t *testing.T) {
	r := newRig(t)
	r.create("a", 2)
	soon := func(what string, req *kmsg.FetchRequest, meanwhile func()) *kmsg.FetchResponse {
		t.Helper()
		resp, waited := r.answered(req, meanwhile)
		if waited > 10*time.Second {
			t.Errorf("%s: it waited for %v", what, waited)
		}
		return resp
	}
	soon("an unknown partition beside a good one", several("a", 0, 7), nil)
	ahead := fetching("a", 0, 5)
	soon("an offset beyond the end", ahead, nil)
	fenced := fetching("a", 0, 0)
	fenced.Topics[0].Partitions[0].CurrentLeaderEpoch = 99
	soon("an epoch to come", fenced, nil)
	nothing := fetching("a", 0, 0)
	nothing.Topics = nil
	soon("no partitions", nothing, nil)
	none := fetching("a", 0, 0)
	none.MinBytes = 0
	soon("nothing is enough", none, nil)

	resp := soon("a record in the second partition", several("a", 0, 1), func() { wantCode(t, r.write("a", 1, plain("x")).ErrorCode, kafka.ErrNone) })
	if p := resp.Topics[0].Partitions; len(p) != 2 || len(p[0].RecordBatches) != 0 || len(values(t, p[1].RecordBatches)) != 1 {
		t.Errorf("%+v", p)
	}
	resp = soon("the topic is deleted", fetching("a", 0, 0), func() {
		name := "a"
		wantCode(t, ask[*kmsg.DeleteTopicsResponse](r, deletion(6, kmsg.DeleteTopicsRequestTopic{Topic: &name})).Topics[0].ErrorCode, kafka.ErrNone)
	})
	wantCode(t, resp.Topics[0].Partitions[0].ErrorCode, kafka.ErrUnknownTopicOrPartition)
}

func TestRecordsAreDeletedUnderAWaitingFetch(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	r.fill("a", 2, 10)
	req := fetching("a", 0, 0)
	req.MinBytes = 100_000
	resp, waited := r.answered(req, func() {
		del := kmsg.NewPtrDeleteRecordsRequest()
		del.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: "a", Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Offset: -1}}}}
		wantCode(t, ask[*kmsg.DeleteRecordsResponse](r, del).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
	})
	if waited > 10*time.Second {
		t.Errorf("it waited for %v", waited)
	}
	wantCode(t, resp.Topics[0].Partitions[0].ErrorCode, kafka.ErrOffsetOutOfRange)
}

func TestAStopAnswersAWaitingFetch(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	req := fetching("a", 0, 0)
	req.MaxWaitMillis = 600_000
	r.main.send(req)
	r.w.Run(time.Second)
	r.n.Stop(func(err error) {
		if err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	f := r.main.receive(time.Minute)
	if f == nil {
		t.Fatal("no answer")
	}
	// Either with what there is, or that this node leads no more: which comes first is open.
	p := parse(t, f, req).(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if code := kafka.ErrorCode(p.ErrorCode); code != kafka.ErrNone && code != kafka.ErrNotLeaderOrFollower {
		t.Errorf("%+v", p)
	}
}

func TestBytesOfAFetchAreShared(t *testing.T) {
	r := newRig(t)
	r.create("a", 3)
	for n := range int32(3) {
		for range 3 {
			wantCode(t, r.write("a", n, plain(string(make([]byte, 1000)))).ErrorCode, kafka.ErrNone)
		}
	}
	counts := func(req *kmsg.FetchRequest) [3]int {
		var out [3]int
		for _, p := range ask[*kmsg.FetchResponse](r, req).Topics[0].Partitions {
			wantCode(t, p.ErrorCode, kafka.ErrNone)
			if p.HighWatermark != 3 || p.LogStartOffset != 0 || p.LastStableOffset != 3 {
				t.Errorf("%+v", p)
			}
			out[p.Partition] = len(values(t, p.RecordBatches))
		}
		return out
	}
	for _, c := range []struct {
		of, each int32
		want     [3]int
	}{
		{1 << 20, 1 << 20, [3]int{3, 3, 3}},
		{4500, 1 << 20, [3]int{3, 1, 0}},
		{1 << 20, 2300, [3]int{2, 2, 2}},
		{10, 1 << 20, [3]int{1, 0, 0}},
		{0, 0, [3]int{1, 0, 0}},
		{1 << 20, 10, [3]int{1, 0, 0}}, // one batch that is too large, and only where nothing came before
	} {
		req := several("a", 0, 1, 2)
		req.MaxBytes = c.of
		for i := range req.Topics[0].Partitions {
			req.Topics[0].Partitions[i].PartitionMaxBytes = c.each
		}
		if got := counts(req); got != c.want {
			t.Errorf("%d bytes, %d of each partition: %v batches, want %v", c.of, c.each, got, c.want)
		}
	}
	small := newRig(t, "fetch.max.bytes", "1024")
	small.create("a", 1)
	small.fill("a", 2, 700)
	if n := len(values(t, small.read("a", 0, 0).RecordBatches)); n != 1 {
		t.Errorf("fetch.max.bytes holds one batch, %d came", n)
	}
}

// A session takes turns, so that what the byte limit leaves out comes next.
func TestASessionTakesTurns(t *testing.T) {
	r := newRig(t)
	f := &fetcher{r: r, version: 12, topics: map[string]kafka.TopicID{"a": r.create("a", 3)}}
	for n := range int32(3) {
		wantCode(t, r.write("a", n, plain(string(make([]byte, 1000)))).ErrorCode, kafka.ErrNone)
	}
	req := f.request(position{topic: "a"}, position{topic: "a", partition: 1}, position{topic: "a", partition: 2})
	var order []int32
	for range 6 {
		req.MaxBytes, req.SessionID, req.SessionEpoch = 100, f.id, f.epoch
		resp := ask[*kmsg.FetchResponse](r, req)
		wantCode(t, resp.ErrorCode, kafka.ErrNone)
		for _, topic := range resp.Topics {
			for _, p := range topic.Partitions {
				if len(p.RecordBatches) > 0 {
					order = append(order, p.Partition)
				}
			}
		}
		f.id, f.epoch, req.Topics = resp.SessionID, f.epoch+1, nil
	}
	if want := [6]int32{0, 1, 2, 0, 1, 2}; len(order) != 6 || [6]int32(order) != want {
		t.Errorf("read in the order %v, want %v", order, want)
	}
}

func TestReplicasAreNotServed(t *testing.T) {
	r := newRig(t)
	id := r.create("a", 1)
	r.fill("a", 1, 10)
	for _, version := range []int16{4, 14, 15, 18} {
		req := fetching("a", 0, 0)
		req.Version, req.ReplicaID, req.ReplicaState.ID, req.Topics[0].TopicID = version, 5, 5, id
		p := ask[*kmsg.FetchResponse](r, req).Topics[0].Partitions[0]
		if kafka.ErrorCode(p.ErrorCode) != kafka.ErrNotLeaderOrFollower || p.HighWatermark != -1 || len(p.RecordBatches) != 0 {
			t.Errorf("v%d: %+v", version, p)
		}
		leader := int32(-1) // KIP-951: Kafka tells who leads from v16 on
		if version >= 16 {
			leader = 1
		}
		if p.CurrentLeader.LeaderID != leader {
			t.Errorf("v%d tells of leader %d, want %d", version, p.CurrentLeader.LeaderID, leader)
		}
	}
}

// opened is the first batch of a producer's transaction.
func opened(id kafka.ProducerID) record.Batch {
	o := record.Plain()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.Transactional = id, 0, 0, true
	return built(o, "open")
}

// append writes a batch as a coordinator does.
func (r *rig) append(p *partition.Partition, b record.Batch) {
	r.t.Helper()
	done := false
	p.Append(partition.Append{Batch: b, Acks: -1, Origin: partition.Coordinator, Epoch: kafka.NoLeaderEpoch}, func(a partition.Appended) {
		if done = true; a.Err != nil {
			r.t.Errorf("append: %v", a.Err)
		}
	})
	if !r.w.RunUntil(time.Second, func() bool { return done }) {
		r.t.Fatal("the append is not answered")
	}
}

// read_committed stops before what an open transaction wrote; the rest of the broker doesn't know transactions yet, so
// that its batch is put into the log by a coordinator's hand.
func TestReadCommittedStopsAtAnOpenTransaction(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	r.fill("a", 1, 10)
	p, err := r.n.replicas.ByName(kafka.TopicPartition{Topic: "a"})
	if err != nil {
		t.Fatal(err)
	}
	r.append(p, opened(5))
	r.fill("a", 1, 10)
	isolated := func(level int8) (kmsg.FetchResponseTopicPartition, int64) {
		req := fetching("a", 0, 0)
		req.IsolationLevel = level
		list := listOffsets("a", 11, -1)
		list.IsolationLevel = level
		return ask[*kmsg.FetchResponse](r, req).Topics[0].Partitions[0], ask[*kmsg.ListOffsetsResponse](r, list).Topics[0].Partitions[0].Offset
	}
	all, latest := isolated(0)
	if len(values(t, all.RecordBatches)) != 3 || all.LastStableOffset != 1 || all.HighWatermark != 3 || latest != 3 || all.AbortedTransactions != nil {
		t.Errorf("read_uncommitted: %d to %d, latest %d", all.LastStableOffset, all.HighWatermark, latest)
	}
	some, stable := isolated(1)
	if len(values(t, some.RecordBatches)) != 1 || some.LastStableOffset != 1 || some.HighWatermark != 3 || stable != 1 {
		t.Errorf("read_committed: %d to %d, latest %d", some.LastStableOffset, some.HighWatermark, stable)
	}
	req := fetching("a", 0, 1)
	req.IsolationLevel = 1
	resp, waited := r.answered(req, func() { r.append(p, record.NewEndTxn(5, 0, false, record.EndTxnMarker{}, 1_790_003_600_000)) })
	got := resp.Topics[0].Partitions[0]
	if waited > 10*time.Second || got.LastStableOffset != 4 || len(got.AbortedTransactions) != 1 || got.AbortedTransactions[0].ProducerID != 5 || got.AbortedTransactions[0].FirstOffset != 1 {
		t.Errorf("aborted: after %v %+v", waited, got)
	}
}
