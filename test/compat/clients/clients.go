// Package clients is the suite every real client goes through: all codecs with odd records, a group of three of which
// one is killed, a broker that restarts in the middle, a group that resumes from its commit; at the end the broker is
// stopped and the offline reader judges what it left on disk against what was acknowledged.
//
// `run` lists one suite per client. The clients are reached through package driver; what they can't do (kcat has no
// timestamps) is told there and the scenario asks no more.
package clients

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/driver"
	"github.com/milena-io/milena/test/compat/suite"
)

// Suites lists one suite per client.
func Suites() []suite.Suite {
	var all []suite.Suite
	for _, c := range catalogue() {
		all = append(all, suite.Suite{
			Name:  c.Name,
			About: "codecs, odd records, groups, restarts and resumption through " + c.Name,
			Run:   func(ctx context.Context, s *suite.Session) error { return run(ctx, s, c) },
		})
	}
	return all
}

// stage is what a case needs: the broker, the client, and what was produced so far.
type stage struct {
	node  broker.Broker
	drive *driver.Driver
	admin *kadm.Client
	wrote map[string][]driver.Record // by topic: what was acknowledged, in order, with offsets
	codec map[string]string          // by topic
}

func run(ctx context.Context, s *suite.Session, c driver.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	drive, err := driver.Prepare(c, filepath.Join(s.Dir, "driver.log"))
	if err != nil {
		return err
	}
	node, err := broker.New(s.System, broker.Options{Dir: filepath.Join(s.Dir, "broker"), Overrides: map[string]string{
		"offsets.topic.num.partitions": "2", "auto.create.topics.enable": "false",
	}})
	if err != nil {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return err
	}
	defer node.Kill9()
	client, err := kgo.NewClient(kgo.SeedBrokers(node.Bootstrap()))
	if err != nil {
		return err
	}
	defer client.Close()
	st := &stage{node: node, drive: drive, admin: kadm.NewClient(client),
		wrote: map[string][]driver.Record{}, codec: map[string]string{}}
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		s.Case("records packed with "+codec, func() error { return st.codecs(ctx, codec) })
	}
	s.Case("a group of three, one member killed", func() error { return st.threeMembers(ctx) })
	s.Case("a group resumes from its commit", func() error { return st.resumes(ctx) })
	s.Case("the broker restarts in the middle", func() error { return st.restart(ctx, "restart", st.node.Stop) })
	s.Case("the broker is killed in the middle", func() error { return st.restart(ctx, "kill", st.node.Kill9) })
	s.Case("the broker stops cleanly", node.Stop)
	s.Case("on disk stands what was acknowledged", st.onDisk)
	if s.System == "milena" { // Apache Kafka sends the bytes as they are
		s.Case("a record is damaged", func() error { return st.damage(ctx) })
	}
	return nil
}

// topic makes a topic and waits until the broker's own metadata shows it: on Apache Kafka that is later than the
// answer to CreateTopics, and clients stumble over it.
func (st *stage) topic(ctx context.Context, name string, partitions int) error {
	made, err := st.admin.CreateTopic(ctx, int32(partitions), 1, nil, name)
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	if made.Err != nil {
		return fmt.Errorf("create %s: %w", name, made.Err)
	}
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		topics, err := st.admin.ListTopics(ctx, name)
		if err != nil {
			return err
		}
		if topics.Has(name) && len(topics[name].Partitions) == partitions && topics.Error() == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// produce sends records through the client and keeps what was acknowledged.
func (st *stage) produce(ctx context.Context, topic, codec string, records []driver.Record) error {
	p, err := st.drive.Produce(st.node.Bootstrap(), topic, codec)
	if err != nil {
		return err
	}
	defer p.Kill9()
	if err := p.Send(records...); err != nil {
		return err
	}
	return st.acknowledged(ctx, p, topic, codec, records)
}

// acknowledged ends the producer, waits for the acks of everything sent, records, and keeps them.
func (st *stage) acknowledged(ctx context.Context, p *driver.Producer, topic, codec string, records []driver.Record) error {
	acks, err := p.Finish(ctx, len(records))
	if err != nil {
		return err
	}
	for i, r := range records {
		if acks[i].Partition != r.Partition {
			return fmt.Errorf("record %d went to partition %d, not %d", i, acks[i].Partition, r.Partition)
		}
		r.Offset = acks[i].Offset
		st.wrote[topic] = append(st.wrote[topic], r)
	}
	st.codec[topic] = codec
	return nil
}

// partition picks the records of one partition.
func partition(records []driver.Record, p int32) []driver.Record {
	var some []driver.Record
	for _, r := range records {
		if r.Partition == p {
			some = append(some, r)
		}
	}
	return some
}

func folder(node broker.Broker, topic string, p int) string {
	return filepath.Join(node.DataDir(), fmt.Sprintf("%s-%d", topic, p))
}

// named is a topic of this client: one name never means two things in a log.
func (st *stage) named(what string) string {
	return strings.ReplaceAll(st.drive.Name, ".", "-") + "-" + what
}
