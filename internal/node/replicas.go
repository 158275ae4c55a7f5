package node

import (
	"bytes"
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/machine/group"
	"github.com/milena-io/milena/internal/machine/replica"
	"github.com/milena-io/milena/internal/mutant"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/storage"
	"github.com/milena-io/milena/internal/wire"
)

// replicas is this node's partitions, kept in step with the image. It finds them for the handlers.
type replicas struct {
	n    *Node
	self kafka.NodeID

	acting atomic.Pointer[image.Image]

	mu     sync.RWMutex
	byID   map[kafka.TopicIDPartition]*partition.Partition
	byName map[kafka.TopicPartition]*partition.Partition

	others  *replication
	moves   assignments
	traffic traffic
	seen    elections
	news    news
}

func newReplicas(n *Node) *replicas {
	r := &replicas{
		n: n, self: n.settings.NodeID(),
		byID:   map[kafka.TopicIDPartition]*partition.Partition{},
		byName: map[kafka.TopicPartition]*partition.Partition{},
		moves:  assignments{n: n, pending: map[kafka.TopicIDPartition]whereabouts{}},
		others: newReplication(n),
		news:   news{n: n, pending: map[event]*partitions{}},
	}
	return r
}

// ByName finds a replica of this node.
func (r *replicas) ByName(name kafka.TopicPartition) (*partition.Partition, error) {
	r.mu.RLock()
	p := r.byName[name]
	r.mu.RUnlock()
	if p != nil {
		return p, nil
	}
	if t := r.Image().TopicNamed(name.Topic); t != nil && name.Partition >= 0 && int(name.Partition) < t.Len() {
		return nil, fault.New("node", kafka.ErrNotLeaderOrFollower, "this node has no replica of %s", name)
	}
	return nil, fault.New("node", kafka.ErrUnknownTopicOrPartition, "%s is not known", name)
}

// ByID finds a replica of this node by topic id; the id of a topic that was deleted finds nothing, whatever has its name.
func (r *replicas) ByID(id kafka.TopicIDPartition) (*partition.Partition, error) {
	r.mu.RLock()
	p := r.byID[id]
	r.mu.RUnlock()
	if p != nil {
		return p, nil
	}
	t := r.Image().Topic(id.TopicID)
	switch {
	case t == nil:
		return nil, fault.New("node", kafka.ErrUnknownTopicId, "no topic has the id %s", id.TopicID)
	case id.Partition < 0 || int(id.Partition) >= t.Len():
		return nil, fault.New("node", kafka.ErrUnknownTopicOrPartition, "%s has no partition %d", t.Name, id.Partition)
	}
	return nil, fault.New("node", kafka.ErrNotLeaderOrFollower, "this node has no replica of %s-%d", t.Name, id.Partition)
}

