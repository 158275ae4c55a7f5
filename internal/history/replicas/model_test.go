package replicas

import (
	"math/rand/v2"
	"slices"

	"github.com/milena-io/milena/internal/kafka"
)

// model is a partition with three replicas under the rules of reliability.md 2.2 and fsync before acknowledgement, one random
// step at a time. One rule may be broken.
type model struct {
	dice    *rand.Rand
	broken  string
	reg     Registration
	brokers map[kafka.NodeID]*Broker
	nodes   []*replicaNode
	crc     uint32
	epochs  kafka.BrokerEpoch
	state   State // what happened since the last look
	index   int
	acks    int
	leaders int
	cuts    int
}

const nodes, minISR = 3, 2

type replicaNode struct {
	id          kafka.NodeID
	up          bool
	incarnation byte
	log         []Batch
	shown       []Batch // as the watch saw it last
	durable     kafka.Offset
	high        kafka.Offset
	view        Registration // the newest that it learned
	leads       bool
	start       kafka.Offset
	acked       kafka.Offset
	told        map[kafka.NodeID]progress
	pending     []kafka.NodeID
	order       *Truncation // an answer that is still on its way
}

type progress struct{ end, durable kafka.Offset }

func newModel(seed uint64, broken string) *model {
	m := &model{dice: rand.New(rand.NewPCG(seed, 3)), broken: broken, brokers: map[kafka.NodeID]*Broker{}}
	m.reg = Registration{Leader: 1, LeaderEpoch: 1, PartitionEpoch: 1, Replicas: []kafka.NodeID{1, 2, 3}, ISR: []kafka.NodeID{1, 2, 3}}
	for n := kafka.NodeID(1); n <= nodes; n++ {
		r := &replicaNode{id: n, up: true, told: map[kafka.NodeID]progress{}}
		m.nodes = append(m.nodes, r)
		m.register(r)
	}
	for _, r := range m.nodes {
		m.learn(r)
	}
	return m
}

func (r *replicaNode) end() kafka.Offset { return kafka.Offset(len(r.log)) }

func (r *replicaNode) last() kafka.LeaderEpoch {
	if len(r.log) == 0 {
		return -1
	}
	return r.log[len(r.log)-1].Epoch
}

func (m *model) node(n kafka.NodeID) *replicaNode { return m.nodes[n-1] }

// register tells the controller of a process; one that led gets a new epoch before it serves anything (D6).
func (m *model) register(r *replicaNode) {
	m.epochs++
	m.brokers[r.id] = &Broker{Node: r.id, Epoch: m.epochs, Incarnation: kafka.IncarnationID{r.incarnation, byte(r.id)}}
	if r.incarnation > 0 && m.broken != "a new process leads on in its epoch" {
		m.fence(r.id)
		m.brokers[r.id].Fenced = false
		m.elect()
	}
}

// change is one step of the registration.
func (m *model) change() { m.reg.PartitionEpoch++ }

// fence takes a node out of the in-sync replicas, and elects.
func (m *model) fence(n kafka.NodeID) {
	m.brokers[n].Fenced = true
	if slices.Contains(m.reg.ISR, n) {
		m.setISR(slices.DeleteFunc(slices.Clone(m.reg.ISR), func(x kafka.NodeID) bool { return x == n }))
	}
	if m.reg.Leader == n {
		m.reg.Leader = kafka.NoNode
		m.reg.LeaderEpoch++
		m.change()
	}
	m.elect()
}

// setISR keeps who leaves as eligible while there are too few (KIP-966).
func (m *model) setISR(isr []kafka.NodeID) {
	var elr []kafka.NodeID
	if len(isr) < minISR {
		for _, n := range slices.Concat(m.reg.ELR, m.reg.ISR) {
			if !slices.Contains(isr, n) && !slices.Contains(elr, n) {
				elr = append(elr, n)
			}
		}
	}
	m.reg.ISR, m.reg.ELR = isr, elr
	m.change()
}

func (m *model) elect() {
	if m.reg.Leader != kafka.NoNode {
		return
	}
	from := slices.Concat(m.reg.ISR, m.reg.ELR)
	if m.broken == "anybody is elected" {
		from = slices.Clone(m.reg.Replicas)
	}
	m.dice.Shuffle(len(from), func(a, b int) { from[a], from[b] = from[b], from[a] })
	for _, n := range from {
		if m.brokers[n].Fenced {
			continue
		}
		if !slices.Contains(m.reg.ISR, n) {
			m.reg.ELR = slices.DeleteFunc(slices.Clone(m.reg.ELR), func(x kafka.NodeID) bool { return x == n })
			m.reg.ISR = append(slices.Clone(m.reg.ISR), n)
			if len(m.reg.ISR) >= minISR {
				m.reg.ELR = nil
			}
		}
		m.reg.Leader = n
		m.reg.LeaderEpoch++
		m.change()
		m.leaders++
		return
	}
}

