package image

import (
	"slices"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/staterecord"
)

func (b *Builder) createTopic(r *staterecord.Topic) error {
	if _, taken := b.names.Get(r.Name); taken {
		return misfit("topic %q is created twice", r.Name)
	}
	if _, taken := b.topics.Get(r.TopicID); taken {
		return misfit("topic id %s is created twice", r.TopicID)
	}
	b.topics.Put(r.TopicID, newTopic(r.TopicID, r.Name))
	b.names.Put(r.Name, r.TopicID)
	return nil
}

func (b *Builder) removeTopic(r *staterecord.RemoveTopic) error {
	t := b.topic(r.TopicID)
	if t == nil {
		return misfit("topic id %s is removed but does not exist", r.TopicID)
	}
	for id, p := range t.parts.Seal().Refs() {
		b.count(kafka.TopicIDPartition{TopicID: r.TopicID, Partition: id}, p, nil)
	}
	delete(b.open, r.TopicID)
	b.topics.Delete(r.TopicID)
	b.names.Delete(t.name)
	remove(&b.img.configs, TopicResource(t.name))
	return nil
}

func (b *Builder) putPartition(r *staterecord.Partition) error {
	t := b.topic(r.TopicID)
	if t == nil {
		return misfit("partition %d is created in topic id %s, which does not exist", r.PartitionID, r.TopicID)
	}
	dirs := r.Directories
	if len(dirs) == 0 {
		// Records older than KIP-858 name no directories; Kafka marks such replicas as migrating.
		dirs = slices.Repeat([]kafka.DirectoryID{kafka.DirectoryMigrating}, len(r.Replicas))
	}
	p := Partition{
		Leader: r.Leader, LeaderEpoch: r.LeaderEpoch, PartitionEpoch: r.PartitionEpoch, Recovery: r.LeaderRecovery,
		Settling: r.Settling == staterecord.Settles,
	}
	return b.set(t, r.TopicID, r.PartitionID, p,
		[lists][]kafka.NodeID{r.Replicas, r.ISR, r.Removing, r.Adding, r.ELR, r.LastKnownELR}, dirs)
}

func (b *Builder) changePartition(r *staterecord.PartitionChange) error {
	t := b.topic(r.TopicID)
	if t == nil {
		return misfit("partition %d changes in topic id %s, which does not exist", r.PartitionID, r.TopicID)
	}
	was, ok := t.parts.Get(r.PartitionID)
	if !ok {
		return misfit("partition %s-%d changes but does not exist", t.name, r.PartitionID)
	}
	p := was
	p.PartitionEpoch++
	if r.Leader != staterecord.LeaderUnchanged {
		p.Leader = r.Leader
		if !mutant.On(mutant.NoEpochBump) {
			p.LeaderEpoch++
		}
	}
	if r.LeaderRecovery != staterecord.RecoveryUnchanged {
		p.Recovery = r.LeaderRecovery
	}
	if r.Settling != staterecord.SettlingUnchanged {
		p.Settling = r.Settling == staterecord.Settles
	}
	dirs := r.Directories
	if dirs == nil {
		dirs = was.directories
		if r.Replicas != nil {
			dirs = make([]kafka.DirectoryID, len(r.Replicas))
			for i, n := range r.Replicas {
				dirs[i] = was.Directory(n)
			}
		}
	}
	or := func(changed, kept []kafka.NodeID) []kafka.NodeID {
		if changed != nil {
			return changed
		}
		return kept
	}
	return b.set(t, r.TopicID, r.PartitionID, p, [lists][]kafka.NodeID{
		or(r.Replicas, was.Replicas()), or(r.ISR, was.ISR()), or(r.Removing, was.Removing()),
		or(r.Adding, was.Adding()), or(r.ELR, was.ELR()), or(r.LastKnownELR, was.LastKnownELR()),
	}, dirs)
}

// set puts a partition with its lists.
func (b *Builder) set(t *topicEdit, topic kafka.TopicID, id int32, p Partition, all [lists][]kafka.NodeID, dirs []kafka.DirectoryID) error {
	if len(all[listReplicas]) == 0 || len(dirs) != len(all[listReplicas]) {
		return misfit("partition %s-%d has %d replicas and %d directories", t.name, id, len(all[listReplicas]), len(dirs))
	}
	for _, l := range all {
		if len(l) > MaxReplicas {
			return misfit("partition %s-%d has a list of %d replicas, more than %d", t.name, id, len(l), MaxReplicas)
		}
	}
	p.nodes, p.ends = b.pool.lists(all)
	p.directories = b.pool.directories(dirs)
	was := t.parts.Find(id)
	b.count(kafka.TopicIDPartition{TopicID: topic, Partition: id}, was, &p)
	t.parts.Put(id, p)
	return nil
}

