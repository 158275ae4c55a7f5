package classic

import (
	"fmt"
	"math"
	"strings"

	"github.com/milena-io/milena/internal/kafka"
)

// rebalance starts a rebalance, or lets one that gathers members go on.
func (d *Draft) rebalance(format string, args ...any) {
	if d.State == PreparingRebalance {
		d.maybeCompleteJoin()
		return
	}
	d.prepare(fmt.Sprintf(format, args...))
}

// prepare asks all members to join again.
func (d *Draft) prepare(why string) {
	if d.State == CompletingRebalance {
		d.cancelSyncs()
	}
	for _, m := range d.Members {
		if m.syncing {
			d.member(m.ID).syncing = false
		}
	}
	d.round = round{initial: d.State == Empty}
	d.enter(PreparingRebalance)
	d.event("group_rebalance", "Preparing to rebalance group %s in state %s with old generation %d (reason: %s).",
		d.ID, d.State, d.Generation, why)
	switch {
	case d.round.initial && d.cfg.InitialRebalanceDelay > 0:
		// The first members of a group start together more often than not: wait for them.
		d.round.delay = d.cfg.InitialRebalanceDelay
		d.round.remaining = max(d.rebalanceTimeout()-d.round.delay, 0)
		d.round.joinAt = d.now.Mono + d.round.delay
	case d.round.initial || d.allJoined():
		d.completeJoin()
	default:
		d.round.joinAt = d.now.Mono + d.rebalanceTimeout()
	}
}

// cancelSyncs sends members that wait for an assignment back to join.
func (d *Draft) cancelSyncs() {
	for _, m := range d.Members {
		m := d.member(m.ID)
		m.Assignment = nil
		if m.sync != 0 {
			d.reply(m.sync, SyncReply{Err: kafka.ErrRebalanceInProgress})
			m.sync = 0
			d.alive(m, ms(m.SessionTimeoutMs))
		}
	}
}

// maybeCompleteJoin ends the join phase when everybody is there. The initial one ends by its timer.
func (d *Draft) maybeCompleteJoin() {
	if d.State == PreparingRebalance && !d.round.initial && d.allJoined() {
		d.completeJoin()
	}
}

// completeJoin ends the join phase: those who did not join are out, the rest get the next generation.
func (d *Draft) completeJoin() {
	d.round.joinAt = 0
	var late []string
	for _, m := range d.Members {
		if m.join == 0 && m.InstanceID == nil {
			late = append(late, m.ID)
		}
	}
	for _, id := range late {
		d.remove(id, kafka.ErrUnknownMemberId)
	}
	if len(late) > 0 {
		d.event("group_member_late", "Group %s removed dynamic members who haven't joined: [%s]", d.ID, strings.Join(late, ", "))
	}
	switch {
	case len(d.Members) == 0:
		d.becomeEmpty()
	case !d.electLeader():
		// Only static members, and none came: they have until their sessions end.
		d.Events = append(d.Events, Event{Name: "group_rebalance_stuck", Warn: true,
			Text: fmt.Sprintf("Group %s could not complete rebalance because no members rejoined.", d.ID)})
		d.round.joinAt = d.now.Mono + d.rebalanceTimeout()
	default:
		d.nextGeneration()
	}
}

func (d *Draft) becomeEmpty() {
	d.bump()
	d.Protocol, d.Leader = "", ""
	d.round = round{}
	d.topics = d.subscribed()
	d.enter(Empty)
	d.event("group_empty", "Group %s with generation %d is now empty.", d.ID, d.Generation)
	d.write()
}

// electLeader keeps the leader if it joined, else takes the first who did.
func (d *Draft) electLeader() bool {
	leader := d.Member(d.Leader)
	if leader != nil && leader.join != 0 {
		return true
	}
	for _, m := range d.Members {
		if m.join != 0 {
			d.event("group_leader", "Group leader [memberId: %s] failed to join before the rebalance timeout. Member %s was elected "+
				"as the new leader.", d.Leader, m.ID)
			d.Leader = m.ID
			return true
		}
	}
	return false
}

func (d *Draft) nextGeneration() {
	d.bump()
	d.Protocol = d.selectProtocol()
	d.topics = d.subscribed()
	d.round = round{}
	d.enter(CompletingRebalance)
	d.event("group_stabilized", "Stabilized group %s generation %d with %d members.", d.ID, d.Generation, len(d.Members))
	d.promise()
	for _, m := range d.Members {
		m := d.member(m.ID)
		d.reply(m.join, d.joined(m.ID))
		m.join, m.fresh, m.syncing = 0, false, true
		d.alive(m, ms(m.SessionTimeoutMs))
	}
	d.round.syncAt = d.now.Mono + d.rebalanceTimeout()
}

// bump takes the next generation that nobody was ever told.
func (d *Draft) bump() {
	g := max(d.Generation, d.Promised)
	if g == math.MaxInt32 {
		g = 0 // two thousand million rebalances; Kafka would go negative here
	}
	d.Generation, d.Promised = g+1, 0
}
