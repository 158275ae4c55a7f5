package coordinator

import (
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// confirms are replies that tell what is committed, or who is in which generation, and need not write anything by which a coordinator
// would learn that it has a successor (G2, G3). Before such a one leaves, those who may have succeeded us are asked, once for all replies that are there by then.
type confirms struct {
	waiting []unconfirmed // in the order they came
	asked   int           // for how many of them, the first, the question under way is
	under   bool          // one is, or is to be asked again after a pause
}

type unconfirmed struct {
	body  any
	since time.Duration
	done  func(any, error)
}

// confirmPause is between a question that was not answered and the next: those who may have succeeded us may be fewer by then.
const confirmPause = 50 * time.Millisecond

// confirmed has a reply wait until it is confirmed.
func (s *shard) confirmed(done func(any, error)) func(any, error) {
	return func(body any, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		s.mu.Lock()
		if s.phase == resigned {
			s.mu.Unlock()
			done(nil, notCoordinator(s.partition))
			return
		}
		s.confirms.waiting = append(s.confirms.waiting, unconfirmed{body, s.env.World.Now().Mono, done})
		under := s.confirms.under
		s.confirms.under = true
		s.mu.Unlock()
		if !under {
			s.confirm()
		}
	}
}

// confirm asks for those who wait.
func (s *shard) confirm() {
	s.mu.Lock()
	s.confirms.asked = len(s.confirms.waiting)
	none := s.confirms.asked == 0
	if none {
		s.confirms.under = false
	}
	s.mu.Unlock()
	if !none {
		s.log.Confirm(s.epoch, s.told)
	}
}

// told hears what became of the question: the replies leave, or whoever asked looks for the successor. Where nobody can tell, it is asked
// again for as long as a commit would wait.
func (s *shard) told(err error) {
	s.mu.Lock()
	c := &s.confirms
	n, pause := min(c.asked, len(c.waiting)), time.Duration(0)
	switch fault.CodeOf(err) {
	case kafka.ErrNone:
	case kafka.ErrFencedLeaderEpoch, kafka.ErrNotLeaderOrFollower:
		n, err = len(c.waiting), notCoordinator(s.partition)
	default:
		pause = confirmPause
		since := s.env.World.Now().Mono - s.env.CommitTimeout
		for n = 0; n < len(c.waiting) && c.waiting[n].since <= since; n++ {
		}
		err = fault.New("coordinator", kafka.ErrCoordinatorNotAvailable, "nobody tells whether %s-%d has another leader: %v", kafka.OffsetsTopic, s.partition, err)
	}
	leave := c.take(n)
	s.mu.Unlock()
	for _, u := range leave {
		u.answer(err)
	}
	if pause > 0 {
		s.env.World.After(pause, s.confirm)
		return
	}
	s.confirm()
}

// take takes the first ones out.
func (c *confirms) take(n int) []unconfirmed {
	out := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	return out
}

func (u unconfirmed) answer(err error) {
	if err != nil {
		u.done(nil, err)
		return
	}
	u.done(u.body, nil)
}