// topicOf returns the id of the topic that an image has under the name of a replica, if the replica is of that one.
func (r *replicas) topicOf(img *image.Image, p *partition.Partition) (id kafka.TopicID, ok bool) {
	t := img.TopicNamed(p.Name().Topic)
	if t == nil {
		return id, false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return t.ID, r.byID[kafka.TopicIDPartition{TopicID: t.ID, Partition: p.Name().Partition}] == p
}

// Succeeded says why this node can't tell another that nobody leads a partition after an epoch: it knows of a later leader, or of another
// topic, or an earlier incarnation of it may have known more than its image has by now.
func (r *replicas) Succeeded(name kafka.TopicPartition, id kafka.TopicID, epoch kafka.LeaderEpoch) error {
	img := r.Image()
	t := img.TopicNamed(name.Topic)
	if !id.IsZero() && (t == nil || t.ID != id) {
		return fault.New("node", kafka.ErrUnknownTopicId, "no topic %s has the id %s", name.Topic, id)
	}
	if t != nil {
		if p, ok := t.Partition(name.Partition); ok && p.LeaderEpoch > epoch {
			return fault.New("node", kafka.ErrFencedLeaderEpoch, "%s is at leader epoch %d, the request at %d", name, p.LeaderEpoch, epoch)
		}
	}
	if !r.ours(img) {
		return fault.New("node", kafka.ErrReplicaNotAvailable, "this process is not registered as far as it knows")
	}
	return nil
}

// Image is the newest image that is acted on: in the middle of a change already the new one, so that whoever waited on a
// partition of a deleted topic hears that it is gone.
func (r *replicas) Image() *image.Image {
	if img := r.acting.Load(); img != nil {
		return img
	}
	return r.n.feed.Image()
}

// Leader tells a client of a listener who leads a partition (KIP-951).
func (r *replicas) Leader(listener, topic string, id kafka.TopicID, number int32) *wire.LeaderHint {
	img := r.Image() // who hears in the middle of a change that another leads is to be told the new one
	t := img.Topic(id)
	if topic != "" {
		t = img.TopicNamed(topic)
	}
	if t == nil {
		return nil
	}
	p, ok := t.Partition(number)
	if !ok {
		return nil
	}
	b := img.Broker(p.Leader)
	if b == nil || b.Fenced {
		return nil
	}
	e, ok := b.Endpoint(listener)
	if !ok {
		return nil
	}
	return &wire.LeaderHint{ID: b.ID, Epoch: p.LeaderEpoch, Host: e.Host, Port: int32(e.Port), Rack: b.Rack}
}

// All lists the replicas by name.
func (r *replicas) All() []*partition.Partition {
	r.mu.RLock()
	out := make([]*partition.Partition, 0, len(r.byID))
	for _, p := range r.byID {
		out = append(out, p)
	}
	r.mu.RUnlock()
	slices.SortFunc(out, func(a, b *partition.Partition) int {
		x, y := a.Name(), b.Name()
		if c := strings.Compare(x.Topic, y.Topic); c != 0 {
			return c
		}
		return int(x.Partition) - int(y.Partition)
	})
	return out
}

// ordered walks the replicas by id.
func (r *replicas) ordered() iter.Seq2[kafka.TopicIDPartition, *partition.Partition] {
	r.mu.RLock()
	all := maps.Clone(r.byID)
	r.mu.RUnlock()
	ids := slices.SortedFunc(maps.Keys(all), func(a, b kafka.TopicIDPartition) int {
		return cmp.Or(bytes.Compare(a.TopicID[:], b.TopicID[:]), cmp.Compare(a.Partition, b.Partition))
	})
	return func(yield func(kafka.TopicIDPartition, *partition.Partition) bool) {
		for _, id := range ids {
			if !yield(id, all[id]) {
				return
			}
		}
	}
}

// apply brings this node's partitions in step with a new image; the feed calls it with one change at a time.
func (r *replicas) apply(d image.Delta) {
	r.acting.Store(d.To)
	r.tighten(d)
	configs := map[kafka.TopicID]*partition.Config{}
	var deleted []group.DeletedTopic
	was, is := r.ours(d.From), r.ours(d.To)
	if was {
		r.news.topics(d) // of what an earlier incarnation saw happen it has told
	}
	if is && !was {
		r.begin(d.To, configs)
	}
	for c := range r.inOrder(d) {
		if c.New == nil {
			deleted = append(deleted, group.DeletedTopic{Name: c.Old.Name, ID: c.Old.ID})
		}
		for p := range c.Partitions() {
			r.change(d.To, c, p, configs)
			if c.Topic().Name == kafka.OffsetsTopic {
				r.coordinate(c.Topic(), p, was, is)
			}
		}
	}
	if is {
		r.others.brokers(d)
		r.n.session.parting(d)
	}
	r.reconfigure(d)
	if len(deleted) > 0 {
		r.n.groups.TopicsDeleted(deleted)
	}
}

// inOrder walks the topics that changed, deleted ones first: a topic that was made anew under a name finds it free.
func (r *replicas) inOrder(d image.Delta) iter.Seq[image.TopicChange] {
	return func(yield func(image.TopicChange) bool) {
		for _, gone := range []bool{true, false} {
			for c := range d.Topics() {
				if (c.New == nil) == gone && !yield(c) {
					return
				}
			}
		}
	}
}

// ours reports whether an image knows this incarnation of the node. Leadership that an image ascribes to an earlier one
// is not acted on: registering brings a new epoch.
func (r *replicas) ours(img *image.Image) bool {
	b := img.Broker(r.self)
	return b != nil && (b.Incarnation == r.n.session.incarnation || mutant.On(mutant.ResumedEpoch))
}

// change applies what became of one partition.
func (r *replicas) change(img *image.Image, t image.TopicChange, c image.PartitionChange, configs map[kafka.TopicID]*partition.Config) {
	self := r.self
	mine := c.New != nil && slices.Contains(c.New.Replicas(), self)
	had := c.Old != nil && slices.Contains(c.Old.Replicas(), self)
	topic := t.Topic()
	name := kafka.TopicPartition{Topic: topic.Name, Partition: c.ID}
	id := kafka.TopicIDPartition{TopicID: topic.ID, Partition: c.ID}
	r.seen.see(self, c)
	r.news.changed(self, img, name, c)
	switch {
	case mine && r.ours(img):
		if had {
			r.rehome(name, id, c)
		}
		r.become(img, id, r.ensure(img, topic, name, id, configs), c.New)
	case mine:
		r.follow(id, c.New)
	case had:
		r.remove(name, id)
	}
}

// rehome looks at the directory of a replica that this node had: between two images it may have been taken away and given back. Then one
// whose directory failed or is not here begins anew in one that serves, and where another lives the controller is told again: what it was
// told before it has forgotten.
func (r *replicas) rehome(name kafka.TopicPartition, id kafka.TopicIDPartition, c image.PartitionChange) {
	is, was := c.New.Directory(r.self), c.Old.Directory(r.self)
	other, nobodys := is != was, is == kafka.DirectoryUnassigned
	if !other && !nobodys {
		return
	}
	r.mu.RLock()
	p := r.byID[id]
	r.mu.RUnlock()
	if p == nil {
		return
	}
	switch v := r.n.storage.Of(p); {
	case other && (v == r.n.storage.Nowhere || nobodys && v.Offline() != nil):
		r.remove(name, id)
	case nobodys && v != r.n.storage.Nowhere:
		in, not := v.Bound(p)
		r.moves.move(id, in, not)
	}
}

// begin makes this node's replicas from the first image that knows the incarnation. In earlier ones the controller has not
// yet heard which log directories the node has, nor said which replicas are lost with one that it no longer has: a replica
// without a directory might be put in a second one.
func (r *replicas) begin(img *image.Image, configs map[kafka.TopicID]*partition.Config) {
	storage.Banish(r.n.storage, img)
	for t := range img.Topics() {
		for number, p := range t.Partitions() {
			if slices.Contains(p.Replicas(), r.self) {
				name, id := kafka.TopicPartition{Topic: t.Name, Partition: number}, kafka.TopicIDPartition{TopicID: t.ID, Partition: number}
				r.become(img, id, r.ensure(img, t, name, id, configs), p)
			}
		}
	}
}

// become tells a replica what the metadata says of it.
func (r *replicas) become(img *image.Image, id kafka.TopicIDPartition, p *partition.Partition, reg *image.Partition) {
	if len(reg.Replicas()) > 1 {
		r.others.wishes.Know(p, id) // before it may wish for anything
	}
	p.Become(registration(reg))
	r.others.follow(img, id, p, reg)
}

// follow tells a replica of an image that does not know the incarnation, or no longer: it leads nothing.
func (r *replicas) follow(id kafka.TopicIDPartition, p *image.Partition) {
	r.mu.RLock()
	have := r.byID[id]
	r.mu.RUnlock()
	if have == nil {
		return
	}
	reg := registration(p)
	if reg.Leader == r.self {
		reg.Leader = kafka.NoNode
	}
	have.Become(reg)
}

func registration(p *image.Partition) replica.Registration {
	return replica.Registration{
		Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch,
		Replicas: p.Replicas(), ISR: p.ISR(), Settling: p.Settling,
	}
}

// ensure finds a partition's object or makes it; its log is opened by whoever needs it first.
func (r *replicas) ensure(img *image.Image, topic *image.Topic, name kafka.TopicPartition, id kafka.TopicIDPartition, configs map[kafka.TopicID]*partition.Config) *partition.Partition {
	r.mu.RLock()
	p := r.byID[id]
	r.mu.RUnlock()
	if p != nil {
		return p
	}
	cfg := configs[topic.ID]
	if cfg == nil {
		made := r.n.settings.partition(img, topic.Name)
		cfg = &made
		configs[topic.ID] = cfg
	}
	assigned := kafka.DirectoryUnassigned
	if at, ok := topic.Partition(id.Partition); ok {
		assigned = at.Directory(r.self)
	}
	v, offline := r.n.storage.Home(name, topic.ID, assigned)
	p = r.host(v, name, id, cfg)
	p.Traffic = r.traffic.join(topic.Name)
	r.mu.Lock()
	r.byID[id], r.byName[name] = p, p
	r.mu.Unlock()
	v.Count(1)
	if offline == nil {
		offline = v.Offline() // also when it failed just now, too late to find the replica here
	}
	if offline != nil {
		v.Env.Lose(p, offline)
	}
	if v.Dir != nil && v.ID() != assigned {
		r.moves.add(id, v.ID())
	}
	return p
}

// host makes the object of a replica that lives in a directory.
func (r *replicas) host(v *storage.Volume, name kafka.TopicPartition, id kafka.TopicIDPartition, cfg *partition.Config) *partition.Partition {
	if v.Dir == nil {
		return partition.New(v.Env, name, cfg, 0, nil) // lost before it is ever opened
	}
	open := func(cfg log.Config) (*log.Log, error) {
		return v.Open(name, id.TopicID, cfg, r.news.open)
	}
	return partition.New(v.Env, name, cfg, v.Dir.Checkpointed(name).HighWatermark, open)
}

// remove takes a partition's files away: the topic was deleted, or its replica moved.
func (r *replicas) remove(name kafka.TopicPartition, id kafka.TopicIDPartition) {
	r.mu.Lock()
	p := r.byID[id]
	delete(r.byID, id)
	if r.byName[name] == p {
		delete(r.byName, name)
	}
	r.mu.Unlock()
	if p == nil {
		return
	}
	r.traffic.leave(name.Topic)
	r.n.upkeep.Forget(p)
	r.others.forget(id, p)
	r.moves.drop(id)
	v, there, err := r.n.storage.Remove(p, id)
	if there {
		r.news.deleted(v.Path, name)
	}
	if err != nil {
		r.n.o.Logger.Error("A deleted partition's files could not be removed.", "partition", name.String(), "error", err)
	}
}

// tighten hands over what makes commits harder, before the registrations of the same change: a leader that heard of a smaller ISR before it
// heard that min.insync.replicas had been raised would commit alone. What makes them easier comes behind the registrations (reconfigure),
// so that an ISR that has grown counts first. In between, partitions follow the stricter of both.
func (r *replicas) tighten(d image.Delta) {
	r.configure(d, func(topic string) partition.Config {
		was, is := r.n.settings.partition(d.From, topic), r.n.settings.partition(d.To, topic)
		was.MinISR = max(was.MinISR, is.MinISR)
		if is.Durability == replica.Synced {
			was.Durability = replica.Synced
		}
		return was
	})
}

// reconfigure hands changed configs to the partitions they concern.
func (r *replicas) reconfigure(d image.Delta) {
	if _, all := configured(d); all {
		r.n.edge.limit(r.n.settings.connectionLimits(d.To))
		r.n.settings.limit(d.To)
		for _, v := range r.n.storage.Volumes {
			v.Env.Chores.Resize(r.n.settings.recoveryThreads(d.To))
		}
		r.n.o.World.Go(r.n.session.beat) // cordoned.log.dirs counts for the controller, too
	}
	r.configure(d, func(topic string) partition.Config { return r.n.settings.partition(d.To, topic) })
}

// configured tells of which topics the configs change, or that those of all may, by a broker's default.
func configured(d image.Delta) (topics map[string]bool, all bool) {
	topics = map[string]bool{}
	for c := range d.Configs() {
		switch c.Resource.Type {
		case topicResource:
			topics[c.Resource.Name] = true
		case brokerResource:
			all = true
		}
	}
	return topics, all
}

// configure hands every partition that a change of configs concerns what its topic's are to be.
func (r *replicas) configure(d image.Delta, of func(topic string) partition.Config) {
	changed, all := configured(d)
	if !all && len(changed) == 0 {
		return
	}
	made := map[string]*partition.Config{}
	for _, p := range r.All() {
		topic := p.Name().Topic
		if !all && !changed[topic] {
			continue
		}
		cfg, ok := made[topic]
		if !ok {
			c := of(topic)
			cfg, made[topic] = &c, &c
		}
		p.Configure(cfg)
	}
}

// coordinate tells the group coordinator which partitions of __consumer_offsets are led here.
func (r *replicas) coordinate(topic *image.Topic, c image.PartitionChange, was, is bool) {
	leads := is && c.New != nil && c.New.Leader == r.self
	led := was && c.Old != nil && c.Old.Leader == r.self
	switch {
	case leads && (!led || c.New.LeaderEpoch != c.Old.LeaderEpoch):
		r.mu.RLock()
		p := r.byID[kafka.TopicIDPartition{TopicID: topic.ID, Partition: c.ID}]
		r.mu.RUnlock()
		r.n.groups.Elected(c.ID, c.New.LeaderEpoch, groupLog{p, r.n})
	case led && !leads:
		epoch := c.Old.LeaderEpoch + 1
		if c.New != nil {
			epoch = c.New.LeaderEpoch
		}
		r.n.groups.Resigned(c.ID, epoch)
	}
}
