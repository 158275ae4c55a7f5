package controller

import (
	"math"
	"slices"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// heartbeat moves a broker between its three states (KIP-631): fenced, unfenced, and shutting down.
func heartbeat(d *decision, c Heartbeat) (any, error) {
	b, err := registered(d, c.Broker, c.Epoch)
	if err != nil {
		return nil, err
	}
	s := d.sessions.touch(d.now, b.ID, b.Epoch, c.MetadataOffset)
	beat := Beat{CaughtUp: c.MetadataOffset >= kafka.Offset(b.Epoch), Fenced: b.Fenced}
	cordon(d, b, c.Cordoned)
	online := without(b.LogDirs, c.OfflineDirs...)
	if len(online) == 0 && len(b.LogDirs) > 0 {
		c.WantFence = true // no record can say that no directory is left
	}
	switch {
	case len(online) > 0 && len(online) < len(b.LogDirs):
		// What follows from a lost directory is decided first; the rest waits for the next heartbeat.
		loseDirectories(d, b, online)
	case b.Fenced && c.WantShutdown:
		beat.MayShutdown = true
	case b.Fenced && !c.WantFence && beat.CaughtUp && !b.ShuttingDown:
		// No record can take a controlled shutdown back: only the next incarnation serves again. (Kafka lets such a broker
		// lead while everybody is told that it may not.)
		unfence(d, b)
		beat.Fenced = false
	case b.Fenced:
	case b.ShuttingDown:
		if d.img.Load(b.ID).Leads > 0 {
			handOver(d, b, s)
		} else {
			beat.MayShutdown = s.shutdownAt <= slowest(d, b.ID)
		}
	case c.WantFence:
		beat.Fenced = fence(d, b)
		beat.MayShutdown = c.WantShutdown && beat.Fenced
	case c.WantShutdown:
		if d.img.Load(b.ID).Leads > 0 && slowest(d, b.ID) != math.MaxInt64 {
			beginShutdown(d, b, s)
		} else {
			// Kafka's way, and one step shorter for a broker that is alone: nobody else has to learn of new leaders.
			beat.MayShutdown = true
		}
	default:
		s.stalls(d, b, c.Stalled)
	}
	if beat.MayShutdown {
		beat.Fenced = b.Fenced || beat.Fenced || fence(d, b)
		beat.MayShutdown = beat.Fenced
	}
	if beat.MayShutdown {
		d.sessions.drop(b.ID) // it goes by its own will: its next incarnation need not wait
	}
	return beat, nil
}

// cordon notes which log directories of a broker take no new replicas (KIP-1066). Before that had a record nothing is noted, and
// the broker says it again when the level has risen.
func cordon(d *decision, b *image.Broker, dirs []kafka.DirectoryID) {
	known := d.img.MetadataVersion() >= staterecord.MetadataVersion43IV0
	if dirs == nil || !known || slices.Equal(dirs, b.CordonedLogDirs) {
		return
	}
	d.add(&staterecord.BrokerRegistrationChange{BrokerID: b.ID, BrokerEpoch: b.Epoch, CordonedLogDirs: dirs})
}

// fence takes a broker out of every ISR and leadership, and marks it. It reports whether that is done; where there is more than
// goes into one batch, whoever asked asks again.
func fence(d *decision, b *image.Broker) bool {
	if !leave(d, departure{broker: b.ID, most: maxLeaving}) {
		return false
	}
	d.add(&staterecord.BrokerRegistrationChange{BrokerID: b.ID, BrokerEpoch: b.Epoch, Fenced: staterecord.FenceOff})
	return true
}

// unfence marks a broker as serving and lets it lead what has no leader.
func unfence(d *decision, b *image.Broker) {
	d.add(&staterecord.BrokerRegistrationChange{BrokerID: b.ID, BrokerEpoch: b.Epoch, Fenced: staterecord.Unfence})
	join(d, b.ID)
}

// beginShutdown moves everything away from a broker and lets it go on until the others have learned of it.
func beginShutdown(d *decision, b *image.Broker, s *session) {
	d.add(&staterecord.BrokerRegistrationChange{
		BrokerID: b.ID, BrokerEpoch: b.Epoch, InControlledShutdown: staterecord.ShuttingDown,
	})
	handOver(d, b, s)
}

// handOver moves what a broker leads that shuts down.
func handOver(d *decision, b *image.Broker, s *session) {
	leave(d, departure{broker: b.ID, most: maxLeaving})
	s.shutdownAt = d.next + kafka.Offset(len(d.records)) - 1
}

// slowest returns how far the other active brokers have all applied the metadata log; there is no end to it when there
// are none.
func slowest(d *decision, but kafka.NodeID) kafka.Offset {
	least := kafka.Offset(math.MaxInt64)
	for b := range d.img.Brokers() {
		if b.ID == but || !b.Active() {
			continue
		}
		at := kafka.NoOffset
		if s := d.sessions.all[b.ID]; s != nil && s.epoch == b.Epoch {
			at = s.applied
		}
		least = min(least, at)
	}
	return least
}

// loseDirectories takes a broker out of the ISR of what it keeps in directories that are no longer online (KIP-858).
func loseDirectories(d *decision, b *image.Broker, online []kafka.DirectoryID) {
	leave(d, departure{broker: b.ID, from: func(p *image.Partition) bool {
		dir := p.Directory(b.ID)
		return slices.Contains(b.LogDirs, dir) && !slices.Contains(online, dir)
	}})
	d.add(&staterecord.BrokerRegistrationChange{BrokerID: b.ID, BrokerEpoch: b.Epoch, LogDirs: online})
}
