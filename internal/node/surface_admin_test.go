package node

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

func metadata(version int16, auto bool, topics ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Version, req.AllowAutoTopicCreation, req.Topics = version, auto, []kmsg.MetadataRequestTopic{}
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &name
		req.Topics = append(req.Topics, t)
	}
	return req
}

func TestSurface19AutoCreateAndNames(t *testing.T) {
	r := newRig(t)
	wantCode(t, ask[*kmsg.MetadataResponse](r, metadata(9, false, "new")).Topics[0].ErrorCode, kafka.ErrUnknownTopicOrPartition)
	got := ask[*kmsg.MetadataResponse](r, metadata(9, true, "new", "bad name", "new")).Topics
	if len(got) != 2 || got[0].ErrorCode != 0 || len(got[0].Partitions) != 1 || got[0].Partitions[0].Leader != 1 {
		t.Fatalf("a topic that was asked for is there at once: %+v", got)
	}
	wantCode(t, got[1].ErrorCode, kafka.ErrInvalidTopicException)
	wantCode(t, r.write("new", 0, plain("x")).ErrorCode, kafka.ErrNone)
	for name, want := range map[string]kafka.ErrorCode{
		"": kafka.ErrInvalidTopicException, ".": kafka.ErrInvalidTopicException, "a b": kafka.ErrInvalidTopicException,
		strings.Repeat("x", 250): kafka.ErrInvalidTopicException, "ne.w": kafka.ErrNone, "ne_w": kafka.ErrInvalidTopicException,
		"new": kafka.ErrTopicAlreadyExists,
	} {
		if name == "ne_w" {
			r.createWants("ne.w2", kafka.ErrNone)
			r.createWants("ne_w2", kafka.ErrInvalidTopicException) // collides in metric names
			continue
		}
		r.createWants(name, want)
	}
	off := newRig(t, "auto.create.topics.enable", "false")
	wantCode(t, ask[*kmsg.MetadataResponse](off, metadata(9, true, "new")).Topics[0].ErrorCode, kafka.ErrUnknownTopicOrPartition)
}

func creation(names ...string) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 5000
	for _, name := range names {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, -1, -1
		req.Topics = append(req.Topics, t)
	}
	return req
}

func (r *rig) createWants(name string, want kafka.ErrorCode) {
	r.t.Helper()
	got := ask[*kmsg.CreateTopicsResponse](r, creation(name)).Topics[0]
	if kafka.ErrorCode(got.ErrorCode) != want {
		r.t.Errorf("create %q: error %v, want %v", name, kafka.ErrorCode(got.ErrorCode), want)
	}
}

func TestSurface19InternalTopicIsMadeWhenACoordinatorIsLookedFor(t *testing.T) {
	r := newRig(t)
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.Version, req.CoordinatorKeys = 4, []string{"g"}
	var code kafka.ErrorCode
	for range 50 {
		c := ask[*kmsg.FindCoordinatorResponse](r, req).Coordinators[0]
		if code = kafka.ErrorCode(c.ErrorCode); code == kafka.ErrNone {
			if c.NodeID != 1 || c.Host != "one" {
				t.Fatalf("%+v", c)
			}
			break
		}
		if code != kafka.ErrCoordinatorNotAvailable {
			t.Fatalf("meanwhile the answer is COORDINATOR_NOT_AVAILABLE, got %v", code)
		}
	}
	wantCode(t, int16(code), kafka.ErrNone)
	m := ask[*kmsg.MetadataResponse](r, metadata(9, false, kafka.OffsetsTopic)).Topics[0]
	if !m.IsInternal || len(m.Partitions) != 2 {
		t.Fatalf("%+v", m)
	}
	wantCode(t, r.write(kafka.OffsetsTopic, 0, plain("x")).ErrorCode, kafka.ErrInvalidTopicException)
}

func alter(t kmsg.ConfigResourceType, name string, ops ...string) *kmsg.IncrementalAlterConfigsRequest {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = 1
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = t, name
	for _, op := range ops {
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		key, value, _ := strings.Cut(op[1:], "=")
		c.Name, c.Value = key, &value
		c.Op = kmsg.IncrementalAlterConfigOp(strings.IndexByte("=-+!", op[0]))
		res.Configs = append(res.Configs, c)
	}
	req.Resources = append(req.Resources, res)
	return req
}

func (r *rig) alterWants(want kafka.ErrorCode, t kmsg.ConfigResourceType, name string, ops ...string) {
	r.t.Helper()
	got := ask[*kmsg.IncrementalAlterConfigsResponse](r, alter(t, name, ops...)).Resources[0]
	if kafka.ErrorCode(got.ErrorCode) != want {
		r.t.Errorf("alter %s %v: error %v, want %v", name, ops, kafka.ErrorCode(got.ErrorCode), want)
	}
}