// clearElr empties the eligible leader replicas of a topic or of all.
func (b *Builder) clearElr(r *staterecord.ClearElr) error {
	b.closeTopics()
	clearOne := func(id kafka.TopicID) error {
		t := b.topic(id)
		for n, p := range t.parts.Seal().Refs() {
			if len(p.ELR()) == 0 && len(p.LastKnownELR()) == 0 {
				continue
			}
			next := *p
			next.PartitionEpoch++
			err := b.set(t, id, n, next, [lists][]kafka.NodeID{
				p.Replicas(), p.ISR(), p.Removing(), p.Adding(), nil, nil}, p.directories)
			if err != nil {
				return err
			}
		}
		return nil
	}
	if r.TopicName != "" {
		id, ok := b.names.Get(r.TopicName)
		if !ok {
			return misfit("the eligible leaders of topic %q are cleared but it does not exist", r.TopicName)
		}
		return clearOne(id)
	}
	for id := range b.topics.Seal().All() {
		if err := clearOne(id); err != nil {
			return err
		}
	}
	return nil
}

// count keeps what is derived from partitions: loads, the leaderless, those not led by the preferred replica. Either
// side may be nil.
func (b *Builder) count(id kafka.TopicIDPartition, was, is *Partition) {
	if was != nil && is != nil && was.Leader == is.Leader && slices.Equal(was.Replicas(), is.Replicas()) &&
		slices.Equal(was.ISR(), is.ISR()) {
		return
	}
	if was != nil {
		b.carry(was, -1)
		if was.Leader == kafka.NoNode {
			b.offline.Delete(id)
		} else if was.Leader != was.Preferred() {
			b.uneven.Delete(id)
		}
	}
	if is != nil {
		b.carry(is, 1)
		if is.Leader == kafka.NoNode {
			b.offline.Put(id, struct{}{})
		} else if is.Leader != is.Preferred() {
			b.uneven.Put(id, struct{}{})
		}
	}
}

func (b *Builder) carry(p *Partition, n int) {
	add := func(id kafka.NodeID, replicas, insync, leads int) {
		l, _ := b.load.Get(id)
		l.Replicas, l.InSync, l.Leads = l.Replicas+replicas, l.InSync+insync, l.Leads+leads
		if l == (Load{}) {
			b.load.Delete(id)
		} else {
			b.load.Put(id, l)
		}
	}
	for _, r := range p.Replicas() {
		add(r, n, 0, 0)
	}
	for _, r := range p.ISR() {
		add(r, 0, n, 0)
	}
	if p.Leader != kafka.NoNode {
		add(p.Leader, 0, 0, n)
	}
}

// pool lets partitions with equal lists share them. It lives as long as one Builder and is bounded; what it forgets is
// merely stored twice.
type pool struct {
	nodes map[uint64][]kafka.NodeID
	dirs  map[uint64][]kafka.DirectoryID
}

const maxPool = 4096

// lists lays the lists of a partition one after another.
func (p *pool) lists(all [lists][]kafka.NodeID) (nodes []kafka.NodeID, ends [lists]uint16) {
	var room [48]kafka.NodeID
	joined := room[:0]
	for i, l := range all {
		joined = append(joined, l...)
		ends[i] = uint16(len(joined))
	}
	h := uint64(14695981039346656037)
	for _, n := range joined {
		h = (h ^ uint64(uint32(n))) * 1099511628211
	}
	if have, ok := p.nodes[h]; ok && slices.Equal(have, joined) {
		return have, ends
	}
	own := slices.Clone(joined)
	if p.nodes == nil || len(p.nodes) >= maxPool {
		p.nodes = map[uint64][]kafka.NodeID{}
	}
	p.nodes[h] = own
	return own, ends
}

func (p *pool) directories(dirs []kafka.DirectoryID) []kafka.DirectoryID {
	h := uint64(14695981039346656037)
	for _, d := range dirs {
		for _, b := range d {
			h = (h ^ uint64(b)) * 1099511628211
		}
	}
	if have, ok := p.dirs[h]; ok && slices.Equal(have, dirs) {
		return have
	}
	own := slices.Clone(dirs)
	if p.dirs == nil || len(p.dirs) >= maxPool {
		p.dirs = map[uint64][]kafka.DirectoryID{}
	}
	p.dirs[h] = own
	return own
}
