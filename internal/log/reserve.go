package log

import (
	"strings"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
)

// reservedFile holds a directory's id while the cluster's is yet to be agreed: voters tell each other their directories before
// there is a cluster (architecture D3), and a voter that came back with another id would be another voter. It is a file of ours,
// since Kafka's meta.properties needs the cluster's id, and goes when that is written.
const reservedFile = ".milena-directory.id"

// Reserve gives a directory without an identity its id, durably. One that has an id keeps it.
func Reserve(d *Dir, id kafka.DirectoryID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.meta.DirectoryID.IsZero() {
		return nil
	}
	if d.formatted {
		return fault.New("log.Reserve", kafka.ErrInconsistentClusterId, "%s is formatted as %+v, without a directory.id", d.path, d.meta)
	}
	if err := checkpoint.Replace(d.fs, d.path, reservedFile, []byte(id.String()+"\n")); err != nil {
		return err
	}
	d.meta.DirectoryID = id
	return nil
}

// recallReserved reads the id of a directory that has no meta.properties.
func (d *Dir) recallReserved() error {
	data, err := checkpoint.Load(d.fs, d.path+"/"+reservedFile, 1<<10)
	if err != nil || data == nil {
		return err
	}
	id, err := kafka.ParseUUID(strings.TrimSpace(string(data)))
	if err != nil {
		return fault.Corruption("log.OpenDir", "%s/%s does not hold an id: %v", d.path, reservedFile, err)
	}
	d.meta.DirectoryID = kafka.DirectoryID(id)
	return nil
}
