package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/milena-io/milena/test/chaos/lab"
)

// strike is one fault as it happens. What it does ends with the cluster whole again: every process started, every wire and disk well.
type strike struct {
	fault
	ctx    context.Context
	lab    *lab.Lab
	ask    *asker
	topic  string
	begin  func()                           // the fault comes now
	healed func()                           // and is over now
	calm   func(ctx context.Context) error  // waits until all replicas are in sync
	report func(format string, args ...any) // whom it met
}

// one draws a node.
func (s *strike) one() *lab.Node { return s.lab.Nodes[s.dice.IntN(len(s.lab.Nodes))] }

// other draws one that is not n.
func (s *strike) other(n *lab.Node, nodes []*lab.Node) *lab.Node {
	rest := slices.DeleteFunc(slices.Clone(nodes), func(o *lab.Node) bool { return o == n })
	return rest[s.dice.IntN(len(rest))]
}

// leader is the node that leads a partition that was drawn.
func (s *strike) leader() (*lab.Node, error) {
	leaders, err := s.ask.leaders(s.ctx, s.topic)
	if err != nil {
		return nil, err
	}
	p := s.dice.IntN(len(leaders))
	id := leaders[p]
	s.report("node %d, which leads partition %d", id, p)
	return s.lab.Node(id), nil
}

func (s *strike) controller() (*lab.Node, error) {
	id, err := s.ask.controller(s.ctx)
	if err != nil {
		return nil, err
	}
	s.report("node %d, the active controller", id)
	return s.lab.Node(id), nil
}

func (s *strike) killLeader() error {
	n, err := s.leader()
	if err != nil {
		return err
	}
	if id, err := s.ask.controller(s.ctx); err == nil && id == n.ID {
		s.report("and is the active controller")
	}
	return s.kill(n)
}

func (s *strike) killController() error {
	n, err := s.controller()
	if err != nil {
		return err
	}
	return s.kill(n)
}

func (s *strike) killTwo() error {
	n, err := s.controller()
	if err != nil {
		return err
	}
	other := s.other(n, s.lab.Nodes)
	s.report("and node %d", other.ID)
	return s.kill(n, other)
}

func (s *strike) killAll() error { return s.kill(s.lab.Nodes...) }

// kill kills nodes and starts them again when the fault has lasted.
func (s *strike) kill(nodes ...*lab.Node) error {
	s.begin()
	if err := lab.Each(nodes, (*lab.Node).Kill); err != nil {
		return err
	}
	s.wait(s.last)
	s.healed()
	return lab.Each(nodes, (*lab.Node).Start)
}

func (s *strike) pause() error {
	n, err := s.any()
	if err != nil {
		return err
	}
	return s.standStill(n)
}

func (s *strike) standStill(nodes ...*lab.Node) error {
	s.begin()
	if err := lab.Each(nodes, (*lab.Node).Pause); err != nil {
		return err
	}
	s.wait(s.last)
	s.healed()
	return lab.Each(nodes, (*lab.Node).Continue)
}

// any is a leader, the controller, or whoever is drawn.
func (s *strike) any() (*lab.Node, error) {
	switch s.dice.IntN(3) {
	case 0:
		return s.leader()
	case 1:
		return s.controller()
	}
	n := s.one()
	s.report("node %d, %s", n.ID, n.Role)
	return n, nil
}

// cut cuts one way, both ways, or a node from everybody, clients too.
func (s *strike) cut() error {
	n, err := s.any()
	if err != nil {
		return err
	}
	other := s.other(n, s.lab.Nodes)
	var cuts [][2]int
	switch s.dice.IntN(4) {
	case 0:
		cuts = [][2]int{{n.ID, other.ID}}
		s.report("what it sends to node %d", other.ID)
	case 1:
		cuts = [][2]int{{other.ID, n.ID}}
		s.report("what node %d sends to it", other.ID)
	case 2:
		cuts = [][2]int{{n.ID, other.ID}, {other.ID, n.ID}}
		s.report("from and to node %d", other.ID)
	case 3:
		cuts = around(n, s.lab.Nodes, s.dice)
		s.report("from and to all; %d ways", len(cuts))
	}
	s.begin()
	for _, c := range cuts {
		if err := s.lab.Cut(c[0], c[1]); err != nil {
			return err
		}
	}
	s.wait(s.last)
	s.healed()
	return s.lab.Heal()
}

// around is a node alone, half of the times also from the clients.
func around(n *lab.Node, nodes []*lab.Node, dice *rand.Rand) (out [][2]int) {
	for _, other := range nodes {
		if other != n {
			out = append(out, [2]int{n.ID, other.ID}, [2]int{other.ID, n.ID})
		}
	}
	if dice.IntN(2) == 0 {
		out = append(out, [2]int{n.ID, lab.Host}, [2]int{lab.Host, n.ID})
	}
	return out
}

func (s *strike) powerAll() error { return s.power(s.lab.Nodes...) }

func (s *strike) powerOne() error {
	n, err := s.any()
	if err != nil {
		return err
	}
	return s.power(n)
}

func (s *strike) power(nodes ...*lab.Node) error {
	s.begin()
	if err := s.lab.PowerOff(nodes...); err != nil {
		return err
	}
	s.wait(s.last)
	if err := s.lab.PowerOn(nodes...); err != nil {
		return err
	}
	s.healed()
	return lab.Each(nodes, (*lab.Node).Start)
}

// rolling is a clean stop and a start of one after the other, as an operator does it.
func (s *strike) rolling() error {
	s.begin()
	for _, n := range s.lab.Nodes {
		if err := s.calm(s.ctx); err != nil {
			return err
		}
		began := time.Now()
		if err := n.Stop(); err != nil {
			return err
		}
		s.report("node %d stopped within %d ms", n.ID, time.Since(began).Milliseconds())
		s.wait(s.last)
		if err := n.Start(); err != nil {
			return err
		}
	}
	s.healed()
	return nil
}

// loseQuorum pauses two controllers of three.
func (s *strike) loseQuorum() error {
	n, err := s.controller()
	if err != nil {
		return err
	}
	other := s.other(n, s.lab.Controllers())
	s.report("and node %d", other.ID)
	return s.standStill(n, other)
}

// slowDisk lets a disk hang and go on, in turns.
func (s *strike) slowDisk() error {
	n, err := s.any()
	if err != nil {
		return err
	}
	hang := 20*time.Millisecond + time.Duration(s.dice.Int64N(int64(time.Second)))
	s.report("%d ms at a time", hang.Milliseconds())
	s.begin()
	for end := time.Now().Add(s.last); time.Now().Before(end) && s.ctx.Err() == nil; {
		if err := n.Volume.Freeze(); err != nil {
			return err
		}
		s.wait(hang)
		if err := n.Volume.Thaw(); err != nil {
			return err
		}
		s.wait(5 * time.Millisecond)
	}
	s.healed()
	return nil
}

func (s *strike) fullDisk() error {
	n, err := s.any()
	if err != nil {
		return err
	}
	left := s.dice.Int64N(64 << 10)
	s.begin()
	if err := n.Volume.Fill(left); err != nil {
		return err
	}
	s.wait(s.last)
	s.healed()
	return n.Volume.Free()
}

// wait lets a fault last.
func (s *strike) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
	}
}

// line joins what was reported of a fault.
func line(parts []string) string { return strings.Join(parts, ", ") }
