package image

import (
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image/cow"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// Builder applies records to an image and builds the next one. What one Builder touches twice is copied once, so a
// whole batch, or a whole log, is cheap; it belongs to one caller.
type Builder struct {
	img     Image
	topics  *cow.Edit[kafka.TopicID, *Topic]
	names   *cow.Edit[string, kafka.TopicID]
	load    *cow.Edit[kafka.NodeID, Load]
	offline *cow.Edit[kafka.TopicIDPartition, struct{}]
	uneven  *cow.Edit[kafka.TopicIDPartition, struct{}]
	open    map[kafka.TopicID]*topicEdit
	pool    pool
}

// topicEdit is a topic whose partitions are being changed.
type topicEdit struct {
	name  string
	parts *cow.Edit[int32, Partition]
}

// maxOpen bounds the topics whose partitions are open for change at once.
const maxOpen = 1024

// Edit begins a changed version of the image; the image itself stays as it is.
func (img *Image) Edit() *Builder {
	b := &Builder{img: *img, open: map[kafka.TopicID]*topicEdit{}}
	b.img.open = slices.Clip(img.open)
	b.reopen()
	return b
}

func (b *Builder) reopen() {
	b.topics, b.names = b.img.topics.Edit(), b.img.names.Edit()
	b.load, b.offline, b.uneven = b.img.derived.load.Edit(), b.img.derived.offline.Edit(), b.img.derived.unevenly.Edit()
	clear(b.open)
}

// Apply applies one record to an image of one's own; many are cheaper with Edit.
func (img *Image) Apply(offset kafka.Offset, rec staterecord.Record) (*Image, error) {
	b := img.Edit()
	if err := b.Apply(rec); err != nil {
		return nil, err
	}
	at := img.at
	at.Offset = offset
	return b.Build(at), nil
}

// Build returns the image with everything applied so far. The Builder may go on from there.
func (b *Builder) Build(at Position) *Image {
	b.img.at = at
	b.seal()
	img := b.img
	b.img.open = slices.Clip(b.img.open)
	return &img
}

// Position returns the position of the image that was last built or begun from.
func (b *Builder) Position() Position { return b.img.at }

func (b *Builder) seal() {
	b.closeTopics()
	b.img.topics, b.img.names = b.topics.Seal(), b.names.Seal()
	b.img.derived = derived{load: b.load.Seal(), offline: b.offline.Seal(), unevenly: b.uneven.Seal()}
}

// closeTopics puts the topics whose partitions were changed back into the table. The order does not matter: each is
// put under its own key.
func (b *Builder) closeTopics() {
	for id, t := range b.open {
		b.topics.Put(id, &Topic{ID: id, Name: t.name, parts: t.parts.Seal()})
	}
	clear(b.open)
}

func (b *Builder) topic(id kafka.TopicID) *topicEdit {
	if t := b.open[id]; t != nil {
		return t
	}
	have, ok := b.topics.Get(id)
	if !ok {
		return nil
	}
	if len(b.open) >= maxOpen {
		b.closeTopics()
	}
	t := &topicEdit{name: have.Name, parts: have.parts.Edit()}
	b.open[id] = t
	return t
}

// Apply applies the next record of the log. An error means that the record does not fit what came before it, which
// a log that was decided by a controller never holds.
// Records are kept: nobody may change one that was applied.
func (b *Builder) Apply(rec staterecord.Record) error {
	if b.img.begun != nil {
		b.img.open = append(b.img.open, rec)
	}
	switch r := rec.(type) {
	case *staterecord.Topic:
		return b.createTopic(r)
	case *staterecord.RemoveTopic:
		return b.removeTopic(r)
	case *staterecord.Partition:
		return b.putPartition(r)
	case *staterecord.PartitionChange:
		return b.changePartition(r)
	case *staterecord.ClearElr:
		return b.clearElr(r)
	case *staterecord.RegisterBroker:
		put(&b.img.brokers, r.BrokerID, brokerOf(r))
	case *staterecord.UnregisterBroker:
		return b.unregister(r)
	case *staterecord.BrokerRegistrationChange:
		return b.changeBroker(r)
	case *staterecord.FenceBroker:
		return b.changeBroker(&staterecord.BrokerRegistrationChange{
			BrokerID: r.ID, BrokerEpoch: r.Epoch, Fenced: staterecord.FenceOff})
	case *staterecord.UnfenceBroker:
		return b.changeBroker(&staterecord.BrokerRegistrationChange{
			BrokerID: r.ID, BrokerEpoch: r.Epoch, Fenced: staterecord.Unfence})
	case *staterecord.RegisterController:
		put(&b.img.controllers, r.ControllerID, &Controller{ID: r.ControllerID, Incarnation: r.IncarnationID,
			Endpoints: r.Endpoints, Features: r.Features, zkReady: r.ZkMigrationReady})
	case *staterecord.Config:
		b.setConfig(r)
	case *staterecord.FeatureLevel:
		if r.Level == 0 {
			remove(&b.img.features, r.Name)
		} else {
			put(&b.img.features, r.Name, r.Level)
		}
	case *staterecord.ProducerIDs:
		b.img.producers = *r
	case *staterecord.ZkMigrationState:
		b.img.zkMigration = r.State
	case *staterecord.BeginTransaction, *staterecord.EndTransaction, *staterecord.AbortTransaction:
		return b.transaction(rec)
	case *staterecord.NoOp:
	default:
		b.applyAccess(rec)
	}
	return nil
}

// applyAccess keeps rights, credentials, tokens and quotas.
func (b *Builder) applyAccess(rec staterecord.Record) {
	a := &b.img.access
	switch r := rec.(type) {
	case *staterecord.AccessControlEntry:
		put(&a.acls, r.ID, r)
	case *staterecord.RemoveAccessControlEntry:
		remove(&a.acls, r.ID)
	case *staterecord.UserScramCredential:
		put(&a.scram, ScramUser{r.Name, r.Mechanism}, r)
	case *staterecord.RemoveUserScramCredential:
		remove(&a.scram, ScramUser{r.Name, r.Mechanism})
	case *staterecord.DelegationToken:
		put(&a.tokens, r.TokenID, r)
	case *staterecord.RemoveDelegationToken:
		remove(&a.tokens, r.TokenID)
	case *staterecord.ClientQuota:
		if r.Remove {
			remove(&a.quotas, quotaKey(r))
		} else {
			put(&a.quotas, quotaKey(r), r)
		}
	}
}

// put and remove change one entry of a table that changes rarely.
func put[K, V any](m *cow.Map[K, V], key K, val V) {
	e := m.Edit()
	e.Put(key, val)
	*m = e.Seal()
}

func remove[K, V any](m *cow.Map[K, V], key K) {
	e := m.Edit()
	e.Delete(key)
	*m = e.Seal()
}

// transaction opens, closes or undoes a metadata transaction (KIP-868).
func (b *Builder) transaction(rec staterecord.Record) error {
	if _, begins := rec.(*staterecord.BeginTransaction); begins {
		if b.img.begun != nil {
			return misfit("a metadata transaction begins inside another")
		}
		b.seal()
		before := b.img
		b.img.begun, b.img.open = &before, []staterecord.Record{rec}
		return nil
	}
	if b.img.begun == nil {
		return misfit("a metadata transaction ends that never began")
	}
	if _, aborts := rec.(*staterecord.AbortTransaction); aborts {
		at := b.img.at
		b.img = *b.img.begun
		b.img.at = at
		b.reopen()
	}
	b.img.begun, b.img.open = nil, nil
	return nil
}

func (b *Builder) unregister(r *staterecord.UnregisterBroker) error {
	if have, ok := b.img.brokers.Get(r.BrokerID); !ok || have.Epoch != r.BrokerEpoch {
		return misfit("broker %d is not registered at epoch %d and cannot be unregistered", r.BrokerID, r.BrokerEpoch)
	}
	remove(&b.img.brokers, r.BrokerID)
	return nil
}

func (b *Builder) changeBroker(r *staterecord.BrokerRegistrationChange) error {
	have, ok := b.img.brokers.Get(r.BrokerID)
	if !ok || have.Epoch != r.BrokerEpoch {
		return misfit("broker %d is not registered at epoch %d and cannot change", r.BrokerID, r.BrokerEpoch)
	}
	next := *have
	if r.Fenced != staterecord.NoFencing {
		next.Fenced = r.Fenced == staterecord.FenceOff
	}
	if r.InControlledShutdown == staterecord.ShuttingDown {
		next.ShuttingDown = true
	}
	if len(r.LogDirs) > 0 {
		next.LogDirs = r.LogDirs
	}
	if r.CordonedLogDirs != nil {
		next.CordonedLogDirs = r.CordonedLogDirs
	}
	put(&b.img.brokers, r.BrokerID, &next)
	return nil
}

func (b *Builder) setConfig(r *staterecord.Config) {
	key := Resource{r.ResourceType, r.ResourceName}
	have, _ := b.img.configs.Get(key)
	if next := have.with(r.Name, r.Value); len(next) > 0 {
		put(&b.img.configs, key, slices.Clip(next))
	} else {
		remove(&b.img.configs, key)
	}
}

// misfit is a record that does not fit the image it is applied to.
func misfit(format string, args ...any) error {
	return fault.Corruption("image.Apply", format, args...)
}
