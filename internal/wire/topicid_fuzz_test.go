package wire

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// FuzzTopicIDNamed: a tag is taken for an id where it is as long as one, and is the id then.
func FuzzTopicIDNamed(f *testing.F) {
	f.Add([]byte{}, uint32(TagTopicID))
	f.Add(bytes.Repeat([]byte{7}, 16), uint32(TagTopicID))
	f.Add(bytes.Repeat([]byte{7}, 17), uint32(TagTopicID))
	f.Add(bytes.Repeat([]byte{7}, 16), uint32(1))
	f.Fuzz(func(t *testing.T, value []byte, key uint32) {
		var tags kmsg.Tags
		tags.Set(key, value)
		var want kafka.TopicID
		if key == TagTopicID && len(value) == len(want) {
			copy(want[:], value)
		}
		if got := TopicIDNamed(&tags); got != want {
			t.Fatalf("tag %d of %x is taken for %v", key, value, got)
		}
	})
}
