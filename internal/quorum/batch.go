package quorum

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
)

// What a record costs in a batch at most beside its value, and a batch beside its records, bytes.
const (
	recordOverhead = 24
	batchOverhead  = record.HeaderSize
)

// The levels of kraft.version: at 1 the log names the voters (KIP-853), as in every cluster that we form; at 0 the
// configuration does. A log of Apache Kafka may be at 0, and stays there.
const (
	kraftStatic  = 0
	kraftDynamic = 1
)

// encodeRecord writes a record in the schema that a metadata.version calls for; 0 is a log that names none yet.
func encodeRecord(r Record, level staterecord.MetadataVersion) []byte {
	if level == 0 {
		level = staterecord.LatestMetadataVersion
	}
	return staterecord.AppendVersion(nil, r, staterecord.VersionOf(r, level))
}

// dataBatch is a batch of metadata records. Their keys are null.
func dataBatch(base kafka.Offset, epoch kafka.LeaderEpoch, wallMs int64, values [][]byte) record.Batch {
	o := record.Plain()
	o.BaseOffset, o.LeaderEpoch = base, epoch
	b := record.NewBuilder(o)
	for _, v := range values {
		b.Append(wallMs, nil, v)
	}
	return must.Get(b.Build()) // no codec, no error
}

// eachValue visits the values of a batch's records.
func eachValue(b record.Batch, visit func(offset kafka.Offset, value []byte) error) error {
	return b.Each(record.Limits{MaxBytes: maxBatchRead}, func(r *record.Record) error { return visit(r.Offset, r.Value) })
}

// eachControl visits the records of a control batch.
func eachControl(b record.Batch, visit func(t record.ControlType, value []byte) error) error {
	return b.Each(record.Limits{MaxBytes: maxBatchRead}, func(r *record.Record) error {
		t, err := record.ParseControlKey(r.Key)
		if err != nil {
			return err
		}
		return visit(t, r.Value)
	})
}

// isVoterChange reports whether a batch of the log is a membership change: a control batch that begins with
// KRAFT_VOTERS, or with the KRAFT_VERSION by which Kafka upgrades a static quorum. The one that a first leader appends
// after its LEADER_CHANGE only repeats what everybody began with.
func isVoterChange(b record.Batch) bool {
	if !b.IsControl() {
		return false
	}
	t, _, err := b.Control()
	return err == nil && (t == record.ControlKRaftVoters || t == record.ControlKRaftVersion)
}

// kraftVersionIn returns the kraft.version that a control batch sets; false when it sets none.
func kraftVersionIn(b record.Batch) (level int16, found bool, err error) {
	err = eachControl(b, func(t record.ControlType, value []byte) error {
		if t != record.ControlKRaftVersion {
			return nil
		}
		var err error
		level, err = record.ParseKRaftVersion(value)
		found = true
		return err
	})
	return level, found, err
}

// votersOf reads a membership change.
func votersOf(b record.Batch) (voterSet, error) {
	if !isVoterChange(b) {
		return nil, fault.Corruption("quorum.voters", "the batch at offset %d is no membership change", b.BaseOffset())
	}
	var set voterSet
	err := eachControl(b, func(t record.ControlType, value []byte) error {
		if t != record.ControlKRaftVoters {
			return nil
		}
		voters, err := record.ParseKRaftVoters(value)
		if err == nil {
			set, err = newVoterSet(voters)
		}
		return err
	})
	return set, err
}

func votersRecord(s voterSet) record.ControlRecord {
	return record.ControlRecord{Type: record.ControlKRaftVoters, Value: record.KRaftVoters(s.list())}
}

func versionRecord() record.ControlRecord {
	return record.ControlRecord{Type: record.ControlKRaftVersion, Value: record.KRaftVersion(kraftDynamic)}
}

// snapshotHead is the first batch of a snapshot, as Kafka has it: header, kraft.version and voters in one. At
// kraft.version 0 it is the header alone.
func snapshotHead(ref snapshotRef) record.Batch {
	h := record.SnapshotHeader{LastTimestampMs: ref.wallMs, RaftIndex: int64(ref.index)}
	controls := []record.ControlRecord{{Type: record.ControlSnapshotHeader, Value: h.Append(nil)}}
	if ref.kraft >= kraftDynamic {
		controls = append(controls, versionRecord(), votersRecord(ref.voters))
	}
	return record.NewControl(0, ref.epoch, ref.wallMs, controls...)
}

// readHead is the way back.
func readHead(b record.Batch, ref *snapshotRef) error {
	begun := false
	return eachControl(b, func(t record.ControlType, value []byte) error {
		if !begun && t != record.ControlSnapshotHeader {
			return fault.Corruption("quorum.snapshot", "the first record is of control type %d, not a header", t)
		}
		begun = true
		switch t {
		case record.ControlSnapshotHeader:
			h, err := record.ParseSnapshotHeader(value)
			if ref.wallMs = h.LastTimestampMs; h.RaftIndex > 0 {
				ref.index = uint64(h.RaftIndex)
			}
			return err
		case record.ControlKRaftVersion:
			level, err := record.ParseKRaftVersion(value)
			ref.kraft = level
			return err
		case record.ControlKRaftVoters:
			voters, err := record.ParseKRaftVoters(value)
			if err == nil {
				ref.voters, err = newVoterSet(voters)
			}
			return err
		}
		return nil
	})
}

func snapshotFoot(at kafka.Offset, ref snapshotRef) record.Batch {
	return record.NewControl(at, ref.epoch, ref.wallMs, record.ControlRecord{Type: record.ControlSnapshotFooter, Value: record.SnapshotFooter()})
}

// isFooter reports whether a control batch ends a snapshot. Kafka may have more control batches before it.
func isFooter(b record.Batch) bool {
	t, _, err := b.Control()
	return b.IsControl() && err == nil && t == record.ControlSnapshotFooter
}
