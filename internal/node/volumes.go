package node

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/segment"
)

// openStorage takes the log directories: all are locked and read before anything is written in any, so that a start that
// is refused leaves them as they were. One without meta.properties is formatted beside others that have it, and all are
// when nobody has; one that the disk fails is offline, as long as others serve and it is not the metadata log's.
func (n *Node) openStorage() error {
	s := &n.storage
	n.layOut()
	for _, step := range []func() error{n.claimDirs, s.agree, n.admit, n.formatDirs, n.beginDirs} {
		if err := step(); err != nil {
			n.releaseDirs()
			return err
		}
	}
	return nil
}

// coldReads is how many reads wait for the disks at a time: enough to keep one busy, too few to starve anybody.
const coldReads = 4

// layOut makes the volumes that the configuration names.
func (n *Node) layOut() {
	s := &n.storage
	s.shared = log.Shared{
		Handles: segment.NewHandles(fileShare(n.o.Descriptors)),
		Cold:    log.NewCold(coldReads),
		Tails:   segment.NewTails(n.o.Values.Int("milena.tail.cache.max.bytes")),
	}
	where := n.settings.metadataDir()
	for _, dir := range n.settings.logDirs() {
		v := newVolume(n, dir)
		v.shared = s.shared
		s.volumes = append(s.volumes, v)
		if dir == where {
			s.metadata = v
		}
	}
	if s.metadata == nil {
		s.metadata = newVolume(n, where)
	}
	s.nowhere = newVolume(n, "")
	s.nowhere.err = fault.New("node", kafka.ErrKafkaStorageError, "no log directory")
}

// claimDirs locks the directories and reads whose they are.
func (n *Node) claimDirs() error {
	for _, v := range n.storage.all() {
		var err error
		v.dir, err = log.ClaimDir(n.o.FS, v.path, log.Identity{ClusterID: n.settings.clusterID(), NodeID: n.settings.NodeID()})
		v.held = err == nil
		if v.held {
			v.dir.Share(v.shared)
		}
		if err != nil {
			if err := n.spare(v, err); err != nil {
				return err
			}
		}
	}
	return n.storage.someServe()
}

// spare goes on without a directory that the disk fails at the start. Without the metadata log's, or a lone one, nobody
// can, and what else is wrong with a directory is for the operator to put right.
func (n *Node) spare(v *volume, err error) error {
	if v == n.storage.metadata || len(n.storage.volumes) == 1 || !fault.IsKind(err, fault.Disk) || errors.Is(err, disk.ErrLocked) {
		return err
	}
	v.fail(err)
	n.log("kafka.log").Error("Failed to create or validate data directory "+v.path+"; its partitions are offline", "error", err)
	return nil
}

// someServe refuses to go on without any directory for partitions.
func (s *storage) someServe() error {
	if len(s.serving()) > 0 {
		return nil
	}
	var paths []string
	var errs []error
	for _, v := range s.volumes {
		paths, errs = append(paths, v.path), append(errs, v.offline())
	}
	return fault.Storage("node.start: none of the specified log dirs from "+strings.Join(paths, ", ")+" can be created or validated", errors.Join(errs...))
}

// agree holds the identities of the directories against each other.
func (s *storage) agree() error {
	const op = "node.start"
	if err := s.metadataInPlace(); err != nil {
		return err
	}
	var first *volume
	owners := map[kafka.DirectoryID]*volume{}
	for _, v := range s.all() {
		if v.dir == nil {
			continue
		}
		meta, formatted := v.dir.Meta()
		if !formatted {
			continue
		}
		if first == nil {
			first, s.clusterID = v, meta.ClusterID
		}
		if meta.ClusterID != s.clusterID {
			return fault.New(op, kafka.ErrInconsistentClusterId, "%s belongs to cluster %s, and %s to %s: they cannot be of one node",
				v.path, meta.ClusterID, first.path, s.clusterID)
		}
		if other := owners[meta.DirectoryID]; other != nil && !meta.DirectoryID.IsZero() {
			return fault.New(op, kafka.ErrInconsistentClusterId, "%s and %s both have the directory.id %s: one is a copy of the other",
				other.path, v.path, meta.DirectoryID)
		}
		owners[meta.DirectoryID] = v
	}
	if _, formatted := s.metadata.dir.Meta(); !formatted && first != nil {
		return fault.New(op, kafka.ErrKafkaStorageError, "No `meta.properties` found in %s, which is to hold the metadata log, "+
			"while %s belongs to cluster %s: mount or restore it, or name the directory that has __cluster_metadata-0 by metadata.log.dir",
			s.metadata.path, first.path, s.clusterID)
	}
	return nil
}

