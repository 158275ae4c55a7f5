package node

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// fetcher asks within one session, at a version that names topics by name or by id.
type fetcher struct {
	r       *rig
	version int16
	id      int32
	epoch   int32
	topics  map[string]kafka.TopicID
}

// position is a partition to fetch from; forget takes it out instead.
type position struct {
	topic     string
	partition int32
	offset    int64
	forget    bool
}

func (f *fetcher) request(positions ...position) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.SessionID, req.SessionEpoch = f.version, 1<<20, f.id, f.epoch
	for _, p := range positions {
		id := f.topics[p.topic]
		if p.forget {
			req.ForgottenTopics = append(req.ForgottenTopics, kmsg.FetchRequestForgottenTopic{Topic: p.topic, TopicID: id, Partitions: []int32{p.partition}})
			continue
		}
		t := kmsg.NewFetchRequestTopic()
		t.Topic, t.TopicID = p.topic, id
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = p.partition, p.offset, 1<<20, -1
		t.Partitions = append(t.Partitions, rp)
		req.Topics = append(req.Topics, t)
	}
	return req
}

// fetch asks and writes down what was answered: partitions in order, with an error or the bytes there.
func (f *fetcher) fetch(positions ...position) string {
	f.r.t.Helper()
	resp := ask[*kmsg.FetchResponse](f.r, f.request(positions...))
	if resp.ErrorCode != 0 {
		return kafka.ErrorCode(resp.ErrorCode).String()
	}
	if f.epoch == 0 {
		f.id = resp.SessionID
	}
	if resp.SessionID != f.id {
		return fmt.Sprintf("session %d instead of %d", resp.SessionID, f.id)
	}
	if f.epoch >= 0 {
		f.epoch++
	}
	out := ""
	for _, t := range resp.Topics {
		name := t.Topic
		for n, id := range f.topics {
			if f.version >= 13 && id == t.TopicID {
				name = n
			}
		}
		for _, p := range t.Partitions {
			what := fmt.Sprint(len(values(f.r.t, p.RecordBatches)))
			if p.ErrorCode != 0 {
				what = kafka.ErrorCode(p.ErrorCode).String()
			}
			out += fmt.Sprintf("[%s-%d %s]", name, p.Partition, what)
		}
	}
	return out
}

func (f *fetcher) wants(what, want string, positions ...position) {
	f.r.t.Helper()
	if got := f.fetch(positions...); got != want {
		f.r.t.Errorf("v%d %s: %s, want %s", f.version, what, got, want)
	}
}

func TestFetchSessionFromBeginningToEnd(t *testing.T) {
	for _, version := range []int16{7, 12, 13, 18} {
		r := newRig(t)
		f := &fetcher{r: r, version: version, topics: map[string]kafka.TopicID{"a": r.create("a", 2), "b": r.create("b", 1), "gone": {7}}}
		unknown := "[gone-0 UNKNOWN_TOPIC_OR_PARTITION]"
		if version >= 13 {
			unknown = "[gone-0 UNKNOWN_TOPIC_ID]"
		}
		f.wants("a full fetch", "[a-0 0][a-1 0]", position{topic: "a"}, position{topic: "a", partition: 1})
		f.wants("nothing moved", "")
		f.wants("a new partition", "[b-0 0]", position{topic: "b"})
		f.wants("an unknown one", unknown, position{topic: "gone"})
		f.wants("errors are told again", unknown)
		f.wants("until it is forgotten", "", position{topic: "gone", forget: true})
		wantCode(t, r.write("b", 0, plain("x")).ErrorCode, kafka.ErrNone)
		f.wants("a record", "[b-0 1]")
		f.wants("the same again, for the position stands", "[b-0 1]")
		f.wants("past it", "", position{topic: "b", offset: 1})
		f.wants("out of range", "[b-0 OFFSET_OUT_OF_RANGE]", position{topic: "b", offset: 9})
		f.wants("still", "[b-0 OFFSET_OUT_OF_RANGE]")
		f.wants("back in range", "[b-0 0]", position{topic: "b", offset: 1})
		right := f.epoch
		for _, wrong := range []int32{right - 1, right + 1, 1} {
			f.epoch = wrong
			f.wants("a wrong epoch", "INVALID_FETCH_SESSION_EPOCH")
		}
		f.epoch = right
		f.wants("which ends nothing", "")
		id := f.id
		f.id = 0 // what is told when a session has nothing left
		req := f.request(position{topic: "a", forget: true}, position{topic: "a", partition: 1, forget: true}, position{topic: "b", forget: true})
		req.SessionID = id
		if got := ask[*kmsg.FetchResponse](r, req); got.ErrorCode != 0 || got.SessionID != 0 || len(got.Topics) != 0 {
			t.Errorf("v%d everything forgotten: %+v", version, got)
		}
		f.id, f.epoch = id, right+2
		f.wants("over", "FETCH_SESSION_ID_NOT_FOUND")
	}
}

