package records

import (
	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/kafka"
)

// contents finds K1, a record that is not what was sent (torn, mixed, altered, or of another key), K7's offset with two
// contents, and K8, a record past the bound up to which its reader may read.
func (x *index) contents() {
	senders := map[uint64]int32{} // built when a value without a sender turns up
	type spot struct {
		key int32
		off kafka.Offset
	}
	kept := map[spot]int32{} // reads of records whose sender's checksum is unknown
	for i := range x.reads {
		r := &x.reads[i]
		v := &x.values[r.value]
		key := x.keys[r.key].key
		switch {
		case r.pair.Torn:
			x.tally.Add("K1 payload", history.Always, x.story(v.writer, r.op), "%s read a torn or mixed payload at offset %d of %v; its first bytes say %s",
				x.did(r.op), r.pair.Off, key, x.name(r.value))
		case v.writer == none:
			x.stranger(senders, r)
		case x.sent[v.sent].send.CRC != 0 && x.sent[v.sent].send.CRC != r.pair.CRC:
			x.tally.Add("K1 payload", history.Always, x.story(v.writer, r.op), "%s read %s at offset %d of %v with another key, header or timestamp than was sent (sum %08x, sent %08x)",
				x.did(r.op), x.name(r.value), r.pair.Off, key, r.pair.CRC, x.sent[v.sent].send.CRC)
		case x.sent[v.sent].send.CRC == 0:
			at := spot{r.key, r.pair.Off}
			if other, ok := kept[at]; !ok {
				kept[at] = int32(i)
			} else if o := &x.reads[other]; o.value == r.value && o.pair.CRC != r.pair.CRC {
				x.tally.Add("K7 reuse", history.Always, x.story(o.op, r.op), "offset %d of %v held %s with sum %08x, and later with %08x",
					r.pair.Off, key, x.name(r.value), o.pair.CRC, r.pair.CRC)
			}
		}
		x.bound(r)
	}
}

// stranger tells of a value that nobody sent to the key it was read from.
func (x *index) stranger(senders map[uint64]int32, r *read) {
	if len(senders) == 0 {
		for i := range x.sent {
			senders[x.sent[i].send.V] = int32(i)
		}
	}
	key := x.keys[r.key].key
	if s, ok := senders[x.values[r.value].v]; ok {
		x.tally.Add("K1 payload", history.Always, x.story(x.sent[s].op, r.op), "%s read %s at offset %d of %v, and it was sent to %v",
			x.did(r.op), x.name(r.value), r.pair.Off, key, x.sent[s].send.Key)
		return
	}
	x.tally.Add("K1 payload", history.Always, x.story(r.op), "%s read %s at offset %d of %v, and nobody sent it", x.did(r.op), x.name(r.value), r.pair.Off, key)
}

// bound is K8 for one read.
func (x *index) bound(r *read) {
	limit, what := r.poll.High, "high watermark"
	if x.ops[r.op].Committed && r.poll.Stable >= 0 {
		limit, what = r.poll.Stable, "last stable offset"
	}
	if limit >= 0 && r.pair.Off >= limit {
		x.tally.Add("K8 fetch-bound", history.Always, x.story(r.op), "%s was given offset %d of %v, and the %s is %d", x.did(r.op), r.pair.Off, x.keys[r.key].key, what, limit)
	}
}

// breaks finds internal-error: what no fault explains.
func (x *index) breaks() {
	for i := range x.ops {
		o := &x.ops[i]
		if o.F == history.DoBreak || o.Code == kafka.ErrUnknownServerError {
			note := o.Note
			if note == "" {
				note = o.Code.String()
			}
			x.tally.Add("internal-error", history.Always, x.story(int32(i)), "%s: %s", x.did(int32(i)), note)
		}
	}
}

// repeats counts values that one process polled more than once in transactions that were committed, under subscribe: 0 where
// a read-process-write loop is exactly once.
func (x *index) repeats() {
	type one struct {
		process int
		value   int32
	}
	seen := map[one]int32{}
	subscribed := map[int]bool{}
	for i := range x.ops {
		o := &x.ops[i]
		switch o.F {
		case history.DoSubscribe:
			subscribed[o.Process] = o.Kind == history.Ok
		case history.DoAssign, history.DoCrash:
			delete(subscribed, o.Process)
		}
		if o.F != history.DoTxn || o.Kind != history.Ok || !subscribed[o.Process] {
			continue
		}
		for _, r := range x.polled(int32(i)) {
			at := one{o.Process, r.value}
			if before, ok := seen[at]; ok {
				x.tally.Add("consume-counts", history.Report, x.story(before, r.op), "process %d consumed %s of %v twice in committed transactions",
					o.Process, x.name(r.value), x.keys[r.key].key)
			}
			seen[at] = r.op
		}
	}
}
