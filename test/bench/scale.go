package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/test/compat/broker"
)

// The node of the scale figures: topics of a thousand partitions, of which ten topics are written.
const (
	scaleEach    = 1000
	scaleTopics  = 100
	scaleWritten = 10
)

// manyPartitions is one node on its way through the scale figures.
type manyPartitions struct {
	node    broker.Broker
	client  *kgo.Client
	metrics string
	topics  []string
	written []string
	v       values
}

// measureScale fills a node with 100,000 partitions and measures what they cost: created, asked for, written, restarted.
func measureScale(ctx context.Context, l *lab, name string) (values, error) {
	dir, err := l.another("scale")
	if err != nil {
		return nil, err
	}
	addr, err := unused()
	if err != nil {
		return nil, err
	}
	kind, keys := contestant(name)
	keys["milena.metrics.listeners"] = addr
	m := &manyPartitions{metrics: "http://" + addr + "/metrics", v: values{}}
	for i := range l.scaled(scaleTopics) {
		m.topics = append(m.topics, fmt.Sprintf("many-%d", i))
	}
	m.written = m.topics[:min(len(m.topics), scaleWritten)]
	m.v["partitions"] = float64(len(m.topics) * scaleEach)
	if m.node, err = broker.New(kind, broker.Options{Dir: dir, Overrides: keys, CPUs: l.cores.broker}); err != nil {
		return nil, err
	}
	defer m.node.Kill9()
	if err := m.node.Start(ctx); err != nil {
		return nil, err
	}
	if m.client, err = kgo.NewClient(kgo.SeedBrokers(m.node.Bootstrap()), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks())); err != nil {
		return nil, err
	}
	defer m.client.Close()
	for _, step := range []func(context.Context) error{m.create, m.ask, m.write, m.restartClean, m.restartKilled} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return m.v, nil
}

// timed notes how long f took, ms.
func (m *manyPartitions) timed(name string, f func() error) error {
	begin := time.Now()
	err := f()
	m.v[name+" ms"] = float64(time.Since(begin)) / 1e6
	return err
}

