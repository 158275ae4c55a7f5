package segment

import (
	"errors"
	"io"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

const renewOp = "segment.Renew"

// renewBytes is how much Renew copies at a time.
const renewBytes = 1 << 20

// Renew writes the batches of a log file from an offset on back to where they stand, as they are read, and returns their bytes. What
// a failed sync has left in memory, clean and on no disk, is dirty again with that: the next sync writes it, or fails. They are
// the same bytes in the same place, so that a crash meanwhile takes nothing that was on the disk (ADR 0031). So is the size: the file
// may have been cut, and what was cut off must not stand behind what is appended.
//
// Batches are found by their headers. Recovery believes nothing behind a broken one, so that is left alone; but below the
// offset a broken one is damage, which recovery passes over, and everything behind it is written back.
func Renew(fsys disk.FS, path string, from kafka.Offset, window []byte) (bytes int64, err error) {
	f, err := fsys.Open(path, disk.Write)
	if err != nil {
		return 0, fault.Storage(renewOp, err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = fault.Storage(renewOp, cerr)
		}
	}()
	size, err := f.Size()
	if err != nil {
		return 0, fault.Storage(renewOp, err)
	}
	begin, end, err := stretchAbove(f, size, from, window)
	if err != nil {
		return 0, err
	}
	return end - begin, rewrite(f, begin, end, size)
}

// stretchAbove finds the bytes of a log file that hold what is at or above an offset.
func stretchAbove(f disk.File, size int64, from kafka.Offset, window []byte) (begin, end int64, err error) {
	w := NewWalker(f, 0, size, window)
	w.sparse = true
	begin = -1
	for due := kafka.Offset(0); ; {
		b, _, err := w.Header()
		switch {
		case errors.Is(err, io.EOF):
			end = size
		case fault.IsKind(err, fault.Corrupt) && begin < 0 && due < from:
			return w.Pos(), size, nil
		case fault.IsKind(err, fault.Corrupt):
			end = w.Pos()
		case err != nil:
			return 0, 0, err
		default:
			if due = b.NextOffset(); begin < 0 && due > from {
				begin = w.began
			}
			continue
		}
		if begin < 0 {
			begin = end
		}
		return begin, end, nil
	}
}

// RenewFile is Renew for all bytes of a file; one that is not there needs none.
func RenewFile(fsys disk.FS, path string) error {
	f, err := fsys.Open(path, disk.Write)
	if errors.Is(err, disk.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.Storage(renewOp, err)
	}
	size, err := f.Size()
	if err == nil {
		err = rewrite(f, 0, size, size)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fault.Storage(renewOp, err)
	}
	return nil
}

// rewrite writes bytes of a file back as they are read, and its size.
func rewrite(f disk.File, begin, end, size int64) error {
	buffer := make([]byte, min(end-begin, renewBytes))
	for at := begin; at < end; {
		part := buffer[:min(end-at, renewBytes)]
		if _, err := f.ReadAt(part, at); err != nil && !errors.Is(err, io.EOF) {
			return fault.Storage(renewOp, err)
		}
		if _, err := f.WriteAt(part, at); err != nil {
			return fault.Storage(renewOp, err)
		}
		at += int64(len(part))
	}
	if err := f.Truncate(size); err != nil {
		return fault.Storage(renewOp, err)
	}
	return nil
}