func (r *rig) config(t kmsg.ConfigResourceType, name, key string) kmsg.DescribeConfigsResponseResourceConfig {
	r.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version, req.IncludeSynonyms = 4, true
	res := kmsg.NewDescribeConfigsRequestResource()
	res.ResourceType, res.ResourceName, res.ConfigNames = t, name, []string{key}
	req.Resources = append(req.Resources, res)
	got := ask[*kmsg.DescribeConfigsResponse](r, req).Resources[0]
	wantCode(r.t, got.ErrorCode, kafka.ErrNone)
	if len(got.Configs) != 1 {
		r.t.Fatalf("%s has no key %s", name, key)
	}
	return got.Configs[0]
}

func TestSurface22Configs(t *testing.T) {
	const topic, broker = kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeBroker
	r := newRig(t, "log.retention.ms", "777", "ssl.key.password", "secret")
	r.create("a", 1)
	if c := r.config(topic, "a", "retention.ms"); *c.Value != "777" || c.Source != 4 {
		t.Errorf("a static broker key gives the topic's default: %+v", c)
	}
	r.alterWants(kafka.ErrNone, broker, "", "=log.retention.ms=888")
	if c := r.config(topic, "a", "retention.ms"); *c.Value != "888" || c.Source != 3 {
		t.Errorf("a dynamic default of all brokers: %+v", c)
	}
	r.alterWants(kafka.ErrNone, broker, "1", "=log.retention.ms=999")
	if c := r.config(topic, "a", "retention.ms"); *c.Value != "999" || c.Source != 2 {
		t.Errorf("a dynamic key of this broker: %+v", c)
	}
	r.alterWants(kafka.ErrNone, topic, "a", "=retention.ms=1000")
	c := r.config(topic, "a", "retention.ms")
	var sources []int8
	for _, s := range c.ConfigSynonyms {
		sources = append(sources, int8(s.Source))
	}
	if *c.Value != "1000" || c.Source != 1 || !slices.Equal(sources, []int8{1, 2, 3, 4, 5}) {
		t.Errorf("synonyms in order of precedence: %+v, %v", c, sources)
	}
	if c := r.config(topic, "a", "segment.bytes"); c.Source != 5 || c.ReadOnly {
		t.Errorf("a default: %+v", c)
	}
	if c := r.config(broker, "1", "ssl.key.password"); c.Value != nil || !c.IsSensitive {
		t.Errorf("a password is never shown: %+v", c)
	}
	if c := r.config(broker, "1", "node.id"); !c.ReadOnly {
		t.Errorf("node.id doesn't change: %+v", c)
	}
	r.alterWants(kafka.ErrInvalidConfig, topic, "a", "=no.such.key=1")
	r.alterWants(kafka.ErrInvalidConfig, topic, "a", "=retention.ms=soon")
	r.alterWants(kafka.ErrInvalidConfig, topic, "a", "+retention.ms=1") // below: the operations are '=' set, '-' delete, '+' append, '!' subtract
	r.alterWants(kafka.ErrNone, topic, "a", "+cleanup.policy=compact")
	if c := r.config(topic, "a", "cleanup.policy"); *c.Value != "delete,compact" {
		t.Errorf("append: %s", *c.Value)
	}
	r.alterWants(kafka.ErrNone, topic, "a", "!cleanup.policy=delete")
	if c := r.config(topic, "a", "cleanup.policy"); *c.Value != "compact" {
		t.Errorf("subtract: %s", *c.Value)
	}
	r.alterWants(kafka.ErrInvalidRequest, broker, "1", "=node.id=2")
	r.alterWants(kafka.ErrInvalidRequest, broker, "2", "=log.retention.ms=1")
	r.alterWants(kafka.ErrUnknownTopicOrPartition, topic, "missing", "=retention.ms=1")
	r.alterWants(kafka.ErrNone, topic, "a", "-retention.ms=")
	if c := r.config(topic, "a", "retention.ms"); *c.Value != "999" {
		t.Errorf("deleted: %+v", c)
	}
	r.kill()
	if c := r.config(topic, "a", "cleanup.policy"); *c.Value != "compact" {
		t.Errorf("after kill -9: %s", *c.Value)
	}
}

func TestSurface22DynamicConfigsAct(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	r.alterWants(kafka.ErrNone, kmsg.ConfigResourceTypeTopic, "a", "=max.message.bytes=100")
	wantCode(t, r.write("a", 0, plain(strings.Repeat("x", 200))).ErrorCode, kafka.ErrMessageTooLarge)
	r.alterWants(kafka.ErrNone, kmsg.ConfigResourceTypeTopic, "a", "=min.insync.replicas=2", "-max.message.bytes=")
	wantCode(t, r.write("a", 0, plain(strings.Repeat("x", 200))).ErrorCode, kafka.ErrNone) // all replicas are in sync
}

