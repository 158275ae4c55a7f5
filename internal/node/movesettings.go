package node

import (
	"slices"
	"strconv"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/staterecord"
)

// dynamic returns the value of a broker key as it is in an image.
func (s *settings) dynamic(img *image.Image, name string) string {
	k, ok := config.Lookup(config.Broker, name)
	must.Hold(ok, "no config key %q", name)
	return s.layers(img).ResolveBroker(k).Value
}

// moveRate is replica.alter.log.dirs.io.max.bytes.per.second, for the whole node.
func (s *settings) moveRate(img *image.Image) int64 {
	n, err := strconv.ParseInt(s.dynamic(img, "replica.alter.log.dirs.io.max.bytes.per.second"), 10, 64)
	must.OK(err) // checked when it was set
	return n
}

// moveThreads is how many replicas move at a time: num.replica.alter.log.dirs.threads, or one for each log directory.
func (s *settings) moveThreads() int {
	if v, ok := s.static.Get("num.replica.alter.log.dirs.threads"); ok {
		n, err := strconv.Atoi(v)
		must.OK(err) // checked at the start
		return max(n, 1)
	}
	return len(s.logDirs())
}

// cordonedDirs lists the ids of the log directories that take no new replicas, for the controller.
func (n *Node) cordonedDirs() []kafka.DirectoryID {
	img, out := n.feed.Image(), []kafka.DirectoryID{}
	for _, v := range n.storage.serving() {
		if n.settings.cordoned(img, v.path) {
			out = append(out, v.id())
		}
	}
	return out
}

// LogDirs lists log.dirs, for who sets cordoned.log.dirs.
func (s *settings) LogDirs() []string { return s.logDirs() }

// cordoned reports whether a log directory takes no new replicas (KIP-1066).
func (s *settings) cordoned(img *image.Image, path string) bool {
	dirs := config.SplitList(s.dynamic(img, "cordoned.log.dirs"))
	if img.MetadataVersion() < staterecord.MetadataVersion43IV0 {
		return false // Apache Kafka's feature level for it
	}
	return slices.Contains(dirs, "*") || slices.Contains(dirs, path)
}
