package log

import (
	"bytes"
	"math"
	"sync"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

func TestReadBounds(t *testing.T) {
	r := threes(t, 12)
	var batches []record.Batch
	for rest := r.bytes(0); len(rest) > 0; {
		b, more, err := record.Next(rest)
		must.OK(err)
		batches, rest = append(batches, b), more
	}
	for _, how := range []string{"", "clean", "kill"} {
		if how != "" {
			r.restart(how)
		}
		for from := kafka.Offset(0); from <= 36; from++ {
			for _, upper := range []kafka.Offset{0, from, from + 1, from + 4, 35, 36, math.MaxInt64} {
				for _, limit := range []int{0, 1, 90, 200, 1 << 20, math.MaxInt} {
					for _, one := range []bool{false, true} {
						s, err := r.l.Read(from, ReadOptions{MaxBytes: limit, MinOne: one, Upper: upper})
						if err != nil {
							t.Fatal(err)
						}
						got := must.Get(s.AppendTo(nil))
						s.Release()
						checkRead(t, batches, from, upper, limit, one, s, got)
					}
				}
			}
		}
		for _, from := range []kafka.Offset{-1, 37, math.MaxInt64} {
			_, err := r.l.Read(from, ReadOptions{MaxBytes: 1, MinOne: true, Upper: math.MaxInt64})
			r.code(err, kafka.ErrOffsetOutOfRange)
		}
	}
}

// checkRead demands whole batches in order from the one that holds from, within the bounds, and something whenever there
// is something: a read ends early only where its segment does.
func checkRead(t *testing.T, batches []record.Batch, from, upper kafka.Offset, limit int, one bool, s Slice, got []byte) {
	t.Helper()
	var all []byte
	first := true
	for _, b := range batches {
		if b.LastOffset() < from {
			continue
		}
		if b.LastOffset() >= upper || len(all)+len(b) > limit && (!one || !first) {
			break
		}
		all, first = append(all, b...), false
	}
	if !bytes.HasPrefix(all, got) || len(all) > 0 && len(got) == 0 {
		t.Fatalf("read(%d, upper %d, %d bytes, %v) has %d bytes of the %d there are", from, upper, limit, one, len(got), len(all))
	}
	next := from
	for rest := got; len(rest) > 0; {
		b, more, err := record.Next(rest)
		must.OK(err)
		next, rest = b.NextOffset(), more
	}
	if s.Next != next || s.Remote {
		t.Fatalf("read(%d, upper %d, %d bytes, %v) goes on at %d, want %d", from, upper, limit, one, s.Next, next)
	}
}

// S3: what does not check is never served; what stands before it is.
func TestDamageIsNeverServed(t *testing.T) {
	r := threes(t, 3)
	whole := r.bytes(0)
	size := len(whole) / 3
	r.restart("clean")
	must.OK(r.l.Close(r.now))
	end := map[kafka.TopicPartition]kafka.Offset{tp: 9}
	must.OK(r.dir.CloseClean(1, end, end))
	name := "00000000000000000000.log"
	data := r.file(name)
	data[size+70] ^= 4
	r.overwrite(name, data)
	r.open()
	s, err := r.l.Read(0, ReadOptions{MaxBytes: 1 << 20, Upper: 9})
	must.OK(err)
	equalBytes(t, "before the damage", must.Get(s.AppendTo(nil)), whole[:size])
	s.Release()
	if s.Next != 3 {
		t.Errorf("goes on at %d", s.Next)
	}
	_, err = r.l.Read(3, ReadOptions{MaxBytes: 1 << 20, MinOne: true, Upper: 9})
	r.code(err, kafka.ErrCorruptMessage)
	_, err = r.l.Read(4, ReadOptions{MaxBytes: 1, MinOne: true, Upper: 9})
	r.code(err, kafka.ErrCorruptMessage)
	s, err = r.l.Read(6, ReadOptions{MaxBytes: 1 << 20, Upper: 9})
	must.OK(err)
	equalBytes(t, "after the damage", must.Get(s.AppendTo(nil)), whole[2*size:])
	s.Release()
}

// Reads beside the writer see whole batches in order; -race watches.
func TestReadersBesideTheWriter(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Roll.SegmentBytes = 2000; c.Keep.RetentionMs = -1; c.Keep.RetentionBytes = 20_000 })
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for at := kafka.Offset(0); ; {
				select {
				case <-stop:
					return
				default:
				}
				o := r.l.Offsets()
				at = max(at, o.LogStart)
				s, err := r.l.Read(at, ReadOptions{MaxBytes: 500, MinOne: true, Upper: o.End})
				if err != nil {
					if r.l.Offsets().LogStart <= at {
						t.Errorf("read: %v", err)
						return
					}
					continue
				}
				data, err := s.AppendTo(nil)
				s.Release()
				for err == nil && len(data) > 0 {
					var b record.Batch
					if b, data, err = record.Next(data); err == nil {
						err = b.CheckCRC()
					}
				}
				if err != nil {
					t.Errorf("slice: %v", err)
					return
				}
				at = s.Next
				_, _, err = r.l.OffsetForTimestamp(r.now.WallMs)
				if err == nil {
					_, _, err = r.l.MaxTimestamp()
				}
				if err == nil {
					_, err = r.l.AbortedTransactions(o.LogStart, o.End)
				}
				if err != nil {
					t.Errorf("lookup: %v", err)
					return
				}
				_, _, _ = r.l.LastStable(o.End), r.l.Size(), r.l.Producers()
				_, _ = r.l.EndOffsetForEpoch(0)
			}
		})
	}
	s := txn(4)
	for i := range int32(2000) {
		r.send(s.at(i), "a value of some length")
		if i%10 == 9 {
			r.end(s, i%20 == 9)
		}
		if i%50 == 0 {
			r.flush()
			must.Get(r.l.Retain(r.now, r.l.Offsets().End))
		}
	}
	close(stop)
	wg.Wait()
}