func TestSurface22AlterConfigsReplaces(t *testing.T) {
	r := newRig(t)
	r.create("a", 1, "retention.ms", "5", "segment.bytes", "2000000")
	req := kmsg.NewPtrAlterConfigsRequest()
	req.Version = 2
	res := kmsg.NewAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, "a"
	c := kmsg.NewAlterConfigsRequestResourceConfig()
	c.Name, c.Value = "retention.ms", new("6")
	res.Configs = append(res.Configs, c)
	req.Resources = append(req.Resources, res)
	req.ValidateOnly = true
	wantCode(t, ask[*kmsg.AlterConfigsResponse](r, req).Resources[0].ErrorCode, kafka.ErrNone)
	if c := r.config(kmsg.ConfigResourceTypeTopic, "a", "retention.ms"); *c.Value != "5" {
		t.Errorf("validate_only changed something: %s", *c.Value)
	}
	req.ValidateOnly = false
	wantCode(t, ask[*kmsg.AlterConfigsResponse](r, req).Resources[0].ErrorCode, kafka.ErrNone)
	if c := r.config(kmsg.ConfigResourceTypeTopic, "a", "retention.ms"); *c.Value != "6" {
		t.Errorf("set: %s", *c.Value)
	}
	if c := r.config(kmsg.ConfigResourceTypeTopic, "a", "segment.bytes"); c.Source != 5 {
		t.Errorf("what isn't named goes back to its default: %+v", c)
	}
}

func TestSurface23AdminSemantics(t *testing.T) {
	r := newRig(t)
	got := ask[*kmsg.CreateTopicsResponse](r, creation("twice", "once", "twice")).Topics
	codes := map[string]kafka.ErrorCode{}
	for _, c := range got {
		codes[c.Topic] = kafka.ErrorCode(c.ErrorCode)
	}
	if len(got) != 2 || codes["twice"] != kafka.ErrInvalidRequest || codes["once"] != kafka.ErrNone {
		t.Errorf("each topic by itself: %v", codes)
	}
	for _, c := range got {
		if c.Topic == "once" && (c.NumPartitions != 1 || c.ReplicationFactor != 1 || len(c.Configs) < 25 || c.TopicID == [16]byte{}) {
			t.Errorf("the answer tells what was made: %d partitions, %d configs", c.NumPartitions, len(c.Configs))
		}
	}
	m := metadata(9, false, "once")
	if got := ask[*kmsg.MetadataResponse](r, m); got.Topics[0].AuthorizedOperations != -1<<31 || got.AuthorizedOperations != -1<<31 {
		t.Errorf("operations that nobody asked for: %d", got.Topics[0].AuthorizedOperations)
	}
	m.IncludeTopicAuthorizedOperations = true
	if got := ask[*kmsg.MetadataResponse](r, m); got.Topics[0].AuthorizedOperations != 3576 {
		t.Errorf("operations %d", got.Topics[0].AuthorizedOperations)
	}
	req := creation("byhand", "toomany", "dry")
	a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
	a.Replicas = []int32{1}
	req.Topics[0].ReplicaAssignment = append(req.Topics[0].ReplicaAssignment, a)
	req.Topics[1].ReplicationFactor = 3
	for _, c := range ask[*kmsg.CreateTopicsResponse](r, req).Topics {
		want := kafka.ErrNone
		if c.Topic == "toomany" {
			want = kafka.ErrInvalidReplicationFactor
		}
		wantCode(t, c.ErrorCode, want)
	}
	dry := creation("never")
	dry.ValidateOnly = true
	wantCode(t, ask[*kmsg.CreateTopicsResponse](r, dry).Topics[0].ErrorCode, kafka.ErrNone)
	wantCode(t, ask[*kmsg.MetadataResponse](r, metadata(9, false, "never")).Topics[0].ErrorCode, kafka.ErrUnknownTopicOrPartition)
}

func TestSurface23GrowingTopics(t *testing.T) {
	r := newRig(t)
	r.create("a", 2)
	for count, want := range map[int32]kafka.ErrorCode{1: kafka.ErrInvalidPartitions, 2: kafka.ErrInvalidPartitions, 0: kafka.ErrInvalidPartitions} {
		wantCode(t, ask[*kmsg.CreatePartitionsResponse](r, growth("a", count)).Topics[0].ErrorCode, want)
	}
	wantCode(t, ask[*kmsg.CreatePartitionsResponse](r, growth("missing", 5)).Topics[0].ErrorCode, kafka.ErrUnknownTopicOrPartition)
	wantCode(t, ask[*kmsg.CreatePartitionsResponse](r, growth("a", 5)).Topics[0].ErrorCode, kafka.ErrNone)
	if got := ask[*kmsg.MetadataResponse](r, metadata(9, false, "a")); len(got.Topics[0].Partitions) != 5 {
		t.Errorf("read your writes: %d partitions", len(got.Topics[0].Partitions))
	}
	wantCode(t, r.write("a", 4, plain("x")).ErrorCode, kafka.ErrNone)
}

