package group

import (
	"math"
	"slices"
	"unicode/utf8"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/group/classic"
	"github.com/milena-io/milena/internal/machine/group/offsets"
	rec "github.com/milena-io/milena/internal/staterecord/group"
)

func (m *Machine) commit(now kafka.Instant, t classic.Token, c *Commit) Result {
	member, code := m.mayCommit(c)
	if code != kafka.ErrNone {
		r := answer(t, CommitReply{Err: code})
		r.After = m.groups.PendingTo(c.Group)
		return r
	}
	expireMs := int64(-1)
	if c.RetentionMs >= 0 {
		expireMs = now.WallMs + min(c.RetentionMs, math.MaxInt64-now.WallMs)
	}
	reply := CommitReply{Codes: make([]kafka.ErrorCode, len(c.Offsets))}
	r := Result{After: m.groups.PendingTo(c.Group)}
	for i, o := range c.Offsets {
		if m.metadataTooLarge(o.Metadata) {
			reply.Codes[i] = kafka.ErrOffsetMetadataTooLarge
			continue
		}
		r.Records = append(r.Records, &rec.OffsetCommit{
			Key: rec.OffsetKey{Group: c.Group, Topic: o.Topic, Partition: o.Partition.Partition},
			Value: &rec.OffsetValue{Offset: o.Offset, LeaderEpoch: o.LeaderEpoch, Metadata: o.Metadata,
				CommitMs: now.WallMs, ExpireMs: expireMs, TopicID: o.TopicID},
		})
	}
	r.Replies = []classic.Reply{{Token: t, Body: reply}}
	if member != nil {
		r.changes = []change{touch{member.Alive(now.Mono)}} // a commit is a sign of life
	}
	return r
}

// mayCommit checks who commits. A group that nobody knows comes into being by the commit of a simple consumer.
func (m *Machine) mayCommit(c *Commit) (*classic.Member, kafka.ErrorCode) {
	g, ok := m.groups.Get(c.Group)
	switch {
	case ok:
	case m.offsets.Has(c.Group):
		g = classic.New(c.Group, 0)
	case c.Generation < 0:
		return nil, kafka.ErrNone
	default:
		return nil, c.MissingGroup
	}
	return g.ValidateCommit(c.MemberID, c.InstanceID, c.Generation, false)
}

// metadataTooLarge counts as Java counts, in UTF-16 code units, and keeps to what a record can hold.
func (m *Machine) metadataTooLarge(s string) bool {
	if len(s) > rec.MaxString {
		return true
	}
	if len(s) <= m.cfg.MetadataMaxBytes {
		return false
	}
	units := utf8.RuneCountInString(s)
	for _, c := range s {
		if c > 0xffff {
			units++
		}
	}
	return units > m.cfg.MetadataMaxBytes
}

func (m *Machine) fetch(t classic.Token, f *FetchOffsets) Result {
	wanted := f.Partitions
	if f.All {
		wanted = nil
		for _, p := range m.offsets.Partitions(f.Group, f.Stable) {
			wanted = append(wanted, WantedOffset{Partition: p})
		}
	}
	reply := FetchReply{Offsets: make([]FetchedOffset, 0, len(wanted))}
	for _, w := range wanted {
		reply.Offsets = append(reply.Offsets, m.fetchOne(f, w))
	}
	r := answer(t, reply)
	if f.Stable && m.log.Pending() > 0 {
		r.After = m.end
	}
	return r
}

func (m *Machine) fetchOne(f *FetchOffsets, w WantedOffset) FetchedOffset {
	o := FetchedOffset{Partition: w.Partition, Offset: kafka.NoOffset, LeaderEpoch: kafka.NoLeaderEpoch}
	c, ok := m.offsets.Committed(f.Group, w.Partition)
	if f.Stable {
		c, ok = m.offsets.Newest(f.Group, w.Partition)
	}
	switch {
	case f.Stable && m.offsets.Unstable(f.Group, w.Partition):
		o.Err = kafka.ErrUnstableOffsetCommit
	case ok && c.For(w.TopicID):
		o.Offset, o.LeaderEpoch, o.Metadata, o.TopicID = c.Offset, c.LeaderEpoch, c.Metadata, c.TopicID
	}
	return o
}

