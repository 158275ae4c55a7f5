package storage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/segment"
)

// Open takes the log directories: all are locked and read before anything is written in any, so that a start that
// is refused leaves them as they were. One without meta.properties is formatted beside others that have it, and all are
// when nobody has; one that the disk fails is offline, as long as others serve and it is not the metadata log's.
func Open(o Options) (*Storage, error) {
	s := &Storage{o: o, settings: settings{static: o.Static, layers: o.Layers}}
	s.Space, s.moving = newSpace(s), newRelocations(s)
	s.FS = s.Space.fs
	s.layOut()
	for _, step := range []func() error{s.claimDirs, s.agree, s.admit, s.formatDirs, s.beginDirs} {
		if err := step(); err != nil {
			s.Space.abandon()
			s.releaseDirs()
			return nil, err
		}
	}
	return s, nil
}

func (s *Storage) admit() error {
	if s.o.Admit == nil {
		return nil
	}
	return s.o.Admit(s)
}

// coldReads is how many reads wait for the disks at a time: enough to keep one busy, too few to starve anybody.
const coldReads = 4

// layOut makes the volumes that the configuration names.
func (s *Storage) layOut() {
	s.shared = log.Shared{
		Handles: segment.NewHandles(FileShare(s.o.Descriptors)),
		Cold:    log.NewCold(coldReads),
		Tails:   segment.NewTails(s.o.Static.Int("milena.tail.cache.max.bytes")),
	}
	where := s.settings.metadataDir()
	for _, dir := range LogDirs(s.o.Static) {
		v := s.newVolume(dir)
		s.Volumes = append(s.Volumes, v)
		if dir == where {
			s.Metadata = v
		}
	}
	if s.Metadata == nil {
		s.Metadata = s.newVolume(where)
	}
	s.Nowhere = s.newVolume("")
	s.Nowhere.err = fault.New("node", kafka.ErrKafkaStorageError, "no log directory")
}

// claimDirs locks the directories and reads whose they are.
func (s *Storage) claimDirs() error {
	for _, v := range s.All() {
		var err error
		v.Dir, err = log.ClaimDir(s.FS, v.Path, log.Identity{ClusterID: s.o.ClusterID, NodeID: s.settings.self()})
		v.held = err == nil
		if v.held {
			v.Dir.Share(s.shared)
		}
		if err != nil {
			if err := s.spare(v, err); err != nil {
				return err
			}
		}
	}
	return s.someServe()
}

// spare goes on without a directory that the disk fails at the start. Without the metadata log's, or a lone one, nobody
// can, and what else is wrong with a directory is for the operator to put right.
func (s *Storage) spare(v *Volume, err error) error {
	if v == s.Metadata || len(s.Volumes) == 1 || !fault.IsKind(err, fault.Disk) || errors.Is(err, disk.ErrLocked) {
		return err
	}
	v.fail(err)
	s.log("kafka.log").Error("Failed to create or validate data directory "+v.Path+"; its partitions are offline", "error", err)
	return nil
}

// someServe refuses to go on without any directory for partitions.
func (s *Storage) someServe() error {
	if len(s.Serving()) > 0 {
		return nil
	}
	var paths []string
	var errs []error
	for _, v := range s.Volumes {
		paths, errs = append(paths, v.Path), append(errs, v.Offline())
	}
	return fault.Storage("node.start: none of the specified log dirs from "+strings.Join(paths, ", ")+" can be created or validated", errors.Join(errs...))
}

// agree holds the identities of the directories against each other.
func (s *Storage) agree() error {
	const op = "node.start"
	if err := s.metadataInPlace(); err != nil {
		return err
	}
	var first *Volume
	owners := map[kafka.DirectoryID]*Volume{}
	for _, v := range s.All() {
		if v.Dir == nil {
			continue
		}
		meta, formatted := v.Dir.Meta()
		if !formatted {
			continue
		}
		if first == nil {
			first = v
			s.know(meta.ClusterID)
		}
		if meta.ClusterID != s.ClusterID() {
			return fault.New(op, kafka.ErrInconsistentClusterId, "%s belongs to cluster %s, and %s to %s: they cannot be of one node",
				v.Path, meta.ClusterID, first.Path, s.ClusterID())
		}
		if other := owners[meta.DirectoryID]; other != nil && !meta.DirectoryID.IsZero() {
			return fault.New(op, kafka.ErrInconsistentClusterId, "%s and %s both have the directory.id %s: one is a copy of the other",
				other.Path, v.Path, meta.DirectoryID)
		}
		owners[meta.DirectoryID] = v
	}
	if _, formatted := s.Metadata.Dir.Meta(); !formatted && first != nil {
		return fault.New(op, kafka.ErrKafkaStorageError, "No `meta.properties` found in %s, which is to hold the metadata log, "+
			"while %s belongs to cluster %s: mount or restore it, or name the directory that has __cluster_metadata-0 by metadata.log.dir",
			s.Metadata.Path, first.Path, s.ClusterID())
	}
	return nil
}

