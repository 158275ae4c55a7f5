package fetchsession

import (
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// Request is the session part of a Fetch.
type Request struct {
	ID     int32
	Epoch  int32
	ByID   bool // version 13 and later
	Add    []Partition
	Forget []Key
}

// Cache holds the sessions of one broker. Not safe for concurrent use.
type Cache struct {
	slots      int
	evictAfter time.Duration
	byID       map[int32]*Session
	evicted    int64
}

// NewCache makes room for so many sessions (max.incremental.fetch.session.cache.slots); one unused for evict may be
// replaced by a newcomer.
func NewCache(slots int, evict time.Duration) *Cache {
	return &Cache{slots: slots, evictAfter: evict, byID: make(map[int32]*Session)}
}

// Len returns the number of sessions; Evicted counts those replaced so far.
func (c *Cache) Len() int { return len(c.byID) }

// Evicted counts the sessions that made room for others.
func (c *Cache) Evicted() int64 { return c.evicted }

// Open finds or makes the session of a request. incremental tells whether the answer may leave partitions out. newID
// draws ids and is called only when a session is made. Errors: FETCH_SESSION_ID_NOT_FOUND,
// INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR.
func (c *Cache) Open(now kafka.Instant, r Request, newID func() int32) (s *Session, incremental bool, code kafka.ErrorCode) {
	if r.Epoch == FinalEpoch || r.Epoch == InitialEpoch {
		if r.ID != NoSession {
			delete(c.byID, r.ID)
		}
		s = newSession(r.ByID)
		s.update(r)
		if r.Epoch == InitialEpoch && c.room(now, s.Len()) {
			c.admit(now, s, newID)
		}
		return s, false, kafka.ErrNone
	}
	s, ok := c.byID[r.ID]
	switch {
	case !ok:
		return nil, false, kafka.ErrFetchSessionIdNotFound
	case s.epoch != r.Epoch:
		return nil, false, kafka.ErrInvalidFetchSessionEpoch
	case s.byID != r.ByID && s.Len() > 0:
		return nil, false, kafka.ErrFetchSessionTopicIdError
	}
	s.update(r)
	s.lastUsed = now
	s.epoch = nextEpoch(s.epoch)
	if s.Len() == 0 {
		// A session that forgot everything is over; the answer says so by session id 0.
		delete(c.byID, s.id)
		s.id = NoSession
		return s, false, kafka.ErrNone
	}
	return s, true, kafka.ErrNone
}

func (s *Session) update(r Request) {
	for _, p := range r.Add {
		s.put(p)
	}
	for _, k := range r.Forget {
		s.forget(k)
	}
}

func (c *Cache) admit(now kafka.Instant, s *Session, newID func() int32) {
	for s.id = newID(); s.id <= NoSession || c.byID[s.id] != nil; s.id = newID() {
	}
	s.epoch, s.lastUsed, s.created = 1, now, now
	c.byID[s.id] = s
}

// room makes a slot free when it can: of sessions unused for long enough the longest unused goes; failing that, a
// smaller session that had its time (KIP-227's eviction without the privileged class, which only replicas have).
func (c *Cache) room(now kafka.Instant, size int) bool {
	if len(c.byID) < c.slots {
		return true
	}
	var stale, small *Session
	for _, s := range c.byID {
		if now.Since(s.lastUsed) > c.evictAfter && (stale == nil || older(s, stale)) {
			stale = s
		}
		if now.Since(s.created) > c.evictAfter && s.Len() < size && (small == nil || s.Len() < small.Len() || s.Len() == small.Len() && older(s, small)) {
			small = s
		}
	}
	if stale == nil {
		stale = small
	}
	if stale == nil {
		return false
	}
	delete(c.byID, stale.id)
	c.evicted++
	return true
}

// older orders sessions by last use, then by id, so that the choice never depends on map order.
func older(a, b *Session) bool {
	return a.lastUsed.Mono < b.lastUsed.Mono || a.lastUsed.Mono == b.lastUsed.Mono && a.id < b.id
}
