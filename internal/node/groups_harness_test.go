package node

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// newGroupRig is a node that coordinates groups.
func newGroupRig(t *testing.T, settings ...string) *rig {
	t.Helper()
	r := newRig(t, settings...)
	r.coordinates()
	return r
}

// coordinates looks the coordinator up, which makes __consumer_offsets, and waits until both partitions are read.
func (r *rig) coordinates() {
	r.t.Helper()
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.Version, find.CoordinatorKeys = 4, []string{"g"}
	wantCode(r.t, ask[*kmsg.FindCoordinatorResponse](r, find).Coordinators[0].ErrorCode, kafka.ErrNone)
	list := kmsg.NewPtrListGroupsRequest()
	for range 100 {
		if ask[*kmsg.ListGroupsResponse](r, list).ErrorCode == 0 {
			return
		}
		r.w.Run(10 * time.Millisecond)
	}
	r.t.Fatal("the groups are never loaded")
}

// member is a consumer that speaks the newest versions by hand.
type member struct {
	*link
	id         string
	instance   *string
	protocols  []string
	generation int32
}

func (r *rig) member(protocols ...string) *member {
	if len(protocols) == 0 {
		protocols = []string{"range"}
	}
	return &member{link: r.connect("PLAINTEXT"), protocols: protocols, generation: -1}
}

func (r *rig) static(instance string, protocols ...string) *member {
	m := r.member(protocols...)
	m.instance = &instance
	return m
}

// joining is the member's JoinGroup; its metadata for a protocol is its name and that of the protocol.
func (m *member) joining() *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID = 9, "g", m.id, m.instance
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis, req.ProtocolType = 10_000, 30_000, "consumer"
	for _, name := range m.protocols {
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = name, []byte("for "+name)
		req.Protocols = append(req.Protocols, p)
	}
	return req
}

// join sends a JoinGroup; a dynamic member gets its id first.
func (m *member) join() *kmsg.JoinGroupRequest {
	m.r.t.Helper()
	if m.id == "" && m.instance == nil {
		got := askOn[*kmsg.JoinGroupResponse](m.link, m.joining())
		wantCode(m.r.t, got.ErrorCode, kafka.ErrMemberIdRequired)
		m.id = got.MemberID
	}
	req := m.joining()
	m.send(req)
	return req
}

// joined waits for the answer.
func (m *member) joined(req *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse {
	m.r.t.Helper()
	f := m.receive(time.Minute)
	if f == nil {
		m.r.t.Fatal("no answer to a JoinGroup")
	}
	got := parse(m.r.t, f, req).(*kmsg.JoinGroupResponse)
	wantCode(m.r.t, got.ErrorCode, kafka.ErrNone)
	m.id, m.generation = got.MemberID, got.Generation
	return got
}

func (m *member) syncing(assign ...string) *kmsg.SyncGroupRequest {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 5, "g", m.id, m.instance, m.generation
	req.ProtocolType, req.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr(m.protocols[0])
	for _, id := range assign {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = id, []byte("of "+id)
		req.GroupAssignment = append(req.GroupAssignment, a)
	}
	return req
}

// sync sends a SyncGroup and waits for the answer.
func (m *member) sync(assign ...string) *kmsg.SyncGroupResponse {
	m.r.t.Helper()
	return askOn[*kmsg.SyncGroupResponse](m.link, m.syncing(assign...))
}

// stable makes the member the only one of its group.
func (m *member) stable() *member {
	m.r.t.Helper()
	m.joined(m.join())
	wantCode(m.r.t, m.sync(m.id).ErrorCode, kafka.ErrNone)
	return m
}

func (m *member) beat() kafka.ErrorCode {
	m.r.t.Helper()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 4, "g", m.id, m.instance, m.generation
	return kafka.ErrorCode(askOn[*kmsg.HeartbeatResponse](m.link, req).ErrorCode)
}

// commit commits one offset as this member.
func (m *member) commit(topic string, partition int32, offset int64) kafka.ErrorCode {
	m.r.t.Helper()
	req := committing(topic, partition, offset)
	req.MemberID, req.InstanceID, req.Generation = m.id, m.instance, m.generation
	return kafka.ErrorCode(askOn[*kmsg.OffsetCommitResponse](m.link, req).Topics[0].Partitions[0].ErrorCode)
}

// committing is a commit of nobody's.
func committing(topic string, partition int32, offset int64) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation = 9, "g", -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = partition, offset, 0, kmsg.StringPtr("m")
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// fetchingOffsets asks for what a group committed; no partitions means all there is.
func fetchingOffsets(group, topic string, partitions ...int32) *kmsg.OffsetFetchRequest {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version = 9
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	if len(partitions) > 0 {
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.Partitions = topic, partitions
		g.Topics = append(g.Topics, t)
	}
	req.Groups = append(req.Groups, g)
	return req
}

// committed is the offset of one partition.
func (r *rig) committed(topic string, partition int32) int64 {
	r.t.Helper()
	got := ask[*kmsg.OffsetFetchResponse](r, fetchingOffsets("g", topic, partition)).Groups[0]
	wantCode(r.t, got.ErrorCode, kafka.ErrNone)
	wantCode(r.t, got.Topics[0].Partitions[0].ErrorCode, kafka.ErrNone)
	return got.Topics[0].Partitions[0].Offset
}
