package migrate

import (
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/checkpoint"
)

// Names in a log directory, Kafka's.
const (
	metaFile  = "meta.properties"
	bootFile  = "bootstrap.checkpoint"
	cleanFile = ".kafka_cleanshutdown"
)

// Inspect looks at the log directories of one node, of which metadata holds the metadata log. Nothing is written, and
// nobody may be running on them.
func Inspect(fsys disk.FS, dirs []string, metadata string) (*Found, error) {
	f := &Found{Clean: true}
	if err := f.identity(fsys, dirs); err != nil {
		return nil, err
	}
	at := metadata + "/" + metadataPartition.String()
	_, err := fsys.Stat(metadata + "/" + bootFile)
	f.Formatted = err == nil
	if f.Metadata, f.Begun, err = readMetadata(fsys, at); err != nil {
		return nil, err
	}
	if f.Milena, err = RanLast(fsys, at); err != nil {
		return nil, err
	}
	return f, f.partitions(fsys, dirs)
}

// identity reads whose the directories are and how they were left.
func (f *Found) identity(fsys disk.FS, dirs []string) error {
	const op = "migrate"
	for _, dir := range dirs {
		data, err := checkpoint.Load(fsys, dir+"/"+metaFile, 64<<10)
		if err != nil {
			return err
		}
		if data == nil {
			return fault.New(op, kafka.ErrInconsistentClusterId, "%s has no %s: it is no log directory", dir, metaFile)
		}
		m, err := log.ParseMeta(data)
		if err != nil {
			return err
		}
		if len(f.Metas) > 0 && (m.ClusterID != f.Metas[0].ClusterID || m.NodeID != f.Node) {
			return fault.New(op, kafka.ErrInconsistentClusterId, "%s belongs to node.id %d of cluster %s, and %s to node.id %d of cluster %s",
				dir, m.NodeID, m.ClusterID, dirs[0], f.Node, f.Metas[0].ClusterID)
		}
		f.Metas, f.Node = append(f.Metas, m), m.NodeID
		if _, err := fsys.Stat(dir + "/" + cleanFile); err != nil {
			if !errors.Is(err, disk.ErrNotExist) {
				return fault.Storage(op, err)
			}
			f.Clean = false
		}
	}
	return nil
}

// partitions walks the partitions of all directories.
func (f *Found) partitions(fsys disk.FS, dirs []string) error {
	type place struct {
		path string
		tp   kafka.TopicPartition
	}
	var all []place
	transactional := false
	for _, dir := range dirs {
		entries, err := fsys.List(dir)
		if err != nil {
			return fault.Storage("migrate", err)
		}
		for _, e := range entries {
			p, ok := log.ParseDirName(e.Name)
			switch {
			case !ok || !e.Dir || p.Partition == metadataPartition:
			case p.Kind == log.Future:
				f.Moving = append(f.Moving, dir+"/"+e.Name)
			case p.Kind == log.Current:
				all = append(all, place{dir + "/" + e.Name, p.Partition})
				transactional = transactional || p.Partition.Topic == transactionTopic
			}
		}
	}
	groups := groupScan{newer: map[string]string{}, classic: map[string]bool{}}
	transactions := transactionScan{open: map[string]bool{}}
	for _, p := range all {
		f.Partitions++
		old, err := f.formats(fsys, p.path)
		if err != nil {
			return err
		}
		switch {
		case old:
		case p.tp.Topic == kafka.OffsetsTopic:
			err = groups.partition(fsys, p.path)
		case p.tp.Topic == transactionTopic:
			err = transactions.partition(fsys, p.path)
		}
		if err == nil && transactional && !old {
			var open []Open
			open, err = unfinished(fsys, p.path, p.tp, f.Clean)
			f.Unfinished = append(f.Unfinished, open...)
		}
		if err != nil {
			return err
		}
	}
	f.Groups, f.ClassicGroups = groups.groups()
	f.Transactions = slices.Sorted(maps.Keys(transactions.open))
	return nil
}

// formats looks at the first batch of every segment: a format only ever rises along a log.
func (f *Found) formats(fsys disk.FS, dir string) (old bool, err error) {
	all, err := segments(fsys, dir)
	if err != nil {
		return false, err
	}
	for _, s := range all {
		f.Bytes += s.size
		magic, err := firstMagic(fsys, s.path)
		if err != nil {
			return false, err
		}
		if magic >= 0 && magic < 2 {
			old = true
			f.OldFormats = append(f.OldFormats, Old{s.path, magic})
		}
	}
	return old, nil
}

// firstMagic reads the magic byte of a segment's first batch, which is in the same place in every format; -1 without one.
func firstMagic(fsys disk.FS, path string) (int8, error) {
	const at = 16
	r, err := fsys.Open(path, 0)
	if err != nil {
		return -1, fault.Storage("migrate", err)
	}
	defer func() { _ = r.Close() }() // it was only read
	var b [1]byte
	if n, err := r.ReadAt(b[:], at); n == 0 {
		if errors.Is(err, io.EOF) {
			return -1, nil
		}
		return -1, fault.Storage("migrate", err)
	}
	return int8(b[0]), nil
}
