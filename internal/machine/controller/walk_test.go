package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// walk is a cluster that lives at random: brokers die and come back in every way there is, partitions are written, and
// everything that may be asked of a controller is.
type walk struct {
	*lab
	chance *rand.Rand
	ledger ledger
	up     map[kafka.NodeID]bool // the processes that run
	born   byte
	seen   map[string]int // what the walk reached
}

func newWalk(t testing.TB, seed uint64) *walk {
	w := &walk{lab: newLab(t), chance: rand.New(rand.NewPCG(seed, 9)), ledger: ledger{}, up: map[kafka.NodeID]bool{}, seen: map[string]int{}}
	w.m.o.Rebalance = 20 * time.Second
	for id := kafka.NodeID(1); id <= 6; id++ {
		w.restart(id)
	}
	for i := range 4 {
		name := fmt.Sprint("t", i)
		n := NewTopic{ID: topicID(name), Name: name, Partitions: 3, Replicas: int16(1 + i%3 + i/3*2)}
		n.Configs = []ConfigSet{{minInSync, new(strconv.Itoa(1 + w.chance.IntN(3)))}}
		if w.chance.IntN(2) == 0 {
			n.Configs = append(n.Configs, ConfigSet{durability, new("cache")})
		}
		w.step(CreateTopics{Topics: []NewTopic{n}})
	}
	return w
}

func (w *walk) node() kafka.NodeID { return kafka.NodeID(1 + w.chance.IntN(6)) }

// any returns a random partition.
func (w *walk) any() (*image.Topic, int32, *image.Partition) {
	t := w.m.Committed().TopicNamed(fmt.Sprint("t", w.chance.IntN(4)))
	id := int32(w.chance.IntN(t.Len()))
	p, _ := t.Partition(id)
	return t, id, p
}

func (w *walk) rules(img *image.Image, topic string) rules {
	configs := topicConfigs{d: &decision{o: &w.m.o, img: img}}
	return configs.rules(topic)
}

// restart begins a new incarnation, in one of the ways in which the last may have ended.
func (w *walk) restart(id kafka.NodeID) {
	w.born++
	r := registration(id, w.born)
	r.PreviousEpoch = -1
	if have := w.m.Committed().Broker(id); have != nil {
		r.Dead, r.LogDirs = have.Epoch, have.LogDirs
		r.Noted = [][]kafka.IncarnationID{{have.Incarnation}}
		switch how := w.chance.IntN(6); {
		case how == 0:
			r.LogDirs = []kafka.DirectoryID{{0: 0xdd, 13: w.born, 15: byte(id)}}
			r.Noted[0] = nil
			w.lose(id, false, true)
			w.seen["wiped"]++
		case how == 1:
			r.Noted[0][0][0]++
			w.lose(id, false, false)
			w.seen["restored"]++
		case how < 4:
			w.lose(id, true, false)
			w.seen["unclean"]++
		default:
			r.PreviousEpoch = have.Epoch
		}
	}
	w.up[id] = true
	w.step(r)
	w.step(Heartbeat{Broker: id, Epoch: w.epoch(id), MetadataOffset: w.next - 1})
}

// cached reports whether a partition's leader goes by the page cache.
func (w *walk) cached(t *image.Topic, p *image.Partition) bool {
	return !w.rules(w.m.Committed(), t.Name).durable || p.Settling
}

// lose takes records from what a broker holds, or only of what was in page caches.
func (w *walk) lose(id kafka.NodeID, caches, all bool) {
	for t := range w.m.Committed().Topics() {
		for n, p := range t.Partitions() {
			h := w.ledger.of(kafka.TopicIDPartition{TopicID: t.ID, Partition: n})
			if caches && !h.volatile[id] || h.held[id] == 0 {
				continue
			}
			h.volatile[id] = false // what is there after a start is on the disk
			h.held[id] = w.chance.IntN(h.held[id])
			if all {
				h.held[id] = 0
			}
			if sole(p) {
				h.committed = min(h.committed, h.held[id]) // nobody else has it
			}
		}
	}
}

