package controller

import (
	"slices"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
)

// stalls takes a broker's word on which of its log directories hang: a flush there has been under way for longer than
// milena.flush.stall.ms (architecture D5, fault F11). What it leads from there another member of the ISR leads, if one may whose own
// directory does not hang; with the first word of a stall it also leaves, where it follows, the ISRs that are large enough without it, so
// that nobody waits for it. It joins them again when what it has to have is durable. Partitions of page-cache durability wait for no
// flush, and stay as they are.
func (s *session) stalls(d *decision, b *image.Broker, dirs []kafka.DirectoryID) {
	first := slices.ContainsFunc(dirs, func(dir kafka.DirectoryID) bool { return !slices.Contains(s.stalled, dir) })
	if done := giveWay(d, b, dirs, first); done || len(dirs) == 0 {
		s.stalled = dirs
	}
}

// giveWay does what stalls says; it reports whether that was all.
func giveWay(d *decision, b *image.Broker, dirs []kafka.DirectoryID, followers bool) bool {
	if len(dirs) == 0 {
		return true
	}
	left := d.img.Load(b.ID).InSync
	all := len(without(b.LogDirs, dirs...)) == 0
	configs := topicConfigs{d: d}
	for t := range d.img.Topics() {
		for id, p := range t.Partitions() {
			if left == 0 {
				return true
			}
			if !slices.Contains(p.ISR(), b.ID) {
				continue
			}
			left--
			if p.Leader != b.ID && !followers || !all && !slices.Contains(dirs, p.Directory(b.ID)) {
				continue
			}
			if c := withoutHung(d, b.ID, newChange(t.ID, id, p, configs.rules(t.Name), d.leaders().of(p))); c != nil {
				if len(d.records) >= maxLeaving {
					return false // the rest with the next heartbeat
				}
				d.change(c)
			}
		}
	}
	return true
}

// withoutHung makes of a change that it takes a replica whose disk hangs out of the ISR, and gives its leadership to another; nil where
// nobody else could lead, or the others would be too few.
func withoutHung(d *decision, id kafka.NodeID, c *change) *change {
	c.isr = without(c.isr, id)
	if !c.rules.durable && !c.was.Settling { // who settles waits for disks already
		return nil
	}
	if c.was.Leader != id {
		if !c.enough() {
			return nil
		}
		return c
	}
	may := c.acceptable
	c.acceptable = func(n kafka.NodeID) bool {
		return n != id && may(n) && !d.sessions.hangs(n, c.was.Directory(n))
	}
	if !slices.ContainsFunc(c.isr, c.acceptable) {
		return nil
	}
	return c
}

// hangs reports whether a broker has said that one of its log directories hangs.
func (s *sessions) hangs(broker kafka.NodeID, dir kafka.DirectoryID) bool {
	have := s.all[broker]
	return have != nil && slices.Contains(have.stalled, dir)
}
