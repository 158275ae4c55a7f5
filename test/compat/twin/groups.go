package twin

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func (t *talk) findCoordinator() error {
	if err := t.coordinator(); err != nil {
		return err
	}
	return t.each(kmsg.FindCoordinator, func(v int16) error {
		for _, step := range []struct {
			name  string
			key   string
			kind  int8
			least int16
		}{{"a group", "g", 0, 0}, {"an empty group", "", 0, 0}, {"no such kind", "g", 9, 1}, {"a malformed share key", "g", 2, 1}} {
			if v < step.least {
				continue
			}
			req := versioned(kmsg.NewPtrFindCoordinatorRequest(), v)
			req.CoordinatorKey, req.CoordinatorType, req.CoordinatorKeys = step.key, step.kind, []string{step.key}
			if _, err := t.ask(step.name, req); err != nil {
				return err
			}
		}
		return nil
	})
}

// coordinator makes the offsets topic, which the first question for a coordinator does, and waits until both sides have
// it.
func (t *talk) coordinator() error {
	for range 5000 {
		req := versioned(kmsg.NewPtrFindCoordinatorRequest(), 3)
		req.CoordinatorKey = "warm"
		resp, err := t.exchange(req)
		if err != nil || resp == nil {
			return fmt.Errorf("find coordinator: %v", err)
		}
		if resp.(*kmsg.FindCoordinatorResponse).ErrorCode == 0 {
			break
		}
	}
	return t.loaded()
}

// loaded waits until the coordinator has loaded its part of the offsets topic.
func (t *talk) loaded() error {
	for range 5000 {
		req := versioned(kmsg.NewPtrOffsetFetchRequest(), 5)
		req.Group = "warm"
		resp, err := t.exchange(req)
		if err != nil || resp == nil {
			return fmt.Errorf("offset fetch: %v", err)
		}
		if resp.(*kmsg.OffsetFetchResponse).ErrorCode == 0 {
			return nil
		}
	}
	return fmt.Errorf("the group coordinator never loads")
}

// groups takes one member through a whole life in a group of its own at every version of JoinGroup, with the other
// APIs at the version beside it.
func (t *talk) groups() error {
	return t.each(kmsg.JoinGroup, func(v int16) error {
		group := fmt.Sprintf("group-v%d", v)
		member, generation, err := t.join(group, v)
		if err != nil {
			return err
		}
		sync := versioned(kmsg.NewPtrSyncGroupRequest(), min(v, 5))
		sync.Group, sync.MemberID, sync.Generation = group, member, generation
		sync.ProtocolType, sync.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = member, []byte("an assignment")
		sync.GroupAssignment = append(sync.GroupAssignment, a)
		if _, err := t.ask("the leader's", sync); err != nil {
			return err
		}
		for _, g := range []int32{generation, generation + 5} {
			beat := versioned(kmsg.NewPtrHeartbeatRequest(), min(v, 4))
			beat.Group, beat.MemberID, beat.Generation = group, member, g
			if _, err := t.ask(fmt.Sprintf("generation %+d", g-generation), beat); err != nil {
				return err
			}
		}
		if err := t.commit(group, member, generation, min(v+2, 10)); err != nil {
			return err
		}
		for version := int16(1); version <= 10; version++ {
			if err := t.offsetFetch("committed", group, version); err != nil {
				return err
			}
		}
		for version := int16(0); version <= 6; version++ {
			describe := versioned(kmsg.NewPtrDescribeGroupsRequest(), version)
			describe.Groups, describe.IncludeAuthorizedOperations = []string{group, "never-heard-of"}, version == 3
			if _, err := t.ask("stable", describe); err != nil {
				return err
			}
		}
		return t.leave(group, member, min(v, 5))
	})
}

// join joins, twice where the broker first hands out a member id.
func (t *talk) join(group string, v int16) (string, int32, error) {
	req := versioned(kmsg.NewPtrJoinGroupRequest(), v)
	req.Group, req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType = group, 10000, 10000, "consumer"
	for _, name := range []string{"range", "roundrobin"} {
		p := kmsg.NewJoinGroupRequestProtocol()
		// Apache Kafka never answers when these bytes are no subscription: it fails in a timer.
		subscription := kmsg.NewConsumerMemberMetadata()
		subscription.Topics = []string{"records"}
		p.Name, p.Metadata = name, subscription.AppendTo(nil)
		req.Protocols = append(req.Protocols, p)
	}
	resp, err := t.ask("first", req)
	if err != nil || resp == nil {
		return "", 0, err
	}
	joined := resp.(*kmsg.JoinGroupResponse)
	if joined.ErrorCode == 79 { // MEMBER_ID_REQUIRED
		req.MemberID = joined.MemberID
		if resp, err = t.ask("with the member id", req); err != nil || resp == nil {
			return "", 0, err
		}
		joined = resp.(*kmsg.JoinGroupResponse)
	}
	return joined.MemberID, joined.Generation, nil
}

func (t *talk) commit(group, member string, generation int32, v int16) error {
	records, err := t.lookup("records")
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name       string
		member     string
		generation int32
	}{{"of a member", member, generation}, {"of an unknown member", "nobody", generation}, {"of an old generation", member, generation - 1},
		{"from outside", "", -1}} {
		req := versioned(kmsg.NewPtrOffsetCommitRequest(), v)
		req.Group, req.MemberID, req.Generation = group, step.member, step.generation
		for _, topic := range []fixed{records, {"unknown", [16]byte{7}}} {
			one := kmsg.NewOffsetCommitRequestTopic()
			one.Topic, one.TopicID = topic.name, topic.id
			for _, partition := range []int32{0, 9} {
				p := kmsg.NewOffsetCommitRequestTopicPartition()
				p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = partition, 5, 0, kmsg.StringPtr("note")
				one.Partitions = append(one.Partitions, p)
			}
			req.Topics = append(req.Topics, one)
		}
		if _, err := t.ask(step.name, req); err != nil {
			return err
		}
	}
	return nil
}

