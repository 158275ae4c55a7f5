package record

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

var codecs = []Codec{None, Gzip, Snappy, LZ4, Zstd}

func build(t testing.TB, c Codec, n int) Batch {
	t.Helper()
	o := Plain()
	o.Codec, o.BaseOffset = c, 100
	b := NewBuilder(o)
	for i := range n {
		var key []byte
		if i%2 == 0 {
			key = fmt.Appendf(nil, "key-%d", i)
		}
		b.Append(1000+int64(i), key, []byte(strings.Repeat("value ", i)), Header{Key: []byte("h"), Value: nil}, Header{Key: []byte("i"), Value: []byte{1}})
	}
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBuildAndReadBack(t *testing.T) {
	for _, c := range codecs {
		b := build(t, c, 50)
		got, rest, err := Next(append(append([]byte{}, b...), 1, 2, 3))
		if err != nil || len(rest) != 3 || !bytes.Equal(got, b) {
			t.Fatalf("%v: Next: %v", c, err)
		}
		if err := got.CheckCRC(); err != nil {
			t.Fatal(err)
		}
		if got.Count() != 50 || got.LastOffset() != 149 || got.MaxTimestamp() != 1049 || got.Codec() != c {
			t.Fatalf("%v: header %d %d %d %v", c, got.Count(), got.LastOffset(), got.MaxTimestamp(), got.Codec())
		}
		i := 0
		err = got.Each(Limits{}, func(r *Record) error {
			if r.Offset != kafka.Offset(100+i) || r.TimestampMs != int64(1000+i) || (r.Key == nil) != (i%2 == 1) ||
				string(r.Value) != strings.Repeat("value ", i) || r.HeaderCount() != 2 {
				return fmt.Errorf("record %d: %+v", i, r)
			}
			var hs []string
			r.Headers(func(h Header) bool { hs = append(hs, fmt.Sprint(string(h.Key), h.Value == nil)); return true })
			if fmt.Sprint(hs) != "[htrue ifalse]" {
				return fmt.Errorf("headers %v", hs)
			}
			i++
			return nil
		})
		if err != nil || i != 50 {
			t.Fatalf("%v: after %d records: %v", c, i, err)
		}
	}
}

func TestShortAndCorruptAreTold(t *testing.T) {
	b := build(t, None, 3)
	for n := range len(b) {
		if _, _, err := Next(b[:n]); !errors.Is(err, ErrShort) {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	for i := posAttributes; i < len(b); i++ {
		bad := append(Batch(nil), b...)
		bad[i] ^= 1
		got, _, err := Next(bad)
		if err == nil {
			err = got.CheckCRC()
		}
		if !fault.IsKind(err, fault.Corrupt) {
			t.Fatalf("a flipped bit at %d went unseen: %v", i, err)
		}
	}
}

func TestRecompressKeepsRecords(t *testing.T) {
	for _, from := range codecs {
		for _, to := range codecs {
			b, err := build(t, from, 20).Recompress(to, -1, Limits{})
			if err != nil || b.Codec() != to || b.CheckCRC() != nil || b.BaseOffset() != 100 {
				t.Fatalf("%v to %v: %v", from, to, err)
			}
			if _, err := b.Validate(Rules{}); err != nil {
				t.Fatalf("%v to %v: %v", from, to, err)
			}
		}
	}
}

func TestBombIsRefused(t *testing.T) {
	for _, c := range codecs[1:] {
		o := Plain()
		o.Codec = c
		bl := NewBuilder(o)
		bl.Append(0, nil, make([]byte, 8<<20))
		b, err := bl.Build()
		if err != nil {
			t.Fatal(err)
		}
		err = b.Each(Limits{MaxBytes: 1 << 20}, func(*Record) error { return nil })
		if fault.CodeOf(err) != kafka.ErrRecordListTooLarge {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestValidateFindsForgeries(t *testing.T) {
	rules := Rules{NowMs: 1000, BeforeMs: 1 << 60, AfterMs: 100, CheckTime: true}
	if _, err := build(t, None, 4).Validate(rules); err != nil {
		t.Fatal(err)
	}
	rules.AfterMs = 1
	var inv *Invalid
	if _, err := build(t, Zstd, 4).Validate(rules); !errors.As(err, &inv) || inv.Cause.Code != kafka.ErrInvalidTimestamp || len(inv.Records) != 2 || inv.Records[0].Index != 2 {
		t.Fatalf("future timestamps: %v", err)
	}
	rules.CheckTime, rules.NeedKeys = false, true
	if _, err := build(t, None, 4).Validate(rules); !errors.As(err, &inv) || inv.Cause.Code != kafka.ErrInvalidRecord || inv.Records[0].Index != 1 {
		t.Fatalf("null keys: %v", err)
	}
	forged := build(t, None, 4)
	forged[posCount+3] = 5
	forged.Seal()
	if _, err := forged.Validate(Rules{}); fault.CodeOf(err) != kafka.ErrInvalidRecord {
		t.Fatalf("forged count: %v", err)
	}
	if err := forged.CheckClientHeader(); fault.CodeOf(err) != kafka.ErrInvalidRecord {
		t.Fatalf("forged count in the header: %v", err)
	}
}

func TestKRaftRecordsRoundTrip(t *testing.T) {
	voters := []Voter{{ID: 1, Directory: kafka.DirectoryID{1: 9}, Endpoints: []Endpoint{{"CONTROLLER", "127.0.0.1", 9093}}, MaxKRaft: 1}}
	got, err := ParseKRaftVoters(KRaftVoters(voters))
	if err != nil || fmt.Sprint(got) != fmt.Sprint(voters) {
		t.Fatalf("%v %v", got, err)
	}
	l := LeaderChange{Leader: 1, Voters: []Voter{{ID: 1}, {ID: 2}}, Granting: []Voter{{ID: 1}}} // v0 has no directory ids
	gl, err := ParseLeaderChange(l.Append(nil))
	if err != nil || fmt.Sprint(gl) != fmt.Sprint(l) {
		t.Fatalf("%v %v", gl, err)
	}
	s := SnapshotHeader{LastTimestampMs: 7, RaftIndex: 12345}
	gs, err := ParseSnapshotHeader(s.Append(nil))
	if err != nil || gs != s {
		t.Fatalf("%v %v", gs, err)
	}
	v, err := ParseKRaftVersion(KRaftVersion(1))
	if err != nil || v != 1 {
		t.Fatal(v, err)
	}
	b := NewEndTxn(5, 2, true, EndTxnMarker{CoordinatorEpoch: 3}, 99)
	typ, value, err := b.Control()
	if err != nil || typ != ControlCommit || !b.IsControl() || !b.IsTransactional() {
		t.Fatal(typ, err)
	}
	if m, err := ParseEndTxnMarker(value); err != nil || m.CoordinatorEpoch != 3 {
		t.Fatal(m, err)
	}
}

func BenchmarkNextAndCRC(b *testing.B) {
	batch := build(b, None, 100)
	b.SetBytes(int64(len(batch)))
	b.ReportAllocs()
	for b.Loop() {
		got, _, err := Next(batch)
		if err != nil || got.CheckCRC() != nil {
			b.Fatal(err)
		}
		got.SetBaseOffset(1)
		got.SetLeaderEpoch(2)
	}
}

func BenchmarkValidate(b *testing.B) {
	for _, c := range codecs {
		b.Run(c.String(), func(b *testing.B) {
			batch := build(b, c, 100)
			b.SetBytes(int64(len(build(b, None, 100))))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := batch.Validate(Rules{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
