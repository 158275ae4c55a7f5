package upkeep

import (
	"github.com/milena-io/milena/internal/log/clean"
	"github.com/milena-io/milena/internal/partition"
)

// asleep is what the files said of a log that nobody has opened since the start. They don't change, so each is looked at
// once for each policy.
type asleep struct {
	policy clean.Policy
	dirt   clean.Dirt
	due    bool
}

// dirtAsleep judges a log that is not open by its files: after a restart what was dirty is compacted also where nobody reads
// or writes, and of 100,000 logs none is opened for the asking.
func (c *cleaner) dirtAsleep(p *partition.Partition) (d clean.Dirt, due, ok bool, err error) {
	policy, sleeps := partition.Asleep(p)
	v := c.of.o.Storage.Of(p)
	c.mu.Lock()
	known, found := c.asleep[p]
	if !sleeps {
		delete(c.asleep, p)
	}
	c.mu.Unlock()
	switch {
	case !sleeps || v == nil || v.Dir == nil || v.Offline() != nil:
		return d, false, false, nil
	case found && known.policy == policy:
		return known.dirt, known.due, true, nil
	}
	known.policy = policy
	if known.dirt, known.due, err = v.Dir.Dirt(p.Name(), policy); err != nil {
		return d, false, false, err
	}
	c.mu.Lock()
	c.asleep[p] = known
	c.mu.Unlock()
	return known.dirt, known.due, true, nil
}

// awake opens a log that is due by its files and reports whether it is in fact.
func (c *cleaner) awake(p *partition.Partition) bool {
	if err := p.Open(); err != nil {
		c.failed(p, err)
		return false
	}
	_, due, ok, err := partition.Dirt(p)
	if err != nil {
		c.failed(p, err)
	}
	return ok && due
}
