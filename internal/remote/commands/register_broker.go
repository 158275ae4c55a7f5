package commands

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/staterecord"
)

// WriteRegisterBroker makes the request.
func WriteRegisterBroker(cluster string, c controller.RegisterBroker) *kmsg.BrokerRegistrationRequest {
	m := kmsg.NewPtrBrokerRegistrationRequest()
	m.BrokerID, m.ClusterID, m.IncarnationID, m.Rack = int32(c.Broker), cluster, c.Incarnation, c.Rack
	for _, e := range c.Endpoints {
		l := kmsg.NewBrokerRegistrationRequestListener()
		l.Name, l.Host, l.Port, l.SecurityProtocol = e.Name, e.Host, e.Port, int16(e.SecurityProtocol)
		m.Listeners = append(m.Listeners, l)
	}
	for _, f := range c.Features {
		r := kmsg.NewBrokerRegistrationRequestFeature()
		r.Name, r.MinSupportedVersion, r.MaxSupportedVersion = f.Name, f.Min, f.Max
		m.Features = append(m.Features, r)
	}
	m.LogDirs = uuids(c.LogDirs)
	m.PreviousBrokerEpoch = int64(c.PreviousEpoch)
	if c.Noted != nil {
		m.UnknownTags.Set(tagNoted, appendNoted(nil, c.Noted))
	}
	if c.Dead != 0 {
		setInt64Tag(&m.UnknownTags, tagDead, int64(c.Dead))
	}
	return m
}

// ReadRegisterBroker reads the request. Its cluster, and whether it comes out of ZooKeeper's times, are the caller's to judge.
func ReadRegisterBroker(m *kmsg.BrokerRegistrationRequest) controller.RegisterBroker {
	c := controller.RegisterBroker{
		Broker: kafka.NodeID(m.BrokerID), Incarnation: m.IncarnationID, Rack: m.Rack, LogDirs: directories(m.LogDirs),
		PreviousEpoch: kafka.BrokerEpoch(m.PreviousBrokerEpoch),
	}
	for i := range m.Listeners {
		l := &m.Listeners[i]
		c.Endpoints = append(c.Endpoints, staterecord.Endpoint{
			Name: l.Name, Host: l.Host, Port: l.Port, SecurityProtocol: staterecord.SecurityProtocol(l.SecurityProtocol),
		})
	}
	for i := range m.Features {
		f := &m.Features[i]
		c.Features = append(c.Features, staterecord.FeatureRange{Name: f.Name, Min: f.MinSupportedVersion, Max: f.MaxSupportedVersion})
	}
	if b := tagged(&m.UnknownTags, tagNoted); b != nil {
		c.Noted = readNoted(b)
	}
	if dead, ok := int64Tag(&m.UnknownTags, tagDead); ok {
		c.Dead = kafka.BrokerEpoch(dead)
	}
	return c
}

// AnswerRegisterBroker makes the answer; reply is of no account when err isn't nil, here and in all that follow.
func AnswerRegisterBroker(m *kmsg.BrokerRegistrationRequest, reply any, err error) kmsg.Response {
	out := m.ResponseKind().(*kmsg.BrokerRegistrationResponse)
	if err == nil {
		err = reply.(controller.Registered).Again()
	}
	if err != nil {
		refuse(&out.ErrorCode, &out.UnknownTags, err)
		out.BrokerEpoch = -1
		return out
	}
	out.BrokerEpoch = int64(reply.(controller.Registered).Epoch)
	return out
}

func registered(m *kmsg.BrokerRegistrationResponse) (any, error) {
	if err := refusal(m.ErrorCode, &m.UnknownTags); err != nil {
		return nil, err
	}
	return controller.Registered{Epoch: kafka.BrokerEpoch(m.BrokerEpoch)}, nil
}

func uuids(in []kafka.DirectoryID) [][16]byte {
	if in == nil {
		return nil
	}
	out := make([][16]byte, len(in))
	for i, d := range in {
		out[i] = d
	}
	return out
}

func directories(in [][16]byte) []kafka.DirectoryID {
	if in == nil {
		return nil
	}
	out := make([]kafka.DirectoryID, len(in))
	for i, d := range in {
		out[i] = d
	}
	return out
}

// appendNoted writes the incarnations that each log directory names.
func appendNoted(b []byte, dirs [][]kafka.IncarnationID) []byte {
	for _, all := range dirs {
		b = binary.BigEndian.AppendUint16(b, uint16(len(all)))
		for _, id := range all {
			b = append(b, id[:]...)
		}
	}
	return b
}

// readNoted is the way back. What is cut short says nothing of the directories that it lacks; they count as not naming anybody.
func readNoted(b []byte) [][]kafka.IncarnationID {
	const idBytes = len(kafka.IncarnationID{})
	out := [][]kafka.IncarnationID{}
	for len(b) >= 2 {
		n := int(binary.BigEndian.Uint16(b))
		b = b[2:]
		var all []kafka.IncarnationID
		for ; n > 0 && len(b) >= idBytes; n-- {
			all = append(all, kafka.IncarnationID(b[:idBytes]))
			b = b[idBytes:]
		}
		out = append(out, all)
	}
	return out
}
