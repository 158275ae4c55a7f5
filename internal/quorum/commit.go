package quorum

import (
	"go.etcd.io/raft/v3/raftpb"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/staterecord"
)

// commit applies entries that Raft declared committed and that are durable here, answers who waited for them and wakes
// the feeds. What this leader applied when it proposed is only made final.
func (e *engine) commit(entries []*raftpb.Entry) {
	for _, entry := range entries {
		end, ok := e.store.pos.offsetOf(entry.GetIndex() + 1)
		if !ok || e.q.err != nil {
			return // a snapshot went past it
		}
		var err error
		switch {
		case entry.GetType() != raftpb.EntryNormal:
			err = e.changeVoters(entry)
		case end > e.q.lead.props.applied && len(entry.GetData()) > 0:
			err = e.apply(entry.GetData())
		}
		if err != nil {
			e.q.fail(err)
			return
		}
		e.q.committed = end
		e.q.lead.props.applied = max(e.q.lead.props.applied, end)
		e.q.snaps.bytes += int64(len(entry.GetData()))
	}
	e.q.o.Machine.Commit(e.q.committed)
	e.q.lead.settle()
	e.q.lead.settleChange()
	e.q.reads.settle(e.q)
	e.q.watch.wake(e.q)
	e.q.snaps.maybeSnapshot()
}

// apply hands a batch's records to the machine; control batches are Raft's and the feeds' business.
func (e *engine) apply(b record.Batch) error {
	if b.IsControl() {
		return nil
	}
	return eachValue(b, func(offset kafka.Offset, value []byte) error {
		rec, err := staterecord.Decode(value)
		if err != nil {
			return err
		}
		e.q.o.Machine.Apply(offset, rec)
		return nil
	})
}

// changeVoters makes a committed KRAFT_VOTERS the membership.
func (e *engine) changeVoters(entry *raftpb.Entry) error {
	b, err := batchOf(entry)
	if err != nil {
		return err
	}
	to, err := votersOf(b)
	if err != nil {
		return err
	}
	change, err := e.q.voters.changeTo(to)
	if err != nil {
		return err
	}
	if change != nil {
		e.node.ApplyConfChange(change)
	}
	lead := e.q.lead.role.lead
	_, led := e.q.voters.byRaftID(lead)
	_, leads := to.byRaftID(lead)
	e.q.setVoters(to)
	e.q.lead.orphaned = led && !leads && lead != e.q.self.raft
	e.q.log("metadata voters", "voters", to.String(), "offset", b.BaseOffset())
	return nil
}
