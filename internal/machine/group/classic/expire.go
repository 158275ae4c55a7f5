package classic

import (
	"fmt"
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/kafka"
)

// Expire decides everything whose time has come: pending members, sessions, the sync and the join phase.
func (d *Draft) Expire() {
	for _, p := range slices.Clone(d.Pending) {
		if p.until <= d.now.Mono {
			d.event("group_member_expired", "Pending member %s in group %s has been removed after session timeout expiration.", p.ID, d.ID)
			d.drop(p.ID, "")
		}
	}
	for _, m := range slices.Clone(d.Members) {
		// What happened to an earlier member may have removed this one or started its session again.
		m := d.Member(m.ID)
		if m == nil || m.session.until > d.now.Mono {
			continue
		}
		if m.excused() {
			d.alive(d.member(m.ID), ms(m.SessionTimeoutMs))
			continue
		}
		d.event("group_member_failed", "Member %s in group %s has failed, removing it from the group.", m.ID, d.ID)
		d.drop(m.ID, fmt.Sprintf("removing member %s on heartbeat expiration.", m.ID))
	}
	if at := d.round.syncAt; at > 0 && at <= d.now.Mono {
		d.expireSync()
	}
	if at := d.round.joinAt; at > 0 && at <= d.now.Mono {
		d.expireJoin()
	}
}

// drop removes a member that went silent.
func (d *Draft) drop(id, why string) {
	d.remove(id, kafka.ErrUnknownMemberId)
	switch {
	case why != "" && (d.State == Stable || d.State == CompletingRebalance):
		d.prepare(why)
	case d.State == PreparingRebalance && d.allJoined():
		d.completeJoin()
	}
}

// expireSync removes members that were told of the generation and never asked for their assignment.
func (d *Draft) expireSync() {
	d.round.syncAt = 0
	var late []string
	for _, m := range d.Members {
		if m.syncing {
			late = append(late, m.ID)
		}
	}
	if len(late) == 0 {
		return
	}
	for _, id := range late {
		d.remove(id, kafka.ErrUnknownMemberId)
	}
	d.prepare(fmt.Sprintf("Removing [%s] on pending sync request expiration", strings.Join(late, ", ")))
}

// expireJoin ends the join phase, or extends the initial wait while members keep coming.
func (d *Draft) expireJoin() {
	r := &d.round
	if !r.initial || !r.grown || r.remaining == 0 {
		d.completeJoin()
		return
	}
	next := min(d.cfg.InitialRebalanceDelay, r.remaining)
	r.remaining = max(r.remaining-r.delay, 0)
	r.grown = false
	r.delay = next
	r.joinAt = d.now.Mono + next
}

// Loaded starts the sessions of a group that was read from the log; nobody knows how long its members were silent. When
// members were told of a generation that was never assigned, they all join anew, and the group stands at that generation
// until they have: whoever knows only the one before commits no more.
func (d *Draft) Loaded() {
	for _, m := range d.Members {
		d.alive(d.member(m.ID), ms(m.SessionTimeoutMs))
	}
	switch n := len(d.Members); {
	case n > 0 && d.Promised > d.Generation:
		d.Generation = d.Promised
		d.prepare(fmt.Sprintf("generation %d was told, and the coordinator moved before it was assigned", d.Promised))
	case n > d.cfg.MaxSize:
		d.prepare(fmt.Sprintf("Freshly-loaded group %s (size %d) is over capacity %d. Rebalancing in order to give a chance for "+
			"consumers to commit offsets", d.ID, n, d.cfg.MaxSize))
	}
}
