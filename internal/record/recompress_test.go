package record

import (
	"bytes"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// TestRecompressionKeepsEverythingElse packs a batch of a transaction anew, from each codec to each at each end of its
// levels: the records and every header field but codec, length and checksum are what they were.
func TestRecompressionKeepsEverythingElse(t *testing.T) {
	levels := map[Codec][]int{None: {-1}, Gzip: {-1, 0, 1, 9}, Snappy: {-1}, LZ4: {-1, 1, 9, 17}, Zstd: {-1, -131072, 1, 3, 7, 22}}
	for _, from := range codecs {
		o := Options{Codec: from, Level: -1, Transactional: true, BaseOffset: 77, LeaderEpoch: 3, ProducerID: 12, ProducerEpoch: 4, BaseSequence: 1<<31 - 3}
		w := NewBuilder(o)
		for i := range 40 {
			w.Append(5_000+int64(i%7), []byte{'k', byte(i)}, bytes.Repeat([]byte{byte(i)}, i*100), Header{Key: []byte("h")})
		}
		b := must.Get(w.Build())
		plain := must.Get(from.Decompress(nil, b[HeaderSize:], 1<<20))
		for _, to := range codecs {
			for _, level := range levels[to] {
				got, err := b.Recompress(to, level, Limits{})
				if err != nil {
					t.Fatalf("%v to %v level %d: %v", from, to, level, err)
				}
				if _, err := Parse(got); err != nil || got.CheckCRC() != nil || got.Codec() != to {
					t.Errorf("%v to %v level %d: %v", from, to, level, err)
				}
				if again := must.Get(to.Decompress(nil, got[HeaderSize:], 1<<20)); !bytes.Equal(again, plain) {
					t.Errorf("%v to %v level %d: the records are others", from, to, level)
				}
				masked := func(b Batch) []byte {
					h := bytes.Clone(b[:HeaderSize])
					clear(h[posLength:posLeaderEpoch])
					clear(h[posCRC:posAttributes])
					h[posAttributes+1] &^= AttrCodecMask
					return h
				}
				if !bytes.Equal(masked(got), masked(b)) {
					t.Errorf("%v to %v level %d: the header\n%x was\n%x", from, to, level, masked(got), masked(b))
				}
			}
		}
	}
}

// TestRecompressionStopsAtTheLimit holds that the size that counts is that of the batch as it is stored.
func TestRecompressionStopsAtTheLimit(t *testing.T) {
	for _, from := range codecs {
		o := Plain()
		o.Codec = from
		w := NewBuilder(o)
		w.Append(0, nil, []byte(strings.Repeat("0123456789", 10_000)))
		b := must.Get(w.Build())
		whole := must.Get(b.Recompress(None, -1, Limits{}))
		if got, err := b.Recompress(None, -1, Limits{MaxStored: len(whole)}); err != nil || len(got) != len(whole) {
			t.Errorf("%v: at the limit: %v", from, err)
		}
		if _, err := b.Recompress(None, -1, Limits{MaxStored: len(whole) - 1}); fault.CodeOf(err) != kafka.ErrMessageTooLarge {
			t.Errorf("%v: past the limit: %v", from, err)
		}
		if got, err := b.Recompress(Zstd, -1, Limits{MaxStored: 2000}); err != nil || len(got) > 2000 {
			t.Errorf("%v: what is small when it is stored is refused: %v", from, err)
		}
	}
}

// TestScanAgreesWithEach reads batches whose records are larger and smaller than the window, of each codec.
func TestScanAgreesWithEach(t *testing.T) {
	for _, c := range codecs {
		o := Plain()
		o.Codec, o.BaseOffset = c, 10
		w := NewBuilder(o)
		for i := range 200 {
			var key []byte
			if i%3 > 0 {
				key = bytes.Repeat([]byte{byte(i)}, i*i%1000)
			}
			w.Append(int64(i*7919%300), key, bytes.Repeat([]byte{byte(i)}, i*i), Header{Key: []byte("header"), Value: key})
		}
		b := must.Get(w.Build())
		var want, got []Outline
		must.OK(b.Each(Limits{}, func(r *Record) error {
			want = append(want, Outline{r.Index, r.Offset, r.TimestampMs, r.Key != nil})
			return nil
		}))
		must.OK(b.Scan(Limits{}, func(o Outline) error { got = append(got, o); return nil }))
		if len(got) != 200 {
			t.Errorf("%v: %d records", c, len(got))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%v: record %d is %+v, want %+v", c, i, got[i], want[i])
			}
		}
	}
}