// metadataInPlace refuses directories that hold a metadata log which is not the one configured.
func (s *storage) metadataInPlace() error {
	for _, v := range s.volumes {
		if v == s.metadata || v.dir == nil {
			continue
		}
		at := v.dir.PartitionPath(metadataPartition)
		if _, err := v.n.o.FS.Stat(at); err == nil {
			return fault.New("node.start", kafka.ErrInconsistentClusterId, "Found unexpected metadata location in data directory `%s` "+
				"(the configured metadata directory is %s).", at, s.metadata.path)
		}
	}
	return nil
}

// formatDirs gives the directories an identity that have none. The metadata log's comes first: a crash on the way leaves
// a node that knows its cluster.
func (n *Node) formatDirs() error {
	s := &n.storage
	if s.clusterID == "" {
		s.clusterID = n.settings.clusterID()
	}
	if s.clusterID == "" {
		s.clusterID = n.o.World.UUID().String()
	}
	for _, v := range s.all() {
		if v.dir == nil {
			continue
		}
		meta, formatted := v.dir.Meta()
		if formatted && !meta.DirectoryID.IsZero() {
			continue
		}
		meta = log.Meta{ClusterID: s.clusterID, NodeID: n.settings.NodeID(), DirectoryID: kafka.DirectoryID(n.o.World.UUID())}
		if err := v.dir.Format(meta); err != nil {
			if err := n.giveUp(v, err); err != nil {
				return err
			}
			continue
		}
		if !formatted {
			n.log("kafka.log").Info("Formatted "+v.path+", which was empty", "cluster", s.clusterID, "directoryId", meta.DirectoryID.String())
		}
	}
	return s.someServe()
}

// beginDirs reads the checkpoints and takes the clean-shutdown markers.
func (n *Node) beginDirs() error {
	for _, v := range n.storage.all() {
		if v.dir == nil {
			continue
		}
		err := v.dir.Begin()
		if err == nil {
			err = n.storage.space.keep(v.path)
		}
		if err != nil {
			if err := n.giveUp(v, err); err != nil {
				return err
			}
			continue
		}
		for _, damaged := range v.dir.Damaged {
			n.log("kafka.log").Warn("A checkpoint file is damaged and counts as empty; recovery reads more instead.", "error", damaged)
		}
		n.sayFound(v)
		v.settleAhead()
	}
	return n.storage.someServe()
}

// giveUp is spare for a directory that is claimed.
func (n *Node) giveUp(v *volume, err error) error {
	if err := n.spare(v, err); err != nil {
		return err
	}
	n.storage.space.leave(v.path)
	v.release()
	return nil
}

// releaseDirs gives the locks back.
func (n *Node) releaseDirs() {
	for _, v := range n.storage.volumes {
		v.release()
	}
	if v := n.storage.metadata; v != nil {
		v.release()
	}
}

// checkDirs refuses a directory that is named twice: what the one place locks the other could not.
func (s *settings) checkDirs() error {
	dirs := s.logDirs()
	for i, dir := range dirs {
		if slices.Contains(dirs[:i], dir) {
			return fault.New("node.config", kafka.ErrInvalidConfig, "Duplicate log directory found: %s", strings.Join(dirs, ", "))
		}
	}
	return nil
}

// logDirs returns the directories of partitions: log.dirs, or log.dir where that is not set.
func (s *settings) logDirs() []string {
	dirs := s.static.List("log.dirs")
	if len(dirs) == 0 {
		dirs = s.static.List("log.dir")
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
	return s.logDirs()[0]
}
