package node

import (
	"errors"
	"sync"
	"time"

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
			n.closePartitions(func(c closed) { n.finish(c, done) })
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
		_ = n.storage.dir.Release()
		done()
	})
}

// closed is how the partitions ended.
type closed struct {
	recovery, high checkpoint.Offsets
	unopened       int
	err            error
}

// closePartitions closes every log and tells how when the last one is closed.
func (n *Node) closePartitions(done func(closed)) {
	all := n.replicas.all()
	out := closed{recovery: checkpoint.Offsets{}, high: checkpoint.Offsets{}}
	if len(all) == 0 {
		done(out)
		return
	}
	var mu sync.Mutex
	left := len(all)
	for _, p := range all {
		p.Stop(func(c partition.Closed) {
			mu.Lock()
			switch {
			case c.Err != nil:
				out.err = errors.Join(out.err, c.Err)
			case c.Opened:
				out.recovery[p.Name()], out.high[p.Name()] = c.Recovery, c.High
			default:
				out.unopened++
			}
			left--
			last := left == 0
			mu.Unlock()
			if last {
				done(out)
			}
		})
	}
}

// finish ends the quorum and seals the directory once nothing is being flushed any more.
func (n *Node) finish(c closed, done func(error)) {
	n.feed.Stop()
	n.quorum.Close()
	n.replicas.news.flush()
	n.storage.flusher.Flush(nil, func(error) { done(n.seal(c)) })
}

// seal closes the metadata log and marks the directory as cleanly closed: only when every log in it is, those included
// that an unclean start left to recover and nobody opened.
func (n *Node) seal(c closed) error {
	n.storage.space.release()
	err := errors.Join(c.err, n.storage.log.Close(n.o.World.Now()))
	if err == nil {
		o := n.storage.log.Offsets()
		c.recovery[metadataPartition] = o.End
		c.high[metadataPartition] = o.End
	}
	clean, _ := n.storage.dir.Clean()
	if err != nil || !clean && c.unopened > 0 {
		return errors.Join(err, n.storage.dir.Release())
	}
	return n.storage.dir.CloseClean(n.session.brokerEpoch(), c.recovery, c.high)
}

// Failed returns why the node cannot go on, nil while it can.
func (n *Node) Failed() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.failed
}
