package wire

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// ElectLast is the type of an election, from version 2 of ElectLeaders on, that seats the broker which TagLastLeader names, where it is the
// last known leader (KIP-966) at that moment, and nobody else. KIP-966 has a designated election in mind for this type; a node
// that does not know it, and Apache Kafka, refuses.
const ElectLast = 2

// TagLastLeader is the tag of an ElectLeaders request with the id of a broker: four bytes, big-endian.
const TagLastLeader = 19788

// NameLastLeader has a request elect a broker, or nobody.
func NameLastLeader(req *kmsg.ElectLeadersRequest, id kafka.NodeID) {
	req.ElectionType = ElectLast
	req.UnknownTags.Set(TagLastLeader, binary.BigEndian.AppendUint32(nil, uint32(id)))
}

// LastLeaderNamed takes the broker out of a request's tags; it is nil where there is none. What is no broker is refused (INVALID_REQUEST).
func LastLeaderNamed(tags *kmsg.Tags) (id *kafka.NodeID, err error) {
	tags.Each(func(key uint32, v []byte) {
		if key != TagLastLeader {
			return
		}
		if len(v) == 4 && v[0] < 0x80 {
			named := kafka.NodeID(binary.BigEndian.Uint32(v))
			id = &named
			return
		}
		err = fault.New("wire.LastLeaderNamed", kafka.ErrInvalidRequest, "Tag %d of %d bytes is no broker's id", key, len(v))
	})
	return id, err
}
