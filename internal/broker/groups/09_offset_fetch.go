package groups

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/group/offsets"
	"github.com/milena-io/milena/internal/wire"
)

// OffsetFetch serves OffsetFetch v1-10: null topics mean all from v2, empty ones none; RequireStable from v7 (KIP-447);
// several groups from v8 (KIP-709); topic ids from v10 (KIP-516). A partition without an offset gets -1 and no error,
// also when the topic or the group does not exist; only an unknown topic id is an error. What was committed for a topic
// that has since been deleted and made anew is no offset of the new one, in any version. An error of the group stands at
// the top from v2 on and in every partition before.
func (g *Groups) OffsetFetch(req *wire.Request) {
	in := req.Body.(*kmsg.OffsetFetchRequest)
	out := in.ResponseKind().(*kmsg.OffsetFetchResponse)
	asked := distinct(in.Groups, func(g kmsg.OffsetFetchRequestGroup) (string, bool) { return g.Group, g.Topics == nil })
	if in.Version < 8 {
		asked = []kmsg.OffsetFetchRequestGroup{onlyGroup(in)}
	}
	f := &fetches{groups: make([]kmsg.OffsetFetchResponseGroup, len(asked)), left: len(asked)}
	f.done = func() {
		if in.Version >= 8 {
			out.Groups = f.groups
		} else {
			onlyAnswer(in, out, &f.groups[0])
		}
		req.Reply(wire.Reply{Message: out})
	}
	if len(asked) == 0 {
		f.done()
		return
	}
	for i := range asked {
		g.fetchGroup(in, &asked[i], f.take(i))
	}
}

// fetches gathers the answers of the groups asked about.
type fetches struct {
	mu     sync.Mutex
	groups []kmsg.OffsetFetchResponseGroup
	left   int
	done   func()
}

func (f *fetches) take(i int) func(kmsg.OffsetFetchResponseGroup) {
	return func(og kmsg.OffsetFetchResponseGroup) {
		f.mu.Lock()
		f.groups[i] = og
		f.left--
		last := f.left == 0
		f.mu.Unlock()
		if last {
			f.done()
		}
	}
}

func (g *Groups) fetchGroup(in *kmsg.OffsetFetchRequest, asked *kmsg.OffsetFetchRequestGroup, done func(kmsg.OffsetFetchResponseGroup)) {
	out := kmsg.NewOffsetFetchResponseGroup()
	out.Group = asked.Group
	cmd := &group.FetchOffsets{Group: asked.Group, All: asked.Topics == nil, Stable: in.RequireStable}
	var tried []place
	for _, t := range asked.Topics {
		ot := kmsg.NewOffsetFetchResponseGroupTopic()
		ot.Topic, ot.TopicID = t.Topic, t.TopicID
		name, id, _, bad := g.topicOf(in.Version, t.Topic, t.TopicID)
		if in.Version < 10 {
			bad = kafka.ErrNone
		}
		for _, p := range t.Partitions {
			if bad == kafka.ErrNone {
				tried = append(tried, place{len(out.Topics), len(ot.Partitions)})
				cmd.Partitions = append(cmd.Partitions, group.WantedOffset{
					Partition: offsets.Partition{Topic: name, Partition: p}, TopicID: id})
			}
			ot.Partitions = append(ot.Partitions, fetched(group.FetchedOffset{
				Partition: offsets.Partition{Partition: p}, Err: bad, Offset: kafka.NoOffset, LeaderEpoch: kafka.NoLeaderEpoch}))
		}
		out.Topics = append(out.Topics, ot)
	}
	g.coordinator.Submit(asked.Group, cmd, func(reply any, err error) {
		if err != nil {
			out.Topics, out.ErrorCode = nil, int16(fetchError(err))
			done(out)
			return
		}
		r := reply.(group.FetchReply)
		if cmd.All {
			out.Topics = g.allTopics(in.Version, r.Offsets)
		} else {
			for i, at := range tried {
				out.Topics[at.topic].Partitions[at.partition] = fetched(r.Offsets[i])
			}
		}
		done(out)
	})
}

// allTopics groups sorted offsets by topic. Those of a topic that was made anew are not its own. One that is gone has no
// id and is left out where ids are used.
func (g *Groups) allTopics(version int16, all []group.FetchedOffset) []kmsg.OffsetFetchResponseGroupTopic {
	var topics []kmsg.OffsetFetchResponseGroupTopic
	for _, o := range all {
		id, _, ok := g.metadata.Topic(o.Topic)
		if !ok && version >= 10 || ok && !o.TopicID.IsZero() && o.TopicID != id {
			continue
		}
		if n := len(topics); n == 0 || topics[n-1].Topic != o.Topic {
			t := kmsg.NewOffsetFetchResponseGroupTopic()
			t.Topic, t.TopicID = o.Topic, id
			topics = append(topics, t)
		}
		t := &topics[len(topics)-1]
		t.Partitions = append(t.Partitions, fetched(o))
	}
	return topics
}

func fetched(o group.FetchedOffset) kmsg.OffsetFetchResponseGroupTopicPartition {
	p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	p.Partition = o.Partition.Partition
	p.Offset, p.LeaderEpoch, p.ErrorCode = int64(o.Offset), int32(o.LeaderEpoch), int16(o.Err)
	p.Metadata = &o.Metadata
	return p
}

// fetchError tells consumers before 3.9 what they understand: they do not expect COORDINATOR_NOT_AVAILABLE here.
func fetchError(err error) kafka.ErrorCode {
	c := fault.CodeOf(err)
	if c == kafka.ErrCoordinatorNotAvailable {
		return kafka.ErrNotCoordinator
	}
	return c
}

// onlyGroup reads a request before v8 as one of v8.
func onlyGroup(in *kmsg.OffsetFetchRequest) kmsg.OffsetFetchRequestGroup {
	one := kmsg.NewOffsetFetchRequestGroup()
	one.Group = in.Group
	if in.Topics != nil {
		one.Topics = make([]kmsg.OffsetFetchRequestGroupTopic, 0, len(in.Topics))
	}
	for _, t := range in.Topics {
		ot := kmsg.NewOffsetFetchRequestGroupTopic()
		ot.Topic, ot.Partitions = t.Topic, t.Partitions
		one.Topics = append(one.Topics, ot)
	}
	return one
}

// onlyAnswer writes a group's answer as versions before 8 do.
func onlyAnswer(in *kmsg.OffsetFetchRequest, out *kmsg.OffsetFetchResponse, og *kmsg.OffsetFetchResponseGroup) {
	out.ErrorCode = og.ErrorCode
	topics := og.Topics
	if in.Version < 2 && og.ErrorCode != 0 {
		for _, t := range in.Topics {
			ot := kmsg.NewOffsetFetchResponseGroupTopic()
			ot.Topic = t.Topic
			for _, p := range t.Partitions {
				ot.Partitions = append(ot.Partitions, fetched(group.FetchedOffset{Partition: offsets.Partition{Partition: p},
					Err: kafka.ErrorCode(og.ErrorCode), Offset: kafka.NoOffset, LeaderEpoch: kafka.NoLeaderEpoch}))
			}
			topics = append(topics, ot)
		}
	}
	for _, t := range topics {
		ot := kmsg.NewOffsetFetchResponseTopic()
		ot.Topic = t.Topic
		for _, p := range t.Partitions {
			op := kmsg.NewOffsetFetchResponseTopicPartition()
			op.Partition, op.Offset, op.LeaderEpoch, op.Metadata, op.ErrorCode = p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode
			ot.Partitions = append(ot.Partitions, op)
		}
		out.Topics = append(out.Topics, ot)
	}
}
