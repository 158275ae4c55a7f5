package crash

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
)

// ballot is what a voter has promised beside its log: whom it voted for, and that its snapshots say what the log said.
type ballot struct {
	voter   voter // as it was started; a recovery makes its own of it
	alone   bool
	history []record.Batch // all that was ever committed, of all voters
	epoch   kafka.LeaderEpoch
	voted   kafka.NodeID // in that epoch
	acked   kafka.Offset // everything below was acknowledged, and rests on this voter
}

// end is how far the history goes.
func (b ballot) end() kafka.Offset {
	if n := len(b.history); n > 0 {
		return b.history[n-1].NextOffset()
	}
	return 0
}

// recover opens the quorum on what is left.
func (b ballot) recover(o log.Options, l *log.Log) (string, error) {
	snap, err := b.snapshot(o.FS, o.Path)
	if err != nil {
		return "", err
	}
	q, _, err := b.open(o, l)
	if err != nil {
		return "", fmt.Errorf("the quorum does not open, its newest snapshot ends at %d: %w", snap, err)
	}
	if at := l.Offsets(); at.LogStart > snap || at.End < snap {
		return "", fmt.Errorf("the log from %d to %d does not join the snapshot that ends at %d", at.LogStart, at.End, snap)
	}
	if at := max(l.Offsets().End, snap); at < b.acked {
		return "", fmt.Errorf("log and snapshot end at %d, everything below %d was acknowledged", at, b.acked)
	}
	if err := b.remembers(o, l); err != nil {
		return "", err
	}
	if err := b.serves(q); err != nil {
		return "", err
	}
	d := q.Describe()
	return fmt.Sprintf("snapshot %d quorum of epoch %d, committed %d", snap, d.Epoch, d.HighWatermark), nil
}

func (b ballot) open(o log.Options, l *log.Log) (*quorum.Quorum, *voter, error) {
	v := b.voter
	v.council = &council{}
	v.actor = (&stage{now: func() kafka.Instant { return o.Now }}).actor(1)
	v.fs, v.machine = o.FS.(*disk.Mem), newController(v.key.NodeID)
	opts := v.options(quorum.DiskLog(l))
	opts.Send = func(quorum.Voter, []byte) {}
	q, err := quorum.Open(opts)
	return q, &v, err
}

// snapshot wants the newest snapshot to be whole and to hold what the log below it said; it returns where it ends.
func (b ballot) snapshot(fsys disk.FS, dir string) (kafka.Offset, error) {
	s, err := quorum.Newest(fsys, dir)
	if err != nil || s == nil {
		return 0, errors.Join(err, errors.New("no snapshot"))
	}
	defer func() { _ = s.Close() }()
	if s.End > b.end() {
		return 0, fmt.Errorf("the snapshot ends at %d, only what is below %d was committed", s.End, b.end())
	}
	is := image.Empty().Edit()
	if err := s.Each(is.Apply); err != nil {
		return 0, err
	}
	was, err := b.fold(s.End)
	if err == nil && !slices.Equal(restated(is.Build(image.Position{})), restated(was)) {
		err = fmt.Errorf("the snapshot at %d is not the state that the log had there", s.End)
	}
	return s.End, err
}

// serves wants the quorum to call committed what was, and nothing else.
func (b ballot) serves(q *quorum.Quorum) error {
	d := q.Describe()
	for at := d.LogStart; at < d.HighWatermark; at++ {
		got, err := q.Committed(at, 1)
		if err != nil {
			return err
		}
		if got.Snapshot != nil { // Raft does not count from the very beginning of the log
			if err := got.Snapshot.Close(); err != nil {
				return err
			}
		}
		for _, batch := range got.Batches {
			at = batch.LastOffset()
			if !slices.ContainsFunc(b.history, func(was record.Batch) bool { return bytes.Equal(was, batch) }) {
				return fmt.Errorf("the batch at %d of epoch %d is told as committed, and never was", batch.BaseOffset(), batch.LeaderEpoch())
			}
		}
	}
	return nil
}

// fold is the state below an offset by every record that was committed.
func (b ballot) fold(below kafka.Offset) (*image.Image, error) {
	state := image.Empty().Edit()
	for _, batch := range b.history {
		if batch.BaseOffset() >= below || batch.IsControl() {
			continue
		}
		err := batch.Each(record.Limits{}, func(r *record.Record) error {
			rec, err := staterecord.Decode(r.Value)
			if err != nil {
				return err
			}
			return state.Apply(rec)
		})
		if err != nil {
			return nil, err
		}
	}
	return state.Build(image.Position{}), nil
}

// restated is an image in a form that can be compared.
func restated(img *image.Image) (out []string) {
	for r := range img.Records() {
		out = append(out, string(staterecord.AppendVersion(nil, r, staterecord.VersionOf(r, staterecord.LatestMetadataVersion))))
	}
	return out
}

// remembers wants the vote, unless the voter is in a later epoch or has the log of that epoch's leader: no other candidate's
// log is as long.
func (b ballot) remembers(o log.Options, l *log.Log) error {
	data, err := checkpoint.Load(o.FS, o.Path+"/quorum-state", maxFile)
	if err != nil {
		return err
	}
	is := struct {
		LeaderEpoch kafka.LeaderEpoch
		VotedID     kafka.NodeID
	}{-1, kafka.NoNode}
	if data != nil {
		if err := json.Unmarshal(data, &is); err != nil {
			return fmt.Errorf("S7 a file that is replaced is never torn: %w", err)
		}
	}
	of := l.Epochs().Latest().Epoch
	if is.LeaderEpoch < b.epoch && of < b.epoch || is.LeaderEpoch == b.epoch && b.epoch > 0 && is.VotedID != b.voted {
		return fmt.Errorf("node %d got the vote of epoch %d; quorum-state says %d in epoch %d, the log is of epoch %d",
			b.voted, b.epoch, is.VotedID, is.LeaderEpoch, of)
	}
	return nil
}

// goOn has a lone voter lead again: it knows everything that was acknowledged, and takes the next change.
func (b ballot) goOn(o log.Options, l *log.Log) error {
	if !b.alone {
		return nil
	}
	q, v, err := b.open(o, l)
	if err != nil {
		return err
	}
	data, err := readAll(l, b.end())
	if err != nil {
		return err
	}
	found, err := batchesOf(data) // nobody was told of these, and they count from now on
	if err != nil {
		return err
	}
	b.history = append(slices.Clip(b.history), found...)
	want, err := b.fold(b.end())
	if err != nil {
		return err
	}
	q.Start()
	if err := v.actor.until("the voter leads", q.Active); err != nil {
		return errors.Join(err, v.council.failed)
	}
	if !slices.Equal(restated(v.machine.Committed()), restated(want)) {
		return fmt.Errorf("snapshot and log give another state than all that was committed below %d", b.end())
	}
	failed := errors.New("the next change is not answered")
	q.Submit(setting("log.retention.ms", "123456"), func(_ any, err error) { failed = err })
	v.actor.settle()
	return errors.Join(failed, v.council.failed)
}
