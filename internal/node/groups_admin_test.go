package node

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// describe describes one group, in the newest version that calls a missing group Dead.
func (r *rig) describe(group string) kmsg.DescribeGroupsResponseGroup {
	r.t.Helper()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Version, req.Groups = 5, []string{group}
	return ask[*kmsg.DescribeGroupsResponse](r, req).Groups[0]
}

func TestGroupsFindCoordinator(t *testing.T) {
	r := newRig(t)
	for v := range int16(7) {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.Version, req.CoordinatorKey, req.CoordinatorKeys = v, "a", []string{"a", "b", ""}
		got := ask[*kmsg.FindCoordinatorResponse](r, req)
		if v < 4 {
			if got.ErrorCode != 0 || got.NodeID != 1 || got.Host != "one" || got.Port != 9092 || v > 0 && *got.ErrorMessage != "NONE" {
				t.Fatalf("v%d: %+v", v, got)
			}
			continue
		}
		if len(got.Coordinators) != 3 {
			t.Fatalf("v%d: %+v", v, got)
		}
		for i, c := range got.Coordinators {
			if c.ErrorCode != 0 || c.NodeID != 1 || c.Host != "one" || c.Port != 9092 || c.Key != req.CoordinatorKeys[i] {
				t.Fatalf("v%d: %+v", v, c)
			}
		}
	}
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.Version, req.CoordinatorKeys = 4, []string{"a"}
	if got := askOn[*kmsg.FindCoordinatorResponse](r.connect("INTERNAL"), req).Coordinators[0]; got.Host != "two" || got.Port != 9093 {
		t.Errorf("on the other listener: %+v", got)
	}
	for keyType, want := range map[int8]kafka.ErrorCode{1: kafka.ErrUnsupportedVersion, 2: kafka.ErrInvalidRequest, 9: kafka.ErrInvalidRequest} {
		req.Version, req.CoordinatorType = 6, keyType
		got := ask[*kmsg.FindCoordinatorResponse](r, req).Coordinators[0]
		if kafka.ErrorCode(got.ErrorCode) != want || got.NodeID != -1 || got.Port != -1 || *got.ErrorMessage == "" {
			t.Errorf("key type %d: %+v", keyType, got)
		}
	}
	meta := kmsg.NewPtrMetadataRequest()
	meta.Version, meta.Topics = 12, []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr(kafka.OffsetsTopic)}}
	if got := ask[*kmsg.MetadataResponse](r, meta).Topics[0]; got.ErrorCode != 0 || !got.IsInternal || len(got.Partitions) != 2 {
		t.Errorf("the lookup made %+v", got)
	}
}

func TestGroupsDescribe(t *testing.T) {
	r := newGroupRig(t)
	m := r.static("i-1").stable()
	for v := range int16(7) {
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Version, req.Groups, req.IncludeAuthorizedOperations = v, []string{"g", "missing"}, v%2 == 1
		got := ask[*kmsg.DescribeGroupsResponse](r, req).Groups
		g := got[0]
		if g.ErrorCode != 0 || g.Group != "g" || g.State != "Stable" || g.ProtocolType != "consumer" || g.Protocol != "range" || len(g.Members) != 1 {
			t.Fatalf("v%d: %+v", v, g)
		}
		one := g.Members[0]
		if one.MemberID != m.id || one.ClientID != "test" || one.ClientHost != "/10.1.2.3" ||
			string(one.ProtocolMetadata) != "for range" || string(one.MemberAssignment) != "of "+m.id || (one.InstanceID != nil) != (v >= 4) {
			t.Fatalf("v%d: %+v", v, one)
		}
		if asked := v >= 3 && v%2 == 1; (g.AuthorizedOperations != -1<<31) != asked {
			t.Errorf("v%d: operations %d", v, g.AuthorizedOperations)
		}
		want := kafka.ErrNone
		if v >= 6 {
			want = kafka.ErrGroupIdNotFound
		}
		if got[1].State != "Dead" || kafka.ErrorCode(got[1].ErrorCode) != want || v >= 6 && *got[1].ErrorMessage != "Group missing not found." {
			t.Errorf("v%d: %+v", v, got[1])
		}
	}
}

