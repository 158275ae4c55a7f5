package wire

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/kafka"
)

// The primitives of our own encoders. A flexible version writes compact lengths.

func appendInt16[T ~int16](dst []byte, v T) []byte {
	return binary.BigEndian.AppendUint16(dst, uint16(v))
}

func appendInt32[T ~int32](dst []byte, v T) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(v))
}

func appendInt64[T ~int64](dst []byte, v T) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(v))
}

// appendCount writes the length of an array or a byte string; -1 stands for null.
func appendCount(dst []byte, n int, flexible bool) []byte {
	if flexible {
		return binary.AppendUvarint(dst, uint64(n+1))
	}
	return binary.BigEndian.AppendUint32(dst, uint32(int32(n)))
}

func appendText(dst []byte, s string, flexible bool) []byte {
	if flexible {
		dst = binary.AppendUvarint(dst, uint64(len(s)+1))
	} else {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	}
	return append(dst, s...)
}

func appendNullableText(dst []byte, s *string, flexible bool) []byte {
	switch {
	case s != nil:
		return appendText(dst, *s, flexible)
	case flexible:
		return append(dst, 0)
	default:
		return append(dst, 0xff, 0xff)
	}
}

// LeaderHint tells a client who leads a partition and where that broker is, so that it need not ask for metadata
// (KIP-951). Without a Host only the id and epoch are told.
type LeaderHint struct {
	ID    kafka.NodeID
	Epoch kafka.LeaderEpoch
	Host  string
	Port  int32
	Rack  *string
}

// appendLeader writes a CurrentLeader struct as a tag.
func (l *LeaderHint) appendTag(dst []byte, tag byte) []byte {
	dst = append(dst, tag, 9) // 4 + 4 bytes and an empty tag section
	dst = appendInt32(dst, l.ID)
	dst = appendInt32(dst, l.Epoch)
	return append(dst, 0)
}

// appendEndpoints writes the tag section of a Produce or Fetch answer: the endpoints of the leaders that were hinted
// at, each once, in the order in which they came up.
func appendEndpoints(dst []byte, leaders []*LeaderHint) []byte {
	if len(leaders) == 0 {
		return append(dst, 0)
	}
	body := appendCount(nil, len(leaders), true)
	for _, l := range leaders {
		body = appendInt32(body, l.ID)
		body = appendText(body, l.Host, true)
		body = appendInt32(body, l.Port)
		body = appendNullableText(body, l.Rack, true)
		body = append(body, 0)
	}
	dst = append(dst, 1, 0)
	dst = binary.AppendUvarint(dst, uint64(len(body)))
	return append(dst, body...)
}

// addLeader collects a hint that has an endpoint, once for each node.
func addLeader(leaders []*LeaderHint, l *LeaderHint) []*LeaderHint {
	if l == nil || l.Host == "" {
		return leaders
	}
	for _, have := range leaders {
		if have.ID == l.ID {
			return leaders
		}
	}
	return append(leaders, l)
}
