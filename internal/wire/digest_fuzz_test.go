package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Whatever a tag holds, what is taken out of it is what was put in, or nothing.
func FuzzDigestTags(f *testing.F) {
	f.Add(make([]byte, 16), int64(1), int64(2), uint64(3))
	f.Add(make([]byte, 24), int64(0), int64(1)<<62, uint64(1)<<63)
	f.Fuzz(func(t *testing.T, data []byte, next, bytes int64, sum uint64) {
		var tags kmsg.Tags
		tags.Set(TagDigest, data)
		if from, to, ok := DigestAsked(&tags); ok && (len(data) != 16 || from < 0 || to <= from) {
			t.Fatalf("%d bytes ask for %d to %d", len(data), from, to)
		}
		if _, _, _, ok := DigestTold(&tags); ok != (len(data) == 24) {
			t.Fatalf("%d bytes tell: %v", len(data), ok)
		}
		var told kmsg.Tags
		TellDigest(&told, 0, bytes, sum)
		if n, b, s, ok := DigestTold(&told); !ok || n != 0 || b != bytes || s != sum {
			t.Fatalf("%d %d %d %v came back", n, b, s, ok)
		}
	})
}
