package storage

import (
	"path"
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// settings is what the keys mean to the log directories.
type settings struct {
	static config.Values
	layers func(*image.Image) config.Layers
}

func (s *settings) self() kafka.NodeID { return kafka.NodeID(s.static.Int("node.id")) }

// Check refuses a directory that is named twice: what the one place locks the other could not.
func Check(v config.Values) error {
	dirs := LogDirs(v)
	for i, dir := range dirs {
		if slices.Contains(dirs[:i], dir) {
			return fault.New("node.config", kafka.ErrInvalidConfig, "Duplicate log directory found: %s", strings.Join(dirs, ", "))
		}
	}
	return nil
}

// LogDirs returns the directories of partitions: log.dirs, or log.dir where that is not set.
func LogDirs(v config.Values) []string {
	dirs := v.List("log.dirs")
	if len(dirs) == 0 {
		dirs = v.List("log.dir")
	}
	out := make([]string, len(dirs))
	for i, dir := range dirs {
		out[i] = path.Clean(dir)
	}
	return out
}

// metadataDir returns the directory of the metadata log: metadata.log.dir, or the first of log.dirs.
func (s *settings) metadataDir() string {
	if dir := s.static.Text("metadata.log.dir"); dir != "" {
		return path.Clean(dir)
	}
	return LogDirs(s.static)[0]
}

// moveRate is replica.alter.log.dirs.io.max.bytes.per.second, for the whole node.
func (s *settings) moveRate(img *image.Image) int64 {
	const key = "replica.alter.log.dirs.io.max.bytes.per.second"
	return s.layers(img).Broker(key).Int(key)
}

// moveThreads is how many replicas move at a time: num.replica.alter.log.dirs.threads, or one for each log directory.
func (s *settings) moveThreads() int {
	const key = "num.replica.alter.log.dirs.threads"
	if _, ok := s.static.Get(key); ok {
		return max(int(s.static.Int(key)), 1)
	}
	return len(LogDirs(s.static))
}

// Cordoned reports whether a log directory takes no new replicas (KIP-1066).
func (s *Storage) Cordoned(path string) bool {
	const key = "cordoned.log.dirs"
	img := s.o.Replicas.Image()
	if img.MetadataVersion() < staterecord.MetadataVersion43IV0 {
		return false // Apache Kafka's feature level for it
	}
	dirs := s.settings.layers(img).Broker(key).List(key)
	return slices.Contains(dirs, "*") || slices.Contains(dirs, path)
}
