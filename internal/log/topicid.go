package log

import (
	"bytes"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/mutant"
)

// partitionMetadata is Kafka's file that binds a directory to a topic id: two lines, "version: 0" and "topic_id: ID".
const partitionMetadata = "partition.metadata"

// formatTopicID writes the file's text.
func formatTopicID(id kafka.TopicID) []byte {
	return []byte("version: 0\ntopic_id: " + id.String()) // without a last newline, as Kafka
}

// ParseTopicID reads the file's text.
func ParseTopicID(data []byte) (kafka.TopicID, error) {
	const op = "log.ParseTopicID"
	var id kafka.TopicID
	for line := range bytes.Lines(data) {
		key, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		value = bytes.TrimSpace(value)
		switch string(key) {
		case "version":
			if string(value) != "0" {
				return id, fault.Corruption(op, "unknown version %q", value)
			}
		case "topic_id":
			u, err := kafka.ParseUUID(string(value))
			if err != nil {
				return id, fault.Corruption(op, "bad topic id %q", value)
			}
			id = kafka.TopicID(u)
		}
	}
	if id.IsZero() {
		return id, fault.Corruption(op, "no topic id in %q", data)
	}
	return id, nil
}

// bindTopicID checks the directory's topic id against the one the log is opened for, and writes it where none is. A
// file that does not parse was torn before anything in the directory was durable, so it counts as none.
func (l *Log) bindTopicID() error {
	want := l.options.TopicID
	path := l.options.Path + "/" + partitionMetadata
	data, err := checkpoint.Load(l.options.FS, path, 4096)
	if err != nil && !fault.IsKind(err, fault.Corrupt) {
		return err
	}
	if have, err := ParseTopicID(data); err == nil {
		if !want.IsZero() && have != want && !mutant.On(mutant.DeletedTopicServed) {
			return fault.New("log.Open", kafka.ErrInconsistentTopicId, "%s belongs to topic id %s, not %s", l.options.Path, have, want)
		}
		l.options.TopicID = have
		return nil
	}
	if want.IsZero() {
		return nil
	}
	if err := writeFile(l.options.FS, path, formatTopicID(want)); err != nil {
		return err
	}
	l.add(0, l.identity())
	return nil
}

// identity is what makes the file durable.
func (l *Log) identity() disk.Syncer {
	return segment.PathSyncer(l.options.FS, l.options.Path+"/"+partitionMetadata)
}
