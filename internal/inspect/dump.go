package inspect

import (
	"path"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/segment"
)

// DumpOptions say how much of a file is shown.
type DumpOptions struct {
	Records bool  // the records of each batch, too
	Limit   int64 // batches or entries of each file; zero is all
}

// dumper writes the entries of one file after another.
type dumper struct {
	fs   disk.FS
	o    DumpOptions
	emit func(Entry) error
	left int64 // of the limit, in this file
}

// Dump prints a file, a partition's directory or a whole log directory as entries, in the order of file names. What is
// damaged becomes a Finding, and the next file follows; the error is the disk's or emit's.
func Dump(fsys disk.FS, name string, o DumpOptions, emit func(Entry) error) error {
	d := &dumper{fs: fsys, o: o, emit: emit}
	e, err := fsys.Stat(name)
	if err != nil {
		return err
	}
	if !e.Dir {
		return d.file(name)
	}
	entries, err := fsys.List(name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Dir {
			if err := d.file(path.Join(name, e.Name)); err != nil {
				return err
			}
		}
	}
	if isPartition(entries) {
		return nil
	}
	for _, dir := range partitionDirs(entries) {
		p, err := listPartition(fsys, path.Join(name, dir))
		if gone(err) {
			continue
		}
		if err != nil {
			return err
		}
		for _, f := range p.files {
			if err := d.file(path.Join(p.path, f)); err != nil {
				return err
			}
		}
	}
	return nil
}

// file prints one file by the kind that its name tells; a file that is nothing of a log's is passed over.
func (d *dumper) file(name string) error {
	show := d.kind(path.Base(name))
	if show == nil {
		return nil
	}
	size := int64(0)
	if e, err := d.fs.Stat(name); err == nil {
		size = e.Size
	}
	d.left = d.o.Limit
	if d.left == 0 {
		d.left = 1<<63 - 1
	}
	if err := d.emit(File{Kind: "file", Path: name, Bytes: size, note: note(path.Base(name))}); err != nil {
		return err
	}
	err := show(name)
	if err == nil || gone(err) {
		return nil
	}
	if damage(err) {
		return d.problem(Problem{File: name, Position: -1, Offset: -1, Message: describe(err)})
	}
	return err
}

func (d *dumper) problem(p Problem) error { return d.emit(Finding{Kind: "problem", Problem: p}) }

// kind finds what prints a file.
func (d *dumper) kind(base string) func(name string) error {
	if _, suffix, ok := segment.ParseName(base); ok {
		switch suffix {
		case segment.LogSuffix:
			return d.log
		case segment.IndexSuffix:
			return d.offsetIndex
		case segment.TimeIndexSuffix:
			return d.timeIndex
		case segment.TxnIndexSuffix:
			return d.txnIndex
		case segment.SnapshotSuffix:
			return d.producers
		case segment.SealSuffix:
			return d.seal
		}
		return nil
	}
	if _, _, ok := snapshotName(base); ok || base == bootstrapFile {
		return d.log
	}
	switch base {
	case epochFile:
		return d.epochs
	case metaFile, topicFile, quorumFile, cleanFile:
		return d.properties
	}
	for _, c := range offsetCheckpoints() {
		if base == c {
			return d.points
		}
	}
	return nil
}

// note is what kafka-dump-log says before the batches of a log or a snapshot.
func note(base string) string {
	if o, suffix, ok := segment.ParseName(base); ok && suffix == segment.LogSuffix {
		return "Log starting offset: " + decimal(o)
	}
	if end, epoch, ok := snapshotName(base); ok {
		return "Snapshot end offset: " + decimal(end) + ", epoch: " + decimal(kafka.Offset(epoch))
	}
	return ""
}

// topicOf is the topic of the partition directory that a file lies in, "" when it lies elsewhere.
func topicOf(name string) string {
	dir, ok := log.ParseDirName(path.Base(path.Dir(name)))
	if !ok {
		return ""
	}
	return dir.Partition.Topic
}

// isMetadata reports whether the records of a file are the metadata log's.
func isMetadata(name string) bool {
	return path.Base(path.Dir(name)) == metadataDir || strings.HasSuffix(name, checkpointSuffix)
}
