package controller

import (
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/staterecord"
)

// reconsider looks again at partitions whose rules change with the configs just decided: an ISR that is large enough now has
// nobody eligible beside it, since the high watermark will move; a partition without a leader has one where a replica that
// may lack records is allowed; and who became eligible by what was in page caches is none by what is durable.
func reconsider(d *decision) {
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
		return
	}
	before := topicConfigs{d: d}
	next := *d
	next.img, next.records = d.applied(), nil
	after := topicConfigs{d: &next}
	visit := func(t *image.Topic) {
		was, is := before.rules(t.Name), after.rules(t.Name)
		if was == is {
			return
		}
		for id, p := range t.Partitions() {
			if p.Leader != kafka.NoNode && len(p.ELR()) == 0 {
				continue
			}
			c := newChange(t.ID, id, p, is, d.leaders().of(p))
			if is.durable && !was.durable && p.Leader != kafka.NoNode {
				c.forget = true
			}
			d.change(c)
		}
	}
	if all {
		for t := range d.img.Topics() {
			visit(t)
		}
		return
	}
	for _, name := range sortedKeys(some) {
		if t := d.img.TopicNamed(name); t != nil {
			visit(t)
		}
	}
}

// applied is the image with what is decided so far.
func (d *decision) applied() *image.Image {
	b := d.img.Edit()
	for _, r := range d.records {
		must.OK(b.Apply(r))
	}
	return b.Build(d.img.Position())
}
