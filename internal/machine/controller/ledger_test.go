package controller

import (
	"fmt"
	"maps"
	"slices"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// ledger is what the brokers hold of partitions that only count their records: how much of a log each replica has, and how
// much is committed. It knows nothing of how the controller decides.
type ledger map[kafka.TopicIDPartition]*holdings

type holdings struct {
	held      map[kafka.NodeID]int
	volatile  map[kafka.NodeID]bool // some of it is in the page cache alone
	committed int
	served    map[kafka.LeaderEpoch]kafka.IncarnationID // who led in each epoch
}

func (l ledger) of(id kafka.TopicIDPartition) *holdings {
	h := l[id]
	if h == nil {
		h = &holdings{held: map[kafka.NodeID]int{}, volatile: map[kafka.NodeID]bool{}, served: map[kafka.LeaderEpoch]kafka.IncarnationID{}}
		l[id] = h
	}
	return h
}

// write has a leader append some records, which of the ISR those get that are up; what all have is committed when the ISR
// is large enough. By the rules of the page cache nothing of it is on a disk, else all that they have is.
func (h *holdings) write(p *image.Partition, least, records int, cached bool, up func(kafka.NodeID) bool) {
	if p.Leader == kafka.NoNode || !up(p.Leader) {
		return
	}
	h.held[p.Leader] += records
	h.volatile[p.Leader] = cached
	committed := h.held[p.Leader]
	for _, id := range p.ISR() {
		if up(id) {
			h.held[id], h.volatile[id] = h.held[p.Leader], cached
		}
		committed = min(committed, h.held[id])
	}
	if len(p.ISR()) >= min(least, len(p.Replicas())) {
		h.committed = max(h.committed, committed)
	}
}

// join brings replicas to where the leader is, before it asks for them, and onto their disks where that counts.
func (h *holdings) join(p *image.Partition, ids []kafka.NodeID, cached bool) {
	for _, id := range ids {
		h.held[id] = h.held[p.Leader]
		h.volatile[id] = cached && (id != p.Leader || h.volatile[id])
	}
}

// checked is one partition before and after a command.
type checked struct {
	id        kafka.TopicIDPartition
	was, is   *image.Partition // was is nil for a new one
	before    *image.Image
	after     *image.Image
	rules     rules
	asked     any // the command
	mayBreak  bool
	records   int // of the partition
	*holdings     // before
}

// check is one invariant of reliability.md; it says what is wrong.
type check struct {
	name string
	find func(checked) string
}

func checks() []check {
	return []check{{"R4", noResumedEpoch}, {"R7", membersHoldWhatIsCommitted}, {"R9", eligibleOnlyBelowTheMinimum},
		{"R12", oneEpochPerChange}, {"R13", reassignmentKeepsHolders}}
}

// noResumedEpoch: an incarnation never leads in an epoch that its predecessor led.
func noResumedEpoch(c checked) string {
	if c.is.Leader == kafka.NoNode {
		return ""
	}
	b := c.after.Broker(c.is.Leader)
	if b == nil {
		return fmt.Sprintf("leader %d is not registered", c.is.Leader)
	}
	if last, ok := c.served[c.is.LeaderEpoch]; ok && last != b.Incarnation {
		return fmt.Sprintf("epoch %d is led by another incarnation", c.is.LeaderEpoch)
	}
	return ""
}

// membersHoldWhatIsCommitted: the leader is in the ISR, the ISR is among the replicas and apart from the eligible, and each of
// both holds what is committed.
func membersHoldWhatIsCommitted(c checked) string {
	isr, elr := c.is.ISR(), c.is.ELR()
	switch {
	case c.is.Leader != kafka.NoNode && !slices.Contains(isr, c.is.Leader):
		return "the leader is not in the ISR"
	case !subset(isr, c.is.Replicas()) || !subset(elr, c.is.Replicas()):
		return "a member is no replica"
	case len(without(isr, elr...)) != len(isr):
		return "a member of the ISR is eligible beside it"
	case c.mayBreak:
		return ""
	}
	for _, id := range slices.Concat(isr, elr) {
		if c.held[id] < c.committed {
			return fmt.Sprintf("%d holds %d of %d that are committed", id, c.held[id], c.committed)
		}
	}
	return ""
}

// eligibleOnlyBelowTheMinimum: nobody is eligible beside an ISR that lets the high watermark move, and a leader that was
// neither in the ISR nor eligible is known to recover.
func eligibleOnlyBelowTheMinimum(c checked) string {
	if len(c.is.ELR()) > 0 && len(c.is.ISR()) >= min(c.rules.minISR, len(c.is.Replicas())) {
		return fmt.Sprintf("%v are eligible beside %v", c.is.ELR(), c.is.ISR())
	}
	if c.was == nil || c.is.Leader == kafka.NoNode || c.is.Leader == c.was.Leader {
		return ""
	}
	clean := slices.Contains(c.was.ISR(), c.is.Leader) || slices.Contains(c.was.ELR(), c.is.Leader)
	completes := c.was.Reassigning() && !c.is.Reassigning() // and its leader has just joined
	if !clean && !completes && c.is.Recovery != staterecord.Recovering {
		return fmt.Sprintf("%d leads, out of neither", c.is.Leader)
	}
	if len(c.was.ISR()) > 0 && !clean && !completes && !c.rules.unclean && !uncleanAsked(c.asked) {
		return fmt.Sprintf("%d leads, and nobody allowed it", c.is.Leader)
	}
	return ""
}

func uncleanAsked(cmd any) bool {
	e, ok := cmd.(ElectLeaders)
	return ok && e.Unclean
}

// oneEpochPerChange: each record raises the partition epoch by one, another leader comes with another leader epoch, and a
// wish for a partition as it no longer is changes nothing.
func oneEpochPerChange(c checked) string {
	if c.was == nil {
		return ""
	}
	if got := int(c.is.PartitionEpoch - c.was.PartitionEpoch); got != c.records {
		return fmt.Sprintf("%d records raised the partition epoch by %d", c.records, got)
	}
	if c.is.LeaderEpoch < c.was.LeaderEpoch || c.is.Leader != c.was.Leader && c.is.LeaderEpoch == c.was.LeaderEpoch {
		return fmt.Sprintf("leader %d of epoch %d after leader %d of epoch %d", c.is.Leader, c.is.LeaderEpoch, c.was.Leader, c.was.LeaderEpoch)
	}
	if a, ok := c.asked.(AlterPartition); ok && c.records > 0 {
		for _, w := range a.Partitions {
			if w.ID == c.id && (w.PartitionEpoch != c.was.PartitionEpoch || w.LeaderEpoch != c.was.LeaderEpoch) {
				return fmt.Sprintf("a wish for epoch %d.%d changed it", w.LeaderEpoch, w.PartitionEpoch)
			}
		}
	}
	return ""
}

// reassignmentKeepsHolders: a reassignment drops what it was to remove only when as many hold what is committed as the smaller
// assignment has, and calling it back only what it was adding.
func reassignmentKeepsHolders(c checked) string {
	if c.was == nil {
		return ""
	}
	dropped := without(c.was.Replicas(), c.is.Replicas()...)
	if len(dropped) == 0 || c.mayBreak {
		return ""
	}
	if subset(dropped, c.was.Adding()) && len(without(c.is.Replicas(), c.was.Replicas()...)) == 0 && !c.is.Reassigning() {
		return ""
	}
	holders := 0
	for _, id := range c.is.Replicas() {
		if c.held[id] >= c.committed {
			holders++
		}
	}
	origin := without(c.was.Replicas(), c.was.Adding()...)
	if want := min(len(origin), len(c.is.Replicas())); holders < want && !subset(dropped, c.was.Adding()) {
		return fmt.Sprintf("%v hold what is committed, of %v on the way from %v", holders, c.is.Replicas(), origin)
	}
	if !subset(c.is.Replicas(), c.is.ISR()) && !subset(dropped, c.was.Adding()) {
		return fmt.Sprintf("%v went while only %v of %v are in sync", dropped, c.is.ISR(), c.is.Replicas())
	}
	return ""
}

// note is what a partition has become.
func (h *holdings) note(p *image.Partition, img *image.Image) {
	if p.Leader == kafka.NoNode {
		return
	}
	h.served[p.LeaderEpoch] = img.Broker(p.Leader).Incarnation
	if p.Recovery == staterecord.Recovering || len(p.Replicas()) == 1 {
		h.committed = min(h.committed, h.held[p.Leader]) // what an unclean election takes is gone
	}
	for _, id := range slices.Sorted(maps.Keys(h.held)) {
		if !slices.Contains(p.Replicas(), id) {
			delete(h.held, id)
		}
	}
}
