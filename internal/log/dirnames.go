package log

import (
	"errors"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
)

// DirKind is what a partition's directory is there for.
type DirKind string

// The kinds, by the suffix of the name.
const (
	Current DirKind = ""
	Deleted DirKind = "delete" // waiting to be removed
	Future  DirKind = "future" // being moved from another log directory
	Stray   DirKind = "stray"  // the metadata does not assign it here
)

// PartitionDir is a directory that holds a partition's log.
type PartitionDir struct {
	Name      string
	Partition kafka.TopicPartition // of a -delete directory the topic may be cut short
	Kind      DirKind
}

// ParseDirName reads a directory's name: topic and partition split at the last dash, after a suffix of a dot, 32 hex
// digits and a kind. false for names that are no partition's.
func ParseDirName(name string) (PartitionDir, bool) {
	p := PartitionDir{Name: name}
	for _, kind := range []DirKind{Deleted, Future, Stray} {
		if rest, found := strings.CutSuffix(name, "-"+string(kind)); found {
			if dot := strings.LastIndexByte(rest, '.'); dot > 0 && len(rest)-dot-1 == 32 {
				p.Kind, name = kind, rest[:dot]
				break
			}
		}
	}
	dash := strings.LastIndexByte(name, '-')
	if dash <= 0 {
		// What a deletion cut short to fit a file name has lost its partition, and goes all the same.
		return p, p.Kind == Deleted
	}
	n, err := strconv.ParseUint(name[dash+1:], 10, 31)
	if err != nil {
		return p, p.Kind == Deleted
	}
	p.Partition = kafka.TopicPartition{Topic: name[:dash], Partition: int32(n)}
	return p, true
}

// PartitionPath returns the path of a partition's directory.
func (d *Dir) PartitionPath(tp kafka.TopicPartition) string { return d.path + "/" + tp.String() }

// Partitions lists the partition directories, sorted by name.
func (d *Dir) Partitions() ([]PartitionDir, error) {
	entries, err := d.fs.List(d.path)
	if err != nil {
		return nil, fault.Storage("log.Partitions", err)
	}
	var out []PartitionDir
	for _, e := range entries {
		if p, ok := ParseDirName(e.Name); ok && e.Dir {
			out = append(out, p)
		}
	}
	return out, nil
}

// TopicID reads which topic a partition directory belongs to; false when it does not say.
func (d *Dir) TopicID(p PartitionDir) (kafka.TopicID, bool, error) {
	data, err := checkpoint.Load(d.fs, d.path+"/"+p.Name+"/"+partitionMetadata, 4096)
	if err != nil {
		return kafka.TopicID{}, false, err
	}
	id, err := ParseTopicID(data)
	return id, err == nil, nil
}

// DeletePartition removes a partition's directory that is not open: renamed at once, emptied by what remove does. What
// says that it belongs to another topic of the same name stays.
func (d *Dir) DeletePartition(tp kafka.TopicPartition, id kafka.TopicID, later func(remove func() error)) error {
	if found, known, err := d.TopicID(PartitionDir{Name: tp.String(), Partition: tp}); err != nil || known && found != id {
		return err
	}
	return deleteDir(d.fs, d.PartitionPath(tp), tp, id, d, later)
}

// SetAside renames a partition's directory that no topic owns, durably and as Kafka does; tag makes the name unique. What the checkpoints
// say of it goes first: nothing that is left after a crash tells that it isn't meant for the next log of that name.
func (d *Dir) SetAside(p PartitionDir, tag kafka.UUID) error {
	const op = "log.SetAside"
	suffix := "." + tag.Hex() + "-" + string(Stray)
	name := p.Partition.String()
	if most := 255 - len(suffix); len(name) > most {
		name = name[:most]
	}
	if _, err := d.fs.Stat(d.path + "/" + p.Name); err != nil {
		return fault.Storage(op, err) // it is gone, and what is said under the name may be another log's by now
	}
	if _, err := d.fs.Stat(d.PartitionPath(p.Partition)); p.Kind == Current || err != nil { // beside a log they are that log's
		d.forget(p.Partition)
		if err := d.SaveForgotten(); err != nil {
			return err
		}
	}
	if err := d.fs.Rename(d.path+"/"+p.Name, d.path+"/"+name+suffix); err != nil {
		return fault.Storage(op, err)
	}
	if err := d.fs.SyncDir(d.path); err != nil {
		return fault.Storage(op, err)
	}
	return nil
}

