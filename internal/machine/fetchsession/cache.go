package fetchsession

import (
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// Request is the session part of a Fetch.
type Request struct {
	ID    int32
	Epoch int32
	ByID  bool // version 13 and later
	// Follower says that a broker replicates: a session of KIP-227's privileged class.
	Follower bool
	Add      []Partition
	Forget   []Key
}

// Cache holds the sessions of one broker. Not safe for concurrent use.
type Cache struct {
	slots      int
	most       int // partitions of all sessions
	evictAfter time.Duration
	byID       map[int32]*Session
	partitions int // of the sessions in byID
	evicted    int64
}

// NewCache makes room for so many sessions (max.incremental.fetch.session.cache.slots) with so many partitions in all; one
// unused for evict may be replaced by a newcomer.
func NewCache(slots, partitions int, evict time.Duration) *Cache {
	return &Cache{slots: slots, most: partitions, evictAfter: evict, byID: make(map[int32]*Session)}
}

// Bytes returns the memory that the sessions take.
func (c *Cache) Bytes() int64 { return int64(c.partitions) * PartitionBytes }

// Len returns the number of sessions; Evicted counts those replaced so far.
func (c *Cache) Len() int { return len(c.byID) }

// Evicted counts the sessions that made room for others.
func (c *Cache) Evicted() int64 { return c.evicted }

// Open finds or makes the session of a request. incremental tells whether the answer may leave partitions out. newID
// draws ids and is called only when a session is made; there is none for want of a slot or of memory. Errors: FETCH_SESSION_ID_NOT_FOUND,
// INVALID_FETCH_SESSION_EPOCH, FETCH_SESSION_TOPIC_ID_ERROR.
func (c *Cache) Open(now kafka.Instant, r *Request, newID func() int32) (s *Session, incremental bool, code kafka.ErrorCode) {
	if r.Epoch == FinalEpoch || r.Epoch == InitialEpoch {
		c.End(r.ID)
		s = newSession(r.ByID)
		s.follower = r.Follower
		s.update(r)
		if r.Epoch == InitialEpoch && c.room(now, s) {
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
	before := s.Len()
	s.update(r)
	c.partitions += s.Len() - before
	s.lastUsed = now
	s.epoch = nextEpoch(s.epoch)
	if s.Len() == 0 {
		// A session that forgot everything is over; the answer says so by session id 0.
		c.drop(s)
		s.id = NoSession
		return s, false, kafka.ErrNone
	}
	if c.partitions > c.most && s.Len() > before {
		// There is no memory for what it has grown by: the client asks for everything again, and gets no session.
		c.drop(s)
		return nil, false, kafka.ErrFetchSessionIdNotFound
	}
	return s, true, kafka.ErrNone
}

// End ends a session if it is there.
func (c *Cache) End(id int32) { c.drop(c.byID[id]) }

// drop ends a session; nil is none.
func (c *Cache) drop(s *Session) {
	if s != nil {
		delete(c.byID, s.id)
		c.partitions -= s.Len()
	}
}

func (s *Session) update(r *Request) {
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
	c.partitions += s.Len()
}

// room makes room for a session of so many partitions when it can: of sessions unused for long enough the longest unused
// goes; failing that, a smaller session that had its time, which a follower's loses to followers only (KIP-227). Where memory
// is what lacks, the one that goes must free enough of it.
func (c *Cache) room(now kafka.Instant, newcomer *Session) bool {
	size := newcomer.Len()
	over := c.partitions + size - c.most
	if len(c.byID) < c.slots && over <= 0 {
		return true
	}
	var stale, small *Session
	for _, s := range c.byID {
		if s.Len() < over {
			continue
		}
		if now.Since(s.lastUsed) > c.evictAfter && (stale == nil || older(s, stale)) {
			stale = s
		}
		if (newcomer.follower || !s.follower) && now.Since(s.created) > c.evictAfter && s.Len() < size && (small == nil || s.Len() < small.Len() || s.Len() == small.Len() && older(s, small)) {
			small = s
		}
	}
	if stale == nil {
		stale = small
	}
	if stale == nil {
		return false
	}
	c.drop(stale)
	c.evicted++
	return true
}

// older orders sessions by last use, then by id, so that the choice never depends on map order.
func older(a, b *Session) bool {
	return a.lastUsed.Mono < b.lastUsed.Mono || a.lastUsed.Mono == b.lastUsed.Mono && a.id < b.id
}