func TestFetchSessionsAreReplacedAndClosed(t *testing.T) {
	r := newRig(t)
	topics := map[string]kafka.TopicID{"a": r.create("a", 1)}
	f := &fetcher{r: r, version: 12, topics: topics}
	f.wants("a session", "[a-0 0]", position{topic: "a"})
	old := f.id
	f.epoch = 0 // a full fetch that names a session takes its place
	f.wants("a full fetch", "[a-0 0]", position{topic: "a"})
	if f.id == old || f.id == 0 {
		t.Fatalf("session %d after %d", f.id, old)
	}
	gone := &fetcher{r: r, version: 12, topics: topics, id: old, epoch: 1}
	gone.wants("the old one", "FETCH_SESSION_ID_NOT_FOUND")
	last := f.request(position{topic: "a"})
	last.SessionEpoch = -1
	if got := ask[*kmsg.FetchResponse](r, last); got.ErrorCode != 0 || got.SessionID != 0 || len(got.Topics) != 1 {
		t.Errorf("a last fetch closes its session: %+v", got)
	}
	f.wants("closed", "FETCH_SESSION_ID_NOT_FOUND")
	empty := &fetcher{r: r, version: 18, topics: topics}
	empty.wants("a session without partitions", "")
	if empty.id == 0 {
		t.Error("it has no id, and Apache Kafka gives it one")
	}
	empty.wants("that gets one", "[a-0 0]", position{topic: "a"})
	none := &fetcher{r: r, version: 12, topics: topics, epoch: -1}
	none.wants("without a session", "[a-0 0]", position{topic: "a"})
	byID := &fetcher{r: r, version: 13, topics: topics, id: 0}
	byID.wants("by id", "[a-0 0]", position{topic: "a"})
	byID.version = 12
	byID.wants("then by name", "FETCH_SESSION_TOPIC_ID_ERROR")
}

func TestFetchSessionsHaveRoom(t *testing.T) {
	r := newRig(t, "max.incremental.fetch.session.cache.slots", "2")
	topics := map[string]kafka.TopicID{"a": r.create("a", 3)}
	all := []position{{topic: "a"}, {topic: "a", partition: 1}, {topic: "a", partition: 2}}
	open := func(n int) *fetcher {
		f := &fetcher{r: r, version: 12, topics: topics}
		f.fetch(all[:n]...)
		return f
	}
	small, large := open(1), open(3)
	if small.id == 0 || large.id == 0 {
		t.Fatal("there was room for two")
	}
	if third := open(3); third.id != 0 {
		t.Error("a third one has to do without, while the others are young and in use")
	}
	r.w.Run(121 * time.Second)
	large.wants("in use", "")
	small.wants("in use", "")
	if third := open(1); third.id != 0 {
		t.Error("as large as the smaller one doesn't take its place")
	}
	if third := open(2); third.id == 0 {
		t.Error("a larger one takes the place of a smaller that had its time")
	}
	small.wants("gone", "FETCH_SESSION_ID_NOT_FOUND")
	large.wants("in use", "")
	r.w.Run(121 * time.Second)
	if last := open(1); last.id == 0 {
		t.Error("nobody used the others for long")
	}
}
