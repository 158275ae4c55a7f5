package segment

import (
	"errors"
	"io"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// EpochAt tells the leader epoch that a record at an offset should have, by the log's own account of its epochs.
type EpochAt func(kafka.Offset) kafka.LeaderEpoch

// met is a batch as its header tells, which but for the count of its offsets no checksum covers.
type met struct {
	pos, end    int64
	first, next kafka.Offset
	epoch       kafka.LeaderEpoch
	known       bool // false for a neighbour that there is not
}

// Check reads and checks a range before it is served (architecture D5): the CRC of every batch, and what Kafka's CRC does
// not cover, by its neighbours: offsets rise, a batch fills the gap between its neighbours where it can, and its epoch is
// the log's. The range is cut before the first batch that does not check, which is noted as damage; when nothing is left
// the answer is a corruption, and who asks again is told which offsets are lost or led past them.
func (k *Look) Check(r *Range, window []byte, epochAt EpochAt) error {
	before, err := k.before(r)
	if err != nil {
		return err
	}
	due := k.seg.base
	if before.known {
		due = before.next
	} else if r.Pos > 0 {
		due = r.First
	}
	due = k.seg.damages.due(r.Pos, due)
	open := false
	for pos := r.Pos; pos < r.End; {
		w := NewWalker(k.file, pos, r.End, window)
		b, err := w.Whole()
		if err == nil {
			err = b.CheckCRC()
		}
		var this met
		if err == nil {
			this = met{pos, w.Pos(), b.BaseOffset(), b.NextOffset(), b.LeaderEpoch(), true}
			window = w.window
			after, aerr := k.after(w.Pos())
			if aerr != nil {
				return aerr
			}
			next, jerr := k.judge(before, this, after, due, epochAt)
			if err = jerr; err == nil {
				open = open || this.open(after, due, epochAt)
				before, pos, due = this, w.Pos(), next
				continue
			}
		}
		if !fault.IsKind(err, fault.Corrupt) {
			return err
		}
		news, cerr := k.condemn(this, pos, due, err)
		if cerr != nil {
			return cerr
		}
		if k.condemned = news; !news || pos == r.Pos || this.known { // known: more may be damaged than from here on
			return fault.Corruption("segment.Check", "%s at byte %d: %v", k.seg.Path(LogSuffix), pos, err)
		}
		r.End, r.Next = pos, due
		break
	}
	if open {
		news, err := k.unsealed(r, due, epochAt)
		if err != nil {
			return err
		}
		if news {
			k.condemned = true
			return fault.Corruption("segment.Check", "%s is not what was sealed", k.seg.Path(LogSuffix))
		}
	}
	k.seg.reads.checked.add(r.Pos, r.End)
	return nil
}

// condemn notes the bad batch at a position as damage, and reports whether that was news.
func (k *Look) condemn(this met, pos int64, due kafka.Offset, why error) (bool, error) {
	d := Damage{Path: k.seg.Path(LogSuffix), Pos: pos, End: this.end, First: due, Why: why}
	if this.known { // the bytes are right, where they belong is not
		after, err := k.after(this.end)
		if err != nil {
			return false, err
		}
		if this.first < due || this.next > after.first {
			// Two batches claim an offset. Which one is wrong their neighbours don't tell; where there is a seal, neither is believed.
			r := Range{Pos: max(this.pos-1, 0), End: this.end}
			if news, err := k.unsealed(&r, this.next, nil); news || err != nil {
				return news, err
			}
		}
		if d.Next = due + this.next - this.first; after.known && after.first >= due {
			d.Next = after.first
		}
	} else {
		var err error
		if d, err = (body{k.file, k.size, k.next}).extent(d.Path, pos, due, why); err != nil {
			return false, err
		}
	}
	return k.seg.damages.add(d, k.gen), nil
}

// Condemned reports whether Check has found new damage: who asks for the range again meets it.
func (k *Look) Condemned() bool { return k.condemned }

// before returns the batch before a range, unknown where the range begins the segment or follows damage.
func (k *Look) before(r *Range) (met, error) {
	if r.Pos == 0 {
		return met{}, nil
	}
	from, _, err := k.start(max(r.First-1, k.seg.base))
	if err != nil || from.pos >= r.Pos {
		from = spot{k.seg.base, 0}
	}
	var last met
	for w := k.seg.walker(k.file, from.pos, r.Pos, k.window); ; {
		b, _, err := w.Header()
		if err != nil {
			if errors.Is(err, io.EOF) || fault.IsKind(err, fault.Corrupt) {
				err = nil
			}
			if last.end != r.Pos {
				last = met{}
			}
			return last, err
		}
		last = met{w.began, w.ended, b.BaseOffset(), b.NextOffset(), b.LeaderEpoch(), true}
	}
}

// after returns the batch that begins at a position; at the end it is what the segment's end says.
func (k *Look) after(pos int64) (met, error) {
	if pos >= k.size {
		return met{first: k.next, next: k.next, known: false}, nil
	}
	var head [64]byte
	w := NewWalker(k.file, pos, k.size, head[:0])
	b, _, err := w.Header()
	if fault.IsKind(err, fault.Corrupt) {
		return met{first: k.next}, nil
	}
	if err != nil {
		return met{}, err
	}
	return met{pos, w.Pos(), b.BaseOffset(), b.NextOffset(), b.LeaderEpoch(), true}, nil
}

// judge holds a batch whose CRC is right against its neighbours, and returns the offset that is due after it.
func (k *Look) judge(before, this, after met, due kafka.Offset, epochAt EpochAt) (kafka.Offset, error) {
	const op = "segment.Check"
	fits := due+this.next-this.first == after.first // and so it can only begin where it is due
	atEnd := !after.known
	switch {
	case this.first < due || fits && this.first != due,
		this.next > after.first && (atEnd || this.first != due),
		this.next > k.next:
		return due, fault.Corruption(op, "offsets %d to %d stand where %d is due and %d follows", this.first, this.next-1, due, after.first)
	}
	return this.next, estranged(before, this, after, epochAt)
}

// estranged reports a leader epoch that is neither the log's at that offset nor that of a neighbour. The checkpoint of the
// epochs has no checksum either: a batch that one of its neighbours agrees with is believed.
func estranged(before, this, after met, epochAt EpochAt) error {
	if epochAt == nil || this.epoch == kafka.NoLeaderEpoch {
		return nil // records of before KIP-101 have none
	}
	want := epochAt(this.first)
	alone := (before.known || after.known) && (!before.known || before.epoch != this.epoch) && (!after.known || after.epoch != this.epoch)
	if this.epoch < 0 || want >= 0 && want != this.epoch && alone {
		return fault.Corruption("segment.Check", "leader epoch %d at offset %d, where the log has epoch %d", this.epoch, this.first, want)
	}
	return nil
}