func growth(topic string, count int32) *kmsg.CreatePartitionsRequest {
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.Version, req.TimeoutMillis = 3, 5000
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = topic, count
	req.Topics = append(req.Topics, t)
	return req
}

func TestDeletedTopicsDisappear(t *testing.T) {
	r := newRig(t)
	r.create("a", 3)
	for n := range int32(3) {
		wantCode(t, r.write("a", n, plain("x")).ErrorCode, kafka.ErrNone)
	}
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TopicNames = 5, []string{"a", "missing"}
	got := ask[*kmsg.DeleteTopicsResponse](r, req).Topics
	for _, d := range got {
		want := kafka.ErrNone
		if *d.Topic == "missing" {
			want = kafka.ErrUnknownTopicOrPartition
		}
		wantCode(t, d.ErrorCode, want)
	}
	r.w.Run(2 * 60e9)
	entries, err := r.fs.List("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name, "a-") {
			t.Errorf("%s is still on disk", e.Name)
		}
	}
	wantCode(t, r.write("a", 0, plain("x")).ErrorCode, kafka.ErrUnknownTopicOrPartition)
}

func TestDescriptions(t *testing.T) {
	r := newRig(t)
	r.create("a", 2)
	wantCode(t, r.write("a", 0, plain("x")).ErrorCode, kafka.ErrNone)
	dirs := kmsg.NewPtrDescribeLogDirsRequest()
	dirs.Version = 4
	d := ask[*kmsg.DescribeLogDirsResponse](r, dirs)
	if len(d.Dirs) != 1 || len(d.Dirs[0].Topics) != 1 || d.Dirs[0].Topics[0].Partitions[0].Size == 0 {
		t.Errorf("log dirs %+v", d.Dirs)
	}
	quorum := kmsg.NewPtrDescribeQuorumRequest()
	quorum.Version = 2
	qt := kmsg.NewDescribeQuorumRequestTopic()
	qt.Topic, qt.Partitions = "__cluster_metadata", []kmsg.DescribeQuorumRequestTopicPartition{{}}
	quorum.Topics = append(quorum.Topics, qt)
	q := ask[*kmsg.DescribeQuorumResponse](r, quorum)
	if p := q.Topics[0].Partitions[0]; p.LeaderID != 1 || len(p.CurrentVoters) != 1 || p.HighWatermark <= 0 || p.CurrentVoters[0].LogEndOffset < p.HighWatermark {
		t.Errorf("quorum %+v", q)
	}
	producers := kmsg.NewPtrDescribeProducersRequest()
	pt := kmsg.NewDescribeProducersRequestTopic()
	pt.Topic, pt.Partitions = "a", []int32{0, 7}
	producers.Topics = append(producers.Topics, pt)
	wantCode(t, r.write("a", 0, idempotent(3, 1, 0, "x", "y")).ErrorCode, kafka.ErrNone)
	p := ask[*kmsg.DescribeProducersResponse](r, producers).Topics[0].Partitions
	if len(p[0].ActiveProducers) != 1 || p[0].ActiveProducers[0].ProducerID != 3 || p[0].ActiveProducers[0].LastSequence != 1 {
		t.Errorf("producers %+v", p[0])
	}
	wantCode(t, p[1].ErrorCode, kafka.ErrUnknownTopicOrPartition)
	pages := kmsg.NewPtrDescribeTopicPartitionsRequest()
	pages.ResponsePartitionLimit = 1
	first := ask[*kmsg.DescribeTopicPartitionsResponse](r, pages)
	if first.NextCursor == nil || first.NextCursor.Topic != "a" || first.NextCursor.Partition != 1 {
		t.Fatalf("cursor %+v", first.NextCursor)
	}
	c := kmsg.NewDescribeTopicPartitionsRequestCursor()
	c.Topic, c.Partition = first.NextCursor.Topic, first.NextCursor.Partition
	pages.Cursor = &c
	if second := ask[*kmsg.DescribeTopicPartitionsResponse](r, pages); second.NextCursor != nil || second.Topics[0].Partitions[0].Partition != 1 {
		t.Errorf("second page %+v", second)
	}
}

func TestInitProducerIDsAreUnique(t *testing.T) {
	r := newRig(t)
	seen := map[int64]bool{}
	for i := range 30 {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.Version = 4
		got := ask[*kmsg.InitProducerIDResponse](r, req)
		if got.ErrorCode != 0 || got.ProducerEpoch != 0 || seen[got.ProducerID] {
			t.Fatalf("%+v", got)
		}
		seen[got.ProducerID] = true
		if i%10 == 9 {
			r.kill()
		}
	}
}
