package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// state is everything a client can see, each fact under a name of its own.
type state map[string]string

// same tells the first facts that differ.
func (s state) same(got state) error {
	names := map[string]bool{}
	for name := range s {
		names[name] = true
	}
	for name := range got {
		names[name] = true
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if s[name] != got[name] {
			out = append(out, fmt.Sprintf("%s was %q and is %q", name, s[name], got[name]))
		}
	}
	if len(out) == 0 {
		return nil
	}
	return fmt.Errorf("%d facts differ:\n%s", len(out), strings.Join(out[:min(len(out), 10)], "\n"))
}

// read asks for everything.
func read(ctx context.Context, at string) (state, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(at))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	s := state{}
	topics, err := admin.ListTopicsWithInternal(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range topics.Sorted() {
		s["topic "+t.Topic] = fmt.Sprintf("%s with %d partitions", t.ID, len(t.Partitions))
		if !strings.HasPrefix(t.Topic, "__") {
			names = append(names, t.Topic)
		}
	}
	for _, step := range []func(context.Context, *kadm.Client, []string) error{s.configs, s.offsets, s.groups} {
		if err := step(ctx, admin, names); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		for _, level := range []kgo.IsolationLevel{kgo.ReadUncommitted(), kgo.ReadCommitted()} {
			if err := s.records(ctx, at, name, level); err != nil {
				return nil, err
			}
		}
	}
	return s, s.producers(ctx, client, names)
}

// configs are what was set, on topics and on the brokers' default.
func (s state) configs(ctx context.Context, admin *kadm.Client, names []string) error {
	all, err := admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return err
	}
	brokers, err := admin.DescribeBrokerConfigs(ctx)
	if err != nil {
		return err
	}
	for _, r := range append(all, brokers...) {
		if r.Err != nil {
			return r.Err
		}
		for _, c := range r.Configs {
			set := c.Source == kmsg.ConfigSourceDynamicTopicConfig || c.Source == kmsg.ConfigSourceDynamicDefaultBrokerConfig
			if set && !strings.HasPrefix(c.Key, "milena.") {
				s["config "+r.Name+" "+c.Key] = c.MaybeValue()
			}
		}
	}
	return nil
}

func (s state) offsets(ctx context.Context, admin *kadm.Client, names []string) error {
	starts, err := admin.ListStartOffsets(ctx, names...)
	if err != nil {
		return err
	}
	ends, err := admin.ListEndOffsets(ctx, names...)
	if err != nil {
		return err
	}
	starts.Each(func(o kadm.ListedOffset) { s[fmt.Sprintf("start %s-%d", o.Topic, o.Partition)] = fmt.Sprint(o.Offset) })
	ends.Each(func(o kadm.ListedOffset) { s[fmt.Sprintf("end %s-%d", o.Topic, o.Partition)] = fmt.Sprint(o.Offset) })
	return nil
}

func (s state) groups(ctx context.Context, admin *kadm.Client, _ []string) error {
	groups, err := admin.ListGroups(ctx)
	if err != nil {
		return err
	}
	for _, name := range groups.Groups() {
		offsets, err := admin.FetchOffsets(ctx, name)
		if err != nil {
			return err
		}
		s["group "+name] = groups[name].ProtocolType
		offsets.Each(func(o kadm.OffsetResponse) {
			s[fmt.Sprintf("committed %s %s-%d", name, o.Topic, o.Partition)] = fmt.Sprintf("%d %q", o.At, o.Metadata)
		})
	}
	return nil
}

// records is a digest of every record of a topic, of its offset, time, headers and nulls.
func (s state) records(ctx context.Context, at, topic string, level kgo.IsolationLevel) error {
	ends := map[int32]int64{}
	for name, value := range s {
		var p int32
		if n, _ := fmt.Sscanf(name, "end "+topic+"-%d", &p); n == 1 {
			_, _ = fmt.Sscan(value, new(int64)) // it was printed from one
			var end, start int64
			_, _ = fmt.Sscan(value, &end)
			_, _ = fmt.Sscan(s[fmt.Sprintf("start %s-%d", topic, p)], &start)
			if end > start {
				ends[p] = end
			}
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(at), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(level), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	seen := map[int32][]string{}
	done := map[int32]bool{}
	deadline := time.Now().Add(time.Minute) // a bound on a hang, not a measurement
	for len(done) < len(ends) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: %d of %d partitions were read to their ends", topic, len(done), len(ends))
		}
		step, cancel := context.WithTimeout(ctx, 3*time.Second)
		fetches := client.PollFetches(step)
		cancel()
		fetches.EachRecord(func(r *kgo.Record) {
			seen[r.Partition] = append(seen[r.Partition], line(r))
			if r.Offset+1 >= ends[r.Partition] {
				done[r.Partition] = true
			}
		})
	}
	for p, lines := range seen {
		sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
		s[fmt.Sprintf("records %s-%d %v", topic, p, level)] = fmt.Sprintf("%d, %s", len(lines), hex.EncodeToString(sum[:8]))
	}
	return nil
}

func line(r *kgo.Record) string {
	return fmt.Sprintf("%d %d %v %v %v %v %d %d", r.Offset, r.Timestamp.UnixMilli(), r.Key == nil, string(r.Key), r.Value == nil, string(r.Value),
		len(r.Headers), r.Attrs.CompressionType()) + fmt.Sprint(r.Headers, r.ProducerID, r.ProducerEpoch, r.Attrs.IsControl(), r.Attrs.IsTransactional())
}

// producers are what the partitions know of the idempotent producers that wrote to them.
func (s state) producers(ctx context.Context, client *kgo.Client, names []string) error {
	described, err := kadm.NewClient(client).DescribeProducers(ctx, topicSet(s, names))
	if err != nil {
		return err
	}
	described.EachProducer(func(p kadm.DescribedProducer) {
		s[fmt.Sprintf("producer %s-%d %d", p.Topic, p.Partition, p.ProducerID)] = fmt.Sprintf("epoch %d sequence %d", p.ProducerEpoch, p.LastSequence)
	})
	return nil
}

func topicSet(s state, names []string) kadm.TopicsSet {
	set := kadm.TopicsSet{}
	for _, name := range names {
		for fact := range s {
			var p int32
			if n, _ := fmt.Sscanf(fact, "end "+name+"-%d", &p); n == 1 {
				set.Add(name, p)
			}
		}
	}
	return set
}

// nothingOfOurs walks a directory that was given back.
func nothingOfOurs(path string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if strings.HasSuffix(d.Name(), ".producers") || strings.Contains(d.Name(), "milena") {
		return fmt.Errorf("%s is still there", path)
	}
	return nil
}