// removeDeleted finishes deletions of an earlier process.
func (d *Dir) removeDeleted() error {
	dirs, err := d.Partitions()
	if err != nil {
		return err
	}
	d.forgetDeleted(dirs)
	if err := d.SaveForgotten(); err != nil {
		return err
	}
	for _, p := range dirs {
		if p.Kind != Deleted {
			continue
		}
		if err := d.fs.RemoveAll(d.path + "/" + p.Name); err != nil {
			return fault.Storage("log.OpenDir", err)
		}
	}
	return nil
}

// forgetDeleted drops from the checkpoints what a process could not drop that died between the renaming of a log and the
// removal of its files; a log of the same name that was made since keeps what is its own.
func (d *Dir) forgetDeleted(dirs []PartitionDir) {
	live, gone := map[string]bool{}, map[string]bool{}
	for _, p := range dirs {
		switch p.Kind {
		case Current, Future:
			live[p.Partition.String()] = true
		case Deleted:
			gone[p.Name[:len(p.Name)-deletedSuffixBytes]] = true
		}
	}
	if len(gone) == 0 {
		return
	}
	for _, f := range d.files() {
		for tp := range *f.points {
			if name := tp.String(); !live[name] && gone[cutName(name)] {
				d.Forget(tp)
			}
		}
	}
}

// deletedSuffixBytes is the length of what deletedName adds, and cutName makes room for it in a file name.
const deletedSuffixBytes = len(".0123456789abcdef0123456789abcdef-") + len(Deleted)

func cutName(name string) string { return name[:min(len(name), 255-deletedSuffixBytes)] }

// deletedName is Kafka's name of a deletion in progress, made unique by the topic id, which no other topic ever has.
func deletedName(tp kafka.TopicPartition, id kafka.TopicID) string {
	return cutName(tp.String()) + "." + kafka.UUID(id).Hex() + "-" + string(Deleted)
}

// deleteDir renames a partition's directory, durably, and leaves the removal of its files to later. Its checkpoints are
// forgotten on disk before the last trace of it goes: what they say must never be believed of another log of that name.
// A directory that is not there is deleted already, perhaps as this topic's, and what is left of that is the only trace of it.
func deleteDir(fsys disk.FS, path string, tp kafka.TopicPartition, id kafka.TopicID, ledger Ledger, later func(remove func() error)) error {
	const op = "log.Delete"
	parent, _, _ := cutLast(path, "/")
	target := parent + "/" + deletedName(tp, id)
	if _, err := fsys.Stat(path); errors.Is(err, disk.ErrNotExist) {
		if ledger != nil {
			ledger.Forget(tp) // a log that was never written has no directory, but may have a log start
		}
		return nil
	} else if err != nil {
		return fault.Storage(op, err)
	}
	if err := fsys.RemoveAll(target); err != nil { // of a deletion before: its checkpoints were forgotten when this directory was made
		return fault.Storage(op, err)
	}
	if err := fsys.Rename(path, target); err != nil {
		return fault.Storage(op, err)
	}
	if err := fsys.SyncDir(parent); err != nil {
		return fault.Storage(op, err)
	}
	if ledger == nil {
		later(func() error { return fsys.RemoveAll(target) })
		return nil
	}
	ledger.Forget(tp)
	later(func() error {
		if err := ledger.SaveForgotten(); err != nil {
			return err
		}
		return fsys.RemoveAll(target)
	})
	return nil
}
