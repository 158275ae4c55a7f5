package wire

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

func TestATopicIsNamedByItsID(t *testing.T) {
	var tags kmsg.Tags
	if got := TopicIDNamed(&tags); !got.IsZero() {
		t.Errorf("without a tag: %s", got)
	}
	want := kafka.TopicID{1, 15: 2}
	NameTopicID(&tags, want)
	if got := TopicIDNamed(&tags); got != want {
		t.Errorf("%s came back as %s", want, got)
	}
	for _, size := range []int{0, 15, 17} {
		tags.Set(TagTopicID, make([]byte, size))
		if got := TopicIDNamed(&tags); !got.IsZero() {
			t.Errorf("%d bytes are taken for %s", size, got)
		}
	}
}
