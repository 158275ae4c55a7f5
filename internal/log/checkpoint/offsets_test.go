package checkpoint

import (
	"maps"
	"testing"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

func TestOffsetsRoundTrip(t *testing.T) {
	in := Offsets{{Topic: "b", Partition: 10}: 7, {Topic: "b", Partition: 2}: 1 << 40, {Topic: "a.x-1", Partition: 0}: 0}
	text := in.Format()
	want := "0\n3\na.x-1 0 0\nb 2 1099511627776\nb 10 7\n"
	if string(text) != want {
		t.Fatalf("formatted %q, want %q", text, want)
	}
	out, err := ParseOffsets(text)
	if err != nil || !maps.Equal(in, out) {
		t.Fatalf("parsed %v, %v", out, err)
	}
}

func TestOffsetsOfAMissingFileAreNone(t *testing.T) {
	out, err := ParseOffsets(nil)
	if err != nil || len(out) != 0 {
		t.Fatalf("got %v, %v", out, err)
	}
	if out, err = ParseOffsets([]byte{}); err != nil || len(out) != 0 {
		t.Fatalf("Kafka's file before its first checkpoint: %v, %v", out, err)
	}
}

func TestMalformedOffsetsAreCorrupt(t *testing.T) {
	for _, text := range []string{
		"\n", "1\n0\n", "0\n", "0\nx\n", "0\n-1\n", "0\n2\na 0 1\n", "0\n1\na 0\n", "0\n1\na 0 x\n", "0\n1\na x 1\n",
		"0\n1\na 0 -1\n", "0\n1\na -1 1\n", "0\n2\na 0 1\na 0 2\n", "0\n0\na 0 1\n", "0\n999999999\n",
	} {
		if _, err := ParseOffsets([]byte(text)); !fault.IsKind(err, fault.Corrupt) {
			t.Errorf("%q: error %v, want corruption", text, err)
		}
	}
}

func FuzzParseOffsets(f *testing.F) {
	f.Add([]byte("0\n1\na 0 1\n"))
	f.Add([]byte("0\n2\na 0 1\nb 1 2"))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := ParseOffsets(data)
		if err != nil {
			return
		}
		again, err := ParseOffsets(out.Format())
		if err != nil || !maps.Equal(out, again) {
			t.Fatalf("%v came back as %v, %v", out, again, err)
		}
		_ = out[kafka.TopicPartition{}]
	})
}
