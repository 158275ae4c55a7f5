package replicas

import (
	"testing"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// log is batches of one record each, by their epochs; the sums follow from offset and epoch.
func log(epochs ...kafka.LeaderEpoch) []Batch {
	var out []Batch
	for o, e := range epochs {
		out = append(out, Batch{Base: kafka.Offset(o), Last: kafka.Offset(o), Epoch: e, CRC: uint32(o*100) + uint32(e)})
	}
	return out
}

// node is a running replica with everything durable.
func node(n kafka.NodeID, high kafka.Offset, batches []Batch) Replica {
	end := kafka.Offset(len(batches))
	return Replica{Node: n, Incarnation: kafka.IncarnationID{1, byte(n)}, Up: true, End: end, Durable: end, High: high, Visible: -1, Batches: batches}
}

// right is three replicas of which node 1 leads in epoch 1: four records, three of them committed.
func right() State {
	s := State{
		MinISR:     2,
		Registered: Registration{Leader: 1, LeaderEpoch: 1, PartitionEpoch: 5, Replicas: []kafka.NodeID{1, 2, 3}, ISR: []kafka.NodeID{1, 2, 3}},
		Replicas:   []Replica{node(1, 3, log(1, 1, 1, 1)), node(2, 3, log(1, 1, 1)), node(3, 2, log(1, 1, 1))},
	}
	for n := kafka.NodeID(1); n <= 3; n++ {
		s.Brokers = append(s.Brokers, Broker{Node: n, Epoch: kafka.BrokerEpoch(10 + n), Incarnation: kafka.IncarnationID{1, byte(n)}})
	}
	lead(&s, 1, 1)
	return s
}

func lead(s *State, n kafka.NodeID, epoch kafka.LeaderEpoch) *Replica {
	r := s.replica(n)
	r.Leads, r.Epoch, r.ISR, r.Visible = true, epoch, s.Registered.ISR, r.High
	return r
}

// next is the state after another: nothing happened, and one partition epoch passed where something will.
func next(changed bool) State {
	s := right()
	s.Index = 1
	if changed {
		s.Registered.PartitionEpoch++
	}
	return s
}

// moves makes node 2 the leader of epoch 2 with all that it has.
func moves(s *State) {
	s.Registered.Leader, s.Registered.LeaderEpoch, s.Registered.ISR = 2, 2, []kafka.NodeID{2, 3}
	s.Replicas[0].Up, s.Replicas[0].Leads = false, false
	lead(s, 2, 2)
}

// seeded are minimal violations: what is changed in the first state, and in the second.
var seeded = []struct {
	name          string
	first, second func(s *State)
}{
	{"R1 committed-prefix", nil, func(s *State) {
		s.Replicas[2].Batches[1].CRC++
		s.Replicas[2].Batches[1].Epoch, s.Replicas[2].Batches[0].Epoch = 0, 0
		s.Replicas[2].Durable, s.Registered.ISR, s.Registered.PartitionEpoch = 3, []kafka.NodeID{1, 2}, 6
	}},
	{"R2 leader-completeness", nil, func(s *State) {
		moves(s)
		s.Registered.Leader, s.Registered.PartitionEpoch, s.Registered.ISR = kafka.NoNode, 6, []kafka.NodeID{1, 2}
		s.Replicas[1].Leads = false
		*s.replica(3) = node(3, 2, log(1, 1))
		lead(s, 3, 2).Visible = -1
	}},
	{"R3 log-matching", nil, func(s *State) { s.Replicas[0].Batches[3].CRC++ }},
	{"R3 log-matching", nil, func(s *State) {
		s.Replicas[0].Batches, s.Replicas[0].Changed = []Batch{{Base: 3, Last: 3, Epoch: 0, CRC: 5}}, 3
	}},
	{"R3 log-matching", nil, func(s *State) {
		lead(s, 2, 1).Visible = -1
	}},
	{"R4 resumed-epoch", nil, func(s *State) { s.Replicas[0].Incarnation[9] = 7 }},
	{"R5 high-watermark", nil, func(s *State) { s.Replicas[0].High = 2; s.Replicas[0].Visible = 3 }},
	{"R5 high-watermark", nil, func(s *State) { s.Replicas[0].Visible = 2 }},
	{"R5 high-watermark", nil, func(s *State) {
		s.Replicas[0] = node(1, 4, log(1, 1, 1))
		lead(s, 1, 1).Visible = 3
	}},
	{"R6 ack-rule", nil, func(s *State) {
		s.Acks = []Ack{{Leader: 1, Epoch: 1, Base: 2, Last: 2, ISR: []kafka.NodeID{1, 2, 3}}}
		s.Replicas[1].Durable, s.MinISR = 2, 2
		s.Replicas[0].ISR, s.Registered.ISR, s.Registered.PartitionEpoch = []kafka.NodeID{1, 2, 3}, []kafka.NodeID{1, 3}, 6
	}},
	{"R6 ack-rule", nil, func(s *State) {
		s.Acks = []Ack{{Leader: 1, Epoch: 1, Base: 2, Last: 2, ISR: []kafka.NodeID{1}}}
		s.Registered.ISR, s.Registered.PartitionEpoch = []kafka.NodeID{1}, 6
		s.Replicas[0].ISR = s.Registered.ISR
	}},
	{"R6 ack-rule", nil, func(s *State) { // of epoch 0, answered in epoch 1: by the in-sync replicas of that
		s.Acks = []Ack{{Leader: 1, Epoch: 0, Base: 3, Last: 3}}
		s.Replicas[0].High, s.Replicas[0].Visible = 3, 3
	}},
	{"R7 in-sync", nil, func(s *State) { s.Registered.ISR, s.Registered.PartitionEpoch = []kafka.NodeID{2, 3}, 6 }},
	{"R7 in-sync", nil, func(s *State) {
		s.Registered.Replicas, s.Registered.PartitionEpoch = []kafka.NodeID{1, 2}, 6
	}},
	{"R7 in-sync", nil, func(s *State) { s.Replicas[1].Durable = 2 }},
	{"R8 expansion", func(s *State) { s.Registered.ISR = []kafka.NodeID{1, 2}; s.Replicas[0].ISR = s.Registered.ISR }, func(s *State) {
		s.Registered.ISR, s.Registered.PartitionEpoch = []kafka.NodeID{1, 2, 3}, 6
		s.Replicas[0].EpochStart = 4
	}},
	{"R8 expansion", nil, func(s *State) {
		s.Registered.PartitionEpoch = 6
		s.Alterations = []Alteration{{From: 1, LeaderEpoch: 1, PartitionEpoch: 5, Accepted: true, ISR: []Member{{1, 11, 11}, {2, 12, 12}, {3, 12, 13}}}}
	}},
	{"R9 eligible-leaders", nil, func(s *State) {
		s.Registered.ISR, s.Registered.ELR, s.Registered.PartitionEpoch = []kafka.NodeID{1, 2}, []kafka.NodeID{3}, 6
	}},
	{"R9 eligible-leaders", func(s *State) {
		s.MinISR = 3
		s.Registered.ISR = []kafka.NodeID{1, 2}
		s.Replicas[0].ISR = s.Registered.ISR
	},
		func(s *State) {
			s.MinISR, s.Registered.ISR = 3, []kafka.NodeID{1, 2}
			s.Replicas[0].High, s.Replicas[0].Visible, s.Replicas[0].ISR = 4, 4, s.Registered.ISR
			s.Replicas[1] = node(2, 3, log(1, 1, 1, 1))
		}},
	{"R9 eligible-leaders", func(s *State) { s.Registered.ISR = []kafka.NodeID{1, 2}; s.Replicas[0].ISR = s.Registered.ISR }, func(s *State) {
		moves(s)
		s.Registered.Leader, s.Registered.PartitionEpoch, s.Registered.ISR = 3, 6, []kafka.NodeID{3}
		s.Replicas[1].Leads = false
		s.Replicas[2].High = 3
		lead(s, 3, 2)
	}},
	{"R9 eligible-leaders", func(s *State) {
		s.Registered.ISR, s.Registered.ELR = []kafka.NodeID{1}, []kafka.NodeID{3}
		s.Replicas[0].ISR = s.Registered.ISR
	}, func(s *State) {
		moves(s)
		s.Registered.Leader, s.Registered.PartitionEpoch, s.Registered.ISR = 3, 6, []kafka.NodeID{3}
		s.Replicas[1].Leads = false
		s.Replicas[2].High = 3
		s.Brokers[2].Fenced, s.Registered.ELR = true, nil
		lead(s, 3, 2)
	}},
	{"R10 truncation", nil, func(s *State) {
		s.Truncations = []Truncation{{Node: 3, To: 3, Asked: Position{LeaderEpoch: 1, FetchOffset: 4}, Is: Position{LeaderEpoch: 1, FetchOffset: 3}}}
	}},
	{"R10 truncation", nil, func(s *State) {
		s.Registered.ISR, s.Registered.PartitionEpoch = []kafka.NodeID{1, 3}, 6
		s.Replicas[1] = node(2, 2, log(1, 1))
	}},
	{"R11 epoch-fence", nil, func(s *State) { s.Answers = []Answer{{Node: 1, Asked: 0, Own: 1}} }},
	{"R11 epoch-fence", nil, func(s *State) {
		s.Answers = []Answer{{Node: 1, Asked: 2, Own: 1, Code: kafka.ErrFencedLeaderEpoch}}
	}},
	{"R11 epoch-fence", nil, func(s *State) {
		s.Answers = []Answer{{Node: 1, Asked: 2, Own: 1, Code: kafka.ErrUnknownLeaderEpoch, Changed: true}}
	}},
	{"R12 partition-epoch", nil, func(s *State) { s.Registered.ISR = []kafka.NodeID{1, 2} }},
	{"R12 partition-epoch", nil, func(s *State) { s.Registered.PartitionEpoch = 4 }},
	{"R12 partition-epoch", nil, func(s *State) {
		s.Alterations = []Alteration{{From: 1, LeaderEpoch: 1, PartitionEpoch: 5, Accepted: true}}
	}},
	{"R12 partition-epoch", nil, func(s *State) {
		s.Registered.PartitionEpoch = 6
		s.Alterations = []Alteration{{From: 2, LeaderEpoch: 0, PartitionEpoch: 5, Accepted: true}}
	}},
	{"R13 reassignment", func(s *State) {
		s.Registered.Replicas, s.Registered.Adding = []kafka.NodeID{1, 2, 3, 4}, []kafka.NodeID{4}
		s.Replicas = append(s.Replicas, node(4, 0, nil))
	}, func(s *State) {
		s.Registered.Replicas, s.Registered.ISR, s.Registered.PartitionEpoch = []kafka.NodeID{1, 2, 4}, []kafka.NodeID{1, 2}, 6
		s.Replicas = append(s.Replicas, node(4, 0, nil))
		s.Replicas[0].ISR = s.Registered.ISR
	}},
}

// TestEachViolationIsFoundAndNamed: two right states raise nothing; with one thing wrong one invariant is named, once.
func TestEachViolationIsFoundAndNamed(t *testing.T) {
	for i, c := range seeded {
		w := NewWatch(0)
		first, second := right(), next(false)
		if c.first != nil {
			c.first(&first)
			c.first(&second)
			second.Registered.Adding = nil
		}
		c.second(&second)
		if got := w.Check(first); len(got) > 0 {
			t.Errorf("%d, %s: the state before is wrong already: %v", i, c.name, got)
		}
		got := w.Check(second)
		names := map[string]bool{}
		for _, f := range got {
			names[f.Name] = true
			t.Log(f)
		}
		if len(names) != 1 || !names[c.name] || got[0].Verdict != history.Always {
			t.Errorf("%d: want %s, found %v", i, c.name, got)
		}
	}
}

func TestRightStatesRaiseNothing(t *testing.T) {
	w := NewWatch(0)
	first, same, moved := right(), next(false), next(true)
	first.Acks = []Ack{{Leader: 1, Epoch: 1, Base: 2, Last: 2, ISR: []kafka.NodeID{1, 2, 3}}}
	same.Answers = []Answer{{Node: 1, Asked: 0, Own: 1, Code: kafka.ErrFencedLeaderEpoch}, {Node: 1, Asked: 1, Own: 1, Changed: true}, {Node: 1, Asked: -1, Own: 1}}
	moves(&moved)
	for i, s := range []State{first, same, moved} {
		s.Index = i
		if got := w.Check(s); len(got) > 0 {
			t.Errorf("state %d: %v", i, got)
		}
	}
}

// Node 2 leads in epoch 2 and hears of it when node 1 has the leadership back, and has committed and acknowledged there what it wrote in
// epoch 1. Node 2 need not have that; it must if node 1 acknowledged before.
func TestALeaderThatHearsLateMayLackWhatTheNextOneCommitted(t *testing.T) {
	for _, back := range []bool{true, false} {
		var states []State
		for i := range 3 {
			s := right()
			s.Index = i
			if i > 0 {
				s.Registered.LeaderEpoch, s.Registered.PartitionEpoch, s.Registered.ISR = 3, 7, []kafka.NodeID{1, 3}
				s.Replicas[0], s.Replicas[2] = node(1, 4, log(1, 1, 1, 1)), node(3, 3, log(1, 1, 1, 1))
				lead(&s, 1, 3)
			}
			states = append(states, s)
		}
		ack := Ack{Leader: 1, Epoch: 1, Base: 3, Last: 3, ISR: []kafka.NodeID{1, 3}}
		if back {
			states[1].Acks = []Ack{ack}
		} else {
			states[0].Registered.ISR, states[0].Registered.PartitionEpoch = []kafka.NodeID{1, 3}, 6
			states[0].Replicas[0], states[0].Replicas[2] = node(1, 4, log(1, 1, 1, 1)), node(3, 3, log(1, 1, 1, 1))
			lead(&states[0], 1, 1)
			states[0].Acks = []Ack{ack}
		}
		lead(&states[2], 2, 2).Visible = -1
		w, found := NewWatch(0), 0
		for _, s := range states {
			for _, f := range w.Check(s) {
				found++
				if t.Log(f); f.Name != "R2 leader-completeness" {
					t.Errorf("back %v: %v", back, f)
				}
			}
		}
		if found > 0 == back {
			t.Errorf("acknowledged when it led again %v: %d findings", back, found)
		}
	}
}
