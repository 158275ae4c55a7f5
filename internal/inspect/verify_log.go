package inspect

import (
	"errors"
	"io"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/epoch"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
)

// logWalk is what is carried from batch to batch through the segments of one log.
type logWalk struct {
	next   kafka.Offset // no batch begins below it
	epoch  kafka.LeaderEpoch
	epochs []epoch.Entry // of the checkpoint
	window []byte
}

// segmentWalk is one segment's part of it.
type segmentWalk struct {
	*logWalk
	name    string
	base    kafka.Offset
	below   kafka.Offset // where the next segment begins
	last    bool
	gaps    bool // offsets are missing between batches
	checks  []indexCheck
	markers map[kafka.Offset]kafka.ProducerID // of aborted transactions
}

// segments verifies the logs and indexes of a partition and returns the log's end, -1 when damage hides it.
func (v *verifier) segments(p *partitionDir) (kafka.Offset, error) {
	w := &logWalk{epoch: kafka.NoLeaderEpoch, window: make([]byte, window)}
	data, err := small(v.fs, path.Join(p.path, epochFile))
	if err != nil && !damage(err) {
		return -1, err
	}
	w.epochs, _ = epoch.Parse(data) // what doesn't parse is told with the other small files
	end := kafka.Offset(-1)
	for i, at := range p.segments {
		s := &segmentWalk{
			logWalk: w, name: path.Join(p.path, segment.Name(at, segment.LogSuffix)), base: at, below: 1<<63 - 1,
			last: i == len(p.segments)-1,
		}
		if !s.last {
			s.below = p.segments[i+1]
		}
		w.next = max(w.next, at)
		whole, err := v.segment(p, s)
		if gone(err) {
			continue
		}
		if err != nil {
			return -1, err
		}
		if s.last && whole {
			end = w.next
		}
	}
	if n := len(w.epochs); n > 0 && end >= 0 && w.epochs[n-1].Start > end {
		e := w.epochs[n-1]
		v.problem(path.Join(p.path, epochFile), -1, e.Start, "epoch %d begins at %d, past the log's end %d", e.Epoch, e.Start, end)
	}
	return end, nil
}

// segment verifies one .log file with its indexes. whole is false when not every byte could be walked.
func (v *verifier) segment(p *partitionDir, s *segmentWalk) (whole bool, err error) {
	v.report.Segments++
	f, err := v.fs.Open(s.name, 0)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return false, err
	}
	if err := v.openIndexes(p, s, size); err != nil {
		return false, err
	}
	at, whole, err := v.walk(f, size, s)
	if err != nil {
		return false, err
	}
	for _, c := range s.checks {
		c.end(v, at, s.next, whole)
	}
	if !whole {
		return false, nil
	}
	if err := v.seal(p, s, f, size); err != nil {
		return true, err
	}
	return true, v.aborted(p, s)
}

// walk checks every batch of a file. at is where it ended.
func (v *verifier) walk(f disk.File, size int64, s *segmentWalk) (at int64, whole bool, err error) {
	w := segment.NewWalker(f, 0, size, s.window)
	for tries := 0; ; {
		pos := w.Pos()
		b, err := w.Whole()
		if errors.Is(err, io.EOF) {
			return pos, true, nil
		}
		if err == nil {
			v.batch(b, pos, s)
			v.report.Bytes += int64(len(b))
			if v.o.Progress != nil {
				v.o.Progress(v.report.Bytes, v.total)
			}
			continue
		}
		if !damage(err) {
			return pos, false, err
		}
		grown, serr := f.Size()
		if serr != nil {
			return pos, false, serr
		}
		if s.last && grown != size && tries < 100 { // an append was under way; read again what it has written by now
			tries, size = tries+1, grown
			w = segment.NewWalker(f, pos, size, s.window)
			continue
		}
		if zeros, zerr := segment.OnlyZeros(f, pos, size, make([]byte, window)); s.last && zeros && zerr == nil {
			return pos, true, nil // allocated and not written yet (preallocate)
		}
		message := strings.TrimPrefix(describe(err), s.name+": ")
		again, rerr := resume(f, pos, size)
		switch {
		case rerr != nil:
			return pos, false, rerr
		case again >= 0:
			v.problem(s.name, pos, s.next, "%s; the next %d bytes cannot be read, whole batches follow them", message, again-pos)
			w = segment.NewWalker(f, again, size, s.window)
		case s.last && isTorn(f, pos, size):
			v.problem(s.name, pos, s.next, "a torn write: the last %d bytes are no whole batch; the next start cuts them off", size-pos)
			return pos, false, nil
		default:
			v.problem(s.name, pos, s.next, "%s; the last %d bytes cannot be read", message, size-pos)
			return pos, false, nil
		}
	}
}

// resumeBytes is how far behind damage another batch is looked for, and resumeWork how many bytes may go into CRCs on
// the way: bytes made on purpose look like a batch everywhere.
const (
	resumeBytes = 16 << 20
	resumeWork  = 8 * resumeBytes
)

// resume finds where the first whole batch with a right CRC begins behind damage at pos, -1 when there is none near. A
// torn write has nothing behind it; a batch with a lying length has.
func resume(f disk.File, pos, size int64) (int64, error) {
	buf := make([]byte, min(size-pos, resumeBytes))
	n, err := f.ReadAt(buf, pos)
	if err != nil && !errors.Is(err, io.EOF) {
		return -1, fault.Storage("inspect.Verify", err)
	}
	buf = buf[:n]
	for at, work := 1, 0; at+record.HeaderSize <= n && work < resumeWork; at++ {
		if buf[at+16] != record.Magic {
			continue
		}
		b, _, err := record.Next(buf[at:])
		if err != nil {
			continue
		}
		if b.CheckCRC() == nil {
			return pos + int64(at), nil
		}
		work += len(b)
	}
	return -1, nil
}

