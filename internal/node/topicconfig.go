package node

import (
	"slices"
	"strconv"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/record"
)

// partition returns what the configs of a topic mean to its partitions.
func (s *settings) partition(img *image.Image, topic string) partition.Config {
	layers := s.layers(img)
	v := layers.Topic(img.Configs(image.TopicResource(topic)).Map())
	policy := v.List("cleanup.policy")
	c := partition.Config{
		MinISR: int(v.Int("min.insync.replicas")),
		Flush:  partition.FlushConfig{Messages: v.Int("flush.messages"), Ms: v.Int("flush.ms")},
		Log: log.Config{
			Roll: log.RollConfig{
				SegmentBytes: v.Int("segment.bytes"), SegmentMs: v.Int("segment.ms"), SegmentJitterMs: v.Int("segment.jitter.ms"),
				IndexBytes: v.Int("segment.index.bytes"), IndexIntervalBytes: v.Int("index.interval.bytes"),
				Preallocate: v.Bool("preallocate"),
			},
			Accept: log.AcceptConfig{
				MaxMessageBytes: int(v.Int("max.message.bytes")), LogAppendTime: v.Text("message.timestamp.type") == "LogAppendTime",
				TimestampBeforeMaxMs: v.Int("message.timestamp.before.max.ms"),
				TimestampAfterMaxMs:  v.Int("message.timestamp.after.max.ms"),
				Compacted:            slices.Contains(policy, "compact"),
				HeaderOnly:           v.Text("milena.validate") == "header",
			},
			Keep: log.KeepConfig{
				Delete:      slices.Contains(policy, "delete"),
				RetentionMs: v.Int("retention.ms"), RetentionBytes: v.Int("retention.bytes"),
				FileDeleteDelayMs: v.Int("file.delete.delay.ms"),
			},
			Clean: clean.Policy{
				MinLagMs: v.Int("min.compaction.lag.ms"), MaxLagMs: v.Int("max.compaction.lag.ms"),
				DirtyRatio: v.Float("min.cleanable.dirty.ratio"), DeleteRetentionMs: v.Int("delete.retention.ms"),
				SegmentBytes: v.Int("segment.bytes"), IndexBytes: v.Int("segment.index.bytes"),
			},
			ProducerExpirationMs: s.static.Int("producer.id.expiration.ms"),
		},
	}
	if c.Log.Accept.Compacted {
		// What must be compacted in time must leave the active segment in time.
		c.Log.Roll.SegmentMs = min(c.Log.Roll.SegmentMs, c.Log.Clean.MaxLagMs)
	}
	if v.Text("milena.durability") == "cache" {
		c.Durability = replica.Cached
	}
	c.Throttles = partition.Throttles{
		Leader: s.throttle(s.rates.leader, v.List("leader.replication.throttled.replicas")), Follower: s.throttle(s.rates.follower, v.List("follower.replication.throttled.replicas")),
	}
	a := &c.Log.Accept
	switch codec := v.Text("compression.type"); codec {
	case "producer":
	case "uncompressed":
		a.Recompress, a.Codec = true, record.None
	case "gzip":
		a.Recompress, a.Codec, a.Level = true, record.Gzip, int(v.Int("compression.gzip.level"))
	case "snappy":
		a.Recompress, a.Codec = true, record.Snappy
	case "lz4":
		a.Recompress, a.Codec, a.Level = true, record.LZ4, int(v.Int("compression.lz4.level"))
	case "zstd":
		a.Recompress, a.Codec, a.Level = true, record.Zstd, int(v.Int("compression.zstd.level"))
	}
	return c
}

func itoa(id kafka.NodeID) string { return strconv.Itoa(int(id)) }
