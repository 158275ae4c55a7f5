package log

import (
	"math"

	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
)

// Config is what a topic's configuration means for one log.
type Config struct {
	Roll                 RollConfig
	Accept               AcceptConfig
	Keep                 KeepConfig
	Clean                clean.Policy // with cleanup.policy=compact
	ProducerExpirationMs int64        // producer.id.expiration.ms
}

// RollConfig says when a segment is full.
type RollConfig struct {
	SegmentBytes       int64 // segment.bytes
	SegmentMs          int64 // segment.ms
	SegmentJitterMs    int64 // segment.jitter.ms
	IndexBytes         int64 // segment.index.bytes
	IndexIntervalBytes int64 // index.interval.bytes
	Preallocate        bool  // preallocate: the file of the active segment has segment.bytes from the beginning
}

// AcceptConfig says what a leader takes from clients and how it stores it.
type AcceptConfig struct {
	MaxMessageBytes      int          // max.message.bytes: of a batch as it is stored, compressed
	LogAppendTime        bool         // message.timestamp.type
	TimestampBeforeMaxMs int64        // message.timestamp.before.max.ms
	TimestampAfterMaxMs  int64        // message.timestamp.after.max.ms
	Compacted            bool         // cleanup.policy has compact: every record needs a key
	Recompress           bool         // compression.type is not "producer"
	Codec                record.Codec // with Recompress
	Level                int          // with Recompress: compression.<codec>.level
	HeaderOnly           bool         // milena.validate=header
}

// KeepConfig is retention.
type KeepConfig struct {
	Delete            bool  // cleanup.policy has delete
	RetentionMs       int64 // retention.ms; negative keeps for ever
	RetentionBytes    int64 // retention.bytes; negative keeps everything
	FileDeleteDelayMs int64 // file.delete.delay.ms
}

// DefaultConfig returns Kafka's defaults.
func DefaultConfig() Config {
	return Config{
		Roll: RollConfig{
			SegmentBytes: 1 << 30, SegmentMs: 604_800_000, IndexBytes: 10_485_760, IndexIntervalBytes: 4096,
		},
		Accept: AcceptConfig{
			MaxMessageBytes: 1_048_588, TimestampBeforeMaxMs: math.MaxInt64, TimestampAfterMaxMs: 3_600_000,
		},
		Keep:                 KeepConfig{Delete: true, RetentionMs: 604_800_000, RetentionBytes: -1, FileDeleteDelayMs: 60_000},
		Clean:                clean.DefaultPolicy(),
		ProducerExpirationMs: 86_400_000,
	}
}

// limits returns the limits of the segment that begins at base. The jitter is drawn from the partition and the base, so
// that partitions created together don't roll together, and the same log rolls alike in every run.
func (l *Log) limits(s *segment.Segment) segment.Limits {
	r := l.config.Roll
	var jitter int64
	if most := min(r.SegmentJitterMs, r.SegmentMs); most > 0 {
		h := uint64(14695981039346656037)
		for _, c := range []byte(l.options.Partition.Topic) {
			h = (h ^ uint64(c)) * 1099511628211
		}
		h = (h ^ uint64(l.options.Partition.Partition)) * 1099511628211
		h = (h ^ uint64(s.Base())) * 1099511628211
		jitter = int64((h ^ h>>32) % uint64(most))
	}
	return segment.Limits{
		SegmentBytes: min(r.SegmentBytes, math.MaxInt32), SegmentMs: r.SegmentMs, JitterMs: jitter,
		IndexBytes: r.IndexBytes, IndexIntervalBytes: r.IndexIntervalBytes,
	}
}
