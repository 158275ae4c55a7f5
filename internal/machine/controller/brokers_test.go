package controller

import (
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

func TestBootstrapSetsTheMetadataVersionOnce(t *testing.T) {
	l := newLab(t)
	if got := l.m.Committed().MetadataVersion(); got != staterecord.LatestMetadataVersion {
		t.Errorf("metadata.version %d", got)
	}
	if l.must(Bootstrap{}); len(l.last) != 0 {
		t.Errorf("a second bootstrap wrote %d records", len(l.last))
	}
}

func TestBootstrapAbortsAMetadataTransactionLeftOpen(t *testing.T) {
	l := newLab(t)
	l.m.Apply(l.next, &staterecord.BeginTransaction{})
	l.m.Apply(l.next+1, &staterecord.Topic{Name: "half", TopicID: topicID("half")})
	l.next += 2
	l.m.Commit(l.next)
	l.must(Bootstrap{})
	if img := l.m.Committed(); img.InTransaction() || img.TopicCount() != 0 {
		t.Errorf("in transaction %v, %d topics", img.InTransaction(), img.TopicCount())
	}
}

func TestRegistrationEpochIsTheOffsetOfItsRecord(t *testing.T) {
	l := newLab(t)
	offset := l.next
	reply := l.must(registration(1, 1)).(Registered)
	if reply.Epoch != kafka.BrokerEpoch(offset) || l.epoch(1) != reply.Epoch || !l.broker(1).Fenced {
		t.Errorf("epoch %d, broker %+v, offset %d", reply.Epoch, l.broker(1), offset)
	}
}

func TestRegistrationIsRefused(t *testing.T) {
	with := func(f func(*RegisterBroker)) RegisterBroker {
		r := registration(2, 2)
		f(&r)
		return r
	}
	for _, c := range []struct {
		name    string
		cmd     RegisterBroker
		code    kafka.ErrorCode
		message string
	}{
		{"another incarnation lives", registration(1, 9), kafka.ErrDuplicateBrokerRegistration,
			"Another broker is registered with that broker id. If the broker was recently restarted this should self-resolve once the heartbeat manager expires the broker's session."},
		{"no directory", with(func(r *RegisterBroker) { r.LogDirs = nil }), kafka.ErrInvalidRegistration, "No directories specified in request"},
		{"reserved directory", with(func(r *RegisterBroker) { r.LogDirs = []kafka.DirectoryID{{15: 99}} }), kafka.ErrInvalidRegistration,
			"Reserved directory ID in request"},
		{"a directory twice", with(func(r *RegisterBroker) { r.LogDirs = append(r.LogDirs, r.LogDirs[0]) }), kafka.ErrInvalidRegistration,
			"Duplicate directory ID in request"},
		{"another's directory", with(func(r *RegisterBroker) { r.LogDirs[0] = dirOf(1) }), kafka.ErrInvalidRegistration,
			"Broker 1 is already registered with directory " + dirOf(1).String()},
		{"no metadata.version", with(func(r *RegisterBroker) { r.Features = nil }), kafka.ErrInvalidRegistration,
			"Request features do not contain 'metadata.version'"},
		{"too old", with(func(r *RegisterBroker) {
			r.Features = []staterecord.FeatureRange{{Name: "metadata.version", Min: 7, Max: 29}}
		}), kafka.ErrUnsupportedVersion, "Unable to register because the broker does not support finalized version 30 of metadata.version. " +
			"The broker wants a version between 7 and 29, inclusive."},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.start(1)
			l.refused(c.cmd, c.code, c.message)
		})
	}
}

func TestSameIncarnationAmendsItsRegistration(t *testing.T) {
	l := newLab(t)
	l.start(1)
	epoch := l.epoch(1)
	again := registration(1, 1)
	again.Endpoints[0].Port = 9999
	if reply := l.must(again).(Registered); reply.Epoch != epoch {
		t.Errorf("epoch %d became %d", epoch, reply.Epoch)
	}
	if b := l.broker(1); b.Fenced || b.Endpoints[0].Port != 9999 {
		t.Errorf("broker %+v", b)
	}
}

