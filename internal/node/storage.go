package node

import (
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/record"
)

var metadataPartition = kafka.TopicPartition{Topic: "__cluster_metadata", Partition: 0}

// openStorage locks the log directory, reads who it belongs to, and gives it an identity when it is new.
func (n *Node) openStorage() error {
	dir, err := log.OpenDir(n.o.FS, n.settings.logDir(), log.Identity{ClusterID: n.settings.clusterID(), NodeID: n.settings.NodeID()})
	if err != nil {
		return err
	}
	n.storage.dir = dir
	if err := n.storage.space.keep(dir.Path()); err != nil {
		_ = dir.Release()
		return err
	}
	for _, damaged := range dir.Damaged {
		n.log("kafka.log").Warn("A checkpoint file is damaged and counts as empty; recovery reads more instead.", "error", damaged)
	}
	meta, formatted := dir.Meta()
	if !formatted {
		meta = log.Meta{ClusterID: n.settings.clusterID(), NodeID: n.settings.NodeID()}
		if meta.ClusterID == "" {
			meta.ClusterID = n.o.World.UUID().String()
		}
	}
	if meta.DirectoryID.IsZero() {
		meta.DirectoryID = kafka.DirectoryID(n.o.World.UUID())
		if err := dir.Format(meta); err != nil {
			_ = dir.Release()
			return err
		}
	}
	n.storage.meta = meta
	n.sayFound(formatted)
	n.storage.flusher = disk.NewFlusher(n.o.World, dir.Path())
	n.storage.flusher.Synced = n.o.Synced
	return nil
}

// openQuorum opens the metadata log, and begins one where the directory holds nothing at all. A directory that has
// partitions and no metadata has lost it: that is refused, since a new log would know none of them.
func (n *Node) openQuorum() error {
	dir := n.storage.dir
	path := dir.PartitionPath(metadataPartition)
	if err := n.formatQuorum(path); err != nil {
		return err
	}
	opts := dir.Options(metadataPartition, n.settings.metadataLog(), n.o.World.Now())
	opts.Later = n.later
	l, err := n.replicas.news.open(opts)
	if err != nil {
		return err
	}
	n.storage.log = l
	machine := controller.New(n.settings.controllerOptions())
	n.quorum, err = quorum.Open(quorum.Options{
		World: n.o.World, FS: n.o.FS, Dir: path, Log: metadataLog{l}, Flusher: n.storage.flusher, Machine: machine,
		Self:   quorum.Key{NodeID: n.settings.NodeID(), DirectoryID: n.storage.meta.DirectoryID},
		Config: n.settings.quorumConfig(),
		Await:  n.feed.WaitFor, Failed: n.fail, Logger: n.log("kafka.raft"),
	})
	return err
}

func (n *Node) formatQuorum(path string) error {
	parts, err := n.storage.dir.Partitions()
	if err != nil {
		return err
	}
	var others []string
	for _, p := range parts {
		if p.Partition != metadataPartition && p.Kind == log.Current {
			others = append(others, p.Name)
		}
	}
	begun := false
	if entries, err := n.o.FS.List(path); err == nil {
		for _, e := range entries {
			begun = begun || strings.HasSuffix(e.Name, ".log") || strings.HasSuffix(e.Name, ".checkpoint")
		}
	}
	if begun {
		return nil
	}
	if len(others) > 0 {
		return fault.Corruption("node.start", "%s holds %d partitions (%s, ...) but no metadata log in %s: restore that directory", n.storage.dir.Path(), len(others), others[0], path)
	}
	voter := quorum.Voter{
		ID: n.settings.NodeID(), Directory: n.storage.meta.DirectoryID, MinKRaft: 0, MaxKRaft: 1,
		Endpoints: n.settings.controllerEndpoints(),
	}
	return quorum.Format(n.o.FS, path, []quorum.Voter{voter}, n.o.World.Now())
}

// later runs the removal of deleted files; what is left when the node stops, the next start removes.
func (n *Node) later(delayMs int64, f func()) {
	n.storage.space.later(delayMs, func() {
		n.mu.Lock()
		over := n.stopping || n.failed != nil
		n.mu.Unlock()
		if !over {
			f()
		}
	})
}

// metadataLog shows the log of __cluster_metadata-0 as quorum wants to see it.
type metadataLog struct{ l *log.Log }

func (m metadataLog) Append(now kafka.Instant, b record.Batch) error {
	_, err := m.l.AppendAsFollower(now, b)
	return err
}

func (m metadataLog) Read(from kafka.Offset, maxBytes int) ([]byte, error) {
	s, err := m.l.Read(from, log.ReadOptions{MaxBytes: maxBytes, MinOne: true, Upper: m.l.Offsets().End})
	if err != nil {
		return nil, err
	}
	defer s.Release()
	return s.AppendTo(nil)
}

func (m metadataLog) Bounds() (start, end kafka.Offset) {
	o := m.l.Offsets()
	return o.LogStart, o.End
}

func (m metadataLog) Dirty() ([]disk.Syncer, kafka.Offset) { return m.l.Dirty() }
func (m metadataLog) Flushed(upTo kafka.Offset)            { m.l.Flushed(upTo) }
func (m metadataLog) TruncateTo(o kafka.Offset) error      { return m.l.TruncateTo(o) }
func (m metadataLog) Restart(o kafka.Offset) error         { return m.l.TruncateFullyAndStartAt(o) }

func (m metadataLog) Trim(now kafka.Instant, start kafka.Offset) (int64, error) {
	if err := m.l.AdvanceStart(start); err != nil {
		return m.l.Size(), err
	}
	_, err := m.l.Retain(now, m.l.Offsets().End)
	return m.l.Size(), err
}
