package controller

import (
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/staterecord"
)

// reconsider looks again at partitions whose rules change with the configs just decided: an ISR that is large enough now has
// nobody eligible beside it, since the high watermark will move; a partition without a leader has one where a replica that
// may lack records is allowed; and what goes from the page cache to durable settles first (ADR 0036).
func reconsider(d *decision) error {
	all, some := false, map[string]bool{}
	for _, r := range d.records {
		c, ok := r.(*staterecord.Config)
		if !ok || c.Name != minInSync && c.Name != uncleanElection && c.Name != durability {
			continue
		}
		switch c.ResourceType {
		case staterecord.ResourceTopic:
			some[c.ResourceName] = true
		case staterecord.ResourceBroker:
			all = true
		}
	}
	if !all && len(some) == 0 {
		return nil
	}
	before := topicConfigs{d: d}
	next := *d
	next.img, next.records = d.applied(), nil
	after := topicConfigs{d: &next}
	settle := 0
	visit := func(t *image.Topic) {
		was, is := before.rules(t.Name), after.rules(t.Name)
		if was == is {
			return
		}
		for id, p := range t.Partitions() {
			settling := settlingOf(was, is, p)
			if p.Leader != kafka.NoNode && len(p.ELR()) == 0 && settling == staterecord.SettlingUnchanged {
				continue
			}
			if settling == staterecord.Settles {
				settle++
			}
			c := newChange(t.ID, id, p, is, d.leaders().of(p))
			c.settling, c.rules.durable = settling, c.rules.durable && settling != staterecord.Settles
			d.change(c)
		}
	}
	if all {
		for t := range d.img.Topics() {
			visit(t)
		}
	}
	for _, name := range sortedKeys(some) {
		if t := d.img.TopicNamed(name); t != nil && !all {
			visit(t)
		}
	}
	if settle > maxLeaving {
		return fault.New(op, kafka.ErrPolicyViolation, "%s would change for %d partitions at once, and at most %d can: "+
			"set it for some topics at a time, and for all brokers after them.", durability, settle, maxLeaving)
	}
	return nil
}

// settlingOf says whether a partition begins to settle with other rules, or need not any more.
func settlingOf(was, is rules, p *image.Partition) staterecord.Settling {
	switch {
	case is.durable && !was.durable && !p.Settling:
		return staterecord.Settles
	case !is.durable && p.Settling:
		return staterecord.Settled
	}
	return staterecord.SettlingUnchanged
}

// applied is the image with what is decided so far.
func (d *decision) applied() *image.Image {
	b := d.img.Edit()
	for _, r := range d.records {
		must.OK(b.Apply(r))
	}
	return b.Build(d.img.Position())
}
