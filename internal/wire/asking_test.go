package wire

import (
	"bytes"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

// TestRequestsOfOursAreReadByATable, and answers of a table by us.
func TestRequestsOfOursAreReadByATable(t *testing.T) {
	table, pool := everything(), NewPool(nil, true)
	for _, key := range []kafka.APIKey{kafka.KeyProduce, kafka.KeyMetadata, kafka.KeyApiVersions} {
		api, ok := Lookup(key)
		if !ok {
			t.Fatalf("%v is not known", key)
		}
		for version := api.Served; version <= api.Max; version++ {
			frame := BeginRequest(nil, &api, version, 1<<30, "node-1")
			frame = append(frame, make([]byte, 100)...) // zeroes parse as something empty, or as nothing
			EndRequest(frame)
			if n := int(frame[3]) | int(frame[2])<<8; n != len(frame)-lengthBytes {
				t.Fatalf("%v v%d: length %d of %d", key, version, n, len(frame))
			}
			d, _ := table.Decode(frame[lengthBytes:], allowAll)
			if d.Key != key || d.Version != version || d.CorrelationID != 1<<30 || string(d.ClientID) != "node-1" || len(d.Raw) != 100 {
				t.Fatalf("%v v%d: decoded %+v", key, version, d)
			}
			out := table.Encode(pool, &d, Reply{Body: body("answer")})
			answer := bytes.Clone(out.Head.B[lengthBytes:])
			out.Free()
			got, err := AnswerBody(&api, version, answer)
			if err != nil || AnswerOf(answer) != 1<<30 || string(got) != "answer" {
				t.Fatalf("%v v%d: answered %q to %d, %v", key, version, got, AnswerOf(answer), err)
			}
		}
	}
	if _, ok := Lookup(kafka.KeyStopReplica); ok {
		t.Fatal("StopReplica is known")
	}
}

type body string

func (b body) AppendTo(dst []byte) []byte { return append(dst, b...) }

// TestLargeAnswersAreReadIntoMemoryThatWasUsedBefore, once the first has come.
func TestLargeAnswersAreReadIntoMemoryThatWasUsedBefore(t *testing.T) {
	budget := NewBudget(1 << 40)
	f := NewAnswerFramer(NewPool(budget, true), 20<<20)
	in := framed(make([]byte, 10<<20))
	for i := range 3 {
		received, frames := 0, 0
		for rest := in; len(rest) > 0; {
			n := copy(f.Space(), rest)
			rest, received = rest[n:], received+n
			frame, err := f.Filled(n)
			if err != nil {
				t.Fatal(err)
			}
			if i > 0 && len(rest) > 0 && received > lengthBytes && f.Held() != 16<<20 {
				t.Fatalf("answer %d holds %d bytes after %d", i, f.Held(), received)
			}
			if frame != nil {
				frames++
				frame.Free()
			}
		}
		if frames != 1 || budget.Used() != 0 {
			t.Fatalf("%d frames, %d charged", frames, budget.Used())
		}
	}
	for _, bad := range []string{"\x00\x00\x00\x03", "\x01\x40\x00\x01", "\xff\xff\xff\xff"} {
		f := NewAnswerFramer(NewPool(nil, true), 20<<20)
		copy(f.Space(), bad)
		if _, err := f.Filled(lengthBytes); err == nil {
			t.Errorf("a length of %x is believed", bad)
		}
	}
}
