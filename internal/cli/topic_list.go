package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// topicsDoc is what `topic list -o json` prints.
type topicsDoc struct {
	doc
	Topics []listedTopic `json:"topics"`
}

type listedTopic struct {
	Name            string `json:"name"`
	TopicID         string `json:"topic_id"`
	Internal        bool   `json:"internal"`
	Partitions      int    `json:"partitions"`
	Replication     int    `json:"replication_factor"`
	UnderReplicated int    `json:"under_replicated"`
	Offline         int    `json:"offline"`
	Records         int64  `json:"records"`    // offsets between start and end, -1 unknown
	SizeBytes       int64  `json:"size_bytes"` // of all replicas, -1 unknown
	RetentionMs     int64  `json:"retention_ms"`
	CleanupPolicy   string `json:"cleanup_policy"`
}

func (a *app) topicList() *cobra.Command {
	var internal bool
	c := a.command(spec{
		use: "list", short: "List topics", doc: topicsDoc{}, name: true,
		example: "  milena topic list -o json | jq -r '.topics[] | select(.under_replicated>0) | .name'",
		run: func(ctx context.Context, _ []string) error {
			return a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
				list := adm.ListTopics
				if internal {
					list = adm.ListTopicsWithInternal
				}
				topics, err := list(ctx)
				if err != nil {
					return err
				}
				if a.flags.output == "name" {
					for _, t := range topics.Sorted() {
						if err := a.line("%s", t.Topic); err != nil {
							return err
						}
					}
					return nil
				}
				return a.printTopics(measure(ctx, c, adm, topics))
			})
		},
	})
	c.Flags().BoolVar(&internal, "internal", false, "also the internal topics")
	return c
}

// measure finds out how much is in each topic. What a broker doesn't tell stays unknown: a list of names is worth having
// while one broker is away.
func measure(ctx context.Context, c *kgo.Client, adm *kadm.Client, topics kadm.TopicDetails) topicsDoc {
	d := topicsDoc{doc: newDoc("topic.list"), Topics: []listedTopic{}}
	names := topics.Names()
	if len(names) == 0 { // to the calls below no name means every topic
		return d
	}
	starts, _ := adm.ListStartOffsets(ctx, names...)
	ends, _ := adm.ListEndOffsets(ctx, names...)
	dirs, _ := adm.DescribeAllLogDirs(ctx, nil)
	configs := topicConfigs(ctx, c, names, "retention.ms", "cleanup.policy")
	sizes := replicaSizes(dirs)
	for _, t := range topics.Sorted() {
		l := listedTopic{
			Name: t.Topic, TopicID: idText(t.ID), Internal: t.IsInternal, Partitions: len(t.Partitions),
			Replication: t.Partitions.NumReplicas(), SizeBytes: -1, RetentionMs: -1, CleanupPolicy: configs[t.Topic]["cleanup.policy"],
		}
		if bytes, ok := sizes[t.Topic]; ok {
			l.SizeBytes = bytes
		}
		if ms, err := strconv.ParseInt(configs[t.Topic]["retention.ms"], 10, 64); err == nil {
			l.RetentionMs = ms
		}
		for _, p := range t.Partitions {
			if p.Leader < 0 {
				l.Offline++
			}
			if len(p.ISR) < len(p.Replicas) {
				l.UnderReplicated++
			}
			if n := recordsBetween(starts, ends, t.Topic, p.Partition); n < 0 || l.Records < 0 {
				l.Records = -1
			} else {
				l.Records += n
			}
		}
		d.Topics = append(d.Topics, l)
	}
	return d
}

// recordsBetween counts the offsets of a partition, -1 when that is not known.
func recordsBetween(starts, ends kadm.ListedOffsets, topic string, partition int32) int64 {
	s, ok := starts.Lookup(topic, partition)
	e, ok2 := ends.Lookup(topic, partition)
	if !ok || !ok2 || s.Err != nil || e.Err != nil {
		return -1
	}
	return e.Offset - s.Offset
}

// replicaSizes sums the bytes of each topic's replicas.
func replicaSizes(dirs kadm.DescribedAllLogDirs) map[string]int64 {
	out := map[string]int64{}
	dirs.Each(func(d kadm.DescribedLogDir) {
		d.Topics.Each(func(p kadm.DescribedLogDirPartition) { out[p.Topic] += p.Size })
	})
	return out
}

// topicConfigs asks for some keys of many topics in one request.
func topicConfigs(ctx context.Context, c *kgo.Client, topics []string, keys ...string) map[string]map[string]string {
	req := kmsg.NewPtrDescribeConfigsRequest()
	for _, t := range topics {
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, t, keys
		req.Resources = append(req.Resources, r)
	}
	out := map[string]map[string]string{}
	resp, err := req.RequestWith(ctx, c)
	if err != nil {
		return out
	}
	for _, r := range resp.Resources {
		values := map[string]string{}
		for _, e := range r.Configs {
			if e.Value != nil {
				values[e.Name] = *e.Value
			}
		}
		out[r.ResourceName] = values
	}
	return out
}

func (a *app) printTopics(d topicsDoc) error {
	if a.asJSON() {
		return a.json(d)
	}
	if len(d.Topics) == 0 {
		a.note("no topics yet; create one: milena topic create NAME")
		return nil
	}
	unknown := func(n int64, show func(int64) string) string {
		if n < 0 {
			return "?"
		}
		return show(n)
	}
	rows := make([][]string, 0, len(d.Topics))
	for _, t := range d.Topics {
		isr := "ok"
		if t.UnderReplicated > 0 {
			isr = fmt.Sprintf("%d low", t.UnderReplicated)
		}
		if t.Offline > 0 {
			isr = fmt.Sprintf("%d offline", t.Offline)
		}
		retention := "for ever"
		if t.RetentionMs >= 0 {
			retention = duration(time.Duration(t.RetentionMs) * time.Millisecond)
		}
		if !strings.Contains(t.CleanupPolicy, "delete") {
			retention = "-"
		}
		rows = append(rows, []string{
			t.Name, strconv.Itoa(t.Partitions), strconv.Itoa(t.Replication), isr, unknown(t.Records, count),
			unknown(t.SizeBytes, size), retention, t.CleanupPolicy,
		})
	}
	return a.table([]string{"NAME", " PARTS", " RF", "ISR", " RECORDS", " SIZE", "RETENTION", "CLEANUP"}, rows)
}
