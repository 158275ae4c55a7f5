package fetch

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/fetchsession"
	"github.com/milena-io/milena/internal/partition"
	"github.com/milena-io/milena/internal/wire"
)

// reply is the answer of a pending, made of memory that the next one uses again.
type reply struct {
	answer  wire.FetchAnswer
	encoder wire.FetchEncoder
	held    []partition.Records // of the answer
	pieces  []wire.Piece        // their sections
}

func (a *reply) reset() {
	clear(a.answer.Partitions)
	clear(a.held)
	clear(a.pieces)
	a.answer = wire.FetchAnswer{Partitions: a.answer.Partitions[:0]}
	a.held, a.pieces = a.held[:0], a.pieces[:0]
	a.encoder.Reset()
}

// refuse answers a fetch whose session is not there.
func (w *pending) refuse(code kafka.ErrorCode) {
	w.reply.answer.ErrorCode = code
	w.send()
}

// answer decides what an incremental response leaves out, and replies. The records' files stay open until the bytes are
// written.
func (w *pending) answer() {
	a := &w.reply
	a.answer.SessionID = w.sessionID
	w.decide()
	if cap(a.pieces) < len(a.held) {
		a.pieces = make([]wire.Piece, 0, cap(a.held)) // the answer points into it: it must not grow
	}
	n := 0
	for i := range w.results {
		r := &w.results[i]
		if r.stale {
			continue
		}
		a.answer.Partitions = append(a.answer.Partitions, w.part(&w.partitions[i].Key, r, &a.held[n]))
		n++
	}
	w.send()
}

// decide moves what goes into the answer from the results to what is held, and marks the others as stale.
func (w *pending) decide() {
	w.area.mu.Lock()
	defer w.area.mu.Unlock()
	for i := range w.results {
		r := &w.results[i]
		r.records.Answered(r.err)
		if w.ask.report {
			r.stale = r.err == nil // what a Fetch of the session that still waits is to tell is not told here
			if !r.stale {
				w.reply.held = append(w.reply.held, r.records)
			}
			continue
		}
		include := w.session == nil || w.session.Answered(w.partitions[i].Key, fetchsession.Answer{
			Err: fault.CodeOf(r.err), Bytes: int(r.records.Slice.Len),
			HighWatermark: r.records.High, LogStart: r.records.LogStart, Always: r.records.Diverging != nil || r.preferred != kafka.NoNode,
		})
		r.stale = w.incremental && !include
		if r.stale {
			r.records.Slice.Release()
			continue
		}
		w.reply.held = append(w.reply.held, r.records)
	}
}

// send replies; nothing of the pending is to be touched after it but by its users.
func (w *pending) send() {
	w.reply.answer.Release = w.calls.sent
	w.req.Reply(wire.Reply{Payload: w.reply.encoder.Encode(w.req.Version, &w.reply.answer)})
}

// sent is called when the answer was written or given up.
func (w *pending) sent() {
	for i := range w.reply.held {
		w.reply.held[i].Slice.Release()
	}
	w.leave(1)
}

func (w *pending) part(k *fetchsession.Key, r *result, held *partition.Records) wire.FetchPartition {
	out := wire.FetchPartition{
		Topic: k.Topic, TopicID: k.TopicID, Partition: k.Partition, ErrorCode: fault.CodeOf(r.err),
		HighWatermark: held.High, LastStable: held.LastStable, LogStart: held.LogStart,
		PreferredReplica: r.preferred,
	}
	if r.err != nil {
		out.HighWatermark, out.LastStable, out.LogStart = kafka.NoOffset, kafka.NoOffset, kafka.NoOffset
		if found := out.ErrorCode; found == kafka.ErrUnknownTopicOrPartition || found == kafka.ErrUnknownTopicId {
			out.Aborted = []wire.AbortedTxn{} // where Kafka never came to the log, the list is empty and not null
		}
		// KIP-951: who leads instead is told from v16 on, where the answer has room for its address too.
		if w.req.Version >= 16 && (out.ErrorCode == kafka.ErrNotLeaderOrFollower || out.ErrorCode == kafka.ErrFencedLeaderEpoch) {
			out.Leader = w.area.partitions.Leader(w.req.Peer.Listener, k.Topic, k.TopicID, k.Partition)
		}
		return out
	}
	if d := held.Diverging; d != nil {
		out.Diverging = &wire.EpochEnd{Epoch: d.Epoch, EndOffset: d.End}
	}
	if w.ask.committed {
		out.Aborted = make([]wire.AbortedTxn, 0, len(held.Aborted))
		for _, t := range held.Aborted {
			out.Aborted = append(out.Aborted, wire.AbortedTxn{ProducerID: t.Producer, FirstOffset: t.First})
		}
	}
	if s := &held.Slice; s.Len > 0 {
		at := len(w.reply.pieces)
		w.reply.pieces = append(w.reply.pieces, wire.Piece{File: s.File, Pos: s.Pos, Len: s.Len})
		out.Records = w.reply.pieces[at : at+1 : at+1]
	}
	return out
}
