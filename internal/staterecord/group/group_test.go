package group_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord/group"
)

// golden is one record that Apache Kafka 4.3.1 wrote into __consumer_offsets.
type golden struct {
	partition  string
	offset     int64
	key, value []byte
}

func goldens(t testing.TB) []golden {
	t.Helper()
	b, err := os.ReadFile("../../log/testdata/kafka-4.3.1/groups.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Partitions map[string]struct {
			Records []struct {
				Offset     int64
				Key, Value *string
			}
		}
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	bytesOf := func(s *string) []byte {
		if s == nil {
			return nil
		}
		b, err := base64.StdEncoding.DecodeString(*s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var all []golden
	for name, p := range doc.Partitions {
		for _, r := range p.Records {
			all = append(all, golden{partition: name, offset: r.Offset, key: bytesOf(r.Key), value: bytesOf(r.Value)})
		}
	}
	slices.SortFunc(all, func(a, b golden) int {
		if a.partition != b.partition {
			return bytes.Compare([]byte(a.partition), []byte(b.partition))
		}
		return int(a.offset - b.offset)
	})
	if len(all) < 20 {
		t.Fatalf("only %d golden records", len(all))
	}
	return all
}

// What Kafka wrote reads back and comes out again byte for byte; records of the new protocol are Unknown.
func TestGoldenRecordsByteForByte(t *testing.T) {
	ours, unknown := 0, 0
	for _, g := range goldens(t) {
		r, err := group.Decode(g.key, g.value)
		if err != nil {
			t.Errorf("%s@%d: %v", g.partition, g.offset, err)
			continue
		}
		if _, ok := r.(group.Unknown); ok {
			unknown++
			continue
		}
		ours++
		key, value := group.Encode(r)
		if !bytes.Equal(key, g.key) || !bytes.Equal(value, g.value) || (value == nil) != (g.value == nil) {
			t.Errorf("%s@%d: Kafka wrote %x = %x, we write %x = %x", g.partition, g.offset, g.key, g.value, key, value)
		}
	}
	if ours < 15 || unknown < 5 {
		t.Errorf("%d records of ours and %d unknown ones: the golden data has more of both", ours, unknown)
	}
}

// The groups that Kafka's clients left are found field by field.
func TestGoldenGroupIsWhatTheClientDid(t *testing.T) {
	var states []*group.GroupValue
	for _, g := range goldens(t) {
		if r, err := group.Decode(g.key, g.value); err == nil {
			if m, ok := r.(*group.GroupMetadata); ok && m.Group == "classic" {
				states = append(states, m.Value)
			}
		}
	}
	if len(states) != 3 {
		t.Fatalf("%d states of the classic group, want 3", len(states))
	}
	stable := states[1]
	if stable.ProtocolType != "consumer" || stable.Generation != 1 || stable.Protocol != "cooperative-sticky" || len(stable.Members) != 1 {
		t.Fatalf("stable: %+v", stable)
	}
	m := stable.Members[0]
	if m.ID != stable.Leader || m.InstanceID != nil || m.ClientID != "golden" || m.ClientHost != "/127.0.0.1" ||
		m.RebalanceTimeoutMs != 60_000 || m.SessionTimeoutMs != 45_000 {
		t.Errorf("member: %+v", m)
	}
	s, err := group.ParseSubscription(m.Subscription)
	if err != nil || s.Version != 3 || !slices.Equal(s.Topics, []string{"grouped"}) || s.Generation != -1 {
		t.Errorf("subscription: %+v, %v", s, err)
	}
	a, err := group.ParseAssignment(m.Assignment)
	want := []kafka.TopicPartition{{Topic: "grouped"}, {Topic: "grouped", Partition: 1}, {Topic: "grouped", Partition: 2}}
	if err != nil || !slices.Equal(a.Partitions, want) {
		t.Errorf("assignment: %+v, %v", a, err)
	}
	if gone := states[2]; gone.Generation != 2 || gone.Protocol != "" || gone.Leader != "" || len(gone.Members) != 0 {
		t.Errorf("after the member left: %+v", gone)
	}
}

// The golden partitions are where the hash says.
func TestGoldenPartitionsFollowTheHash(t *testing.T) {
	for _, g := range goldens(t) {
		r, _ := group.Decode(g.key, g.value)
		var id string
		switch r := r.(type) {
		case *group.OffsetCommit:
			id = r.Key.Group
		case *group.GroupMetadata:
			id = r.Group
		default:
			continue
		}
		if want := fmt.Sprintf("__consumer_offsets-%d", group.Partition(id, 3)); g.partition != want {
			t.Errorf("group %s stands in %s, the hash says %s", id, g.partition, want)
		}
	}
}

func TestJavaHash(t *testing.T) {
	for s, want := range map[string]int32{
		"":                          0,
		"a":                         97,
		"console-consumer":          -648006740,
		"polygenelubricants":        -1 << 31, // whose absolute value is negative in Java
		"\u00e9":                    233,
		"\U0001f600":                1772899, // two UTF-16 units: 0xd83d*31 + 0xde00
		"Aa":                        2112,
		"BB":                        2112,
		"the quick brown fox jumps": javaHashSlow("the quick brown fox jumps"),
	} {
		if got := group.JavaHash(s); got != want {
			t.Errorf("JavaHash(%q) = %d, want %d", s, got, want)
		}
	}
	for key, want := range map[string]int32{"polygenelubricants": 0, "simple": 26, "console-consumer": 40} {
		if p := group.Partition(key, 50); p != want {
			t.Errorf("%s is in partition %d of 50, want %d", key, p, want)
		}
	}
}

// javaHashSlow is the sum as java.lang.String defines it, for ASCII.
func javaHashSlow(s string) int32 {
	var h int32
	for i := range len(s) {
		power := int32(1)
		for range len(s) - 1 - i {
			power *= 31
		}
		h += int32(s[i]) * power
	}
	return h
}

func text(s string) *string { return &s }

func TestRoundTrip(t *testing.T) {
	id := kafka.TopicID{1, 2, 3}
	members := []group.MemberValue{
		{ID: "m-1", InstanceID: text("i-1"), ClientID: "c", ClientHost: "/h", RebalanceTimeoutMs: 300_000, SessionTimeoutMs: 45_000,
			Subscription: []byte{0, 1}, Assignment: []byte{2}},
		{ID: "m-2", ClientID: "", ClientHost: "", RebalanceTimeoutMs: 0, SessionTimeoutMs: 6_000, Subscription: []byte{}, Assignment: []byte{}},
	}
	key := group.OffsetKey{Group: "g", Topic: "t", Partition: 7}
	for name, test := range map[string]struct {
		record  group.Record
		version byte
	}{
		"an offset":              {&group.OffsetCommit{Key: key, Value: &group.OffsetValue{Offset: 5, LeaderEpoch: 2, Metadata: "m", CommitMs: 9, ExpireMs: -1}}, 3},
		"an offset with an id":   {&group.OffsetCommit{Key: key, Value: &group.OffsetValue{Offset: 5, LeaderEpoch: -1, CommitMs: 9, ExpireMs: -1, TopicID: id}}, 4},
		"an offset that expires": {&group.OffsetCommit{Key: key, Value: &group.OffsetValue{Offset: 5, LeaderEpoch: -1, Metadata: "m", CommitMs: 9, ExpireMs: 99}}, 1},
		"no offset":              {&group.OffsetCommit{Key: key}, 0},
		"a group":                {&group.GroupMetadata{Group: "g", Value: &group.GroupValue{ProtocolType: "consumer", Generation: 3, Protocol: "range", Leader: "m-1", StateSinceMs: 7, Members: members}}, 3},
		"a promise":              {&group.GroupMetadata{Group: "g", Value: &group.GroupValue{ProtocolType: "consumer", Generation: 3, Protocol: "range", Leader: "m-1", StateSinceMs: 7, Members: members, Promised: 4}}, 4},
		"an empty group":         {&group.GroupMetadata{Group: "g", Value: &group.GroupValue{StateSinceMs: 7}}, 3},
		"no group":               {&group.GroupMetadata{Group: "g"}, 0},
	} {
		k, v := group.Encode(test.record)
		if v != nil && (v[0] != 0 || v[1] != test.version) {
			t.Errorf("%s: value version %d, want %d", name, v[1], test.version)
		}
		got, err := group.Decode(k, v)
		if err != nil || !reflect.DeepEqual(got, test.record) {
			t.Errorf("%s: reads back as %+v, %v", name, got, err)
		}
	}
}

// Values of every older version, as older brokers left them, byte by byte.
func TestOlderVersions(t *testing.T) {
	offsetKey := []byte("\x00\x00\x00\x01g\x00\x01t\x00\x00\x00\x01") // a version 0 key
	for _, test := range []struct {
		value string
		want  group.OffsetValue
	}{
		{"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x01m\x00\x00\x00\x00\x00\x00\x00\x09", group.OffsetValue{Offset: 5, LeaderEpoch: -1, Metadata: "m", CommitMs: 9, ExpireMs: -1}},
		{"\x00\x01\x00\x00\x00\x00\x00\x00\x00\x05\x00\x01m\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x0a", group.OffsetValue{Offset: 5, LeaderEpoch: -1, Metadata: "m", CommitMs: 9, ExpireMs: 10}},
		{"\x00\x02\x00\x00\x00\x00\x00\x00\x00\x05\x00\x01m\x00\x00\x00\x00\x00\x00\x00\x09", group.OffsetValue{Offset: 5, LeaderEpoch: -1, Metadata: "m", CommitMs: 9, ExpireMs: -1}},
	} {
		r, err := group.Decode(offsetKey, []byte(test.value))
		if err != nil || *r.(*group.OffsetCommit).Value != test.want {
			t.Errorf("offset v%d: %+v, %v", test.value[1], r, err)
		}
	}
	for version, since := range map[byte]int64{0: -1, 1: -1, 2: 9} {
		v := []byte{0, version}
		v = append(v, "\x00\x01x\x00\x00\x00\x02\xff\xff\x00\x01l"...)
		if version >= 2 {
			v = append(v, "\x00\x00\x00\x00\x00\x00\x00\x09"...)
		}
		v = append(v, "\x00\x00\x00\x01\x00\x01l\x00\x01c\x00\x01h"...)
		rebalance := int32(6000)
		if version >= 1 {
			v = append(v, 0, 0, 0, 77)
			rebalance = 77
		}
		v = append(v, "\x00\x00\x17\x70\x00\x00\x00\x01s\x00\x00\x00\x01a"...)
		r, err := group.Decode([]byte("\x00\x02\x00\x01g"), v)
		want := &group.GroupMetadata{Group: "g", Value: &group.GroupValue{ProtocolType: "x", Generation: 2, Leader: "l", StateSinceMs: since,
			Members: []group.MemberValue{{ID: "l", ClientID: "c", ClientHost: "h", RebalanceTimeoutMs: rebalance, SessionTimeoutMs: 6000,
				Subscription: []byte("s"), Assignment: []byte("a")}}}}
		if err != nil || !reflect.DeepEqual(r, group.Record(want)) {
			t.Errorf("group v%d: %+v, %v", version, r, err)
		}
	}
}

// Every way of cutting a record short is a corruption, and says so.
func TestTruncatedIsCorrupt(t *testing.T) {
	for _, g := range goldens(t) {
		if r, _ := group.Decode(g.key, g.value); reflect.TypeOf(r) == reflect.TypeOf(group.Unknown{}) {
			continue
		}
		for n := range g.key {
			if _, err := group.Decode(g.key[:n], g.value); !fault.IsKind(err, fault.Corrupt) {
				t.Errorf("key %q cut to %d: %v", g.key, n, err)
			}
		}
		for n := range g.value {
			if _, err := group.Decode(g.key, g.value[:n]); !fault.IsKind(err, fault.Corrupt) {
				t.Errorf("value %x cut to %d: %v", g.value, n, err)
			}
		}
	}
	if _, err := group.Decode([]byte("\x00\x02\x00\x01g"), []byte{0, 5}); !fault.IsKind(err, fault.Corrupt) {
		t.Errorf("a version of the future: %v", err)
	}
}

// A newer Kafka may add tagged fields: they are skipped.
func TestUnknownTagsAreSkipped(t *testing.T) {
	key, value := group.Encode(&group.OffsetCommit{Key: group.OffsetKey{Group: "g", Topic: "t"},
		Value: &group.OffsetValue{Offset: 1, LeaderEpoch: 1, ExpireMs: -1, TopicID: kafka.TopicID{9}}})
	tags := len(value) - 19
	value[tags] = 2
	value = append(value, 5, 3, 1, 2, 3)
	r, err := group.Decode(key, value)
	if err != nil || r.(*group.OffsetCommit).Value.TopicID != (kafka.TopicID{9}) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestConsumerProtocol(t *testing.T) {
	topics, err := group.SubscribedTopics(group.AppendSubscription(nil, "b", "a"))
	if err != nil || !slices.Equal(topics, []string{"b", "a"}) {
		t.Errorf("topics %v, %v", topics, err)
	}
	want := []kafka.TopicPartition{{Topic: "a", Partition: 1}, {Topic: "a", Partition: 2}, {Topic: "b"}}
	a, err := group.ParseAssignment(group.AppendAssignment(nil, want...))
	if err != nil || !slices.Equal(a.Partitions, want) {
		t.Errorf("assignment %+v, %v", a, err)
	}
	for _, bad := range []string{"", "\x00", "\xff\xff\x00\x00\x00\x00", "\x00\x00\x7f\xff\xff\xff", "\x00\x00\x00\x00\x00\x01\xff\xff"} {
		if topics, err := group.SubscribedTopics([]byte(bad)); err == nil {
			t.Errorf("%x is a subscription to %v", bad, topics)
		}
	}
}
