// Package rolling restarts a cluster of three nodes one after the other under real clients, as docs/operations.md says it is done:
// `milena cluster drain`, a clean stop, a start, `milena cluster health --wait`. No client may see an error, nothing acknowledged may be
// lost or doubled, and no consumer may pass anything over.
//
// run calls it. It knows no client; clients are the drivers of package clients. The commands are ours also against Apache Kafka.
package rolling

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/clients"
	"github.com/milena-io/milena/test/compat/driver"
	"github.com/milena-io/milena/test/compat/suite"
)

// Suites is the suite of the rolling restart.
func Suites() []suite.Suite {
	return []suite.Suite{{Name: "rolling", About: "three nodes restarted one by one under producers and groups of three clients", Run: run}}
}

// partitions of each client's topic.
const partitions = 6

func run(ctx context.Context, s *suite.Session) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	binary, err := broker.Build()
	if err != nil {
		return err
	}
	c, err := broker.NewCluster(s.System, 3, broker.Options{Dir: filepath.Join(s.Dir, "cluster"), Overrides: map[string]string{
		"offsets.topic.num.partitions": "3", "min.insync.replicas": "2", "auto.create.topics.enable": "false",
	}}, nil)
	if err != nil {
		return err
	}
	if err := c.Start(ctx); err != nil {
		return err
	}
	defer c.Kill9()
	st := &stage{cluster: c, binary: binary}
	for _, one := range clients.Catalogue() {
		if !slices.Contains([]string{"franz-go", "java", "confluent-py"}, one.Name) {
			continue
		}
		s.Case("a rolling restart under "+one.Name, func() error { return st.under(ctx, one, filepath.Join(s.Dir, one.Name+".log")) })
	}
	return nil
}

type stage struct {
	cluster *broker.Cluster
	binary  string
}

// milena runs a command of ours against the cluster.
func (st *stage) milena(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, st.binary, append(args, "-b", strings.Join(st.cluster.Bootstrap(), ","))...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("milena %s: %w\n%s", strings.Join(args, " "), err, out.String())
	}
	return nil
}

// under restarts every node while a client produces and consumes.
func (st *stage) under(ctx context.Context, one driver.Client, logs string) error {
	drive, err := driver.Prepare(one, logs)
	if err != nil {
		return err
	}
	topic := "rolling-" + one.Name
	if err := st.topic(ctx, topic); err != nil {
		return err
	}
	servers := strings.Join(st.cluster.Bootstrap(), ",")
	p, err := drive.Produce(servers, topic, "none")
	if err != nil {
		return err
	}
	defer p.Kill9()
	m, err := drive.Join(servers, topic, "g-"+topic)
	if err != nil {
		return err
	}
	defer m.Kill9()
	stop, sent, failed := make(chan struct{}), make(chan int, 1), make(chan error, 1)
	go func() {
		n, err := feed(p, stop)
		failed <- err
		sent <- n
	}()
	err = st.roll(ctx, m)
	close(stop)
	if ferr := <-failed; err == nil {
		err = ferr
	}
	n := <-sent
	if err != nil {
		return err
	}
	return judge(ctx, p, m, n)
}

// feed hands over a record every few milliseconds until it is stopped.
func feed(p *driver.Producer, stop <-chan struct{}) (n int, err error) {
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-stop:
			return n, nil
		case <-every.C:
			r := driver.Record{Partition: int32(n % partitions), Timestamp: time.Now().UnixMilli(), Value: fmt.Appendf(nil, "%d", n)}
			if err := p.Send(r); err != nil {
				return n, err
			}
			n++
		}
	}
}

// roll restarts one node after the other. Between two a consumer commits.
func (st *stage) roll(ctx context.Context, m *driver.Member) error {
	for id, node := range st.cluster.Nodes() {
		name := fmt.Sprint(id + 1)
		if err := st.milena(ctx, "cluster", "health", "--wait", "90s"); err != nil {
			return err
		}
		if err := st.milena(ctx, "cluster", "drain", name, "--wait", "90s"); err != nil {
			return err
		}
		if err := node.Stop(); err != nil {
			return err
		}
		if err := node.Start(ctx); err != nil {
			return err
		}
	}
	if err := st.milena(ctx, "cluster", "health", "--wait", "90s"); err != nil {
		return err
	}
	return st.milena(ctx, "cluster", "rebalance", "--leaders", "-y")
}

// judge holds what was acknowledged against what was sent and read.
func judge(ctx context.Context, p *driver.Producer, m *driver.Member, n int) error {
	acks, err := p.Finish(ctx, n)
	if err != nil {
		return err
	}
	next := map[int32]int64{}
	for i, a := range acks {
		if a.Error != "" {
			return fmt.Errorf("record %d of %d: %s", i, n, a.Error)
		}
		if a.Offset != next[a.Partition] {
			return fmt.Errorf("record %d of partition %d is at offset %d, and not at %d", i, a.Partition, a.Offset, next[a.Partition])
		}
		next[a.Partition]++
	}
	read := map[int32]int64{}
	for left := n; left > 0; {
		got, err := m.Records(ctx, 1)
		if err != nil {
			return fmt.Errorf("%d of %d records read: %w", n-left, n, err)
		}
		switch r := got[0]; {
		case r.Offset > read[r.Partition]:
			return fmt.Errorf("offset %d of partition %d came before %d", r.Offset, r.Partition, read[r.Partition])
		case r.Offset == read[r.Partition]: // a lower one comes again after a rebalance
			if want := fmt.Sprint(r.Offset*partitions + int64(r.Partition)); string(r.Value) != want {
				return fmt.Errorf("offset %d of partition %d holds %q and not %q", r.Offset, r.Partition, r.Value, want)
			}
			read[r.Partition]++
			left--
		}
	}
	if _, err := m.Commit(ctx); err != nil {
		return err
	}
	return m.Stop()
}

// topic makes a topic with a replica on each node, and waits until every node knows it.
func (st *stage) topic(ctx context.Context, name string) error {
	for i, addr := range st.cluster.Bootstrap() {
		client, err := kgo.NewClient(kgo.SeedBrokers(addr))
		if err != nil {
			return err
		}
		admin := kadm.NewClient(client)
		if i == 0 {
			_, err = admin.CreateTopic(ctx, partitions, 3, nil, name)
		}
		for err == nil {
			topics, lerr := admin.ListTopics(ctx, name)
			if err = lerr; err == nil && len(topics[name].Partitions) == partitions && topics.Error() == nil {
				break
			}
			if ctx.Err() != nil {
				err = ctx.Err()
			}
		}
		client.Close()
		if err != nil {
			return fmt.Errorf("topic %s: %w", name, err)
		}
	}
	return nil
}