// wish is what a leader that is up may ask for: members that have what it has.
func (w *walk) wish() {
	t, id, p := w.any()
	if p.Leader == kafka.NoNode || !w.up[p.Leader] {
		return
	}
	at := kafka.TopicIDPartition{TopicID: t.ID, Partition: id}
	wish := PartitionWish{ID: at, LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch}
	if w.chance.IntN(8) == 0 {
		wish.PartitionEpoch--
	}
	for _, n := range p.Replicas() {
		if b := w.m.Committed().Broker(n); n == p.Leader || w.chance.IntN(4) > 0 && w.up[n] && b != nil && b.Active() {
			wish.ISR, wish.Epochs = append(wish.ISR, n), append(wish.Epochs, w.epoch(n))
		}
	}
	cached, down := w.cached(t, p), func(n kafka.NodeID) bool { return !w.up[n] }
	if p.Settling && !slices.ContainsFunc(p.ISR(), down) && w.chance.IntN(2) == 0 {
		wish.Settled, cached = true, false // all members have flushed
		w.ledger.of(at).join(p, p.ISR(), false)
		w.seen["settled"]++
	}
	w.ledger.of(at).join(p, wish.ISR, cached)
	w.step(AlterPartition{Broker: p.Leader, Epoch: w.epoch(p.Leader), Partitions: []PartitionWish{wish}})
}

func (w *walk) reassign() {
	t, id, _ := w.any()
	r := Reassignment{TopicPartition: kafka.TopicPartition{Topic: t.Name, Partition: id}}
	if w.chance.IntN(3) > 0 {
		for _, n := range w.chance.Perm(6)[:1+w.chance.IntN(4)] {
			r.Replicas = append(r.Replicas, kafka.NodeID(1+n))
		}
	}
	w.step(AlterReassignments{AllowFactorChange: true, Partitions: []Reassignment{r}})
}

func (w *walk) alterConfig() {
	name := fmt.Sprint("t", w.chance.IntN(4))
	change := ConfigChange{minInSync, SetConfig, new(strconv.Itoa(1 + w.chance.IntN(3)))}
	if w.chance.IntN(3) == 0 {
		change = ConfigChange{uncleanElection, SetConfig, new(strconv.FormatBool(w.chance.IntN(4) == 0))}
	}
	if w.chance.IntN(3) == 0 {
		change = ConfigChange{durability, SetConfig, new([]string{"cache", "sync"}[w.chance.IntN(2)])}
	}
	a := AlterResource{Type: ofTopic, Name: name, Changes: []ConfigChange{change}}
	if w.chance.IntN(6) == 0 && change.Name != uncleanElection {
		a.Type, a.Name = ofBroker, ""
	}
	w.step(AlterConfigs{Resources: []AlterResource{a}})
}

// act does one thing.
func (w *walk) act() {
	id := w.node()
	switch n := w.chance.IntN(24); {
	case n < 5:
		w.write()
	case n < 10:
		w.wish()
	case n < 12:
		w.up[id] = false
		if b := w.m.Committed().Broker(id); b != nil && w.chance.IntN(2) == 0 {
			w.step(BrokerDead{Broker: id, Epoch: b.Epoch})
		}
	case n < 16:
		if !w.up[id] {
			w.restart(id)
		}
	case n < 18:
		w.reassign()
	case n == 18:
		w.alterConfig()
	case n == 19:
		w.step(ElectLeaders{All: true, Unclean: w.chance.IntN(8) == 0})
	case n == 20 && w.chance.IntN(4) == 0:
		if w.m.Committed().Broker(id) != nil {
			w.up[id] = false
			w.step(UnregisterBroker{Broker: id})
		}
	case n == 21 && w.up[id]:
		w.step(Heartbeat{Broker: id, Epoch: w.epoch(id), MetadataOffset: w.next - 1, WantShutdown: true})
		w.up[id] = false
	default:
		w.pass()
	}
}

// write has all leaders write.
func (w *walk) write() {
	for t := range w.m.Committed().Topics() {
		r := w.rules(w.m.Committed(), t.Name)
		for id, p := range t.Partitions() {
			h := w.ledger.of(kafka.TopicIDPartition{TopicID: t.ID, Partition: id})
			h.write(p, r.minISR, w.chance.IntN(3), w.cached(t, p), func(n kafka.NodeID) bool { return w.up[n] })
		}
	}
}

