package record

import (
	"errors"
	"io"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Recompress returns the batch in another codec, everything else kept: offsets, times, producer, attributes. The records
// stream from one codec into the other and are not looked at. Errors: those of decompressing, and MESSAGE_TOO_LARGE for
// more than l.MaxStored, which is known before it is all in memory.
func (b Batch) Recompress(to Codec, level int, l Limits) (Batch, error) {
	p := b.Codec().open(b[HeaderSize:], l.orRatio(len(b)).MaxBytes)
	defer p.Close()
	out := &stored{b: append(make([]byte, 0, 2*len(b)), b[:HeaderSize]...), max: l.MaxStored}
	w, err := to.compressor(out, level)
	if err != nil {
		return nil, fault.New("record.Recompress", kafka.ErrUnsupportedCompressionType, "%v", err)
	}
	c := scannerPool.Get().(*scanner)
	defer c.giveBack()
	for {
		n, err := p.Read(c.window)
		if _, werr := w.Write(c.window[:n]); werr != nil {
			_ = w.Close()
			return nil, out.explain(werr)
		}
		if err == nil {
			continue
		}
		if cerr := w.Close(); !errors.Is(err, io.EOF) {
			return nil, p.explain(err)
		} else if cerr != nil {
			return nil, out.explain(cerr)
		}
		made := Batch(out.b)
		made.setLength()
		made.setCodec(to)
		made.Seal()
		return made, nil
	}
}

// stored is a batch that is being written and may not pass a size.
type stored struct {
	b   []byte
	max int
}

var errStored = errors.New("the batch is larger than its limit")

// Write is io.Writer's.
func (s *stored) Write(p []byte) (int, error) {
	if s.max > 0 && len(s.b)+len(p) > s.max {
		return 0, errStored
	}
	s.b = append(s.b, p...)
	return len(p), nil
}

func (s *stored) explain(err error) error {
	if errors.Is(err, errStored) {
		return fault.New("record.Recompress", kafka.ErrMessageTooLarge, "the batch is larger than %d bytes when it is compressed as its topic wants", s.max)
	}
	return err
}
