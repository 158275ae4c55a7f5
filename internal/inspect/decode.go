package inspect

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/staterecord/group"
)

// Decoded is what a record of Kafka's own means.
type Decoded struct {
	Type    string          `json:"type"`
	Version *int16          `json:"version,omitempty"`
	Data    json.RawMessage `json:"data"`

	text string // as kafka-dump-log prints it
}

// object builds a JSON object whose fields keep the order in which they are added, as Kafka prints them.
type object struct{ b bytes.Buffer }

func (o *object) add(name string, value any) *object {
	if o.b.Len() > 0 {
		o.b.WriteByte(',')
	}
	o.b.WriteString(`"` + name + `":`)
	e := json.NewEncoder(&o.b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		o.b.WriteString("null\n") // a NaN in a quota: JSON has no word for it
	}
	o.b.Truncate(o.b.Len() - 1)
	return o
}

func (o *object) raw() json.RawMessage { return json.RawMessage("{" + o.b.String() + "}") }

// control decodes a control record.
func control(key, value []byte) (*Decoded, error) {
	t, err := record.ParseControlKey(key)
	if err != nil {
		return nil, err
	}
	switch t {
	case record.ControlAbort, record.ControlCommit:
		m, err := record.ParseEndTxnMarker(value)
		if err != nil {
			return nil, err
		}
		name := map[record.ControlType]string{record.ControlAbort: "ABORT", record.ControlCommit: "COMMIT"}[t]
		return &Decoded{
			Type: name, Data: new(object).add("coordinatorEpoch", m.CoordinatorEpoch).raw(),
			text: fmt.Sprintf("endTxnMarker: %s coordinatorEpoch: %d", name, m.CoordinatorEpoch),
		}, nil
	case record.ControlLeaderChange:
		return leaderChange(value)
	case record.ControlSnapshotHeader:
		h, err := record.ParseSnapshotHeader(value)
		if err != nil {
			return nil, err
		}
		data := versioned(value).add("lastContainedLogTimestamp", h.LastTimestampMs)
		if h.RaftIndex >= 0 {
			data.add("milenaRaftIndex", h.RaftIndex)
		}
		return labelled("SnapshotHeader", " ", data), nil
	case record.ControlSnapshotFooter:
		return labelled("SnapshotFooter", " ", versioned(value)), nil
	case record.ControlKRaftVersion:
		level, err := record.ParseKRaftVersion(value)
		return labelled("KRaftVersion", " ", versioned(value).add("kRaftVersion", level)), err
	case record.ControlKRaftVoters:
		return voters(value)
	}
	return labelled(fmt.Sprintf("controlType: %d", t), " ", new(object)), nil
}

// versioned begins an object with the int16 that every control record's value begins with.
func versioned(value []byte) *object {
	v := int16(0)
	if len(value) >= 2 {
		v = int16(value[0])<<8 | int16(value[1])
	}
	return new(object).add("version", v)
}

func labelled(name, between string, data *object) *Decoded {
	return &Decoded{Type: name, Data: data.raw(), text: name + between + string(data.raw())}
}

func leaderChange(value []byte) (*Decoded, error) {
	l, err := record.ParseLeaderChange(value)
	if err != nil {
		return nil, err
	}
	list := func(vs []record.Voter) []json.RawMessage {
		out := make([]json.RawMessage, len(vs))
		for i, v := range vs {
			o := new(object).add("voterId", v.ID)
			if value[1] >= 1 {
				o.add("voterDirectoryId", v.Directory.String())
			}
			out[i] = o.raw()
		}
		return out
	}
	data := versioned(value).add("leaderId", l.Leader).add("voters", list(l.Voters)).add("grantingVoters", list(l.Granting))
	return labelled("LeaderChange", ": ", data), nil
}

func voters(value []byte) (*Decoded, error) {
	vs, err := record.ParseKRaftVoters(value)
	if err != nil {
		return nil, err
	}
	list := make([]json.RawMessage, len(vs))
	for i, v := range vs {
		ends := make([]json.RawMessage, len(v.Endpoints))
		for k, e := range v.Endpoints {
			ends[k] = new(object).add("name", e.Name).add("host", e.Host).add("port", e.Port).raw()
		}
		feature := new(object).add("minSupportedVersion", v.MinKRaft).add("maxSupportedVersion", v.MaxKRaft).raw()
		list[i] = new(object).add("voterId", v.ID).add("voterDirectoryId", v.Directory.String()).
			add("endpoints", ends).add("kRaftVersionFeature", feature).raw()
	}
	return labelled("KRaftVoters", " ", versioned(value).add("voters", list)), nil
}

