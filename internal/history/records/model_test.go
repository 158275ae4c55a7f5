package records

import (
	"math/rand/v2"
	"slices"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// model is a cluster that is right by construction: one list of entries for each key, changed in one step at a time. Clients
// of every kind are stepped in a random order, so that their operations overlap, and record what they do.
type model struct {
	dice       *rand.Rand
	work       history.Workload
	logs       []*modelLog
	ops        []history.Op
	time       int64
	clients    []*client
	processes  int // numbers given
	writers    uint64
	zombies    []func() // what a producer gave up on, and a broker does later
	unsettled  []func() // transactions whose outcome their client doesn't know
	group      map[history.Key]*client
	committed  map[history.Key]kafka.Offset
	wasteTimes bool // timestamps go back
}

type modelLog struct {
	key     history.Key
	start   kafka.Offset
	entries []entry
}

type entry struct {
	v      uint64
	time   int64
	state  *txnState // nil outside a transaction
	marker bool
}

type txnState uint8

const (
	open txnState = iota
	committed
	aborted
)

func (l *modelLog) high() kafka.Offset { return kafka.Offset(len(l.entries)) }

func (l *modelLog) stable() kafka.Offset {
	for i := range l.entries {
		if s := l.entries[i].state; s != nil && *s == open {
			return kafka.Offset(i)
		}
	}
	return l.high()
}

func (m *model) append(l *modelLog, v uint64, s *txnState) (kafka.Offset, int64) {
	t := int64(1000 + len(l.entries))
	if m.wasteTimes {
		t = 1000 + m.dice.Int64N(100)
	}
	l.entries = append(l.entries, entry{v: v, time: t, state: s})
	return l.high() - 1, t
}

// decide ends a transaction and writes its markers.
func (m *model) decide(s *txnState, to txnState, touched map[*modelLog]bool) {
	*s = to
	for _, l := range m.logs {
		if touched[l] {
			l.entries = append(l.entries, entry{marker: true})
		}
	}
}

func (m *model) tick() int64 {
	m.time += 1 + m.dice.Int64N(1000)
	return m.time
}

// sumOf stands for the checksum of a record: any function of what was sent.
func sumOf(v uint64, time int64) uint32 { return uint32(v*31+uint64(time)) | 1 }

// read polls a key for a client from its position.
func (m *model) read(c *client, l *modelLog, most int) history.Poll {
	end := l.high()
	if m.work.Committed {
		end = l.stable()
	}
	p := history.Poll{Key: l.key, High: l.high(), Stable: l.stable()}
	at := c.at[l.key]
	for ; at < end && len(p.Pairs) < most; at++ {
		e := &l.entries[at]
		if e.marker || m.work.Committed && e.state != nil && *e.state == aborted {
			continue
		}
		p.Pairs = append(p.Pairs, history.Pair{Off: at, V: e.v, Time: e.time, CRC: sumOf(e.v, 0)})
	}
	c.at[l.key] = at
	return p
}

// client is one process: idle, or in the middle of an operation whose steps are left.
type client struct {
	m       *model
	process int
	writer  uint64
	seq     uint64
	role    func(c *client)
	steps   []func()
	at      map[history.Key]kafka.Offset
	holds   []history.Key
	taken   []history.Key // rebalanced since the last operation
	op      int
}

func (m *model) client(role func(*client)) *client {
	c := &client{m: m, role: role}
	m.clients = append(m.clients, c)
	c.renew()
	return c
}

// renew gives a client a new process: the old one is gone with what it knew.
func (c *client) renew() {
	c.m.processes++
	c.m.writers++
	c.process, c.writer, c.seq = c.m.processes, c.m.writers, 0
	c.at, c.steps, c.holds, c.taken = map[history.Key]kafka.Offset{}, nil, nil, nil
}

func (c *client) begin(f history.Function) {
	c.op = len(c.m.ops)
	c.m.ops = append(c.m.ops, history.Op{
		Index: c.op, Process: c.process, F: f, Committed: c.m.work.Committed, Invoke: c.m.tick(), Complete: history.Never, Rebalanced: c.taken,
	})
	c.taken = nil
}

func (c *client) end(kind history.Kind) {
	o := &c.m.ops[c.op]
	o.Kind, o.Complete = kind, c.m.tick()
}

func (c *client) add(mop history.Mop) { c.m.ops[c.op].Mops = append(c.m.ops[c.op].Mops, mop) }

func (c *client) once(f history.Function, keys []history.Key) {
	c.begin(f)
	c.m.ops[c.op].Keys = slices.Clone(keys)
	c.end(history.Ok)
}

func (c *client) next() uint64 {
	c.seq++
	return history.Value(c.writer, c.seq)
}

func (m *model) pick() *modelLog { return m.logs[m.dice.IntN(len(m.logs))] }

// step lets one client go one step on.
func (m *model) step() {
	if len(m.zombies) > 0 && m.dice.IntN(10) == 0 {
		m.zombies[0]()
		m.zombies = m.zombies[1:]
		return
	}
	if len(m.unsettled) > 0 && m.dice.IntN(10) == 0 {
		m.unsettled[0]()
		m.unsettled = m.unsettled[1:]
		return
	}
	c := m.clients[m.dice.IntN(len(m.clients))]
	if len(c.steps) == 0 {
		c.role(c)
		return
	}
	do := c.steps[0]
	c.steps = c.steps[1:]
	do()
}

// generate makes a random history that is right.
func generate(seed uint64, steps int) (ops []history.Op, w history.Workload, o Options) {
	dice := rand.New(rand.NewPCG(seed, 77))
	m := &model{
		dice: dice, group: map[history.Key]*client{}, committed: map[history.Key]kafka.Offset{}, wasteTimes: dice.IntN(3) == 0,
		work: history.Workload{Idempotent: dice.IntN(4) > 0, Committed: dice.IntN(4) > 0},
	}
	for n := range 1 + dice.IntN(4) {
		m.logs = append(m.logs, &modelLog{key: history.Key{Topic: "t", Partition: int32(n)}})
	}
	for range 1 + dice.IntN(3) {
		m.client(producer)
	}
	for range dice.IntN(3) {
		m.client(transactor)
	}
	for range 1 + dice.IntN(2) {
		m.client(assigned)
	}
	if dice.IntN(2) == 0 {
		for range 2 {
			m.client(subscribed)
		}
	}
	m.client(asker)
	for range steps {
		m.step()
	}
	o = Options{Final: true, Healed: m.heal(), LagLimit: 1}
	m.final()
	return m.ops, m.work, o
}

// heal lets everything that is under way come to its end.
func (m *model) heal() int64 {
	for _, c := range m.clients {
		for len(c.steps) > 0 {
			do := c.steps[0]
			c.steps = c.steps[1:]
			do()
		}
	}
	for _, do := range slices.Concat(m.zombies, m.unsettled) {
		do()
	}
	return m.tick()
}

// final reads every key to its end with a new client; those that were reading before catch up, too.
func (m *model) final() {
	last := m.client(assigned)
	for _, c := range m.clients {
		if c == last {
			c.once(history.DoAssign, m.names())
			c.holds = m.names()
		}
		for range 3 {
			if len(c.holds) == 0 {
				continue
			}
			c.seek()
			c.begin(history.DoPoll)
			for _, k := range c.holds {
				c.add(history.Mop{Poll: []history.Poll{m.read(c, m.log(k), 1<<30)}})
			}
			c.end(history.Ok)
		}
	}
}

func (m *model) names() []history.Key {
	var out []history.Key
	for _, l := range m.logs {
		out = append(out, l.key)
	}
	return out
}

func (m *model) log(k history.Key) *modelLog { return m.logs[k.Partition] }
