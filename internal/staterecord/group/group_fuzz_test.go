package group_test

import (
	"bytes"
	"testing"

	"github.com/milena-io/milena/internal/staterecord/group"
)

// FuzzDecode: whatever bytes come, Decode returns an error or a record that is stable once written.
func FuzzDecode(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add(g.key, g.value, g.value == nil)
	}
	k, v := group.Encode(&group.GroupMetadata{Group: "g", Value: &group.GroupValue{Promised: 3,
		Members: []group.MemberValue{{ID: "m", InstanceID: text("i")}}}})
	f.Add(k, v, false)
	f.Fuzz(func(t *testing.T, key, value []byte, tombstone bool) {
		if tombstone {
			value = nil
		} else if value == nil {
			value = []byte{}
		}
		r, err := group.Decode(key, value)
		if _, ok := r.(group.Unknown); err != nil || ok {
			return
		}
		if tooLong(r) {
			return // a flexible value of somebody else; whoever builds one of ours checks first
		}
		k, v := group.Encode(r)
		again, err := group.Decode(k, v)
		if err != nil {
			t.Fatalf("%+v: its own bytes do not read back: %v", r, err)
		}
		k2, v2 := group.Encode(again)
		if !bytes.Equal(k, k2) || !bytes.Equal(v, v2) {
			t.Fatalf("%+v: written twice, %x=%x and %x=%x", r, k, v, k2, v2)
		}
	})
}

// tooLong reports whether a string of a flexible value does not fit a record that we write.
func tooLong(r group.Record) bool {
	long := func(ss ...string) bool {
		for _, s := range ss {
			if len(s) > group.MaxString {
				return true
			}
		}
		return false
	}
	switch r := r.(type) {
	case *group.OffsetCommit:
		return r.Value != nil && long(r.Value.Metadata)
	case *group.GroupMetadata:
		if r.Value == nil {
			return false
		}
		for _, m := range r.Value.Members {
			if long(m.ID, m.ClientID, m.ClientHost) || m.InstanceID != nil && long(*m.InstanceID) {
				return true
			}
		}
		return long(r.Value.ProtocolType, r.Value.Protocol, r.Value.Leader)
	}
	return false
}

// FuzzConsumerProtocol: the bytes that clients embed parse or are refused, and take no more memory than they are long.
func FuzzConsumerProtocol(f *testing.F) {
	f.Add(group.AppendSubscription(nil, "a", "b"))
	f.Add(group.AppendAssignment(nil))
	for _, g := range goldens(f) {
		if r, err := group.Decode(g.key, g.value); err == nil {
			if m, ok := r.(*group.GroupMetadata); ok && m.Value != nil {
				for _, member := range m.Value.Members {
					f.Add(member.Subscription)
					f.Add(member.Assignment)
				}
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := group.ParseSubscription(b)
		topics, prefixErr := group.SubscribedTopics(b)
		if err == nil && (prefixErr != nil || len(topics) != len(s.Topics)) {
			t.Fatalf("the whole has topics %q, its prefix %q, %v", s.Topics, topics, prefixErr)
		}
		if len(topics)*2 > len(b) || len(s.Owned)*4 > len(b) {
			t.Fatalf("%d bytes hold %d topics and %d partitions", len(b), len(topics), len(s.Owned))
		}
		if a, err := group.ParseAssignment(b); err == nil && len(a.Partitions)*4 > len(b) {
			t.Fatalf("%d bytes hold %d partitions", len(b), len(a.Partitions))
		}
	})
}