// pass lets time pass; who is up sends heartbeats, and what is due is done.
func (w *walk) pass() {
	w.now = w.now.Add(time.Duration(w.chance.IntN(5)) * time.Second)
	for id := kafka.NodeID(1); id <= 6; id++ {
		if b := w.m.Committed().Broker(id); w.up[id] && b != nil {
			h := Heartbeat{Broker: id, Epoch: b.Epoch, MetadataOffset: w.next - 1}
			if w.chance.IntN(12) == 0 {
				h.Stalled = b.LogDirs
			}
			w.step(h)
		}
	}
	for _, cmd := range w.m.Due(w.now) {
		w.step(cmd)
	}
}

// register asks for a registration, and once more where it has to; each time first without the proof that the last process has ended.
func (w *walk) register(r RegisterBroker) {
	for range 2 {
		bare := r
		bare.Dead = 0
		for _, cmd := range []RegisterBroker{bare, r} {
			if _, err := w.do(cmd); fault.CodeOf(err) != kafka.ErrDuplicateBrokerRegistration {
				return
			}
		}
	}
}

// step decides a command and holds what became of every partition against the invariants.
func (w *walk) step(cmd any) {
	before := w.m.Committed()
	if r, ok := cmd.(RegisterBroker); ok {
		w.register(r)
	} else {
		_, _ = w.do(cmd)
	}
	after := w.m.Committed()
	changes := map[kafka.TopicIDPartition]int{}
	for _, r := range w.last {
		if c, ok := r.(*staterecord.PartitionChange); ok {
			changes[kafka.TopicIDPartition{TopicID: c.TopicID, Partition: c.PartitionID}]++
		}
	}
	for t := range after.Topics() {
		r := w.rules(after, t.Name)
		for id, p := range t.Partitions() {
			at := kafka.TopicIDPartition{TopicID: t.ID, Partition: id}
			was, _ := before.Partition(at)
			c := checked{id: at, was: was, is: p, before: before, after: after, rules: r, asked: cmd, records: changes[at], holdings: w.ledger.of(at)}
			// An unclean election may take what is committed, and the sole replica stays whatever it lost.
			c.mayBreak = p.Recovery == staterecord.Recovering || len(p.Replicas()) == 1
			for _, check := range checks() {
				if what := check.find(c); what != "" {
					w.t.Fatalf("%s: %s-%d: %s\nafter %T %+v\nit is %s", check.name, t.Name, id, what, cmd, cmd, w.partition(t.Name, id))
				}
			}
			w.count(was, p)
			c.note(p, after)
		}
	}
}

func (w *walk) count(was, is *image.Partition) {
	if was == nil {
		return
	}
	for what, reached := range map[string]bool{
		"elected": is.Leader != was.Leader && is.Leader != kafka.NoNode, "offline": is.Leader == kafka.NoNode,
		"eligible": len(is.ELR()) > 0, "elected from the eligible": len(was.ISR()) == 0 && len(is.ISR()) == 1 && len(was.ELR()) > 0,
		"recovering": is.Recovery == staterecord.Recovering, "reassigned": was.Reassigning() && !is.Reassigning(),
		"last known": len(is.LastKnownELR()) > 0 && len(is.ELR()) == 0,
	} {
		if reached {
			w.seen[what]++
		}
	}
}

func TestInvariantsOfAClusterThatFails(t *testing.T) {
	const seeds = uint64(60)
	total := map[string]int{}
	for seed := range seeds {
		w := newWalk(t, seed)
		for range 400 {
			w.act()
		}
		for what, n := range w.seen {
			total[what] += n
		}
	}
	for _, what := range []string{"elected", "offline", "eligible", "elected from the eligible", "recovering", "reassigned", "last known", "wiped", "restored", "unclean", "settled"} {
		if total[what] < 20 {
			t.Errorf("%s: reached %d times", what, total[what])
		}
	}
}
