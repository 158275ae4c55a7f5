package quorum

import (
	"errors"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// guarded runs a step of the actor and the Raft library after it. The library panics when its storage cannot give it an
// entry (v3.7.0, log.go), for it knows no other way to end. The storage has noted why: then the quorum gives up as for any
// failure of its disk, and the library is never asked again. Every other panic is a bug and goes on.
func (q *Quorum) guarded(step func()) {
	defer func() {
		why := q.engine.store.unread
		if why == nil || q.err != nil {
			return
		}
		if r := recover(); r != nil {
			if err, ok := r.(error); !ok || !errors.Is(err, why) {
				panic(r)
			}
		}
		q.fail(q.unreadable(why))
	}()
	step()
	q.engine.pump()
}

// unreadable says what an operator can do about a metadata log that cannot be read.
func (q *Quorum) unreadable(why error) error {
	e := &fault.Error{Op: "quorum.read", Kind: fault.Disk, Code: kafka.ErrKafkaStorageError, Cause: why}
	e.Message = "the metadata log in " + q.o.Dir + " cannot be read; `milena log verify " + q.o.Dir + "` tells what is damaged. " +
		"Put the directory back from a copy, or let a new voter take this one's place: the other voters have its records"
	if fault.IsKind(why, fault.Corrupt) {
		e.Kind, e.Code = fault.Corrupt, kafka.ErrCorruptMessage
	}
	return e
}
