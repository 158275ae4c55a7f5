package records

import (
	"maps"
	"slices"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// producer sends a few records, whose outcome it may never learn. What it gave up on a broker may still do once its process
// is gone; a producer that is not idempotent may find its records twice.
func producer(c *client) {
	m := c.m
	c.begin(history.DoSend)
	op := c.op
	fate := m.dice.IntN(20)
	var late []func()
	for range 1 + m.dice.IntN(3) {
		l, v := m.pick(), c.next()
		at := len(m.ops[op].Mops)
		s := &history.Send{Key: l.key, V: v, Off: -1, CRC: sumOf(v, 0)}
		c.add(history.Mop{Send: s})
		switch {
		case fate == 0: // refused
		case fate == 1 && m.dice.IntN(2) == 0, fate == 2: // lost on the way, the first or all
			if fate == 2 && m.dice.IntN(2) == 0 {
				late = append(late, func() { m.append(l, v, nil) })
			}
		default:
			c.steps = append(c.steps, func() {
				off, time := m.append(l, v, nil)
				if !m.work.Idempotent && m.dice.IntN(10) == 0 {
					off, time = m.append(l, v, nil)
				}
				if fate > 2 {
					m.ops[op].Mops[at].Send.Off, m.ops[op].Mops[at].Send.Time = off, time
				}
			})
		}
		if fate == 1 || fate == 2 {
			fate = 2 // nothing of one process comes behind what was lost, in order
		}
	}
	c.steps = append(c.steps, func() {
		switch fate {
		case 0:
			c.end(history.Fail)
		case 1, 2:
			c.end(history.Info)
			c.renew()
			m.zombies = append(m.zombies, late...)
		default:
			c.end(history.Ok)
		}
	})
}

// transactor reads and writes in transactions, of which some are aborted and some have an outcome that it doesn't learn.
func transactor(c *client) {
	m := c.m
	if c.holds == nil {
		c.holds = m.names()
		c.once(history.DoAssign, c.holds)
		return
	}
	c.seek()
	c.begin(history.DoTxn)
	op, before := c.op, maps.Clone(c.at)
	state, touched := new(txnState), map[*modelLog]bool{}
	for range 1 + m.dice.IntN(4) {
		l := m.pick()
		if m.dice.IntN(2) == 0 && m.work.Committed {
			c.steps = append(c.steps, func() { c.add(history.Mop{Poll: []history.Poll{m.read(c, l, 1+m.dice.IntN(4))}}) })
			continue
		}
		v := c.next()
		s := &history.Send{Key: l.key, V: v, Off: -1, CRC: sumOf(v, 0)}
		c.add(history.Mop{Send: s})
		c.steps = append(c.steps, func() {
			s.Off, s.Time = m.append(l, v, state)
			touched[l] = true
		})
	}
	c.steps = append(c.steps, func() {
		switch m.dice.IntN(6) {
		case 0:
			m.decide(state, aborted, touched)
			c.at = before
			c.end(history.Fail)
		case 1:
			to := committed + txnState(m.dice.IntN(2))
			m.unsettled = append(m.unsettled, func() { m.decide(state, to, touched) })
			for i := range m.ops[op].Mops {
				if s := m.ops[op].Mops[i].Send; s != nil {
					s.Off = -1
				}
			}
			c.end(history.Info)
			c.renew()
		default:
			m.decide(state, committed, touched)
			c.end(history.Ok)
		}
	})
}

// seek goes to the log start of keys whose position was deleted.
func (c *client) seek() {
	var gone []history.Key
	for _, k := range c.holds {
		if l := c.m.log(k); c.at[k] < l.start {
			c.at[k] = l.start
			gone = append(gone, k)
		}
	}
	if gone != nil {
		c.once(history.DoSeek, gone)
	}
}

// assigned reads some keys from their beginning; now and then it takes others, crashes, or goes back on purpose.
func assigned(c *client) {
	m := c.m
	switch {
	case c.holds == nil || m.dice.IntN(30) == 0:
		keys := []history.Key{}
		for _, l := range m.logs {
			if m.dice.IntN(3) > 0 {
				keys = append(keys, l.key)
			}
		}
		for k := range c.at {
			if !slices.Contains(keys, k) {
				delete(c.at, k)
			}
		}
		c.holds = keys
		c.once(history.DoAssign, keys)
		return
	case m.dice.IntN(40) == 0:
		c.begin(history.DoCrash)
		c.end(history.Info)
		c.renew()
		return
	case m.dice.IntN(30) == 0:
		for _, k := range c.holds {
			c.at[k] = 0
		}
		c.once(history.DoSeek, c.holds)
		return
	}
	c.poll()
}

// poll reads what the client holds, in one or two polls; one in ten fails, and the positions are what they were.
func (c *client) poll() {
	m := c.m
	c.seek()
	c.begin(history.DoPoll)
	before := maps.Clone(c.at)
	for range 1 + m.dice.IntN(2) {
		c.steps = append(c.steps, func() {
			var polls []history.Poll
			for _, k := range c.holds {
				if l := m.log(k); c.at[k] >= l.start {
					polls = append(polls, m.read(c, l, 1+m.dice.IntN(5)))
				}
			}
			c.add(history.Mop{Poll: polls})
		})
	}
	c.steps = append(c.steps, func() {
		if m.dice.IntN(10) == 0 {
			c.at = before
			c.end([]history.Kind{history.Fail, history.Info}[m.dice.IntN(2)])
			return
		}
		c.end(history.Ok)
	})
}

// subscribed is a member of the group: it reads what the group gives it from what was committed, and commits where it is.
func subscribed(c *client) {
	m := c.m
	if c.holds == nil {
		c.holds = []history.Key{}
		c.once(history.DoSubscribe, m.names())
		return
	}
	if m.dice.IntN(8) == 0 {
		m.rebalance()
	}
	if m.dice.IntN(3) == 0 {
		for _, k := range c.holds {
			m.committed[k] = c.at[k]
		}
	}
	c.poll()
}

// rebalance gives keys to other members of the group, when all are between two operations.
func (m *model) rebalance() {
	var members []*client
	for _, c := range m.clients {
		if c.holds != nil && len(m.ops) > 0 && m.isMember(c) {
			if len(c.steps) > 0 {
				return
			}
			members = append(members, c)
		}
	}
	for _, l := range m.logs {
		to := members[m.dice.IntN(len(members))]
		from := m.group[l.key]
		if from == to {
			continue
		}
		if from != nil {
			from.holds = slices.DeleteFunc(slices.Clone(from.holds), func(k history.Key) bool { return k == l.key })
			from.taken = append(from.taken, l.key)
			delete(from.at, l.key)
		}
		m.group[l.key] = to
		to.holds, to.taken = append(slices.Clone(to.holds), l.key), append(to.taken, l.key)
		to.at[l.key] = m.committed[l.key]
	}
}

func (m *model) isMember(c *client) bool {
	for i := range m.ops {
		if m.ops[i].Process == c.process && m.ops[i].F == history.DoSubscribe {
			return true
		}
	}
	return false
}

// asker asks for bounds and times, and deletes records now and then.
func asker(c *client) {
	m := c.m
	l := m.pick()
	if m.dice.IntN(8) == 0 && l.stable() > 0 {
		l.start = max(l.start, kafka.Offset(m.dice.IntN(int(l.stable()))))
		c.begin(history.DoAsk)
		c.add(history.Mop{Bounds: &history.Bounds{Key: l.key, Earliest: l.start, Stable: -1, Latest: -1}})
		c.end(history.Ok)
		return
	}
	c.begin(history.DoAsk)
	c.steps = append(c.steps, func() {
		if m.dice.IntN(2) == 0 {
			c.add(history.Mop{Bounds: &history.Bounds{Key: l.key, Earliest: l.start, Stable: l.stable(), Latest: l.high()}})
			return
		}
		end := l.high()
		if m.work.Committed {
			end = l.stable()
		}
		ask := history.Lookup{Key: l.key, Time: 1000 + m.dice.Int64N(100), Off: -1, At: -1}
		for at := l.start; at < end; at++ {
			if e := &l.entries[at]; !e.marker && e.time >= ask.Time {
				ask.Off, ask.At = at, e.time
				break
			}
		}
		c.add(history.Mop{Lookup: &ask})
	}, func() { c.end(history.Ok) })
}
