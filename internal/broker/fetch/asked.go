package fetch

import (
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/fetchsession"
	"github.com/milena-io/milena/internal/wire"
)

// names keeps topic names of requests as strings, so that the next request of the same topic allocates none. It forgets
// all of them when there are many, since anybody can ask for anything.
type names map[string]string

const mostNames = 10_000

func (n *names) of(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := (*n)[string(b)]; ok {
		return s
	}
	if *n == nil || len(*n) >= mostNames {
		*n = names{}
	}
	s := string(b)
	(*n)[s] = s
	return s
}

// open learns from the request and its session which partitions are to be read. The request's bytes are not kept.
func (w *pending) open(in *wire.FetchRequest) kafka.ErrorCode {
	f, r := w.area, &w.asked
	r.ID, r.Epoch, r.ByID, r.Follower = in.SessionID, in.SessionEpoch, w.ask.byID, w.from.replica != kafka.NoNode
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.limits.RackAware {
		w.from.rack = f.names.of(in.Rack)
	}
	for p := range in.All {
		r.Add = append(r.Add, fetchsession.Partition{
			Key:         fetchsession.Key{TopicID: p.TopicID, Topic: f.names.of(p.Topic), Partition: p.Partition},
			FetchOffset: p.FetchOffset, LogStartOffset: p.LogStart, MaxBytes: p.MaxBytes,
			CurrentEpoch: p.CurrentEpoch, LastFetchedEpoch: p.LastFetchedEpoch, HighWatermark: p.HighWatermark,
			Durable: p.Durable,
		})
	}
	for p := range in.Forget {
		r.Forget = append(r.Forget, fetchsession.Key{TopicID: p.TopicID, Topic: f.names.of(p.Topic), Partition: p.Partition})
	}
	if r.Epoch == fetchsession.FinalEpoch && distinct(r.Add) {
		f.sessions.End(r.ID) // no session need be made to be forgotten at once
		f.charge()
		w.partitions = append(w.partitions, r.Add...)
		return kafka.ErrNone
	}
	var code kafka.ErrorCode
	w.session, w.incremental, code = f.sessions.Open(f.world.Now(), r, f.sessionID)
	f.charge()
	if code == kafka.ErrNone {
		w.sessionID = w.session.ID()
		if w.ask.report = w.ask.report && w.incremental; w.ask.report {
			w.partitions = append(w.partitions, r.Add...) // of the others there is nothing to tell
			return code
		}
		w.partitions = w.session.AppendTo(w.partitions)
	}
	return code
}

// charge settles with the budget for what sessions take. Called with the mutex held.
func (f *Fetches) charge() {
	if now := f.sessions.Bytes(); now != f.charged {
		f.budget.Take(now - f.charged)
		f.charged = now
	}
}

// distinct reports whether no partition is named twice, for few partitions; of many it doesn't know.
func distinct(list []fetchsession.Partition) bool {
	const few = 32
	if len(list) > few {
		return false
	}
	for i := range list {
		for j := range i {
			if list[i].Key == list[j].Key {
				return false
			}
		}
	}
	return true
}
