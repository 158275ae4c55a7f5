package cli

import (
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// stampBytes is what a stamp takes of the front of a value.
const stampBytes = 16

// stamps mark records with the moment when they were due, so that readers in this process, by the same clock, know how
// long each was on its way. What others wrote into the topic isn't taken for a record of this run.
type stamps struct {
	run   uint64
	began time.Time
	acked atomic.Int64 // records whose acknowledgement came; a reader at the tail has to see as many
}

func newStamps() *stamps { return &stamps{run: rand.Uint64(), began: time.Now()} }

// mark returns a value of the same size with a stamp at its front.
func (s *stamps) mark(value []byte, due time.Time) []byte {
	out := append(make([]byte, 0, len(value)), value...)
	binary.BigEndian.PutUint64(out, s.run)
	binary.BigEndian.PutUint64(out[8:], uint64(due.Sub(s.began)))
	return out
}

// due reads the stamp; false when the value isn't of this run.
func (s *stamps) due(value []byte) (time.Time, bool) {
	if len(value) < stampBytes || binary.BigEndian.Uint64(value) != s.run {
		return time.Time{}, false
	}
	return s.began.Add(time.Duration(binary.BigEndian.Uint64(value[8:]))), true
}