func TestGroupsListWithFilters(t *testing.T) {
	r := newGroupRig(t)
	r.create("t", 1)
	r.member().stable()
	for _, g := range []string{"a", "b"} {
		c := committing("t", 0, 1)
		c.Group = g
		wantCode(t, ask[*kmsg.OffsetCommitResponse](r, c).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
	}
	list := func(v int16, states, types []string) []string {
		req := kmsg.NewPtrListGroupsRequest()
		req.Version, req.StatesFilter, req.TypesFilter = v, states, types
		got := ask[*kmsg.ListGroupsResponse](r, req)
		wantCode(t, got.ErrorCode, kafka.ErrNone)
		var names []string
		for _, g := range got.Groups {
			names = append(names, g.Group)
			want := kmsg.ListGroupsResponseGroup{Group: g.Group}
			if g.Group == "g" {
				want.ProtocolType = "consumer"
			}
			if v >= 4 {
				if want.GroupState = "Empty"; g.Group == "g" {
					want.GroupState = "Stable"
				}
			}
			if v >= 5 {
				want.GroupType = "classic"
			}
			if g.ProtocolType != want.ProtocolType || g.GroupState != want.GroupState || g.GroupType != want.GroupType {
				t.Errorf("v%d: %+v, want %+v", v, g, want)
			}
		}
		slices.Sort(names)
		return names
	}
	all := []string{"a", "b", "g"}
	for v := range int16(6) {
		if got := list(v, nil, nil); !slices.Equal(got, all) {
			t.Errorf("v%d: %v", v, got)
		}
	}
	for _, c := range []struct{ states, types, want []string }{
		{[]string{"Stable"}, nil, []string{"g"}},
		{[]string{"stable", "EMPTY"}, nil, all},
		{[]string{"Nonsense"}, nil, nil},
		{nil, []string{"classic"}, all},
		{nil, []string{"Consumer", "CLASSIC"}, all},
		{nil, []string{"consumer"}, nil},
		{[]string{"Empty"}, []string{"classic"}, []string{"a", "b"}},
	} {
		if got := list(5, c.states, c.types); !slices.Equal(got, c.want) {
			t.Errorf("%v %v: %v, want %v", c.states, c.types, got, c.want)
		}
	}
}

func TestGroupsDelete(t *testing.T) {
	r := newGroupRig(t)
	r.create("t", 1)
	for v := range int16(3) {
		r.member().stable()
		empty := committing("t", 0, 1)
		empty.Group = "a"
		wantCode(t, ask[*kmsg.OffsetCommitResponse](r, empty).Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Version, req.Groups = v, []string{"a", "g", "missing", "a"}
		want := []kafka.ErrorCode{kafka.ErrNone, kafka.ErrNonEmptyGroup, kafka.ErrGroupIdNotFound}
		got := ask[*kmsg.DeleteGroupsResponse](r, req).Groups
		if len(got) != 3 {
			t.Fatalf("v%d: %+v", v, got)
		}
		for i, g := range got {
			if g.Group != req.Groups[i] || kafka.ErrorCode(g.ErrorCode) != want[i] {
				t.Errorf("v%d: %s: %v, want %v", v, g.Group, kafka.ErrorCode(g.ErrorCode), want[i])
			}
		}
		if d := r.describe("a"); d.State != "Dead" {
			t.Errorf("v%d: %+v", v, d)
		}
		r.kill()
		r.coordinates()
		if d := r.describe("a"); d.State != "Dead" {
			t.Errorf("v%d: after a crash: %+v", v, d)
		}
		r.w.Run(11e9) // the member's session ends
	}
}