// isTorn reports whether the bytes from pos on are the beginning of a batch that was not written to its end.
func isTorn(f disk.File, pos, size int64) bool {
	if size-pos < record.HeaderSize {
		return true
	}
	head := make([]byte, record.LogOverhead)
	if n, _ := f.ReadAt(head, pos); n < len(head) {
		return false
	}
	n, err := record.PeekSize(head)
	return err == nil && pos+int64(n) > size
}

func (v *verifier) batch(b record.Batch, pos int64, s *segmentWalk) {
	v.report.Batches++
	first, last := b.BaseOffset(), b.LastOffset()
	if err := b.CheckCRC(); err != nil {
		v.problem(s.name, pos, first, "CRC mismatch (stored %08x, computed %08x) in a batch of %d bytes", b.CRC(), b.ComputeCRC(), len(b))
	} else {
		v.report.Records += int64(b.Count())
		v.records(b, pos, s)
	}
	switch {
	case first < s.next:
		v.problem(s.name, pos, first, "the batch begins at offset %d, the one before it ends at %d", first, s.next-1)
	case last >= s.below:
		v.problem(s.name, pos, first, "the batch ends at offset %d, the next segment begins at %d", last, s.below)
	}
	s.gaps = s.gaps || first != s.next
	v.epoch(b, pos, s)
	for _, c := range s.checks {
		c.batch(v, b, pos)
	}
	s.next = last + 1 // also after a problem, which is told once
}

// epoch holds a batch's leader epoch against the batch before it and against the checkpoint. A checkpoint that ends
// before the newest epochs only lags.
func (v *verifier) epoch(b record.Batch, pos int64, s *segmentWalk) {
	e := b.LeaderEpoch()
	if e < 0 {
		return
	}
	if e < s.logWalk.epoch {
		v.problem(s.name, pos, b.BaseOffset(), "leader epoch %d after %d", e, s.logWalk.epoch)
	}
	s.logWalk.epoch = e
	n := sort.Search(len(s.epochs), func(i int) bool { return s.epochs[i].Start > b.BaseOffset() })
	if n > 0 && s.epochs[n-1].Epoch != e && e <= s.epochs[len(s.epochs)-1].Epoch {
		v.problem(s.name, pos, b.BaseOffset(), "leader epoch %d, but %s has epoch %d there", e, epochFile, s.epochs[n-1].Epoch)
	}
}

// records walks the records of a batch: always of control batches and of the metadata log, of others when asked.
func (v *verifier) records(b record.Batch, pos int64, s *segmentWalk) {
	if !v.o.Records && !b.IsControl() && !isMetadata(s.name) {
		return
	}
	next := b.BaseOffset()
	err := b.Each(record.Limits{}, func(r *record.Record) error {
		if r.Offset < next || r.Offset > b.LastOffset() {
			return fault.Corruption("inspect", "record %d of the batch has offset %d", r.Index, r.Offset)
		}
		next = r.Offset + 1
		d, err := decodeRecord(s.name, b, r)
		if d != nil && d.Type == "ABORT" && s.markers != nil {
			s.markers[r.Offset] = b.ProducerID()
		}
		return err
	})
	if err != nil {
		v.problem(s.name, pos, next, "%s", describe(err))
	}
}

// aborted verifies the transaction index: each entry belongs to the marker of an aborted transaction.
func (v *verifier) aborted(p *partitionDir, s *segmentWalk) error {
	file := segment.Name(s.base, segment.TxnIndexSuffix)
	if !p.has(file) {
		return nil
	}
	file = path.Join(p.path, file)
	data, err := small(v.fs, file)
	var entries []segment.Aborted
	if err == nil {
		entries, err = segment.ParseTxnIndex(data, s.base)
	}
	if err != nil {
		return v.found(file, err)
	}
	for i, a := range entries {
		id, ok := s.markers[a.Last]
		if !ok || id != a.Producer {
			v.problem(file, int64(i)*segment.AbortedSize, a.Last, "no marker of an aborted transaction of producer %d at offset %d", a.Producer, a.Last)
		}
	}
	return nil
}

// openIndexes reads the indexes of a segment, to be compared while its batches are walked.
func (v *verifier) openIndexes(p *partitionDir, s *segmentWalk, size int64) error {
	if p.has(segment.Name(s.base, segment.TxnIndexSuffix)) {
		s.markers = map[kafka.Offset]kafka.ProducerID{}
	}
	for _, suffix := range []string{segment.IndexSuffix, segment.TimeIndexSuffix} {
		file := segment.Name(s.base, suffix)
		if !slices.Contains(p.files, file) {
			if !s.last && size > 0 {
				v.problem(path.Join(p.path, file), -1, -1, "is missing")
			}
			continue
		}
		data, err := small(v.fs, path.Join(p.path, file))
		if err != nil {
			if err := v.found(path.Join(p.path, file), err); err != nil {
				return err
			}
			continue
		}
		s.checks = append(s.checks, newIndexCheck(suffix, path.Join(p.path, file), s, data))
	}
	return nil
}
