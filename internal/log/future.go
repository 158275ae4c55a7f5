package log

import (
	"bytes"
	"errors"
	"slices"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
)

// A replica that moves to another log directory of its node is copied there, under Kafka's name of a future log, and the
// copy becomes the log by one renaming (Promote). Until that is on the disk the old log is the log and the copy may be
// thrown away; from then on the copy is, and it names the directories whose logs it has replaced, for the start that finds
// both. So whatever crashes when, one of them is the log, and which one the files say.

// movedFromFile is our side file in the directory of a log that was moved: the ids of the log directories that had it
// before, one a line. It goes once their logs have gone. Kafka ignores it.
const movedFromFile = "milena.moved-from"

// maxName is the longest name of a file.
const maxName = 255

// FutureName is Kafka's name for the directory of a copy; false when that is too long for a file, and the partition cannot
// be moved (KAFKA-4893).
func FutureName(tp kafka.TopicPartition, tag kafka.UUID) (string, bool) {
	name := tp.String() + "." + tag.Hex() + "-" + string(Future)
	return name, len(name) <= maxName
}

// Arrival is a partition whose log is being copied into a log directory, to live there.
type Arrival struct {
	dir  *Dir
	tp   kafka.TopicPartition
	name string // of the copy's directory
}

// Arrival names one: the partition, and the directory of the copy.
func (d *Dir) Arrival(tp kafka.TopicPartition, name string) Arrival { return Arrival{d, tp, name} }

// Begin makes the copy's directory, on stable storage: whose it is, and nothing of it yet.
func (a Arrival) Begin(id kafka.TopicID) error {
	const op = "log.Begin"
	at := a.dir.path + "/" + a.name
	if err := a.dir.SaveForgotten(); err != nil { // the checkpoints may still speak of a log that was here before
		return err
	}
	if err := a.dir.fs.MkdirAll(at); err != nil {
		return fault.Storage(op, err)
	}
	if err := checkpoint.Replace(a.dir.fs, at, partitionMetadata, formatTopicID(id)); err != nil {
		return err
	}
	if err := a.dir.fs.SyncDir(a.dir.path); err != nil {
		return fault.Storage(op, err)
	}
	return nil
}

// Options is Dir.Options for the copy. The checkpoints of a log directory speak of the one log that a partition has in it, be
// it current or future, as Kafka's do.
func (a Arrival) Options(c Config, now kafka.Instant) Options {
	o := a.dir.Options(a.tp, c, now)
	o.Path = a.dir.path + "/" + a.name
	return o
}

// Prepare readies the copy, which is closed, to become the log: its checkpoints, and which directories had the log before.
// Until Promote nothing of that means anything.
func (a Arrival) Prepare(before []kafka.DirectoryID, at Checkpointed) error {
	const op = "log.Prepare"
	d, tp := a.dir, a.tp
	if _, err := d.fs.Stat(d.PartitionPath(tp)); err == nil {
		return fault.New(op, kafka.ErrKafkaStorageError, "%s is there already", d.PartitionPath(tp))
	} else if !errors.Is(err, disk.ErrNotExist) {
		return fault.Storage(op, err)
	}
	err := d.saveAll(map[string]checkpoint.Offsets{
		recoveryPointFile: {tp: at.RecoveryPoint}, highWatermarkFile: {tp: at.HighWatermark}, cleanedFile: {tp: at.Cleaned}, OwnCleanedFile: {tp: at.Cleaned},
	})
	if err != nil {
		return err
	}
	return checkpoint.Replace(d.fs, d.path+"/"+a.name, movedFromFile, formatMovedFrom(before))
}

// Promote makes the copy the log, on stable storage. After an error begun says whether the new name may be there after all:
// then nobody may go on with the old log.
func (a Arrival) Promote() (begun bool, err error) {
	const op = "log.Promote"
	d := a.dir
	if err := d.fs.Rename(d.path+"/"+a.name, d.PartitionPath(a.tp)); err != nil {
		err := fault.Storage(op, err)
		return fault.IsKind(err, fault.Disk), err
	}
	if err := d.fs.SyncDir(d.path); err != nil {
		err := fault.Storage(op, err)
		err.Kind = fault.Disk // what is on the disk is not known, however it failed
		return true, err
	}
	return true, nil
}

