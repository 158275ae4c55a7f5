package log

import (
	"hash/fnv"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/record"
)

// Digest sums up whole batches that follow each other in a segment: what replicas of one log have in common, byte for byte.
type Digest struct {
	Next  kafka.Offset // after the last batch
	Bytes int64
	Sum   uint64 // of the batches' headers, each of which has the checksum of what follows it
}

const digestOp = "log.Digest"

// DigestOf reads the batches from one offset to another, at most so many bytes and at least one batch, checks them, and sums them up.
// Nothing is summed up where the first batch does not begin at from.
func DigestOf(l *Log, from, to kafka.Offset, maxBytes int) (Digest, error) {
	d := Digest{Next: from}
	s, err := l.Read(from, ReadOptions{MaxBytes: maxBytes, MinOne: true, Upper: to})
	if err != nil {
		return d, err
	}
	defer s.Release()
	sum := fnv.New64a()
	data, err := s.AppendTo(nil)
	if err != nil {
		return d, err
	}
	for len(data) > 0 {
		b, rest, err := record.Next(data)
		if err == nil {
			err = b.CheckCRC()
		}
		if err != nil {
			return d, err
		}
		if d.Bytes == 0 && b.BaseOffset() != from {
			return d, nil
		}
		_, _ = sum.Write(b[:record.HeaderSize])
		d.Next, d.Bytes, data = b.NextOffset(), d.Bytes+int64(len(b)), rest
	}
	d.Sum = sum.Sum64()
	return d, nil
}

// Condemn notes whole batches as damage although they check: most replicas have others there. The owner is told as of any damage.
func Condemn(l *Log, from, next kafka.Offset) error {
	l.mu.RLock()
	if len(l.segments) == 0 { // it is being emptied
		l.mu.RUnlock()
		return fault.New(digestOp, kafka.ErrOffsetOutOfRange, "offset %d of %s is gone", from, l.options.Partition)
	}
	s := l.segments[l.floor(from)]
	k, err := s.Look(l.mu.RLocker(), newWindow())
	l.mu.RUnlock()
	if err != nil {
		return err
	}
	defer k.Release()
	r, err := k.Range(from, next, k.Size(), true)
	if err != nil {
		return err
	}
	if r.First != from || r.Next != next {
		return fault.Corruption(digestOp, "offsets %d to %d are not whole batches of %s", from, next-1, s.Path(segment.LogSuffix))
	}
	segment.Condemn(&k, r, fault.Corruption(digestOp, "most replicas have other batches at offsets %d to %d", from, next-1))
	return nil
}
