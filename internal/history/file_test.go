package history

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

var orders = Key{Topic: "orders", Partition: 3}

func everything() History {
	return History{
		Ops: []Op{
			{Index: 0, Process: 2, F: DoSend, Kind: Ok, Invoke: 5, Complete: 9, Mops: []Mop{{Send: &Send{Key: orders, V: Value(7, 1), Off: 4, Time: 1000, CRC: 99}}}},
			{Index: 1, Process: 3, F: DoPoll, Kind: Ok, Committed: true, Invoke: 6, Complete: 12, Rebalanced: []Key{orders}, Mops: []Mop{
				{Poll: []Poll{{Key: orders, High: 9, Stable: -1, Pairs: []Pair{{Off: 4, V: Value(7, 1), Time: 1000, CRC: 99}, {Off: 5, V: 1, Torn: true}}}}},
				{Poll: []Poll{}},
				{Bounds: &Bounds{Key: orders, Earliest: 0, Stable: -1, Latest: 9}}, {Lookup: &Lookup{Key: orders, Time: 4, Off: -1, At: -1}},
			}},
			{Index: 2, Process: 2, F: DoAssign, Kind: Fail, Code: kafka.ErrUnknownServerError, Invoke: -3, Complete: 1 << 40, Keys: []Key{orders, {Topic: "", Partition: -1}}, Note: "it broke"},
		},
		Groups: []GroupOp{{
			Index: 0, Group: "g", Member: "m", F: GroupCommit, Kind: Ok, Consumer: true, Code: kafka.ErrStaleMemberEpoch, Invoke: 1, Complete: 2, Generation: 5,
			Coordinator: 1, Epoch: 9, Keys: []Key{orders}, Offsets: []Mark{{Key: orders, Off: 12, ID: 8}},
		}},
	}
}

func write(t *testing.T, h History) []byte {
	t.Helper()
	var b bytes.Buffer
	w := must.Get(NewWriter(&b))
	for i := range h.Ops {
		must.OK(w.Op(&h.Ops[i]))
	}
	for i := range h.Groups {
		must.OK(w.Group(&h.Groups[i]))
	}
	must.OK(w.Flush())
	return b.Bytes()
}

func TestAHistoryComesBackFromItsFile(t *testing.T) {
	want := everything()
	got, err := Read(bytes.NewReader(write(t, want)))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("read %+v, %v; want %+v", got, err, want)
	}
}

func TestADamagedFileGivesWhatStandsBefore(t *testing.T) {
	whole := write(t, everything())
	ends := map[int]int{} // how many operations are whole after so many bytes
	for n := range 4 {
		h := everything()
		if n < 3 {
			h.Ops, h.Groups = h.Ops[:n], nil
		} else {
			h.Groups = nil
		}
		ends[len(write(t, h))] = n
	}
	ends[len(whole)] = 4
	least := 0
	for n := range len(whole) + 1 {
		h, err := Read(bytes.NewReader(whole[:n]))
		if whole, ok := ends[n]; ok {
			least = whole
			if err != nil {
				t.Errorf("a file that ends between operations, after %d bytes: %v", n, err)
			}
		} else if !fault.IsKind(err, fault.Corrupt) {
			t.Errorf("a file cut at %d bytes: %v", n, err)
		}
		if got := len(h.Ops) + len(h.Groups); got != least {
			t.Errorf("a file cut at %d bytes has %d operations, want %d", n, got, least)
		}
	}
	for i := range whole {
		bent := bytes.Clone(whole)
		bent[i] ^= 0x10
		if h, err := Read(bytes.NewReader(bent)); err == nil {
			t.Errorf("a flipped bit in byte %d went unnoticed: %d operations", i, len(h.Ops))
		}
	}
}

func TestARecorderThatDiesLeavesInvocations(t *testing.T) {
	var b bytes.Buffer
	now := int64(0)
	r := NewRecorder(func() int64 { now++; return now }, must.Get(NewWriter(&b)))
	first := r.Begin(Op{Process: 1, F: DoSend, Mops: []Mop{{Send: &Send{Key: orders, V: 1, Off: -1}}}})
	second := r.Begin(Op{Process: 2, F: DoSend, Mops: []Mop{{Send: &Send{Key: orders, V: 2, Off: -1}}}})
	r.EndGroup(func() GroupOp {
		o := r.BeginGroup(GroupOp{Group: "g", F: GroupFetch})
		o.Kind = Ok
		return o
	}())
	r.BeginGroup(GroupOp{Group: "g", F: GroupLeave})
	second.Kind, second.Mops = Ok, []Mop{{Send: &Send{Key: orders, V: 2, Off: 7}}}
	r.End(second)
	kept, err := r.History()
	if err != nil {
		t.Fatal(err)
	}
	read, err := Read(&b)
	if err != nil || !reflect.DeepEqual(read, kept) {
		t.Fatalf("the file says %+v, %v; the recorder %+v", read, err, kept)
	}
	if o := read.Ops[first.Index]; o.Kind != Info || o.Complete != Never || o.Mops[0].Send.V != 1 || o.Done() != Never {
		t.Errorf("an operation under way is %+v", o)
	}
	if o := read.Ops[second.Index]; o.Kind != Ok || o.Invoke != 2 || o.Complete != 6 || o.Mops[0].Send.Off != 7 || o.Done() != 6 {
		t.Errorf("a completed operation is %+v", o)
	}
	if o := read.Groups[1]; o.Kind != Info || o.Done() != Never {
		t.Errorf("a group's event under way is %+v", o)
	}
}

func TestAFileOfAnotherKindIsRefused(t *testing.T) {
	if _, err := Read(strings.NewReader("{\"index\":0}")); !fault.IsKind(err, fault.Corrupt) {
		t.Errorf("%v", err)
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	w := must.Get(NewWriter(&b))
	h := everything()
	must.OK(w.Op(&h.Ops[1]))
	must.OK(w.Group(&h.Groups[0]))
	must.OK(w.Flush())
	f.Add(b.Bytes(), false)
	f.Add(w.body, true)
	f.Fuzz(func(t *testing.T, in []byte, bare bool) {
		if bare { // a body whose checksum is right
			d := decoder{rest: in, names: map[string]string{}}
			s := sorter{ops: map[int]int{}, groups: map[int]int{}}
			var h History
			if s.take(&h, &d) == nil {
				again, err := Read(bytes.NewReader(write(t, h)))
				s.finish(&h)
				if err != nil || !reflect.DeepEqual(again, h) {
					t.Fatalf("%+v was written and read as %+v, %v", h, again, err)
				}
			}
			return
		}
		h, err := Read(bytes.NewReader(in))
		if err != nil && len(h.Ops)+len(h.Groups) == 0 {
			return
		}
		again, err := Read(bytes.NewReader(write(t, h)))
		if err != nil || !reflect.DeepEqual(again, h) {
			t.Fatalf("%+v was written and read as %+v, %v", h, again, err)
		}
	})
}
