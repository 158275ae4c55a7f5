package node

import (
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/storage"
)

// openStorage takes the log directories.
func (n *Node) openStorage() (err error) {
	n.storage, err = storage.Open(storage.Options{
		World: n.o.World, FS: n.o.FS, Static: n.o.Values, Layers: n.settings.layers, ClusterID: n.o.ClusterID, Descriptors: n.o.Descriptors,
		Synced: n.o.Synced, Logger: n.o.Logger, Admit: n.admit, Founding: n.settings.founding(),
		Replicas: n.replicas, Controller: homes{n}, Life: &n.life, News: &n.replicas.news, Replication: n.replicas.others,
	})
	return err
}

// loadQuorum opens the metadata log of a directory that has begun.
func (n *Node) loadQuorum(s *seat) (*quorum.Quorum, error) {
	l, err := n.metadataLog()
	if err != nil {
		return nil, err
	}
	at := n.storage.Metadata
	return quorum.Open(quorum.Options{
		World: n.o.World, FS: n.storage.FS, Dir: at.Dir.PartitionPath(storage.MetadataPartition), Log: quorum.DiskLog(l), Flusher: at.Flusher,
		Machine: controller.New(n.settings.controllerOptions()), Self: n.key(), Config: n.settings.quorumConfig(), Cluster: n.ClusterID(), Send: s.mail.send,
		Pull:  leading{s}.FetchSnapshot,
		Await: n.feed.WaitFor, Unseated: func() { n.o.World.Go(s.unseated) }, Failed: n.quorumFailed, Logger: n.log("kafka.raft"),
	})
}

// voter is this node as KRAFT_VOTERS names it.
func (n *Node) voter() quorum.Voter {
	return quorum.Voter{ID: n.settings.NodeID(), Directory: n.storage.Metadata.ID(), MinKRaft: 0, MaxKRaft: 1, Endpoints: n.edge.voter}
}

// quorumFailed ends the node; what the disk did is told by the directory's name.
func (n *Node) quorumFailed(err error) {
	if fault.IsKind(err, fault.Disk) {
		n.storage.Lose(n.storage.Metadata, err)
		return
	}
	n.life.Fail(err)
}

// formatQuorum begins the metadata log of a node that is the only voter, where the directory holds nothing at all. A directory that has
// partitions and no metadata has lost it: that is refused, since a new log would know none of them.
func (n *Node) formatQuorum(path string) error {
	begun := false
	if entries, err := n.storage.FS.List(path); err == nil {
		for _, e := range entries {
			begun = begun || strings.HasSuffix(e.Name, ".log") || strings.HasSuffix(e.Name, ".checkpoint")
		}
	}
	if begun {
		return nil
	}
	for _, v := range n.storage.Serving() {
		parts, err := v.Dir.Partitions()
		if err != nil {
			return err
		}
		parts = slices.DeleteFunc(parts, func(p log.PartitionDir) bool {
			return p.Partition == storage.MetadataPartition || p.Kind != log.Current
		})
		if len(parts) > 0 {
			return fault.Corruption("node.start", "%s holds %d partitions (%s, ...) but no metadata log in %s: restore that directory", v.Path, len(parts), parts[0].Name, path)
		}
	}
	return quorum.Format(n.storage.FS, path, []quorum.Voter{n.voter()}, n.o.World.Now())
}