// Promoted is Dir.Options for the log that was just promoted: it is as Close left the copy.
func (a Arrival) Promoted(c Config, now kafka.Instant) Options {
	o := a.dir.Options(a.tp, c, now)
	o.Clean, o.Shared.Settled = true, false
	return o
}

// Delete removes the copy, which is not open: renamed at once, emptied by what remove does.
func (a Arrival) Delete(id kafka.TopicID, later func(remove func() error)) error {
	return deleteDir(a.dir.fs, a.dir.path+"/"+a.name, a.tp, id, a.dir, later)
}

// Drop is Delete of a copy beside the log itself: what the checkpoints say is the log's.
func (a Arrival) Drop(id kafka.TopicID, later func(remove func() error)) error {
	return deleteDir(a.dir.fs, a.dir.path+"/"+a.name, a.tp, id, nil, later)
}

// MovedFrom returns the directories whose logs of the partition were replaced by the one here.
func (d *Dir) MovedFrom(tp kafka.TopicPartition) ([]kafka.DirectoryID, error) {
	data, err := checkpoint.Load(d.fs, d.PartitionPath(tp)+"/"+movedFromFile, 64<<10)
	if err != nil || data == nil {
		return nil, err
	}
	return ParseMovedFrom(data)
}

// Settle notes that the replaced logs are gone but for those that are left; none takes the file away.
func (d *Dir) Settle(tp kafka.TopicPartition, left []kafka.DirectoryID) error {
	const op = "log.Settle"
	at := d.PartitionPath(tp)
	if len(left) > 0 {
		return checkpoint.Replace(d.fs, at, movedFromFile, formatMovedFrom(left))
	}
	if err := d.fs.Remove(at + "/" + movedFromFile); errors.Is(err, disk.ErrNotExist) {
		return nil
	} else if err != nil {
		return fault.Storage(op, err)
	}
	if err := d.fs.SyncDir(at); err != nil {
		return fault.Storage(op, err)
	}
	return nil
}

func formatMovedFrom(before []kafka.DirectoryID) []byte {
	var out []byte
	for _, id := range before {
		out = append(append(out, id.String()...), '\n')
	}
	return out
}

// ParseMovedFrom reads the side file of a log that was moved.
func ParseMovedFrom(data []byte) ([]kafka.DirectoryID, error) {
	var out []kafka.DirectoryID
	for line := range bytes.Lines(data) {
		id, err := kafka.ParseUUID(string(bytes.TrimSuffix(line, []byte("\n"))))
		if err != nil {
			return nil, fault.Corruption("log.ParseMovedFrom", "%q is no directory id", line)
		}
		out = append(out, kafka.DirectoryID(id))
	}
	return out, nil
}

// Survivors takes the logs of a partition out of the way that a move has replaced, when a start finds them beside the one that
// did: the move was cut short before it could delete them. It returns where the log is; more than one are copies that somebody
// made by hand. here knows the directories that this node has, for of the others the note stays.
func Survivors(tp kafka.TopicPartition, id kafka.TopicID, holders []*Dir, here func(kafka.DirectoryID) bool, later func(remove func() error)) ([]*Dir, error) {
	for _, d := range holders {
		before, err := d.MovedFrom(tp)
		if err != nil {
			return nil, err
		}
		var left []*Dir
		for _, other := range holders {
			if meta, _ := other.Meta(); other == d || !slices.Contains(before, meta.DirectoryID) {
				left = append(left, other)
			} else if err := other.DeletePartition(tp, id, later); err != nil {
				return nil, err
			}
		}
		if len(left) < len(holders) {
			return left, d.Settle(tp, slices.DeleteFunc(before, here))
		}
	}
	return holders, nil
}
