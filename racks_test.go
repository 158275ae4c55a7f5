package milena_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena"
)

// reads counts the bytes of fetches by node.
type reads [4]atomic.Int64

// OnBrokerE2E is called with each answer.
func (r *reads) OnBrokerE2E(m kgo.BrokerMetadata, key int16, e kgo.BrokerE2E) {
	if key == 1 && m.NodeID > 0 && int(m.NodeID) < len(r) {
		r[m.NodeID].Add(int64(e.BytesRead))
	}
}

// KIP-392 with a client of the world's: what it reads comes from the follower in its rack.
func TestAClientReadsInItsRack(t *testing.T) {
	ctx := within(t)
	c, err := milena.StartCluster(ctx, milena.ClusterConfig{
		Racks:    []string{"a", "b", "c"},
		Settings: map[string]string{"replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector", "num.partitions": "3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	servers := kgo.SeedBrokers(strings.Split(c.BootstrapServers(), ",")...)
	producer, err := kgo.NewClient(servers, kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("t"), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	const each = 20
	value := strings.Repeat("v", 10_000)
	for i := range 3 * each {
		if err := producer.ProduceSync(ctx, &kgo.Record{Partition: int32(i % 3), Value: []byte(fmt.Sprint(i, value))}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	inSync(ctx, t, producer)
	var got reads
	consumer, err := kgo.NewClient(servers, kgo.ConsumeTopics("t"), kgo.Rack("b"), kgo.WithHooks(&got))
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	for n := 0; n < 3*each; {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		n += fetches.NumRecords()
	}
	if near := got[2].Load(); near < 3*each*int64(len(value)) {
		t.Errorf("%d bytes came from the node in the rack, %d and %d from the others", near, got[1].Load(), got[3].Load())
	}
}
