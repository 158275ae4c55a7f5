package wire

import (
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Whatever stands in the tag, it is read or refused; and what is written is read as it was.
func FuzzFollowers(f *testing.F) {
	all := []FollowerState{{Node: 2, InSync: true, Waits: "nothing"}, {Node: 3, Lag: -1, NotDurable: -1, BehindMs: -1, SilentMs: 41000, Waits: "fetch"}}
	var p kmsg.DescribeLogDirsResponseDirTopicPartition
	SetFollowers(&p, all)
	p.UnknownTags.Each(func(_ uint32, text []byte) { f.Add(text) })
	f.Add([]byte(`[{"node":99999999999}]`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p, again kmsg.DescribeLogDirsResponseDirTopicPartition
		p.UnknownTags.Set(tagFollowers, text)
		got, err := Followers(&p)
		if err != nil {
			return
		}
		SetFollowers(&again, got)
		back, err := Followers(&again)
		if err != nil || !reflect.DeepEqual(got, back) {
			t.Fatalf("%+v became %+v, %v", got, back, err)
		}
	})
}
