package node

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/world"
)

// lookout is for a node that knows no leader of the metadata quorum. It tells every ten seconds what the node waits for and what would
// help, for it would wait in silence; and a voter asks everybody it knows of whether somebody leads without it: one that was removed while
// it was away, with all the voters that it knows, would campaign in vain for ever.
type lookout struct {
	s *seat

	mu     sync.Mutex
	timer  world.Timer
	since  time.Duration // monotonic: when the leader was found to be missing; 0 while there is one
	told   time.Duration // when that was told last
	turn   int           // who is asked next
	closed bool
}

const (
	lookoutEvery = 2 * time.Second
	lookoutTells = 10 * time.Second
)

// later looks again after a while.
func (l *lookout) later() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.timer = l.s.n.o.World.After(lookoutEvery, l.look)
	}
}

func (l *lookout) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
}

func (l *lookout) look() {
	n := l.s.n
	if n.life.Over() {
		return
	}
	leader, _ := l.s.leader()
	now := n.o.World.Now().Mono
	l.mu.Lock()
	switch {
	case leader != kafka.NoNode:
		l.since = 0
	case l.since == 0:
		l.since, l.told = now, now
	}
	since := l.since
	tell := since > 0 && now-l.told >= lookoutTells
	if tell {
		l.told = now
	}
	l.mu.Unlock()
	if tell {
		n.log("kafka.raft").Warn("This node waits for a leader of the metadata quorum.", "node", int32(n.settings.NodeID()), "waitedMs", (now - since).Milliseconds(), "reason", l.reason())
		l.ask()
	}
	l.later()
}

// reason is what is missing, with what to do.
func (l *lookout) reason() string {
	switch at := l.s.at(); {
	case at.quorum != nil:
		return fmt.Sprintf("more than half of the voters %s have to run and reach each other", places(at.quorum.Voters()))
	case at.observer != nil:
		return fmt.Sprintf("of the controllers %s none leads, or none answers: more than half of the voters have to run, and to be reached from here",
			places(append(at.observer.Voters(), l.s.n.settings.seats()...)))
	}
	return l.s.forming.Waits()
}

// places lists voters with where they listen.
func places(all []quorum.Voter) string {
	var out []string
	for _, v := range all {
		at := ""
		if len(v.Endpoints) > 0 {
			at = net.JoinHostPort(v.Endpoints[0].Host, strconv.Itoa(int(v.Endpoints[0].Port)))
		}
		if v.ID != kafka.NoNode {
			at = fmt.Sprintf("%d@%s", v.ID, at)
		}
		out = append(out, at)
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}

// ask asks the next of those that this voter knows of whether it leads.
func (l *lookout) ask() {
	n := l.s.n
	q := l.s.own()
	if q == nil {
		return
	}
	all := n.settings.seats()
	for c := range n.feed.Image().Controllers() {
		for _, e := range c.Endpoints {
			all = append(all, quorum.Voter{ID: c.ID, Endpoints: []record.Endpoint{{Name: e.Name, Host: e.Host, Port: e.Port}}})
		}
	}
	all = slices.DeleteFunc(all, func(v quorum.Voter) bool { return v.ID == n.settings.NodeID() })
	if len(all) == 0 {
		return
	}
	l.mu.Lock()
	to := all[l.turn%len(all)]
	l.turn++
	l.mu.Unlock()
	l.led(q, to, false)
}

// led asks a node whether it leads a quorum that this voter is none of; a node that does not lead names who does. An answer that comes when
// this node is a voter once more is no word about it.
func (l *lookout) led(q *quorum.Quorum, to quorum.Voter, named bool) {
	s := l.s
	a := quorum.Pull{Observer: s.n.key(), Epoch: kafka.NoLeaderEpoch, LastEpoch: kafka.NoLeaderEpoch, MaxBytes: 1}
	leading{s}.Fetch(to, a, func(p quorum.Pulled, err error) {
		leader, _ := s.leader() // this voter's epoch says nothing: it may have asked for votes in it, and nobody have won
		switch {
		case s.own() != q || leader != kafka.NoNode || p.Leader == kafka.NoNode || p.Leader == s.n.settings.NodeID():
		case err == nil:
			s.n.o.World.Go(s.unseated)
		case !named && len(p.LeaderAt) > 0:
			l.led(q, quorum.Voter{ID: p.Leader, Endpoints: p.LeaderAt}, true)
		}
	})
}
