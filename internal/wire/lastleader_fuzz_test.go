package wire

import (
	"encoding/binary"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// FuzzLastLeaderNamed: a tag is a broker's id, or is refused, and never taken for none; other tags are none.
func FuzzLastLeaderNamed(f *testing.F) {
	f.Add([]byte{}, uint32(TagLastLeader))
	f.Add([]byte{0, 0, 0, 7}, uint32(TagLastLeader))
	f.Add([]byte{255, 255, 255, 255}, uint32(TagLastLeader))
	f.Add([]byte{0, 0, 0, 7, 0}, uint32(TagLastLeader))
	f.Add([]byte{0, 0, 0, 7}, uint32(1))
	f.Fuzz(func(t *testing.T, value []byte, key uint32) {
		var tags kmsg.Tags
		tags.Set(key, value)
		id, err := LastLeaderNamed(&tags)
		switch {
		case key != TagLastLeader:
			if id != nil || err != nil {
				t.Fatalf("tag %d: %v, %v", key, id, err)
			}
		case len(value) != 4 || int32(binary.BigEndian.Uint32(value)) < 0:
			if id != nil || fault.CodeOf(err) != kafka.ErrInvalidRequest {
				t.Fatalf("%x: %v, %v", value, id, err)
			}
		default:
			var again kmsg.ElectLeadersRequest
			NameLastLeader(&again, *id)
			if back, err := LastLeaderNamed(&again.UnknownTags); err != nil || *back != *id || uint32(*id) != binary.BigEndian.Uint32(value) {
				t.Fatalf("%x: %v, %v, %v", value, *id, back, err)
			}
		}
	})
}
