package load

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/test/compat/driver"
)

// guestMember is one process of a guest in the group of guests.
type guestMember struct {
	g       *Guest
	c       *driver.Member
	process int
	owned   map[int32]bool
	commits uint64
	behind  bool // it has read what it has not committed
}

// member is the guest's place in the group: one process after the other.
func (g *Guest) member() {
	for l := g.l; l.reading.Err() == nil; {
		m := &guestMember{g: g, process: l.number(), owned: map[int32]bool{}}
		if err := m.live(); err != nil && l.reading.Err() == nil {
			l.broken(m.process, "the consumer of %s: %v", g.Name, err)
			return
		}
	}
}

func (m *guestMember) live() (err error) {
	g, l := m.g, m.g.l
	if m.c, err = g.Drive.With(g.Settings...).Join(g.servers(), l.o.Topic, l.Guests()); err != nil {
		return err
	}
	defer m.c.Kill9() // it has ended, unless something is wrong
	l.done(history.Op{Process: m.process, F: history.DoSubscribe, Keys: l.keys()})
	for began := time.Now(); l.reading.Err() == nil && (g.Lives == 0 || time.Since(began) < g.Lives); {
		if err := m.hear(l.reading, pollFor, func(driver.Event) bool { return false }); err != nil {
			return err
		}
		if m.behind {
			if err := m.commit(); err != nil {
				return err
			}
		}
	}
	return m.c.Stop()
}

// hear is a poll: everything that it says for so long, or until something.
func (m *guestMember) hear(ctx context.Context, long time.Duration, until func(driver.Event) bool) error {
	some, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	op := m.g.l.rec.Begin(history.Op{Process: m.process, F: history.DoPoll})
	polls, moved := map[int32]*history.Poll{}, map[int32]bool{}
	var failed error
	for enough := false; !enough; {
		e, err := m.c.Hear(some)
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
				failed = err
			}
			break
		}
		switch e.Event {
		case "assigned":
			m.assigned(e.Partitions, moved)
		case "record":
			p := polls[e.Partition]
			if p == nil {
				p = &history.Poll{Key: m.g.l.key(e.Partition), High: -1, Stable: -1}
				polls[e.Partition] = p
			}
			p.Pairs = append(p.Pairs, history.NewPair(offsetOf(e.Offset), e.Timestamp, true, e.Key, e.Value, nil))
			m.g.Read.Add(1)
			m.behind = true
		}
		enough = until(e)
	}
	mop := history.Mop{}
	for p := range int32(m.g.l.o.Partitions) {
		if polls[p] != nil {
			mop.Poll = append(mop.Poll, *polls[p])
		}
		if moved[p] {
			op.Rebalanced = append(op.Rebalanced, m.g.l.key(p))
		}
	}
	op.Kind, op.Mops = history.Ok, []history.Mop{mop}
	m.g.l.rec.End(op)
	return failed
}

// assigned notes which partitions came or went.
func (m *guestMember) assigned(now []int32, moved map[int32]bool) {
	owned := map[int32]bool{}
	for _, p := range now {
		owned[p] = true
	}
	for p := range int32(m.g.l.o.Partitions) {
		if owned[p] != m.owned[p] {
			moved[p] = true
		}
	}
	m.owned = owned
}

// commit has it commit what it has said, and takes note which offsets these were.
func (m *guestMember) commit() error {
	l := m.g.l
	m.commits++
	began := time.Now()
	id := history.Value(uint64(m.process), m.commits)
	op := l.rec.BeginGroup(history.GroupOp{Group: l.Guests(), F: history.GroupCommit, Generation: -1, Coordinator: -1, Epoch: kafka.NoLeaderEpoch})
	m.behind = false
	op.Kind = history.Info
	err := m.c.Say("commit " + strconv.FormatUint(id, 10))
	if err == nil {
		err = m.hear(l.reading, time.Hour, func(e driver.Event) bool {
			switch e.Event {
			case "committing":
				for p := range int32(l.o.Partitions) {
					if at, there := e.Offsets[p]; there {
						op.Offsets = append(op.Offsets, history.Mark{Key: l.key(p), Off: offsetOf(at), ID: id})
					}
				}
				return false
			case "committed":
				op.Kind = history.Ok
				return true
			}
			return e.Event == "error"
		})
	}
	l.rec.EndGroup(op)
	if op.Kind == history.Ok {
		if time.Since(began) >= m.g.Patience {
			l.attempted(op)
		}
		m.g.Commits.Add(1)
	} else {
		m.g.Refused.Add(1)
		m.behind = true
	}
	if err != nil {
		return fmt.Errorf("a commit: %w", err)
	}
	return nil
}
