package node

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/partition"
)

// drainTime is how long connections may take to finish what was under way when the node stops.
const drainTime = 5 * time.Second

// Stop ends the node cleanly: nobody new is let in, what is in flight is answered, every log is closed, and a marker
// says so to the next start. done is called once, with why the end was not clean if it was not.
func (n *Node) Stop(done func(error)) {
	n.mu.Lock()
	failed, again := n.failed, n.stopping
	n.stopping = true
	for _, t := range n.replicas.chores {
		t.Stop()
	}
	n.mu.Unlock()
	switch {
	case again:
		done(failed)
		return
	case failed != nil:
		n.giveBack(func() { done(failed) })
		return
	}
	n.areas.fetch.Close()
	n.groups.Close()
	n.o.World.Go(func() {
		n.edge.close(drainTime)
		n.session.end(func() {
			n.closePartitions(func(c map[*volume]*closed) { n.finish(c, done) })
		})
	})
}

// giveBack ends a node that cannot go on: nothing of it can be closed cleanly, and the ports and the directory are free for
// another.
func (n *Node) giveBack(done func()) {
	n.areas.fetch.Close()
	n.groups.Close()
	n.o.World.Go(func() {
		n.edge.close(0)
		n.session.quit()
		n.feed.Stop()
		n.quorum.Close()
		n.storage.space.abandon()
		n.releaseDirs()
		done()
	})
}

// closed is how the partitions of one directory ended.
type closed struct {
	recovery, high checkpoint.Offsets
	whole          disk.Volume   // nil where there is no such thing
	targets        []disk.Syncer // that make what the logs wrote durable
	err            error
}

// closePartitions closes every log and tells how, by directory, when the last one is closed. What a directory holds that
// has failed is left as it is. The logs of a directory are closed a few at a time, and what they write is synced together
// (ADR 0014).
func (n *Node) closePartitions(done func(map[*volume]*closed)) {
	out := map[*volume]*closed{}
	for _, v := range n.storage.all() {
		c := &closed{recovery: checkpoint.Offsets{}, high: checkpoint.Offsets{}}
		if v.offline() == nil {
			c.whole = disk.OpenVolume(n.o.FS, v.path)
		}
		out[v] = c
	}
	all := slices.DeleteFunc(n.replicas.all(), func(p *partition.Partition) bool { return n.storage.of(p).offline() != nil })
	if len(all) == 0 {
		done(out)
		return
	}
	var mu sync.Mutex
	left := len(all)
	for _, p := range all {
		into := out[n.storage.of(p)]
		p.Stop(func(c partition.Closed) {
			mu.Lock()
			switch {
			case c.Err != nil:
				into.err = errors.Join(into.err, c.Err)
			case c.Opened:
				into.recovery[p.Name()], into.high[p.Name()] = c.Recovery, c.High
				into.targets = append(into.targets, c.Targets...)
			}
			left--
			last := left == 0
			mu.Unlock()
			if last {
				n.closedCopies(out)
				done(out)
			}
		})
	}
}

// closedCopies adds what became of the copies of replicas that were on their way to another directory.
func (n *Node) closedCopies(out map[*volume]*closed) {
	for v, c := range out {
		ends, err := n.storage.moving.closed(v)
		maps.Copy(c.recovery, ends)
		c.err = errors.Join(c.err, err)
	}
}

// finish ends the quorum and seals the directories once nothing is being flushed any more.
func (n *Node) finish(c map[*volume]*closed, done func(error)) {
	n.feed.Stop()
	n.quorum.Close()
	n.replicas.news.flush()
	n.storage.space.release()
	n.sealNext(n.storage.all(), c, nil, done)
}

// sealNext seals one directory after the other.
func (n *Node) sealNext(left []*volume, c map[*volume]*closed, failed error, done func(error)) {
	if len(left) == 0 {
		done(failed)
		return
	}
	v := left[0]
	at := c[v]
	next := func(err error) {
		if at.whole != nil {
			_ = at.whole.Close() // it was only read
		}
		n.sealNext(left[1:], c, errors.Join(failed, err), done)
	}
	if v.offline() != nil {
		next(nil)
		return
	}
	if v == n.storage.metadata {
		// The last flush of it is over when the flush service is idle.
		v.flusher.Flush(nil, func(error) {
			n.closeMetadata(at)
			n.settle(v, at, next)
		})
		return
	}
	n.settle(v, at, next)
}

// closeMetadata closes the metadata log.
func (n *Node) closeMetadata(c *closed) {
	targets, err := log.Finish(n.storage.log)
	c.targets, c.err = append(c.targets, targets...), errors.Join(c.err, err)
	o := n.storage.log.Offsets()
	c.recovery[metadataPartition], c.high[metadataPartition] = o.End, o.End
}

// settle syncs what the logs of a directory wrote when they were closed, and then seals it.
func (n *Node) settle(v *volume, c *closed, done func(error)) {
	if c.err != nil {
		c.targets = nil // it will not count as closed cleanly
	}
	v.flusher.Settle(c.whole, c.targets, func(err error) {
		c.err = errors.Join(c.err, err)
		done(n.seal(v, c))
	})
}

// seal marks a directory as cleanly closed, when every log in it is.
func (n *Node) seal(v *volume, c *closed) error {
	err := c.err
	if err == nil {
		err = v.dir.CloseClean(n.session.brokerEpoch(), c.recovery, c.high)
	}
	if err != nil {
		v.release()
	}
	return err
}

// Failed returns why the node cannot go on, nil while it can.
func (n *Node) Failed() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.failed
}
