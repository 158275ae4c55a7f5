package record

import (
	"slices"
	"testing"
)

// Whatever the bytes are, reading them fails or gives what the header says; it never panics or runs away.
func FuzzBatch(f *testing.F) {
	for _, c := range codecs {
		f.Add([]byte(build(f, c, 5)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, _, err := Next(data)
		if err != nil {
			return
		}
		b = append(Batch(nil), b...)
		b.Seal()
		n := int32(0)
		if err := b.Each(Limits{MaxBytes: 1 << 20}, func(r *Record) error {
			n++
			r.Headers(func(Header) bool { return true })
			return nil
		}); err == nil && n != b.Count() {
			t.Fatalf("%d records read, %d claimed", n, b.Count())
		}
		type seen struct {
			offset, time int64
			keyed        bool
		}
		var whole, outlines []seen
		limit := Limits{MaxBytes: 1 << 20}
		eachErr := b.Each(limit, func(r *Record) error {
			whole = append(whole, seen{int64(r.Offset), r.TimestampMs, r.Key != nil})
			return nil
		})
		scanErr := b.Scan(limit, func(o Outline) error {
			outlines = append(outlines, seen{int64(o.Offset), o.TimestampMs, o.Keyed})
			return nil
		})
		if (eachErr == nil) != (scanErr == nil) || eachErr == nil && !slices.Equal(whole, outlines) {
			t.Fatalf("Each: %v %v, Scan: %v %v", eachErr, whole, scanErr, outlines)
		}
		for _, to := range codecs {
			again, err := b.Recompress(to, -1, Limits{MaxBytes: 1 << 20, MaxStored: 1 << 21})
			if err == nil && eachErr == nil && (again.CheckCRC() != nil || again.Scan(Limits{}, func(Outline) error { return nil }) != nil) {
				t.Fatalf("recompressed to %v it cannot be read", to)
			}
		}
		_, _ = b.Validate(Rules{Limits: Limits{MaxBytes: 1 << 20}})
		_, _, _ = b.Control()
	})
}

func FuzzKRaftRecords(f *testing.F) {
	f.Add(KRaftVoters([]Voter{{ID: 1, Endpoints: []Endpoint{{"a", "b", 1}}}}))
	f.Add(LeaderChange{Voters: []Voter{{}}}.Append(nil))
	f.Add(SnapshotHeader{RaftIndex: 3}.Append(nil))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = ParseKRaftVoters(data)
		_, _ = ParseLeaderChange(data)
		_, _ = ParseSnapshotHeader(data)
		_, _ = ParseKRaftVersion(data)
		_, _ = ParseEndTxnMarker(data)
	})
}

func FuzzDecompress(f *testing.F) {
	for _, c := range codecs {
		b := build(f, c, 5)
		f.Add(int8(c), []byte(b[HeaderSize:]))
	}
	f.Fuzz(func(t *testing.T, c int8, data []byte) {
		out, err := Codec(c).Decompress(nil, data, 1<<20)
		if err == nil && len(out) > 1<<20 {
			t.Fatalf("%d bytes past the cap", len(out))
		}
	})
}