// learn brings a node to the newest registration.
func (m *model) learn(r *replicaNode) {
	began := m.reg.Leader == r.id && (!r.leads || r.view.LeaderEpoch != m.reg.LeaderEpoch)
	if m.reg.LeaderEpoch != r.view.LeaderEpoch {
		r.order = nilUnless(m.broken == "a late order cuts", r.order)
	}
	r.view = m.reg
	r.leads = m.reg.Leader == r.id
	r.pending = slices.DeleteFunc(r.pending, func(n kafka.NodeID) bool { return slices.Contains(m.reg.ISR, n) })
	if began {
		r.start, r.acked, r.told, r.pending = r.end(), r.end(), map[kafka.NodeID]progress{}, nil
	}
}

func nilUnless(keep bool, t *Truncation) *Truncation {
	if keep {
		return t
	}
	return nil
}

func (m *model) maximal(r *replicaNode) []kafka.NodeID { return slices.Concat(r.view.ISR, r.pending) }

// advance moves a leader's high watermark and acknowledges what it passes.
func (m *model) advance(r *replicaNode) {
	if !r.leads || len(r.view.ISR) < minISR {
		if m.broken != "the high watermark ignores min.insync.replicas" || !r.leads {
			return
		}
	}
	low := r.durable
	if m.broken == "acknowledged before it is durable" {
		low = r.end()
	}
	for i, n := range m.maximal(r) {
		if n == r.id || m.broken == "a member is ignored" && i == len(r.view.ISR)-1 {
			continue
		}
		if m.broken == "acknowledged before it is durable" {
			low = min(low, r.told[n].end)
		} else {
			low = min(low, r.told[n].durable)
		}
	}
	r.high = max(r.high, low)
	if m.broken == "the high watermark goes back" && m.dice.IntN(20) == 0 {
		r.high = low / 2
	}
	if r.high > r.acked {
		m.state.Acks = append(m.state.Acks, Ack{Leader: r.id, Epoch: r.view.LeaderEpoch, Base: r.acked, Last: r.high - 1, ISR: m.maximal(r)})
		r.acked = r.high
		m.acks++
	}
}

// fetch is a follower's whole round: its position goes to the leader, and records or an order to cut come back.
func (m *model) fetch(f *replicaNode) {
	if f.leads || f.view.Leader == kafka.NoNode || f.view.Leader == f.id {
		return
	}
	l := m.node(f.view.Leader)
	if !l.up || !l.leads {
		return
	}
	if l.view.LeaderEpoch != f.view.LeaderEpoch {
		return // fenced, or unknown
	}
	at := Position{LeaderEpoch: f.view.LeaderEpoch, FetchOffset: f.end(), LastFetchedEpoch: f.last()}
	if f.order != nil && m.dice.IntN(2) == 0 {
		if f.order.Asked == at || m.broken == "a late order cuts" {
			t := *f.order
			t.Is = at
			m.cut(f, t)
		}
		f.order = nil
		return
	}
	if m.broken == "followers cut to their high watermark" && f.last() != l.view.LeaderEpoch && f.end() > f.high {
		m.cut(f, Truncation{Node: f.id, To: f.high, Asked: at, Is: at})
		return
	}
	if to := agree(l.log, f.log); to < f.end() {
		f.order = &Truncation{Node: f.id, To: to, Asked: at}
		return
	}
	l.told[f.id] = progress{f.end(), f.durable}
	m.advance(l)
	f.log = append(f.log, l.log[f.end():min(l.end(), f.end()+kafka.Offset(m.dice.IntN(4)))]...)
	f.high = max(f.high, min(l.high, f.end()))
}

// agree returns how much of a follower's log its leader has, too.
func agree(leader, follower []Batch) kafka.Offset {
	n := 0
	for n < len(leader) && n < len(follower) && leader[n].Epoch == follower[n].Epoch { // epochs alone, as the protocol sees them
		n++
	}
	return kafka.Offset(n)
}

func (m *model) cut(f *replicaNode, t Truncation) {
	t.To = min(t.To, f.end())
	f.log = slices.Clone(f.log[:t.To])
	f.durable, f.high = min(f.durable, t.To), min(f.high, t.To)
	m.state.Truncations = append(m.state.Truncations, t)
	m.cuts++
}
