package segment

import (
	"errors"
	"io"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// open reports that the neighbours of a batch don't settle where it belongs: offsets are missing before or after it, or are there
// twice, or its epoch is not the one the log's own account has there. Only then the seal is asked.
func (m met) open(after met, due kafka.Offset, epochAt EpochAt) bool {
	if m.first != due || after.first != m.next {
		return true
	}
	if epochAt == nil || m.epoch < 0 {
		return false
	}
	want := epochAt(m.first)
	return want >= 0 && want != m.epoch
}

// unsealed holds a range in which something is open against the segment's seal, and notes as damage what the seal says was
// otherwise; end is the offset after the range's last batch. It reports whether that was news. Where nothing is open, or no seal
// is known, it notes nothing.
func (k *Look) unsealed(r *Range, end kafka.Offset, epochAt EpochAt) (news bool, err error) {
	seal, err := k.seal()
	if seal == nil || err != nil {
		return false, err
	}
	if seal.Size == k.size {
		for i, t := range seal.Stretches {
			upTo := k.size
			if i+1 < len(seal.Stretches) {
				upTo = int64(seal.Stretches[i+1].Pos)
			}
			if upTo <= r.Pos || int64(t.Pos) >= r.End {
				continue
			}
			found, err := k.broken(t, upTo, epochAt)
			if news = news || found; err != nil {
				return news, err
			}
		}
	}
	if r.End == k.size && k.endsEarly(seal, end) {
		news = true
	}
	return news, nil
}

// seal loads the seal of a segment that was sealed when the look was taken.
func (k *Look) seal() (*Seal, error) {
	if !k.sealed {
		return nil, nil
	}
	seal, err := LoadSeal(k.seg.fs, k.seg.dir, k.seg.base)
	if k.seg.file.retired() { // compacted beside the reader: it may be that of the new segment
		return nil, nil
	}
	return seal, err
}

// broken holds a stretch against its sum. Where they differ, every batch of it is damaged whose neighbours leave open where it
// belongs: one of them is, and nothing tells which. A stretch that is damaged already, or does not end where it did, is judged
// by others.
func (k *Look) broken(t Stretch, end int64, epochAt EpochAt) (news bool, err error) {
	if d, found := k.seg.damages.after(int64(t.Pos)); found && d.Pos < end {
		return false, nil
	}
	batches, sum, err := k.stretch(int64(t.Pos), end)
	if err != nil || len(batches) == 0 || sum == t.Sum {
		return false, err
	}
	due := k.seg.base
	if t.Pos > 0 {
		before, err := k.before(&Range{Pos: int64(t.Pos), First: batches[0].first})
		if err != nil {
			return false, err
		}
		if due = batches[0].first; before.known {
			due = before.next
		}
	}
	after, err := k.after(end)
	if err != nil {
		return false, err
	}
	batches = append(batches, after)
	for i, this := range batches[:len(batches)-1] {
		if after := batches[i+1]; this.open(after, due, epochAt) {
			news = k.seg.damages.add(Damage{
				Path: k.seg.Path(LogSuffix), Pos: this.pos, End: this.end, First: min(due, this.first), Next: max(after.first, this.next),
				Why: fault.Corruption("segment.Check", "offsets %d to %d in epoch %d are not what was sealed", this.first, this.next-1, this.epoch),
			}, k.gen) || news
		}
		due = this.next
	}
	return news, nil
}

// stretch walks the headers from one position to another and sums them up; nothing when they don't lead there.
func (k *Look) stretch(pos, end int64) (batches []met, sum uint32, err error) {
	for w := NewWalker(k.file, pos, end, k.window); ; {
		b, _, err := w.Header()
		if errors.Is(err, io.EOF) {
			return batches, sum, nil
		}
		if fault.IsKind(err, fault.Corrupt) {
			return nil, 0, nil
		}
		if err != nil {
			return nil, 0, err
		}
		sum = sumOf(sum, b)
		batches = append(batches, met{w.began, w.ended, b.BaseOffset(), b.NextOffset(), b.LeaderEpoch(), true})
	}
}

// endsEarly holds the end of a sealed segment against its seal: a file that was cut at the end of a batch looks whole, and
// offsets whose files are all gone look like offsets that compaction took.
func (k *Look) endsEarly(seal *Seal, end kafka.Offset) (news bool) {
	if end >= k.next {
		return false
	}
	d := Damage{Path: k.seg.Path(LogSuffix), Pos: k.size, End: k.size, First: end}
	switch {
	case k.size < seal.Size && end < seal.End:
		if d.Next = seal.End; seal.Next < k.next {
			d.Next = k.next // and what came behind it is gone, too
		}
		d.Why = fault.Corruption("segment.end", "%s has %d bytes and ends at offset %d, it was sealed with %d bytes and ended at %d",
			k.file.Name(), k.size, end, seal.Size, seal.End)
	case k.size == seal.Size && end == seal.End && seal.Next < k.next:
		d.First, d.Next = seal.Next, k.next
		d.Why = fault.Corruption("segment.end", "segment %d, which came after %s, is gone", seal.Next, k.file.Name())
	default:
		return false
	}
	return k.seg.damages.add(d, k.gen)
}

// lastEnd returns the offset after the last batch, or after damage that reaches to the end.
func (k *Look) lastEnd() (kafka.Offset, error) {
	end := k.seg.base
	for w := k.walker(0); ; {
		b, _, err := w.Header()
		if errors.Is(err, io.EOF) || fault.IsKind(err, fault.Corrupt) {
			break
		}
		if err != nil {
			return 0, err
		}
		end = dueAfter(b, k.seg.damages.due(w.began, end), k.next)
	}
	return k.seg.damages.due(k.size, end), nil
}

// Unsealed holds all of a sealed segment against its seal, which recovery does while the old one still counts.
func (k *Look) Unsealed(epochAt EpochAt) error {
	end, err := k.lastEnd()
	if err == nil {
		_, err = k.unsealed(&Range{End: k.size}, end, epochAt)
	}
	return err
}
