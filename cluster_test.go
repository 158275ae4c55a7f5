package milena_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena"
	"github.com/milena-io/milena/milenatest"
)

// One node after the other is killed under a producer that gets every record acknowledged, on every disk.
func TestAClusterOutlivesEachOfItsNodes(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		ctx := within(t)
		c, err := milena.StartCluster(ctx, milena.ClusterConfig{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(c.BootstrapServers(), ",")...), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("t"), kgo.MetadataMinAge(50*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		for id := 1; id <= 3; id++ {
			write(ctx, t, client, fmt.Sprint("before ", id))
			if err := c.Kill(id); err != nil {
				t.Fatal(err)
			}
			if c.Broker(id) != nil || c.Kill(id) == nil {
				t.Errorf("node %d was killed and runs", id)
			}
			write(ctx, t, client, fmt.Sprint("without ", id))
			if err := c.Start(ctx, id); err != nil {
				t.Fatal(err)
			}
			if c.Broker(id).Addr() != strings.Split(c.BootstrapServers(), ",")[id-1] {
				t.Errorf("node %d came back elsewhere", id)
			}
			inSync(ctx, t, client)
		}
		ends, err := kadm.NewClient(client).ListEndOffsets(ctx, "t")
		if err != nil {
			t.Fatal(err)
		}
		written := int64(0)
		ends.Each(func(o kadm.ListedOffset) { written += o.Offset })
		if written != 6 {
			t.Errorf("%d records are there, 6 were acknowledged", written)
		}
		client.Close()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func write(ctx context.Context, t *testing.T, client *kgo.Client, value string) {
	t.Helper()
	if err := client.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr(); err != nil {
		t.Fatalf("%s: %v", value, err)
	}
}

// inSync waits until every partition has three replicas, all of them in sync.
func inSync(ctx context.Context, t *testing.T, client *kgo.Client) {
	t.Helper()
	for {
		topics, err := kadm.NewClient(client).ListTopicsWithInternal(ctx)
		if err != nil {
			t.Fatal(err)
		}
		behind := 0
		topics.EachPartition(func(p kadm.PartitionDetail) {
			if len(p.Replicas) != 3 || len(p.ISR) < 3 {
				behind++
			}
		})
		if behind == 0 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%d partitions are not in sync", behind)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestAClusterOutlivesItsProcess(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 {
		ctx := within(t)
		c, err := milena.StartCluster(ctx, milena.ClusterConfig{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		client, err := kgo.NewClient(kgo.SeedBrokers(c.Broker(i+1).Addr()), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic("t"), kgo.MetadataMinAge(50*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		r := client.ProduceSync(ctx, kgo.StringRecord("x"))
		if err := r.FirstErr(); err != nil || r[0].Record.Offset != int64(i) {
			t.Fatalf("%v at %d", err, r[0].Record.Offset)
		}
		client.Close()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAClusterThatCannotStart(t *testing.T) {
	taken := milenatest.Start(t).Addr()
	for _, tc := range []struct {
		c    milena.ClusterConfig
		says string
	}{
		{milena.ClusterConfig{Nodes: 2}, "1, 3 or 5"},
		{milena.ClusterConfig{Nodes: 3, Addrs: []string{"127.0.0.1:0"}}, "1 addresses for 3 nodes"},
		{milena.ClusterConfig{Addrs: []string{"127.0.0.1:0", taken, "127.0.0.1:0"}}, "node 2 cannot bind " + taken},
		{milena.ClusterConfig{Settings: map[string]string{"no.such.key": "1"}}, "no broker key"},
	} {
		c, err := milena.StartCluster(within(t), tc.c)
		if err == nil {
			c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%+v: %v", tc.c, err)
		}
	}
	c := milenatest.StartCluster(t, 3)
	for _, err := range []error{c.Kill(4), c.Stop(0), c.Start(within(t), 9), c.Start(within(t), 1)} {
		if err == nil {
			t.Error("a node that is not there was ended or started")
		}
	}
	if c.Broker(4) != nil {
		t.Error("there is a node 4")
	}
}

func TestAClusterKeepsItsSize(t *testing.T) {
	dir := t.TempDir()
	c, err := milena.StartCluster(within(t), milena.ClusterConfig{Dir: dir, Nodes: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := milena.StartCluster(within(t), milena.ClusterConfig{Dir: dir}); err == nil || !strings.Contains(err.Error(), "holds a cluster of 1 nodes, and 3") {
		t.Errorf("%v, %v", c, err)
	}
}
