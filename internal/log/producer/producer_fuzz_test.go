package producer

import (
	"bytes"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/record"
)

func batchOf(id kafka.ProducerID, epoch kafka.ProducerEpoch, seq int32, base kafka.Offset, n int, txn bool) record.Batch {
	o := record.Plain()
	o.ProducerID, o.ProducerEpoch, o.BaseSequence, o.BaseOffset, o.Transactional = id, epoch, seq, base, txn
	b := record.NewBuilder(o)
	for range n {
		b.Append(1000, nil, []byte("v"))
	}
	return must.Get(b.Build())
}

func sample() *State {
	s := New()
	for i := range 7 {
		s.Apply(batchOf(1, 2, int32(2*i), kafka.Offset(10*i), 2, false), int64(100+i))
	}
	s.Apply(batchOf(2, 0, 0, 5, 3, true), 200)
	s.ApplyMarker(batchOf(3, 4, -1, 8, 1, true), Marker{Abort: true, CoordinatorEpoch: 6}, 300)
	return s
}

// withSum puts the right checksum on a damaged file, so that what is behind it is reached.
func withSum(data []byte) []byte {
	data = bytes.Clone(data)
	if len(data) >= 6 {
		sum := checksum(data[6:])
		copy(data[2:], []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	}
	return data
}

func FuzzParseSnapshot(f *testing.F) {
	f.Add(sample().AppendSnapshot(nil))
	f.Add(New().AppendSnapshot(nil))
	f.Add([]byte{0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, withSum(data)} {
			s, err := ParseSnapshot(data)
			if err != nil {
				continue
			}
			again, err := ParseSnapshot(s.AppendSnapshot(nil))
			if err != nil || again.Len() != s.Len() || again.FirstOpen(1<<62) != s.FirstOpen(1<<62) {
				t.Fatalf("%d producers came back as %v, %v", s.Len(), again, err)
			}
			s.Apply(batchOf(1, 2, 100, 100, 1, true), 5)
			s.ApplyMarker(batchOf(1, 2, -1, 101, 1, true), Marker{}, 5)
			s.Passed(200)
			s.Expire(1<<60, 1)
		}
	})
}

func FuzzRemember(f *testing.F) {
	s := sample()
	snapshot := s.AppendSnapshot(nil)
	f.Add(s.AppendHistory(nil, SnapshotChecksum(snapshot)))
	f.Add([]byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, data := range [][]byte{data, withSum(data)} {
			s := must.Get(ParseSnapshot(snapshot))
			_ = s.Remember(data, SnapshotChecksum(snapshot))
			for _, e := range s.Entries() {
				if n := len(e.Batches()); n > Remembered {
					t.Fatalf("%d batches remembered", n)
				}
			}
			if got := s.AppendSnapshot(nil); !bytes.Equal(got, snapshot) {
				t.Fatal("a history changed what the snapshot says")
			}
		}
	})
}
