package node

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// fill writes n records of size bytes, one batch each.
func (r *rig) fill(topic string, n, size int) {
	r.t.Helper()
	for range n {
		wantCode(r.t, r.write(topic, 0, plain(string(make([]byte, size)))).ErrorCode, kafka.ErrNone)
	}
}

func TestSurface10NullAbortedListForReadUncommitted(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	r.fill("a", 1, 10)
	if p := r.read("a", 0, 0); p.AbortedTransactions != nil || p.LastStableOffset != 1 {
		t.Errorf("read_uncommitted: %+v", p)
	}
	req := fetching("a", 0, 0)
	req.IsolationLevel = 1
	if p := ask[*kmsg.FetchResponse](r, req).Topics[0].Partitions[0]; p.AbortedTransactions == nil || len(p.AbortedTransactions) != 0 {
		t.Errorf("read_committed has an empty list: %+v", p)
	}
}

func sessionOf(id, epoch int32, topic string, partitions ...int32) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.SessionID, req.SessionEpoch = 12, 1<<20, id, epoch
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	for _, n := range partitions {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.PartitionMaxBytes, p.CurrentLeaderEpoch = n, 1<<20, -1
		t.Partitions = append(t.Partitions, p)
	}
	if len(partitions) > 0 {
		req.Topics = append(req.Topics, t)
	}
	return req
}

func TestSurface12FetchSessions(t *testing.T) {
	r := newRig(t)
	r.create("a", 2)
	full := ask[*kmsg.FetchResponse](r, sessionOf(0, 0, "a", 0, 1))
	if full.SessionID == 0 || len(full.Topics) != 1 || len(full.Topics[0].Partitions) != 2 {
		t.Fatalf("a full fetch makes a session and tells of every partition: %+v", full)
	}
	id := full.SessionID
	if got := ask[*kmsg.FetchResponse](r, sessionOf(id, 1, "a")); len(got.Topics) != 0 {
		t.Fatalf("nothing moved and something was told: %+v", got)
	}
	wantCode(t, r.write("a", 1, plain("x")).ErrorCode, kafka.ErrNone)
	got := ask[*kmsg.FetchResponse](r, sessionOf(id, 2, "a"))
	if len(got.Topics) != 1 || len(got.Topics[0].Partitions) != 1 || got.Topics[0].Partitions[0].Partition != 1 {
		t.Fatalf("one partition moved: %+v", got)
	}
	wantCode(t, ask[*kmsg.FetchResponse](r, sessionOf(id, 7, "a")).ErrorCode, kafka.ErrInvalidFetchSessionEpoch)
	wantCode(t, ask[*kmsg.FetchResponse](r, sessionOf(id+1, 3, "a")).ErrorCode, kafka.ErrFetchSessionIdNotFound)
}

func TestSurface13Sizes(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	r.fill("a", 4, 1000)
	req := fetching("a", 0, 1)
	req.MaxBytes, req.Topics[0].Partitions[0].PartitionMaxBytes = 10, 10
	if p := ask[*kmsg.FetchResponse](r, req).Topics[0].Partitions[0]; len(values(t, p.RecordBatches)) != 1 {
		t.Errorf("the first batch comes though it is larger than every limit, got %d bytes", len(p.RecordBatches))
	}
	req.MaxBytes, req.Topics[0].Partitions[0].PartitionMaxBytes = 1<<20, 2500
	if p := ask[*kmsg.FetchResponse](r, req).Topics[0].Partitions[0]; len(values(t, p.RecordBatches)) != 2 {
		t.Errorf("2500 bytes hold two batches, got %d bytes", len(p.RecordBatches))
	}
	if p := r.read("a", 0, 4); p.ErrorCode != 0 || len(p.RecordBatches) != 0 {
		t.Errorf("the end is no error: %+v", p)
	}
	wantCode(t, r.read("a", 0, 5).ErrorCode, kafka.ErrOffsetOutOfRange)
	wantCode(t, r.read("a", 0, -3).ErrorCode, kafka.ErrOffsetOutOfRange)
}

