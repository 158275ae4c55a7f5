package commands

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
)

// WriteHeartbeat makes the request.
func WriteHeartbeat(c controller.Heartbeat) *kmsg.BrokerHeartbeatRequest {
	m := kmsg.NewPtrBrokerHeartbeatRequest()
	m.BrokerID, m.BrokerEpoch, m.CurrentMetadataOffset = int32(c.Broker), int64(c.Epoch), int64(c.MetadataOffset)
	m.WantFence, m.WantShutdown = c.WantFence, c.WantShutdown
	m.OfflineLogDirs, m.CordonedLogDirs = uuids(c.OfflineDirs), uuids(c.Cordoned)
	if len(c.Stalled) > 0 {
		m.UnknownTags.Set(tagStalled, appendDirectories(nil, c.Stalled))
	}
	return m
}

// ReadHeartbeat reads it.
func ReadHeartbeat(m *kmsg.BrokerHeartbeatRequest) controller.Heartbeat {
	return controller.Heartbeat{
		Broker: kafka.NodeID(m.BrokerID), Epoch: kafka.BrokerEpoch(m.BrokerEpoch), MetadataOffset: kafka.Offset(m.CurrentMetadataOffset),
		WantFence: m.WantFence, WantShutdown: m.WantShutdown, OfflineDirs: directories(m.OfflineLogDirs), Cordoned: directories(m.CordonedLogDirs),
		Stalled: readDirectories(tagged(&m.UnknownTags, tagStalled)),
	}
}

// AnswerHeartbeat makes the answer.
func AnswerHeartbeat(m *kmsg.BrokerHeartbeatRequest, reply any, err error) kmsg.Response {
	out := m.ResponseKind().(*kmsg.BrokerHeartbeatResponse)
	if err != nil {
		refuse(&out.ErrorCode, &out.UnknownTags, err)
		return out
	}
	b := reply.(controller.Beat)
	out.IsCaughtUp, out.IsFenced, out.ShouldShutdown = b.CaughtUp, b.Fenced, b.MayShutdown
	return out
}

func beat(m *kmsg.BrokerHeartbeatResponse) (any, error) {
	if err := refusal(m.ErrorCode, &m.UnknownTags); err != nil {
		return nil, err
	}
	return controller.Beat{CaughtUp: m.IsCaughtUp, Fenced: m.IsFenced, MayShutdown: m.ShouldShutdown}, nil
}

func appendDirectories(out []byte, dirs []kafka.DirectoryID) []byte {
	for _, d := range dirs {
		out = append(out, d[:]...)
	}
	return out
}

// readDirectories reads whole ids; what is left over is none.
func readDirectories(b []byte) (out []kafka.DirectoryID) {
	for ; len(b) >= len(kafka.DirectoryID{}); b = b[len(kafka.DirectoryID{}):] {
		out = append(out, kafka.DirectoryID(b[:len(kafka.DirectoryID{})]))
	}
	return out
}
