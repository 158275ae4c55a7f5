package clean

import (
	"errors"
	"math"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
)

// suffixes of an output's files, the log last: as long as it is not there, the others mean nothing.
var suffixes = [...]string{segment.SealSuffix, segment.TxnIndexSuffix, segment.IndexSuffix, segment.TimeIndexSuffix, segment.LogSuffix}

// output is the .cleaned files of one group. Without a file system it only counts.
type output struct {
	fs       disk.FS
	dir      string
	interval int64
	file     disk.File
	buf      []byte // written when it is full
	flushed  int64
	index    *segment.Indexer
	written  segment.Written
}

func (o *output) path(suffix string) string {
	return o.dir + "/" + segment.Name(o.written.Base, suffix) + segment.CleanedSuffix
}

// begin makes the log file anew: another cleaning may have left one behind.
func (o *output) begin(base kafka.Offset) error {
	o.written = segment.Written{Base: base, Next: base, Largest: segment.NoStamp}
	o.buf, o.flushed, o.index = o.buf[:0], 0, segment.NewIndexer(base)
	if o.fs == nil {
		return nil
	}
	f, err := o.fs.Open(o.path(segment.LogSuffix), disk.Write|disk.Create|disk.Trunc)
	if err != nil {
		return fault.Storage("clean.begin", err)
	}
	o.file = f
	return nil
}

// take notes the batches that were appended to buf from a position on.
func (o *output) take(from int) error {
	for rest := o.buf[from:]; len(rest) > 0; {
		b, more, err := record.Next(rest)
		if err != nil {
			return err
		}
		at := o.written.Size
		if at+int64(len(b)) > math.MaxInt32 {
			return fault.New("clean", kafka.ErrRecordListTooLarge, "the compacted segment %d is larger than 2 GiB; lower segment.bytes", o.written.Base)
		}
		o.index.Note(b, at, o.interval)
		o.written.Size, o.written.Next = at+int64(len(b)), b.NextOffset()
		rest = more
	}
	if len(o.buf) < cap(o.buf)/2 {
		return nil
	}
	return o.flush()
}

func (o *output) flush() error {
	if o.file != nil && len(o.buf) > 0 {
		if _, err := o.file.WriteAt(o.buf, o.flushed); err != nil {
			return fault.Storage("clean.write", err)
		}
	}
	o.flushed += int64(len(o.buf))
	o.buf = o.buf[:0]
	return nil
}

// finish completes the files and syncs them; their names are the caller's to make durable.
func (o *output) finish() error {
	if err := o.flush(); err != nil {
		return err
	}
	offsets, times, largest := o.index.Files()
	o.written.Largest, o.written.Stretches = largest, o.index.Stretches()
	if o.fs == nil {
		return nil
	}
	f := o.file
	o.file = nil
	if err := syncAndClose(f, nil); err != nil {
		return err
	}
	var aborted []byte
	for _, a := range o.written.Aborted {
		aborted = a.Append(aborted)
	}
	for _, each := range []struct {
		suffix string
		data   []byte
	}{{segment.IndexSuffix, offsets}, {segment.TimeIndexSuffix, times}, {segment.TxnIndexSuffix, aborted}} {
		if each.suffix == segment.TxnIndexSuffix && len(aborted) == 0 {
			continue // as in Kafka, there is none
		}
		f, err := o.fs.Open(o.path(each.suffix), disk.Write|disk.Create|disk.Trunc)
		if err != nil {
			return fault.Storage("clean.finish", err)
		}
		if err := syncAndClose(f, each.data); err != nil {
			return err
		}
	}
	return nil
}

func syncAndClose(f disk.File, data []byte) (err error) {
	if len(data) > 0 {
		_, err = f.WriteAt(data, 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fault.Storage("clean.finish", err)
	}
	return nil
}

// discard gives an output up that was not put in place.
func (o *output) discard() {
	if o.file != nil {
		_ = o.file.Close()
		o.file = nil
	}
	if o.fs == nil || o.index == nil {
		return
	}
	for _, suffix := range suffixes {
		// What stays, the next start removes.
		if err := o.fs.Remove(o.path(suffix)); err != nil && !errors.Is(err, disk.ErrNotExist) {
			return
		}
	}
}