func (m *Machine) deleteOffsets(t classic.Token, c *DeleteOffsets) Result {
	refuse := func(code kafka.ErrorCode) Result { return answer(t, DeleteOffsetsReply{Err: code}) }
	g, ok := m.groups.Get(c.Group)
	switch {
	case !ok && !m.offsets.Has(c.Group):
		return refuse(kafka.ErrGroupIdNotFound)
	case ok && g.State != classic.Empty && !g.UsesConsumerProtocol():
		return refuse(kafka.ErrNonEmptyGroup)
	}
	reply := DeleteOffsetsReply{Codes: make([]kafka.ErrorCode, len(c.Partitions))}
	r := Result{After: m.groups.PendingTo(c.Group)}
	for i, p := range c.Partitions {
		if ok && g.SubscribedTo(p.Topic) {
			reply.Codes[i] = kafka.ErrGroupSubscribedToTopic
			continue
		}
		if _, has := m.offsets.Newest(c.Group, p); has || m.offsets.Unstable(c.Group, p) {
			r.Records = append(r.Records, tombstone(c.Group, p))
		}
	}
	r.Replies = []classic.Reply{{Token: t, Body: reply}}
	return r
}

func (m *Machine) deleteGroup(t classic.Token, c *DeleteGroup) Result {
	g, ok := m.groups.Get(c.Group)
	if !ok && !m.offsets.Has(c.Group) {
		return answer(t, DeleteGroupReply{Err: kafka.ErrGroupIdNotFound})
	}
	if ok && g.State != classic.Empty {
		return answer(t, DeleteGroupReply{Err: kafka.ErrNonEmptyGroup})
	}
	r := answer(t, DeleteGroupReply{})
	r.Records = append(m.offsetTombstones(c.Group), &rec.GroupMetadata{Group: c.Group})
	return r
}

// offsetTombstones deletes every offset of a group, those of open transactions too.
func (m *Machine) offsetTombstones(group string) []rec.Record {
	var records []rec.Record
	for _, p := range m.offsets.Everything(group) {
		records = append(records, tombstone(group, p))
	}
	return records
}

func tombstone(group string, p offsets.Partition) rec.Record {
	return &rec.OffsetCommit{Key: rec.OffsetKey{Group: group, Topic: p.Topic, Partition: p.Partition}}
}

func (m *Machine) topicsDeleted(c *TopicsDeleted) Result {
	gone := map[string][]kafka.TopicID{}
	for _, t := range c.Topics {
		gone[t.Name] = append(gone[t.Name], t.ID)
	}
	ofGone := func(p offsets.Partition, c offsets.Committed) bool { return slices.ContainsFunc(gone[p.Topic], c.For) }
	r := Result{After: kafka.NoOffset}
	for _, group := range m.offsets.Groups() {
		for _, p := range m.offsets.Those(group, ofGone) {
			r.Records = append(r.Records, tombstone(group, p))
		}
	}
	return r
}

// expireOffsets looks through the groups in order, as far as one batch of tombstones goes, and deletes groups that
// have neither members nor offsets left.
func (m *Machine) expireOffsets(now kafka.Instant) Result {
	ids := append(m.groupIDs(), m.offsets.Groups()...)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	r := Result{After: kafka.NoOffset}
	next := expiry{at: now.Mono + m.cfg.OffsetsCheckEvery}
	for _, id := range ids {
		if id <= m.expiry.after && m.expiry.after != "" {
			continue
		}
		if len(r.Records) >= m.cfg.MaxTombstonesAtOnce {
			next.at = now.Mono // the rest follows at once
			break
		}
		next.after = id
		g, _ := m.groups.Get(id)
		expired, all := m.offsets.Expired(id, g, now.WallMs, m.cfg.OffsetsRetentionMs)
		for _, p := range expired {
			r.Records = append(r.Records, tombstone(id, p))
		}
		if all && (g == nil || g.Idle()) {
			r.Records = append(r.Records, &rec.GroupMetadata{Group: id})
		}
	}
	if next.at > now.Mono {
		next.after = ""
	}
	r.changes = []change{setExpiry{next}}
	return r
}
