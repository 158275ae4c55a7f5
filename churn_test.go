package milena_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena"
)

var churn = flag.Int("churn", 12, "how many topics each of TestEverythingAtOnce's hands makes")

// Topics are made, written, moved between log directories and brokers, cut and deleted by several hands at once, and nodes are
// killed and started meanwhile. Nothing stands still for good, and what was acknowledged of the topics that are left is there.
func TestEverythingAtOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(*churn)*5*time.Second)
	defer cancel()
	c, err := milena.StartCluster(ctx, milena.ClusterConfig{Settings: map[string]string{
		"log.dirs": "/a,/b", "log.cleaner.backoff.ms": "20", "log.retention.check.interval.ms": "50", "log.segment.delete.delay.ms": "10",
		"replica.alter.log.dirs.io.max.bytes.per.second": "20000",
	}})
	if err != nil {
		t.Fatal(err)
	}
	client := churnClient(t, c)
	defer client.Close()
	var hands sync.WaitGroup
	left := make([]map[string]int, 4)
	for i := range left {
		h := &hand{t: t, cluster: c, admin: kadm.NewClient(client), rand: rand.New(rand.NewPCG(uint64(i), 1)), left: map[string]int{}}
		left[i] = h.left
		hands.Go(func() {
			for n := range *churn {
				h.topic(ctx, fmt.Sprintf("t%d-%d", i, n%3)) // names come again
			}
		})
	}
	done := make(chan struct{})
	go func() { hands.Wait(); close(done) }()
	killEach(ctx, t, c, done)
	inSync(ctx, t, client)
	var names []string
	for _, all := range left {
		names = slices.AppendSeq(names, maps.Keys(all))
	}
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, names...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, all := range left {
		for topic, n := range all {
			have := int64(0)
			for _, p := range ends[topic] {
				have += p.Offset
			}
			if have < int64(n) {
				t.Errorf("%s has %d records, %d were acknowledged", topic, have, n)
			}
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// killEach kills one node after the other and starts it again, until done.
func killEach(ctx context.Context, t *testing.T, c *milena.Cluster, done chan struct{}) {
	for id := 1; ; id = id%3 + 1 {
		select {
		case <-done:
			return
		case <-ctx.Done():
			t.Fatal("the hands are stuck")
		case <-time.After(700 * time.Millisecond):
		}
		end := c.Kill
		if id == 2 {
			end = c.Stop
		}
		if err := end(id); err != nil {
			t.Errorf("node %d: %v", id, err)
		}
		if err := c.Start(ctx, id); err != nil {
			t.Fatalf("node %d: %v", id, err)
		}
	}
}

func churnClient(t *testing.T, c *milena.Cluster) *kgo.Client {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(c.BootstrapServers(), ",")...), kgo.MetadataMinAge(20*time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(-1))
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	return client
}

// hand does one thing after the other to a topic of its own.
type hand struct {
	t       *testing.T
	cluster *milena.Cluster
	client  *kgo.Client // which writes the topic; one that outlives it goes on with the sequences of the one before
	admin   *kadm.Client
	rand    *rand.Rand
	left    map[string]int // topics that are there, and how many of their records were acknowledged
}

const churnParts = 4

func (h *hand) topic(ctx context.Context, name string) {
	h.client = churnClient(h.t, h.cluster)
	defer func() { h.client.Close() }()
	if _, there := h.left[name]; there {
		delete(h.left, name)
		h.must(ctx, "delete", kerr.UnknownTopicOrPartition, func() error {
			_, err := h.admin.DeleteTopic(ctx, name)
			return err
		})
	}
	policy, soon := []string{"delete", "compact"}[h.rand.IntN(2)], "100"
	h.must(ctx, "create", kerr.TopicAlreadyExists, func() error {
		_, err := h.admin.CreateTopic(ctx, churnParts, 3, map[string]*string{"cleanup.policy": &policy, "segment.ms": &soon}, name)
		return err
	})
	h.left[name] = 0
	for range 6 {
		h.write(ctx, name)
		switch h.rand.IntN(5) {
		case 0, 1:
			h.move(ctx, name)
		case 2:
			h.reassign(ctx, name)
		case 3:
			cut := kadm.Offsets{}
			cut.Add(kadm.Offset{Topic: name, Partition: h.rand.Int32N(churnParts), At: 3})
			_, _ = h.admin.DeleteRecords(ctx, cut)
		}
	}
	if h.rand.IntN(3) == 0 { // while whatever was begun is under way
		delete(h.left, name)
		h.must(ctx, "delete", kerr.UnknownTopicOrPartition, func() error {
			_, err := h.admin.DeleteTopic(ctx, name)
			return err
		})
	}
}

// must does something until it is done, or was by an attempt whose answer was lost.
func (h *hand) must(ctx context.Context, what string, done error, do func() error) {
	for ctx.Err() == nil {
		err := do()
		if err == nil || errors.Is(err, done) {
			return
		}
		if code := new(kerr.Error); errors.As(err, &code) && !code.Retriable && code != kerr.InvalidReplicationFactor { // one of three is stopping
			h.t.Errorf("%s: %v", what, err)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.t.Errorf("%s: %v", what, ctx.Err())
}

func (h *hand) write(ctx context.Context, topic string) {
	var records []*kgo.Record
	for i := range 20 {
		records = append(records, &kgo.Record{Topic: topic, Partition: int32(i % churnParts), Key: []byte{byte(i)}, Value: make([]byte, 100)})
	}
	for len(records) > 0 {
		// The client gives up where a broker that has just started tells of the topic before this one, or one that is killed
		// ends its first connection. What it wrote may be there, or not: it is written again, and counts once.
		var again []*kgo.Record
		for _, r := range h.client.ProduceSync(ctx, records...) {
			if r.Err != nil {
				again = append(again, &kgo.Record{Topic: topic, Partition: r.Record.Partition, Key: r.Record.Key, Value: r.Record.Value})
			}
		}
		if ctx.Err() != nil {
			h.t.Errorf("%s: %d records are not acknowledged", topic, len(again))
			return
		}
		h.left[topic] += len(records) - len(again)
		if records = again; len(again) > 0 {
			h.client.Close()
			h.client = churnClient(h.t, h.cluster)
		}
	}
}

// move asks every broker to have each of its replicas in one of the two directories.
func (h *hand) move(ctx context.Context, topic string) {
	var req kadm.AlterReplicaLogDirsReq
	for p := range int32(churnParts) {
		one := kadm.TopicsSet{}
		one.Add(topic, p)
		req.Add([]string{"/a", "/b"}[h.rand.IntN(2)], one)
	}
	_, _ = h.admin.AlterAllReplicaLogDirs(ctx, req)
}

// reassign takes one partition to two of the nodes, and back to all three.
func (h *hand) reassign(ctx context.Context, topic string) {
	to, p := []int32{1, 2, 3}, h.rand.Int32N(churnParts)
	h.rand.Shuffle(3, func(i, j int) { to[i], to[j] = to[j], to[i] })
	for n := 2; n <= 3; n++ {
		h.must(ctx, "reassign", nil, func() error {
			var req kadm.AlterPartitionAssignmentsReq
			req.Assign(topic, p, to[:n])
			answers, err := h.admin.AlterPartitionAssignments(ctx, req)
			return errors.Join(err, answers.Error())
		})
		h.write(ctx, topic)
	}
}
