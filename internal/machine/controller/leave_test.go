package controller

import (
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// bytesIn is what records take in a batch, about.
func bytesIn(recs []staterecord.Record) int {
	n := 0
	for _, r := range recs {
		n += len(staterecord.Append(nil, r)) + 10
	}
	return n
}

func TestABrokerInSyncWithMoreThanABatchHoldsLeavesInSeveral(t *testing.T) {
	l := newLab(t)
	l.start(1, 2, 3)
	l.alter(alter(ofBroker, "", "min.insync.replicas=3")) // so that each record names who is eligible
	parts := make([]staterecord.Partition, maxLeaving+3)
	for i := range parts {
		parts[i] = staterecord.Partition{Replicas: nodes(1, 2, 3), ISR: nodes(1, 2, 3), Leader: 1}
	}
	l.seed("t", parts...)
	l.must(BrokerDead{Broker: 1, Epoch: l.epoch(1)})
	if len(l.last) != maxLeaving || l.broker(1).Fenced {
		t.Fatalf("%d records, fenced %v", len(l.last), l.broker(1).Fenced)
	}
	if n := bytesIn(l.last); n > 8<<20 {
		t.Errorf("they take %d bytes, more than a batch may have", n)
	}
	due := l.m.Due(l.now)
	if len(due) != 1 {
		t.Fatalf("%d commands are due", len(due))
	}
	l.must(due[0])
	if len(l.last) != 4 || !l.broker(1).Fenced || l.m.Committed().Load(1) != l.m.Committed().Load(9) && l.m.Committed().Load(1).InSync != 0 {
		t.Errorf("%d records, fenced %v, %+v", len(l.last), l.broker(1).Fenced, l.m.Committed().Load(1))
	}
	l.must(registration(1, 2))

	again := registration(2, 2)
	again.Dead = l.epoch(2)
	l.refused(again, kafka.ErrDuplicateBrokerRegistration, "Another broker is registered with that broker id. "+
		"If the broker was recently restarted this should self-resolve once the heartbeat manager expires the broker's session.")
	for len(l.m.Due(l.now)) > 0 {
		l.must(l.m.Due(l.now)[0])
	}
	l.must(again)

	h := Heartbeat{Broker: 3, Epoch: l.epoch(3), MetadataOffset: l.next, WantShutdown: true, WantFence: true}
	if b := l.must(h).(Beat); b.MayShutdown || b.Fenced {
		t.Errorf("%+v after the first batch", b)
	}
	if b := l.must(h).(Beat); !b.MayShutdown || !b.Fenced {
		t.Errorf("%+v after the second", b)
	}
}

// The broker in the process of the active controller is registered in several batches like any other, and so is one that loses its place
// among the eligible in more partitions than one batch holds.
func TestABrokerOfMorePartitionsThanABatchHoldsRegisters(t *testing.T) {
	l := newLab(t)
	l.start(1, 2, 3)
	l.alter(alter(ofBroker, "", "min.insync.replicas=3", "milena.durability=cache"))
	parts := make([]staterecord.Partition, 2*maxLeaving+3)
	for i := range parts {
		parts[i] = staterecord.Partition{Replicas: nodes(1, 2, 3), ISR: nodes(1, 2, 3), Leader: 1}
	}
	l.seed("t", parts...)
	again := registration(1, 2)
	again.Colocated, again.PreviousEpoch = true, -1
	old, asked := l.epoch(1), 0
	must := func(cmd any) {
		l.must(cmd)
		if n := bytesIn(l.last); n > 8<<20 {
			t.Fatalf("%d records take %d bytes, more than a batch may have", len(l.last), n)
		}
	}
	for ; asked < 10 && l.epoch(1) == old; asked++ {
		if _, _, err := l.m.Decide(l.now, l.next, again); err == nil {
			must(again)
		}
		for len(l.m.Due(l.now)) > 0 {
			must(l.m.Due(l.now)[0])
		}
	}
	if l.epoch(1) == old || asked < 4 {
		t.Fatalf("epoch %d after %d questions", l.epoch(1), asked)
	}
	for _, p := range l.m.Committed().TopicNamed("t").Partitions() {
		if p.Leader == 1 || len(p.ISR()) != 2 || len(p.ELR()) != 0 {
			t.Fatalf("led by %d, in sync %v, eligible %v", p.Leader, p.ISR(), p.ELR())
		}
	}
}
