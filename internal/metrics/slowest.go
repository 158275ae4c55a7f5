package metrics

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/milena-io/milena/internal/wire"
)

// slowest keeps the slowest requests of one API, of each of the last minutes. A request that is not among them costs two
// atomic loads.
type slowest struct {
	minute atomic.Int64 // of the monotonic clock, that is filled now
	floor  atomic.Int64 // what a request of that minute must exceed, in nanoseconds

	mu    sync.Mutex
	slots [slowMinutes]slowSlot
}

// slowMinutes and slowEach bound what is kept of an API: some 20 kB.
const (
	slowMinutes = 10
	slowEach    = 8
)

type slowSlot struct {
	minute int64
	n      int
	kept   [slowEach]slowRequest
}

// slowRequest is what is shown of a slow request. It holds nothing of the request's memory but its strings.
type slowRequest struct {
	peer                        wire.Peer
	version                     int16
	correlationID               int32
	clientID                    string
	wallMs                      int64
	began                       time.Duration
	timeline                    wire.Timeline
	stages                      stages
	requestBytes, responseBytes int64
}

// offer takes a request that is among the slowest of its minute.
func (s *slowest) offer(r *wire.Request, st *stages, requestBytes, responseBytes int64) {
	minute := int64(st.sent / time.Minute)
	if now := s.minute.Load(); minute < now || minute == now && int64(st.total) <= s.floor.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := &s.slots[minute%slowMinutes]
	if slot.minute > minute {
		return
	}
	if slot.minute != minute || s.minute.Load() != minute {
		if slot.minute != minute {
			slot.minute, slot.n = minute, 0
		}
		s.minute.Store(minute)
		s.floor.Store(slot.floor())
	}
	at := slot.place(st.total)
	if at == nil {
		return
	}
	*at = slowRequest{
		peer: r.Peer, version: r.Version, correlationID: r.CorrelationID, clientID: r.ClientID,
		wallMs: r.Arrived.WallMs, began: r.Arrived.Mono, timeline: r.Timeline, stages: *st,
		requestBytes: requestBytes, responseBytes: responseBytes,
	}
	s.floor.Store(slot.floor())
}

// place finds where a request of the duration goes: a free place, or the quickest one's; nil when all were slower.
func (s *slowSlot) place(total time.Duration) *slowRequest {
	if s.n < slowEach {
		s.n++
		return &s.kept[s.n-1]
	}
	if q := s.quickest(); q.stages.total < total {
		return q
	}
	return nil
}

func (s *slowSlot) quickest() *slowRequest {
	q := &s.kept[0]
	for i := range s.kept {
		if s.kept[i].stages.total < q.stages.total {
			q = &s.kept[i]
		}
	}
	return q
}

// floor is what the next request must exceed: -1 while there is room, as even no time at all exceeds that.
func (s *slowSlot) floor() int64 {
	if s.n < slowEach {
		return -1
	}
	return int64(s.quickest().stages.total)
}

// list returns what is kept of the minutes that are not over for longer than slowMinutes.
func (s *slowest) list(now time.Duration) []slowRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []slowRequest
	for i := range s.slots {
		if slot := &s.slots[i]; int64(now/time.Minute)-slot.minute < slowMinutes {
			out = append(out, slot.kept[:slot.n]...)
		}
	}
	return out
}
