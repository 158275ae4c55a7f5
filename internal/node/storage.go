package node

import (
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/quorum"
)

var metadataPartition = kafka.TopicPartition{Topic: "__cluster_metadata", Partition: 0}

// openQuorum opens the metadata log, and begins one where the directory holds nothing at all. A directory that has
// partitions and no metadata has lost it: that is refused, since a new log would know none of them.
func (n *Node) openQuorum() error {
	at := n.storage.metadata
	path := at.dir.PartitionPath(metadataPartition)
	if err := n.formatQuorum(path); err != nil {
		return err
	}
	opts := at.dir.Options(metadataPartition, n.settings.metadataLog(), n.o.World.Now())
	opts.Later = at.later
	if opts.RecoveryPoint == 0 {
		opts.Clean = false // Kafka's marker does not speak of this log, which it closes after all others
	}
	l, err := n.replicas.news.open(opts)
	if err != nil {
		return err
	}
	n.storage.log = l
	machine := controller.New(n.settings.controllerOptions())
	n.quorum, err = quorum.Open(quorum.Options{
		World: n.o.World, FS: n.o.FS, Dir: path, Log: quorum.DiskLog(l), Flusher: at.flusher, Machine: machine,
		Self:   quorum.Key{NodeID: n.settings.NodeID(), DirectoryID: at.id()},
		Config: n.settings.quorumConfig(),
		Await:  n.feed.WaitFor, Failed: n.quorumFailed, Logger: n.log("kafka.raft"),
	})
	return err
}

// quorumFailed ends the node; what the disk did is told by the directory's name.
func (n *Node) quorumFailed(err error) {
	if fault.IsKind(err, fault.Disk) {
		n.lose(n.storage.metadata, err)
		return
	}
	n.fail(err)
}

func (n *Node) formatQuorum(path string) error {
	begun := false
	if entries, err := n.o.FS.List(path); err == nil {
		for _, e := range entries {
			begun = begun || strings.HasSuffix(e.Name, ".log") || strings.HasSuffix(e.Name, ".checkpoint")
		}
	}
	if begun {
		return nil
	}
	for _, v := range n.storage.serving() {
		parts, err := v.dir.Partitions()
		if err != nil {
			return err
		}
		parts = slices.DeleteFunc(parts, func(p log.PartitionDir) bool { return p.Partition == metadataPartition || p.Kind != log.Current })
		if len(parts) > 0 {
			return fault.Corruption("node.start", "%s holds %d partitions (%s, ...) but no metadata log in %s: restore that directory", v.path, len(parts), parts[0].Name, path)
		}
	}
	voter := quorum.Voter{
		ID: n.settings.NodeID(), Directory: n.storage.metadata.id(), MinKRaft: 0, MaxKRaft: 1,
		Endpoints: n.settings.controllerEndpoints(),
	}
	return quorum.Format(n.o.FS, path, []quorum.Voter{voter}, n.o.World.Now())
}

// later runs the removal of deleted files; what is left when the node stops, the next start removes.
func (n *Node) later(delayMs int64, f func()) {
	n.storage.space.later(delayMs, func() {
		if !n.over() {
			f()
		}
	})
}
