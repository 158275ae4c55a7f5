package crash

import (
	"strings"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// tellWalk does whatever the seed says, over several lives, the last of which is explored.
func tellWalk(s *Story) error {
	return walk(s, small())
}

// tellCompactedWalk is the same over a log that is compacted, and whose keys come again.
func tellCompactedWalk(s *Story) error {
	c := compacted()
	c.Keep.Delete = s.Rand.IntN(3) == 0
	return walk(s, c)
}

func walk(s *Story, c log.Config) error {
	r := s.Rand
	c.Roll.SegmentBytes = int64(300 + r.IntN(900))
	c.Roll.Preallocate = r.IntN(3) == 0
	c.Roll.IndexIntervalBytes = int64(r.IntN(300))
	c.Keep.RetentionBytes = int64(500 + r.IntN(3000))
	h, l, err := begin(s, c, r.IntN(4))
	if err != nil {
		return err
	}
	w := &walker{Host: h, l: l, txns: map[kafka.ProducerID]bool{}}
	for range r.IntN(3) {
		for range r.IntN(25) {
			if err := w.step(); err != nil {
				return err
			}
		}
		if err := h.Crash(); err != nil {
			return err
		}
	}
	for range 4 + r.IntN(12) {
		if err := w.step(); err != nil {
			return err
		}
	}
	return nil
}

// walker is a host that takes random steps with one log.
type walker struct {
	*Host
	l     *Log
	txns  map[kafka.ProducerID]bool
	topic byte
}

func (w *walker) step() error {
	r, l := w.story.Rand, w.l
	w.story.Now.WallMs += int64(r.IntN(50))
	m := l.model()
	switch p := r.IntN(100); {
	case p < 55:
		return w.append()
	case p < 65:
		return l.Flush()
	case p < 68:
		return l.Fly()
	case p < 70:
		l.Land()
		return nil
	case p < 74:
		return w.Checkpoint()
	case p < 78:
		return l.Retain()
	case p < 82:
		return l.DeleteRecords(m.start + kafka.Offset(r.Int64N(int64(max(m.durable-m.start, 0))+1)))
	case p < 88:
		return w.truncate()
	case p < 90:
		err := l.Restart(l.log.Offsets().End + kafka.Offset(r.IntN(5)))
		l.epoch /= 2 // the leader's records may be older than those that went
		return err
	case p < 92:
		return steps(w.CloseClean, w.Start)
	case p < 95:
		w.RemoveDeleted()
	case p < 97:
		return w.replace()
	case l.tenant.config.Accept.Compacted:
		return steps(l.Flush, l.Compact) // the copy that it is tried on has everything durable
	}
	return nil
}

// replace deletes the topic and makes another of its name.
func (w *walker) replace() (err error) {
	if err := w.l.Delete(); err != nil {
		return err
	}
	w.topic++
	w.l, err = w.Open(w.l.tenant.partition, kafka.TopicID{2, w.topic}, w.l.tenant.config)
	return err
}

func (w *walker) truncate() error {
	o := w.l.log.Offsets()
	to := o.LogStart + kafka.Offset(w.story.Rand.Int64N(int64(o.End-o.LogStart)+1))
	if w.story.Rand.IntN(3) > 0 {
		to = max(to, o.End-4)
	}
	cleaned := w.l.tenant.cleaned
	to = max(to, cleaned[len(cleaned)-1]) // what is compacted was committed, and is not truncated
	if to >= o.End || w.l.model().boundary(to) < o.LogStart {
		return nil
	}
	w.l.flight = nil // it says nothing any more
	return w.l.Truncate(to)
}

// append writes a batch of one of four producers, two of them transactional, or of none.
func (w *walker) append() error {
	r := w.story.Rand
	if r.IntN(20) == 0 {
		w.l.epoch++
	}
	from := Sender{ID: kafka.ProducerID(r.IntN(6))}
	if from.ID >= 4 {
		from = noSender
	}
	if from.Txn = from.ID >= 2; from.Txn && r.IntN(3) == 0 && w.l.Open(from) {
		return w.l.End(from, r.IntN(2) == 0)
	}
	values := make([]string, 1+r.IntN(3))
	for i := range values {
		values[i] = strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(60))
	}
	if !w.l.tenant.config.Accept.Compacted {
		return w.l.Append(from, values...)
	}
	all := make([]keyed, len(values))
	for i, v := range values {
		if all[i].key = string(rune('a' + r.IntN(6))); r.IntN(5) > 0 {
			all[i].value = []byte(v)
		}
	}
	return w.l.Put(from, all...)
}
