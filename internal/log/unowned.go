package log

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/segment"
)

// Unowned reports whether a partition's directory holds records and a partition.metadata that says nothing: what a failed sync, or a
// power cut, leaves of a log that was made a moment before. The file is durable before any record counts as durable, so those were
// acknowledged to nobody, and they may be the records of a deleted topic of the same name: whoever opens the log for a topic has
// the directory set aside. Where a recovery point vouches for records, or a clean stop does, the file was durable and is damaged; where
// there is none, as Apache Kafka leaves a log that it had not flushed yet, the name has to do.
func Unowned(d *Dir, tp kafka.TopicPartition) (bool, error) {
	path := d.path + "/" + tp.String()
	if clean, _ := d.Clean(); clean || d.Checkpointed(tp).RecoveryPoint > 0 {
		return false, nil
	}
	data, err := checkpoint.Load(d.fs, path+"/"+partitionMetadata, 4096)
	if data == nil || err != nil {
		return false, err
	}
	if _, err := ParseTopicID(data); err == nil {
		return false, nil
	}
	entries, err := d.fs.List(path)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if _, suffix, ok := segment.ParseName(e.Name); ok && suffix == segment.LogSuffix && e.Size > 0 {
			return true, nil
		}
	}
	return false, nil
}
