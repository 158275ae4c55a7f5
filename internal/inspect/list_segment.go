package inspect

import (
	"errors"
	"io"
	"path"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
)

// listWindow is how much of a log is read at a time when only headers are wanted, bytes.
const listWindow = 8 << 10

// listedSegment lists one segment: its indexes whole, its log's first header, and the headers behind the last index
// entry, which end the log.
func (v *verifier) listedSegment(p *partitionDir, at kafka.Offset, last bool, window []byte) (ListedSegment, error) {
	out := ListedSegment{Base: at, End: kafka.NoOffset, FirstTimestampMs: -1, MaxTimestampMs: -1}
	name := path.Join(p.path, segment.Name(at, segment.LogSuffix))
	f, err := v.fs.Open(name, 0)
	if err != nil {
		return out, err
	}
	defer func() { _ = f.Close() }()
	out.Bytes = p.sizes[at]
	from, err := v.listedIndexes(p, &out, last) // before the log's size: beside a running node a log may only have grown since
	if err != nil {
		return out, err
	}
	for tries := 0; ; tries++ {
		if out.Bytes, err = f.Size(); err != nil {
			return out, fault.Storage("inspect.List", err)
		}
		if from > 0 && from >= out.Bytes {
			out.Index.State = IndexDamaged
			v.problem(path.Join(p.path, segment.Name(at, segment.IndexSuffix)), -1, -1, "points to byte %d of a log of %d bytes", from, out.Bytes)
			from = 0
		}
		pos, err := listedBatches(f, &out, from, window)
		if err == nil || !damage(err) {
			return out, err
		}
		if grown, serr := f.Size(); last && serr == nil && grown != out.Bytes && tries < 100 {
			continue // an append was under way; read again what it has written by now
		}
		v.listedDamage(f, &out, pos, last, err)
		return out, nil
	}
}

// listedIndexes reads the indexes and returns the position in the log from which no index entry tells more, 0 when there
// is no index to believe.
func (v *verifier) listedIndexes(p *partitionDir, out *ListedSegment, last bool) (from int64, err error) {
	read := func(suffix string, into *ListedIndex, width int, parse func([]byte) (int, error)) error {
		file := segment.Name(out.Base, suffix)
		into.State = IndexMissing
		if !p.has(file) {
			if !last && out.Bytes > 0 && suffix != segment.TxnIndexSuffix {
				v.problem(path.Join(p.path, file), -1, -1, "is missing")
			}
			return nil
		}
		data, err := small(v.fs, path.Join(p.path, file))
		if err == nil {
			into.State, into.Bytes = IndexOK, int64(len(data))
			entries := data
			if last && width > 0 {
				if entries = preallocated(data, width); len(entries) < len(data) {
					into.State = IndexPreallocated
				}
			}
			into.Entries, err = parse(entries)
		}
		if err != nil {
			into.State = IndexDamaged
		}
		return v.found(path.Join(p.path, file), err)
	}
	err = read(segment.IndexSuffix, &out.Index, segment.OffsetEntrySize, func(b []byte) (int, error) {
		entries, err := segment.ParseOffsetIndex(b, 1<<62)
		if n := len(entries); err == nil && n > 0 {
			from = int64(entries[n-1].Pos)
		}
		return len(entries), err
	})
	if err != nil {
		return 0, err
	}
	err = read(segment.TimeIndexSuffix, &out.TimeIndex, segment.TimeEntrySize, func(b []byte) (int, error) {
		entries, err := segment.ParseTimeIndex(b)
		if n := len(entries); err == nil && n > 0 {
			out.MaxTimestampMs = entries[n-1].Timestamp
		}
		return len(entries), err
	})
	if err != nil {
		return 0, err
	}
	if out.TimeIndex.State != IndexOK && out.TimeIndex.State != IndexPreallocated {
		from = 0 // nothing but the batches tells the largest timestamp
	}
	return from, read(segment.TxnIndexSuffix, &out.TxnIndex, 0, func(b []byte) (int, error) {
		entries, err := segment.ParseTxnIndex(b, out.Base)
		return len(entries), err
	})
}

// preallocated takes off what a broker had allocated of the index of its active segment and not filled when it ended.
func preallocated(data []byte, width int) []byte {
	data = trimZeros(data, width)
	if rest := len(data) % width; rest > 0 && allZero(data[len(data)-rest:]) {
		data = trimZeros(data[:len(data)-rest], width)
	}
	return data
}

// listedBatches walks the headers of a log from a position to its end. With damage it returns where that is.
func listedBatches(f disk.File, out *ListedSegment, from int64, window []byte) (int64, error) {
	out.End = out.Base
	if out.Bytes == 0 {
		return 0, nil
	}
	first := segment.NewWalker(f, 0, out.Bytes, window)
	b, _, err := first.Header()
	if err != nil {
		return 0, err
	}
	out.FirstTimestampMs = b.BaseTimestamp()
	for w := segment.NewWalker(f, from, out.Bytes, window); ; {
		pos := w.Pos()
		b, _, err := w.Header()
		if errors.Is(err, io.EOF) {
			return pos, nil
		}
		if err != nil {
			return pos, err
		}
		out.End = b.NextOffset()
		out.MaxTimestampMs = max(out.MaxTimestampMs, b.MaxTimestamp())
	}
}

// listedDamage tells a log that does not end with a whole batch. A torn tail is what a crash leaves, and where the log
// ends is known all the same; behind other damage it is not.
func (v *verifier) listedDamage(f disk.File, out *ListedSegment, pos int64, last bool, err error) {
	if zeros, zerr := segment.OnlyZeros(f, pos, out.Bytes, make([]byte, 64<<10)); last && zeros && zerr == nil {
		out.Bytes = pos // what follows is allocated and not written yet (preallocate)
		return
	}
	if last && isTorn(f, pos, out.Bytes) {
		v.problem(f.Name(), pos, out.End, "a torn write: the last %d bytes are no whole batch; the next start cuts them off", out.Bytes-pos)
		return
	}
	v.problem(f.Name(), pos, -1, "%s", strings.TrimPrefix(describe(err), f.Name()+": "))
	out.End = kafka.NoOffset
}