func TestNewIncarnationBumpsWhatTheOldOneLed(t *testing.T) {
	l := newLab(t)
	l.start(1, 2)
	l.seed("alone", staterecord.Partition{Replicas: nodes(1), ISR: nodes(1), Leader: 1})
	l.seed("pair", staterecord.Partition{Replicas: nodes(1, 2), ISR: nodes(1, 2), Leader: 1})
	again := registration(1, 2)
	again.Colocated = true // no waiting for the session
	reply := l.must(again).(Registered)
	if last := l.last[len(l.last)-1]; last.Type() != staterecord.TypeRegisterBroker || reply.Epoch != kafka.BrokerEpoch(l.next-1) {
		t.Errorf("the last record is %s, epoch %d, log end %d", last.Type(), reply.Epoch, l.next)
	}
	l.expect("alone", 0, "replicas [1] isr [] leader -1 epoch 1.1 elr [1] last [1]")
	l.expect("pair", 0, "replicas [1 2] isr [2] leader 2 epoch 1.1")
	l.beat(1)
	l.expect("alone", 0, "replicas [1] isr [1] leader 1 epoch 2.2")
	l.expect("pair", 0, "replicas [1 2] isr [2] leader 2 epoch 1.1")
}

func TestUnfencedOnlyWhenCaughtUp(t *testing.T) {
	l := newLab(t)
	l.must(registration(1, 1))
	behind := func(h *Heartbeat) { h.MetadataOffset = kafka.Offset(h.Epoch) - 1 }
	if b := l.beat(1, behind); b.CaughtUp || !b.Fenced {
		t.Errorf("behind: %+v", b)
	}
	if b := l.beat(1, wantFence); !b.CaughtUp || !b.Fenced || len(l.last) != 0 {
		t.Errorf("wants to stay fenced: %+v, %d records", b, len(l.last))
	}
	if b := l.beat(1); !b.CaughtUp || b.Fenced {
		t.Errorf("caught up: %+v", b)
	}
	if l.beat(1); len(l.last) != 0 {
		t.Errorf("a plain heartbeat wrote %d records", len(l.last))
	}
}

func TestHeartbeatOfAnotherEpochIsStale(t *testing.T) {
	l := newLab(t)
	l.start(1)
	l.refused(Heartbeat{Broker: 1, Epoch: 99}, kafka.ErrStaleBrokerEpoch, "Expected broker epoch 6, but got broker epoch 99")
	l.refused(Heartbeat{Broker: 5, Epoch: 6}, kafka.ErrStaleBrokerEpoch, "No broker registration found for broker id 5")
	l.refused(AllocateProducerIDs{Broker: 1, Epoch: 99}, kafka.ErrStaleBrokerEpoch, "Expected broker epoch 6, but got broker epoch 99")
}

func TestSilentBrokersAreFencedOneAfterTheOther(t *testing.T) {
	l := newLab(t)
	l.start(1, 2, 3)
	l.seed("t", staterecord.Partition{Replicas: nodes(1, 2, 3), ISR: nodes(1, 2, 3), Leader: 1},
		staterecord.Partition{Replicas: nodes(2, 1), ISR: nodes(2, 1), Leader: 2})
	l.expire(3)
	l.expect("t", 0, "replicas [1 2 3] isr [3] leader 3 epoch 2.2")
	l.expect("t", 1, "replicas [2 1] isr [] leader -1 epoch 1.2 elr [2] last [2]")
	for id, fenced := range map[kafka.NodeID]bool{1: true, 2: true, 3: false} {
		if l.broker(id).Fenced != fenced {
			t.Errorf("broker %d fenced %v", id, !fenced)
		}
	}
	if b := l.beat(1); b.Fenced {
		t.Errorf("broker 1 came back: %+v", b)
	}
	l.expect("t", 1, "replicas [2 1] isr [] leader -1 epoch 1.2 elr [2] last [2]") // 1 is not in sync
	l.beat(2)
	l.expect("t", 1, "replicas [2 1] isr [2] leader 2 epoch 2.3")
	if due := l.m.Due(l.now); len(due) != 0 {
		t.Errorf("still due: %v", due)
	}
}

func TestANewLeaderGivesFreshSessions(t *testing.T) {
	l := newLab(t)
	l.start(1, 2)
	l.now = l.now.Add(sessionTimeout + time.Millisecond)
	due := l.m.Due(l.now)
	if len(due) != 2 {
		t.Fatalf("%d sessions over, want 2", len(due))
	}
	l.elected()
	for _, cmd := range due {
		if l.must(cmd); len(l.last) != 0 {
			t.Errorf("fenced by a timer of the old leadership")
		}
	}
	l.refused(registration(1, 7), kafka.ErrDuplicateBrokerRegistration, "Another broker is registered with that broker id. "+
		"If the broker was recently restarted this should self-resolve once the heartbeat manager expires the broker's session.")
	l.expire(2)
	if !l.broker(1).Fenced || l.broker(2).Fenced {
		t.Errorf("after another session: 1 fenced %v, 2 fenced %v", l.broker(1).Fenced, l.broker(2).Fenced)
	}
	l.must(registration(1, 7))
}