// metadataInPlace refuses directories that hold a metadata log which is not the one configured.
func (s *Storage) metadataInPlace() error {
	for _, v := range s.Volumes {
		if v == s.Metadata || v.Dir == nil {
			continue
		}
		at := v.Dir.PartitionPath(MetadataPartition)
		if _, err := s.FS.Stat(at); err == nil {
			return fault.New("node.start", kafka.ErrInconsistentClusterId, "Found unexpected metadata location in data directory `%s` "+
				"(the configured metadata directory is %s).", at, s.Metadata.Path)
		}
	}
	return nil
}

// formatDirs gives the directories an identity that have none. The metadata log's comes first: a crash on the way leaves
// a node that knows its cluster.
func (s *Storage) formatDirs() error {
	if s.ClusterID() == "" {
		s.know(s.o.ClusterID)
	}
	if s.ClusterID() == "" && s.o.Founding == Joins {
		return s.reserveIDs()
	}
	if s.ClusterID() == "" {
		s.know(s.o.World.UUID().String())
	}
	return s.format()
}

// Adopt gives the directories the cluster's identity, once it is known (Joins). It does nothing where they have one.
func (s *Storage) Adopt(clusterID string) error {
	if s.ClusterID() != "" && s.ClusterID() != clusterID {
		return fault.New("node.start", kafka.ErrInconsistentClusterId, "%s belongs to cluster %s, and the controllers to %s", s.Metadata.Path, s.ClusterID(), clusterID)
	}
	s.know(clusterID)
	return s.format()
}

// reserveIDs gives the directories their ids while the cluster's is not known.
func (s *Storage) reserveIDs() error {
	for _, v := range s.All() {
		if v.Dir == nil {
			continue
		}
		if err := log.Reserve(v.Dir, kafka.DirectoryID(s.o.World.UUID())); err != nil {
			if err := s.giveUp(v, err); err != nil {
				return err
			}
		}
	}
	return s.someServe()
}

// format writes the identity where there is none.
func (s *Storage) format() error {
	for _, v := range s.All() {
		if v.Dir == nil {
			continue
		}
		meta, formatted := v.Dir.Meta()
		if formatted && !meta.DirectoryID.IsZero() {
			continue
		}
		meta = log.Meta{ClusterID: s.ClusterID(), NodeID: s.settings.self(), DirectoryID: meta.DirectoryID}
		if meta.DirectoryID.IsZero() {
			meta.DirectoryID = kafka.DirectoryID(s.o.World.UUID())
		}
		if err := v.Dir.Format(meta); err != nil {
			if err := s.giveUp(v, err); err != nil {
				return err
			}
			continue
		}
		if !formatted {
			s.log("kafka.log").Info("Formatted "+v.Path+", which was empty", "cluster", s.ClusterID(), "directoryId", meta.DirectoryID.String())
		}
	}
	return s.someServe()
}

// beginDirs reads the checkpoints and takes the clean-shutdown markers.
func (s *Storage) beginDirs() error {
	for _, v := range s.All() {
		if v.Dir == nil {
			continue
		}
		err := v.Dir.Begin()
		if err == nil {
			err = s.Space.keep(v.Path)
		}
		if err != nil {
			if err := s.giveUp(v, err); err != nil {
				return err
			}
			continue
		}
		for _, damaged := range v.Dir.Damaged {
			s.log("kafka.log").Warn("A checkpoint file is damaged and counts as empty; recovery reads more instead.", "error", damaged)
		}
		s.sayFound(v)
		v.settleAhead()
	}
	return s.someServe()
}

// giveUp is spare for a directory that is claimed.
func (s *Storage) giveUp(v *Volume, err error) error {
	if err := s.spare(v, err); err != nil {
		return err
	}
	s.Space.leave(v.Path)
	v.release()
	return nil
}

// releaseDirs gives the locks back.
func (s *Storage) releaseDirs() {
	for _, v := range s.Volumes {
		v.release()
	}
	if v := s.Metadata; v != nil {
		v.release()
	}
}

// sayFound tells in what state a log directory was found.
func (s *Storage) sayFound(v *Volume) {
	all, err := v.Dir.Partitions()
	if clean, _ := v.Dir.Clean(); clean || err != nil { // of an error the start fails soon
		return
	}
	logs := 0
	for _, d := range all {
		if d.Kind == log.Current {
			logs++
		}
	}
	if logs > 0 {
		s.log("kafka.log").Warn(fmt.Sprintf("%s was not shut down cleanly; recovering %d logs", v.Path, logs))
	}
}

// ClusterID returns the cluster's id, empty while it is not known.
func (s *Storage) ClusterID() string {
	if id := s.cluster.Load(); id != nil {
		return *id
	}
	return ""
}

func (s *Storage) know(clusterID string) { s.cluster.Store(&clusterID) }
