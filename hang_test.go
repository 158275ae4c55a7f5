package milena

import (
	"context"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/disk"
)

// stuck is the disk of a node, of which a directory may come to hang.
type stuck struct {
	files   *disk.Faulty
	release chan struct{}
}

// stick starts a node anew on a disk that may hang.
func stick(ctx context.Context, t *testing.T, c *Cluster, id int) *stuck {
	t.Helper()
	if err := c.Stop(id); err != nil {
		t.Fatal(err)
	}
	m := c.nodes[id-1]
	s := &stuck{files: disk.NewFaulty(m.files), release: make(chan struct{})}
	m.files = s.files
	if err := c.Start(ctx, id); err != nil {
		t.Fatal(err)
	}
	return s
}

// hang has no write to a directory come back.
func (s *stuck) hang(dir string) {
	s.files.Add(disk.Fault{Op: "write", Path: dir, Slow: func() { <-s.release }})
}

// home is the log directory of a topic's only partition on a node.
func home(ctx context.Context, t *testing.T, admin *kadm.Client, id int32, topic string) string {
	t.Helper()
	all, err := admin.DescribeBrokerLogDirs(ctx, id, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		if _, ok := d.Topics.Lookup(topic, 0); ok {
			return d.Dir
		}
	}
	t.Fatalf("node %d has no %s", id, topic)
	return ""
}

// create makes a topic of one partition on given nodes, the first of which leads.
func create(ctx context.Context, t *testing.T, client *kgo.Client, name string, nodes []int32, configs map[string]string) {
	t.Helper()
	one := kmsg.NewCreateTopicsRequestTopic()
	one.Topic, one.NumPartitions, one.ReplicationFactor = name, -1, -1
	one.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Replicas: nodes}}
	for k, v := range configs {
		one.Configs = append(one.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: k, Value: &v})
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics, req.TimeoutMillis = append(req.Topics, one), 10000
	answer, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(answer.Topics[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// await waits until something is so.
func await(ctx context.Context, t *testing.T, what string, is func() bool) {
	t.Helper()
	for !is() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: never", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// A write that does not come back holds its partition, and everything that waits for that. What is looked after in turn goes on in the
// other directories of the node: retention, and who is in sync.
func TestADiskWhoseWritesHangKeepsNoOtherWaiting(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := StartCluster(ctx, ClusterConfig{Settings: map[string]string{
		"log.dirs": "/a,/b", "log.retention.check.interval.ms": "50", "replica.lag.time.max.ms": "500", "auto.leader.rebalance.enable": "false",
	}})
	if err != nil {
		t.Fatal(err)
	}
	leader, follower := stick(ctx, t, c, 1), stick(ctx, t, c, 3)
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(c.BootstrapServers(), ",")...), kgo.MetadataMinAge(50*time.Millisecond),
		kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	if err != nil {
		t.Fatal(err)
	}
	admin := kadm.NewClient(client)
	defer func() {
		close(leader.release)
		close(follower.release)
		client.Close()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	topic := func(name string, other int32, configs map[string]string) {
		t.Helper()
		create(ctx, t, client, name, []int32{1, other}, configs)
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: name, Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	topic("hung", 2, nil)
	topic("well", 3, map[string]string{"retention.ms": "1", "segment.ms": "1", "min.insync.replicas": "1"})
	in := home(ctx, t, admin, 1, "hung")
	if in == home(ctx, t, admin, 1, "well") {
		t.Fatalf("both are in %s", in)
	}
	leader.hang(path.Join(in, "hung-0"))
	held := make(chan error, 1)
	go func() {
		held <- client.ProduceSync(ctx, &kgo.Record{Topic: "hung", Value: []byte("y")}).FirstErr()
	}()
	follower.hang("well-0")
	apart, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(c.BootstrapServers(), ",")...), kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	if err != nil {
		t.Fatal(err)
	}
	defer apart.Close()
	wrote := apart.ProduceSync(ctx, &kgo.Record{Topic: "well", Value: []byte("z")}) // which its follower does not get on its disk
	if err := wrote.FirstErr(); err != nil {
		t.Fatal(err)
	}
	await(ctx, t, "the follower leaves the ISR", func() bool {
		d, err := admin.ListTopics(ctx, "well")
		return err == nil && slices.Equal(d["well"].Partitions[0].ISR, []int32{1})
	})
	await(ctx, t, "retention", func() bool {
		starts, err := admin.ListStartOffsets(ctx, "well")
		o, _ := starts.Lookup("well", 0)
		return err == nil && o.Offset > wrote[0].Record.Offset
	})
	select {
	case err := <-held:
		t.Errorf("the write of the directory that hangs ended: %v", err)
	default:
	}
}
