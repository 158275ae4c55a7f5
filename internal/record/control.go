package record

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// ControlType is the type in a control record's key.
type ControlType int16

// The control records of Kafka 4.3.
const (
	ControlAbort          ControlType = 0
	ControlCommit         ControlType = 1
	ControlLeaderChange   ControlType = 2
	ControlSnapshotHeader ControlType = 3
	ControlSnapshotFooter ControlType = 4
	ControlKRaftVersion   ControlType = 5
	ControlKRaftVoters    ControlType = 6
)

// ControlKey returns the key of a control record: version 0 and the type.
func ControlKey(t ControlType) []byte { return []byte{0, 0, byte(t >> 8), byte(t)} }

// ParseControlKey reads the type from a control record's key.
func ParseControlKey(key []byte) (ControlType, error) {
	if len(key) < 4 {
		return 0, fault.Corruption("record", "control record key of %d bytes", len(key))
	}
	return ControlType(binary.BigEndian.Uint16(key[2:])), nil
}

// Control returns the type and value of a control batch's first record.
func (b Batch) Control() (t ControlType, value []byte, err error) {
	found := false
	err = b.Each(Limits{}, func(r *Record) error {
		if !found {
			found = true
			t, err = ParseControlKey(r.Key)
			value = append([]byte(nil), r.Value...)
			return err
		}
		return nil
	})
	if err == nil && !found {
		err = fault.Corruption("record", "control batch at offset %d has no record", b.BaseOffset())
	}
	return t, value, err
}

// EndTxnMarker is the value of ABORT and COMMIT.
type EndTxnMarker struct{ CoordinatorEpoch int32 }

// Append encodes the marker, version 0.
func (m EndTxnMarker) Append(dst []byte) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0, 0), uint32(m.CoordinatorEpoch))
}

// ParseEndTxnMarker reads a marker of any version: later ones may have more fields.
func ParseEndTxnMarker(value []byte) (EndTxnMarker, error) {
	if len(value) < 6 {
		return EndTxnMarker{}, fault.Corruption("record", "transaction marker of %d bytes", len(value))
	}
	return EndTxnMarker{CoordinatorEpoch: int32(binary.BigEndian.Uint32(value[2:]))}, nil
}

// NewEndTxn builds the control batch that ends a transaction.
func NewEndTxn(id kafka.ProducerID, epoch kafka.ProducerEpoch, commit bool, m EndTxnMarker, timestampMs int64) Batch {
	o := Plain()
	o.Control, o.Transactional, o.ProducerID, o.ProducerEpoch = true, true, id, epoch
	t := ControlAbort
	if commit {
		t = ControlCommit
	}
	return newControl(o, timestampMs, ControlRecord{t, m.Append(nil)})
}

// ControlRecord is one record of a KRaft control batch.
type ControlRecord struct {
	Type  ControlType
	Value []byte
}

// NewControl builds a control batch of KRaft's kind, of no producer.
func NewControl(base kafka.Offset, epoch kafka.LeaderEpoch, timestampMs int64, records ...ControlRecord) Batch {
	o := Plain()
	o.Control, o.BaseOffset, o.LeaderEpoch = true, base, epoch
	return newControl(o, timestampMs, records...)
}

func newControl(o Options, timestampMs int64, records ...ControlRecord) Batch {
	b := NewBuilder(o)
	for _, r := range records {
		b.Append(timestampMs, ControlKey(r.Type), r.Value)
	}
	batch, err := b.Build()
	if err != nil {
		panic("record: an uncompressed batch cannot fail: " + err.Error())
	}
	return batch
}