func TestSurface13LongPoll(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	req := fetching("a", 0, 0)
	req.MaxWaitMillis = 300
	begun := r.w.Now().Mono
	ask[*kmsg.FetchResponse](r, req)
	if waited := r.w.Now().Mono - begun; waited < 300*time.Millisecond || waited > 400*time.Millisecond {
		t.Errorf("an empty partition answers after max.wait, it took %v", waited)
	}
	req.MaxWaitMillis = 30_000
	begun = r.w.Now().Mono
	r.main.send(req)
	r.w.Run(time.Second)
	other := r.connect("PLAINTEXT")
	askOn[*kmsg.ProduceResponse](other, producing("a", 0, -1, plain("x")))
	p := parse(t, r.main.receive(time.Minute), req).(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if waited := r.w.Now().Mono - begun; waited > 2*time.Second || len(values(t, p.RecordBatches)) != 1 {
		t.Errorf("a record ends the wait, it took %v for %d bytes", waited, len(p.RecordBatches))
	}
	req.Topics[0].Partitions[0].FetchOffset, req.MinBytes = 1, 5000
	r.main.send(req)
	for range 4 {
		r.w.Run(time.Second)
		if len(r.main.frames) > 0 {
			t.Fatal("answered with less than min.bytes")
		}
		askOn[*kmsg.ProduceResponse](other, producing("a", 0, -1, plain(string(make([]byte, 1300)))))
	}
	if r.main.receive(time.Second) == nil {
		t.Fatal("min.bytes are there and nobody was answered")
	}
}

func listOffsets(topic string, version int16, ts int64) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = version, -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Timestamp, p.CurrentLeaderEpoch = ts, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func TestSurface14ListOffsets(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	r.fill("a", 3, 10) // all at 1_790_003_600_000
	const at = 1_790_003_600_000
	for _, c := range []struct {
		version  int16
		ts       int64
		offset   int64
		stamp    int64
		wantCode kafka.ErrorCode
	}{
		{10, -1, 3, -1, 0}, {10, -2, 0, -1, 0}, {10, -3, 0, at, 0}, {10, -4, 0, -1, 0}, {10, -5, -1, -1, 0}, {11, -6, -1, -1, 0},
		{10, at - 5, 0, at, 0}, {10, at, 0, at, 0}, {10, at + 1, -1, -1, 0},
		{6, -3, -1, -1, kafka.ErrUnsupportedVersion}, {7, -4, -1, -1, kafka.ErrUnsupportedVersion},
	} {
		p := ask[*kmsg.ListOffsetsResponse](r, listOffsets("a", c.version, c.ts)).Topics[0].Partitions[0]
		if p.Offset != c.offset || p.Timestamp != c.stamp || kafka.ErrorCode(p.ErrorCode) != c.wantCode {
			t.Errorf("v%d timestamp %d: %+v, want offset %d at %d, %v", c.version, c.ts, p, c.offset, c.stamp, c.wantCode)
		}
	}
	if p := ask[*kmsg.ListOffsetsResponse](r, listOffsets("a", 10, -1)).Topics[0].Partitions[0]; p.LeaderEpoch < 0 {
		t.Errorf("no leader epoch: %+v", p)
	}
	none := listOffsets("a", 10, -1)
	none.Topics[0].Partitions = nil
	if got := ask[*kmsg.ListOffsetsResponse](r, none).Topics; len(got) != 0 {
		t.Errorf("a topic of which no partition was asked: %+v", got)
	}
}

func TestSurface15LeaderEpochs(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	r.fill("a", 1, 10)
	meta := func() int32 {
		m := kmsg.NewPtrMetadataRequest()
		m.Version = 9
		return ask[*kmsg.MetadataResponse](r, m).Topics[0].Partitions[0].LeaderEpoch
	}
	now := meta()
	for epoch, want := range map[int32]kafka.ErrorCode{now - 1: kafka.ErrFencedLeaderEpoch, now: kafka.ErrNone, now + 1: kafka.ErrUnknownLeaderEpoch} {
		req := fetching("a", 0, 0)
		req.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
		if epoch >= 0 {
			wantCode(t, ask[*kmsg.FetchResponse](r, req).Topics[0].Partitions[0].ErrorCode, want)
		}
	}
	r.kill()
	if after := meta(); after <= now {
		t.Errorf("a new incarnation of the leader keeps the epoch %d", after)
	}
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	req.Version, req.ReplicaID = 4, -1
	topic := kmsg.NewOffsetForLeaderEpochRequestTopic()
	topic.Topic = "a"
	p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	p.LeaderEpoch, p.CurrentLeaderEpoch = now, -1
	topic.Partitions = append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	got := ask[*kmsg.OffsetForLeaderEpochResponse](r, req).Topics[0].Partitions[0]
	if got.ErrorCode != 0 || got.LeaderEpoch != now || got.EndOffset != 1 {
		t.Errorf("the end of epoch %d: %+v", now, got)
	}
}

func TestSurface25LateReadersAreTold(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	r.fill("a", 3, 10)
	del := kmsg.NewPtrDeleteRecordsRequest()
	del.Version, del.TimeoutMillis = 2, 1000
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = "a"
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Offset = 2
	topic.Partitions = append(topic.Partitions, p)
	del.Topics = append(del.Topics, topic)
	if got := ask[*kmsg.DeleteRecordsResponse](r, del).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.LowWatermark != 2 {
		t.Fatalf("%+v", got)
	}
	r.kill() // Kafka's new log start doesn't survive this
	got := r.read("a", 0, 1)
	wantCode(t, got.ErrorCode, kafka.ErrOffsetOutOfRange)
	if got := r.read("a", 0, 2); got.ErrorCode != 0 || got.LogStartOffset != 2 {
		t.Fatalf("%+v", got)
	}
}