// weigh notes memory and descriptors of the node.
func (m *manyPartitions) weigh(when string) error {
	u, err := usageOf(m.node.Pid())
	if err != nil {
		return err
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", m.node.Pid()))
	m.v[when+" rss bytes"], m.v[when+" descriptors"] = float64(u.rss), float64(len(open))
	return err
}

func (m *manyPartitions) create(ctx context.Context) error {
	if err := m.weigh("empty"); err != nil {
		return err
	}
	err := m.timed("create", func() error {
		for _, t := range m.topics {
			if err := makeTopic(ctx, m.client, t, scaleEach); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return m.weigh("created")
}

// ask asks for everything at once: metadata, offsets, metrics.
func (m *manyPartitions) ask(ctx context.Context) error {
	if err := m.metadata(ctx); err != nil {
		return err
	}
	if err := m.scrape("scrape"); err != nil {
		return err
	}
	if err := m.timed("offsets", func() error { return m.offsets(ctx, m.topics) }); err != nil {
		return err
	}
	return m.weigh("asked")
}

func (m *manyPartitions) metadata(ctx context.Context) error {
	return m.timed("metadata", func() error {
		resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, m.client)
		if err != nil {
			return err
		}
		n := 0
		for _, t := range resp.Topics {
			n += len(t.Partitions)
		}
		if n < len(m.topics)*scaleEach {
			return fmt.Errorf("the metadata names %d partitions", n)
		}
		m.v["metadata bytes"] = float64(len(resp.AppendTo(nil)))
		return nil
	})
}

func (m *manyPartitions) offsets(ctx context.Context, topics []string) error {
	listed, err := kadm.NewClient(m.client).ListEndOffsets(ctx, topics...)
	if err != nil {
		return err
	}
	if err := listed.Error(); err != nil {
		return err
	}
	n := 0
	listed.Each(func(kadm.ListedOffset) { n++ })
	if n != len(topics)*scaleEach {
		return fmt.Errorf("%d of %d partitions told their end", n, len(topics)*scaleEach)
	}
	return nil
}

func (m *manyPartitions) scrape(name string) error {
	return m.timed(name, func() error {
		resp, err := http.Get(m.metrics)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		m.v[name+" bytes"] = float64(n)
		return err
	})
}

// write puts a record into each of the partitions that are written, the first round making their files.
func (m *manyPartitions) write(ctx context.Context) error {
	for _, round := range []string{"write first", "write again"} {
		if err := m.timed(round, func() error { return m.round(ctx) }); err != nil {
			return err
		}
	}
	if err := m.scrape("scrape written"); err != nil {
		return err
	}
	return m.weigh("written")
}

func (m *manyPartitions) round(ctx context.Context) error {
	var records []*kgo.Record
	for _, t := range m.written {
		for p := range scaleEach {
			records = append(records, &kgo.Record{Topic: t, Partition: int32(p), Value: make([]byte, 100)})
		}
	}
	return m.client.ProduceSync(ctx, records...).FirstErr()
}

func (m *manyPartitions) restartClean(ctx context.Context) error {
	if err := m.timed("stop", m.node.Stop); err != nil {
		return err
	}
	return m.restart(ctx, "clean")
}

func (m *manyPartitions) restartKilled(ctx context.Context) error {
	if err := m.round(ctx); err != nil {
		return err
	}
	if err := m.node.Kill9(); err != nil {
		return err
	}
	return m.restart(ctx, "killed")
}

// restart starts the node again: until it serves, until a record is acknowledged, until every partition that was written
// has told its end.
func (m *manyPartitions) restart(ctx context.Context, how string) error {
	if err := m.node.Start(ctx); err != nil {
		return err
	}
	m.v[how+" ready ms"] = float64(time.Since(m.node.Began())) / 1e6
	one := &kgo.Record{Topic: m.topics[len(m.topics)-1], Partition: 0, Value: []byte("the first")}
	if err := m.client.ProduceSync(ctx, one).FirstErr(); err != nil {
		return err
	}
	m.v[how+" acked ms"] = float64(time.Since(m.node.Began())) / 1e6
	if err := m.offsets(ctx, m.written); err != nil {
		return err
	}
	m.v[how+" all ms"] = float64(time.Since(m.node.Began())) / 1e6
	return m.weigh(how)
}

// unused is an address nobody listens on.
func unused() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// scaleTable prints the figures of the node with many partitions.
func scaleTable(s *store) string {
	at := func(name string) float64 {
		v, _ := middle(s.of("scale", "milena", name))
		return v
	}
	n := at("partitions")
	if n == 0 {
		return ""
	}
	mib := func(name string) string { return fmt.Sprintf("%.0f MiB", at(name+" rss bytes")/(1<<20)) }
	each := func(name string) string {
		return fmt.Sprintf("%.2f KiB", (at(name+" rss bytes")-at("empty rss bytes"))/n/1024)
	}
	sec := func(name string) string { return ms(time.Duration(at(name+" ms") * 1e6)) }
	var b strings.Builder
	fmt.Fprintf(&b, "### One node with %.0f partitions\n\nTopics of %d partitions, of which %d are written.\n\n| | |\n|---|---|\n", n, scaleEach, scaleWritten)
	for _, row := range [][2]string{
		{"created in", sec("create")},
		{"RSS, empty → created → every partition asked for its end → written", mib("empty") + " → " + mib("created") + " → " + mib("asked") + " → " + mib("written")},
		{"RSS for each partition, created → asked", each("created") + " → " + each("asked")},
		{"descriptors, created → asked → written", fmt.Sprintf("%.0f → %.0f → %.0f", at("created descriptors"), at("asked descriptors"), at("written descriptors"))},
		{"one answer with all metadata", fmt.Sprintf("%s, %.1f MB", sec("metadata"), at("metadata bytes")/1e6)},
		{"the ends of all partitions, first time", sec("offsets")},
		{"`/metrics`, idle → written", fmt.Sprintf("%s, %.0f kB → %s, %.0f kB", sec("scrape"), at("scrape bytes")/1e3, sec("scrape written"), at("scrape written bytes")/1e3)},
		{"a record into each written partition, fsynced, first → again", sec("write first") + " → " + sec("write again")},
		{"clean stop", sec("stop")},
		{"clean start: serves → first acknowledgement → every written partition told its end", sec("clean ready") + " → " + sec("clean acked") + " → " + sec("clean all")},
		{"start after kill -9: the same", sec("killed ready") + " → " + sec("killed acked") + " → " + sec("killed all")},
	} {
		fmt.Fprintf(&b, "| %s | %s |\n", row[0], row[1])
	}
	b.WriteString("\n")
	return b.String()
}