func (t *talk) offsetFetch(name, group string, v int16) error {
	records, err := t.lookup("records")
	if err != nil {
		return err
	}
	named := versioned(kmsg.NewPtrOffsetFetchRequest(), v)
	every := versioned(kmsg.NewPtrOffsetFetchRequest(), v)
	for _, req := range []*kmsg.OffsetFetchRequest{named, every} {
		req.Group = group
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group, g.MemberEpoch = group, -1
		if req == named {
			for _, topic := range []fixed{records, {"unknown", [16]byte{7}}} {
				old := kmsg.NewOffsetFetchRequestTopic()
				old.Topic, old.Partitions = topic.name, []int32{0, 1, 9}
				req.Topics = append(req.Topics, old)
				one := kmsg.NewOffsetFetchRequestGroupTopic()
				one.Topic, one.TopicID, one.Partitions = topic.name, topic.id, []int32{0, 1, 9}
				g.Topics = append(g.Topics, one)
			}
		}
		req.Groups = append(req.Groups, g)
	}
	if _, err := t.ask(name+", named", named); err != nil {
		return err
	}
	if v < 2 {
		return nil
	}
	_, err = t.ask(name+", everything", every)
	return err
}

func (t *talk) leave(group, member string, v int16) error {
	for _, name := range []string{"of a member", "of one who left"} {
		req := versioned(kmsg.NewPtrLeaveGroupRequest(), v)
		req.Group, req.MemberID = group, member
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = member
		req.Members = append(req.Members, m)
		if _, err := t.ask(name, req); err != nil {
			return err
		}
	}
	return nil
}

// groupErrors are requests of members the group does not know.
func (t *talk) groupErrors() error {
	for _, group := range []string{"", "no-such-group", "group-v9"} {
		for v := int16(0); v <= 9; v++ {
			join := versioned(kmsg.NewPtrJoinGroupRequest(), v)
			join.Group, join.MemberID, join.ProtocolType = group, "nobody", "consumer"
			join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 10000, 10000
			p := kmsg.NewJoinGroupRequestProtocol()
			p.Name = "range"
			join.Protocols = append(join.Protocols, p)
			sync := versioned(kmsg.NewPtrSyncGroupRequest(), min(v, 5))
			sync.Group, sync.MemberID = group, "nobody"
			beat := versioned(kmsg.NewPtrHeartbeatRequest(), min(v, 4))
			beat.Group, beat.MemberID = group, "nobody"
			short := versioned(kmsg.NewPtrJoinGroupRequest(), v)
			short.Group, short.SessionTimeoutMillis, short.RebalanceTimeoutMillis, short.ProtocolType = group, 5, 5, "consumer"
			short.Protocols = append(short.Protocols, p)
			bare := versioned(kmsg.NewPtrJoinGroupRequest(), v)
			bare.Group, bare.SessionTimeoutMillis, bare.RebalanceTimeoutMillis = group, 10000, 10000
			for _, step := range []struct {
				name string
				req  kmsg.Request
			}{{"unknown member", join}, {"unknown member", sync}, {"unknown member", beat}, {"short session", short}, {"no protocols", bare}} {
				if _, err := t.ask(step.name+" of "+label(group), step.req); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func label(group string) string {
	if group == "" {
		return "the empty name"
	}
	return group
}

// manageGroups lists, reads and deletes what the groups before left.
func (t *talk) manageGroups() error {
	err := t.each(kmsg.ListGroups, func(v int16) error {
		for _, filter := range []struct {
			name   string
			states []string
			types  []string
		}{{"all", nil, nil}, {"empty ones", []string{"Empty"}, nil}, {"classic ones", nil, []string{"classic"}}, {"of no such state", []string{"Gone"}, nil}} {
			req := versioned(kmsg.NewPtrListGroupsRequest(), v)
			req.StatesFilter, req.TypesFilter = filter.states, filter.types
			if _, err := t.ask(filter.name, req); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for v := int16(0); v <= 6; v++ {
		req := versioned(kmsg.NewPtrDescribeGroupsRequest(), v)
		req.Groups = []string{"group-v1", "", "never-heard-of"}
		if _, err := t.ask("empty and unknown", req); err != nil {
			return err
		}
	}
	for v := int16(1); v <= 10; v++ {
		if err := t.offsetFetch("of no such group", "never-heard-of", v); err != nil {
			return err
		}
	}
	for _, group := range []string{"group-v1", "never-heard-of", ""} {
		req := kmsg.NewPtrOffsetDeleteRequest()
		req.Group = group
		for _, name := range []string{"records", "unknown"} {
			topic := kmsg.NewOffsetDeleteRequestTopic()
			topic.Topic = name
			p := kmsg.NewOffsetDeleteRequestTopicPartition()
			topic.Partitions = append(topic.Partitions, p)
			req.Topics = append(req.Topics, topic)
		}
		if _, err := t.ask("of "+label(group), req); err != nil {
			return err
		}
	}
	return t.each(kmsg.DeleteGroups, func(v int16) error {
		req := versioned(kmsg.NewPtrDeleteGroupsRequest(), v)
		req.Groups = []string{fmt.Sprintf("group-v%d", v+2), "never-heard-of", ""}
		_, err := t.ask("empty and unknown", req)
		return err
	})
}