// metadata decodes a record of the metadata log.
func metadata(value []byte) (*Decoded, error) {
	r, version, err := staterecord.DecodeVersion(value)
	if err != nil {
		return nil, err
	}
	d := &Decoded{Type: typeName(r.Type()), Version: &version, Data: metadataFields(r, version)}
	d.text = fmt.Sprintf(`payload: {"type":"%s","version":%d,"data":%s}`, d.Type, version, d.Data)
	return d, nil
}

// typeName is Kafka's constant for a type: PRODUCER_IDS_RECORD.
func typeName(t staterecord.Type) string {
	var out []byte
	for i, c := range []byte(t.String()) {
		if c >= 'A' && c <= 'Z' && i > 0 {
			out = append(out, '_')
		}
		out = append(out, c)
	}
	return strings.ToUpper(string(out))
}

// groupRecord decodes a record of __consumer_offsets that the classic protocol wrote; nil for other kinds.
func groupRecord(key, value []byte) (*Decoded, error) {
	r, err := group.Decode(key, value)
	if err != nil {
		return nil, err
	}
	var name string
	id, data := new(object), new(object)
	switch r := r.(type) {
	case *group.OffsetCommit:
		name = "OffsetCommit"
		id.add("group", r.Key.Group).add("topic", r.Key.Topic).add("partition", r.Key.Partition)
		if v := r.Value; v != nil {
			data.add("offset", v.Offset).add("leaderEpoch", v.LeaderEpoch).add("metadata", v.Metadata).add("commitTimestamp", v.CommitMs)
			if v.ExpireMs >= 0 {
				data.add("expireTimestamp", v.ExpireMs)
			}
			if !v.TopicID.IsZero() {
				data.add("topicId", v.TopicID.String())
			}
		}
	case *group.GroupMetadata:
		name = "GroupMetadata"
		id.add("group", r.Group)
		groupFields(data, r.Value)
	default:
		return nil, nil
	}
	d := &Decoded{Type: name, Data: new(object).add("key", id.raw()).add("value", json.RawMessage("null")).raw()}
	d.text = fmt.Sprintf(`key: {"type":"%d","data":%s} payload: `, key[1], id.raw())
	if value == nil {
		d.text += "<DELETE>"
		return d, nil
	}
	d.Data = new(object).add("key", id.raw()).add("value", data.raw()).raw()
	d.text += fmt.Sprintf(`{"version":"%d","data":%s}`, value[1], data.raw())
	return d, nil
}

func groupFields(o *object, v *group.GroupValue) {
	if v == nil {
		return
	}
	null := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	members := make([]json.RawMessage, len(v.Members))
	for i, m := range v.Members {
		members[i] = new(object).add("memberId", m.ID).add("groupInstanceId", m.InstanceID).add("clientId", m.ClientID).
			add("clientHost", m.ClientHost).add("rebalanceTimeout", m.RebalanceTimeoutMs).add("sessionTimeout", m.SessionTimeoutMs).
			add("subscription", subscription(m.Subscription)).add("assignment", assignment(m.Assignment)).raw()
	}
	o.add("protocolType", v.ProtocolType).add("generation", v.Generation).add("protocol", null(v.Protocol)).
		add("leader", null(v.Leader)).add("currentStateTimestamp", v.StateSinceMs).add("members", members)
	if v.Promised > 0 {
		o.add("milenaPromisedGeneration", v.Promised)
	}
}

// subscription shows a member's embedded bytes, as base64 where they are not the consumer protocol's.
func subscription(b []byte) any {
	s, err := group.ParseSubscription(b)
	if err != nil {
		return base64.StdEncoding.EncodeToString(b)
	}
	return new(object).add("topics", s.Topics).raw()
}

func assignment(b []byte) any {
	a, err := group.ParseAssignment(b)
	if err != nil {
		return base64.StdEncoding.EncodeToString(b)
	}
	return new(object).add("partitions", partitionNames(a.Partitions)).raw()
}

func partitionNames(list []kafka.TopicPartition) []string {
	out := make([]string, len(list))
	for i, tp := range list {
		out[i] = tp.String()
	}
	return out
}