// Who is fenced has no session that a new leader could know of: its next incarnation registers at once.
func TestANewLeaderHoldsNobodyUpForAFencedBroker(t *testing.T) {
	l := newLab(t)
	l.start(1, 2)
	l.must(BrokerDead{Broker: 1, Epoch: l.epoch(1)})
	l.elected()
	l.must(registration(1, 7))
}

func TestControlledShutdownWaitsForTheOthers(t *testing.T) {
	l := newLab(t)
	l.start(1, 2)
	l.seed("t", staterecord.Partition{Replicas: nodes(1, 2), ISR: nodes(1, 2), Leader: 1})
	l.beat(2)
	before := l.next - 1
	if b := l.beat(1, wantShutdown); b.MayShutdown || b.Fenced {
		t.Errorf("at once: %+v", b)
	}
	l.expect("t", 0, "replicas [1 2] isr [2] leader 2 epoch 1.1")
	if b := l.beat(1, wantShutdown); b.MayShutdown {
		t.Errorf("before broker 2 knows: %+v", b)
	}
	l.beat(2, func(h *Heartbeat) { h.MetadataOffset = before })
	if b := l.beat(1, wantShutdown); b.MayShutdown {
		t.Errorf("while broker 2 is behind: %+v", b)
	}
	l.beat(2)
	if b := l.beat(1, wantShutdown); !b.MayShutdown || !b.Fenced || !l.broker(1).Fenced {
		t.Errorf("in the end: %+v", b)
	}
	l.must(registration(1, 2)) // it went by its own will, nobody waits for its session
}

func TestLoneBrokerShutsDownAtOnce(t *testing.T) {
	l := newLab(t)
	l.start(1)
	l.seed("t", staterecord.Partition{Replicas: nodes(1), ISR: nodes(1), Leader: 1})
	if b := l.beat(1, wantShutdown); !b.MayShutdown || !b.Fenced {
		t.Errorf("%+v", b)
	}
	l.expect("t", 0, "replicas [1] isr [] leader -1 epoch 1.1 elr [1] last [1]")
	l.start(1)
}

func TestLostDirectoryMovesWhatItHolds(t *testing.T) {
	l := newLab(t)
	l.start(2)
	r := registration(1, 1)
	second := kafka.DirectoryID{0: 0xee}
	r.LogDirs = append(r.LogDirs, second)
	l.must(r)
	l.beat(1)
	l.seed("t", staterecord.Partition{Replicas: nodes(1, 2), ISR: nodes(1, 2), Leader: 1})
	l.beat(1, func(h *Heartbeat) { h.OfflineDirs = []kafka.DirectoryID{second} })
	l.expect("t", 0, "replicas [1 2] isr [1 2] leader 1 epoch 0.0")
	if dirs := l.broker(1).LogDirs; len(dirs) != 1 || dirs[0] != dirOf(1) {
		t.Errorf("directories %v", dirs)
	}
	l.beat(1, func(h *Heartbeat) { h.OfflineDirs = []kafka.DirectoryID{dirOf(1), second} })
	l.expect("t", 0, "replicas [1 2] isr [2] leader 2 epoch 1.1")
	if !l.broker(1).Fenced {
		t.Error("a broker without directories serves")
	}
}

func TestUnregisteredBrokerIsForgotten(t *testing.T) {
	l := newLab(t)
	l.start(1, 2)
	l.seed("t", staterecord.Partition{Replicas: nodes(1, 2), ISR: nodes(1, 2), Leader: 1})
	l.must(UnregisterBroker{Broker: 1})
	l.expect("t", 0, "replicas [1 2] isr [2] leader 2 epoch 1.1")
	l.refused(UnregisterBroker{Broker: 1}, kafka.ErrBrokerIdNotRegistered, "Broker ID 1 is not currently registered")
}

func TestProducerIDBlocksNeverOverlap(t *testing.T) {
	l := newLab(t)
	l.start(1)
	ask := AllocateProducerIDs{Broker: 1, Epoch: l.epoch(1)}
	if b := l.must(ask).(ProducerIDs); b != (ProducerIDs{First: 0, Count: 1000}) {
		t.Errorf("first block %+v", b)
	}
	if b := l.must(ask).(ProducerIDs); b != (ProducerIDs{First: 1000, Count: 1000}) {
		t.Errorf("second block %+v", b)
	}
	l.m.Apply(l.next, &staterecord.ProducerIDs{BrokerID: 1, NextProducerID: 1<<63 - 1000})
	l.next++
	l.refused(ask, kafka.ErrUnknownServerError, "all producer ids are given away; the next block would begin at 9223372036854774808")
}
