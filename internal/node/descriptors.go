package node

import "time"

// A process may have so many files open, and a laptop's limit is often 1024. They are shared out, so that many connections
// keep no log from being written and many logs no checkpoint: three eighths for files of logs, half for connections, and
// what is left for checkpoints, names that are synced, and files being read that rest with nobody.

// fileShare is how many files of logs may be kept open or wait to be durable.
func fileShare(descriptors int) int { return descriptors / 8 * 3 }

// connectionShare is how many connections there may be; max.connections may allow fewer.
func connectionShare(descriptors int) int { return descriptors / 2 }

// holdEvery is how often it is looked whether too many files wait to be durable.
const holdEvery = 250 * time.Millisecond

// easeHolds flushes all logs when half of the files that logs may have open wait to be durable: under page-cache durability
// nobody else does, and clients that need one more would be refused.
func (n *Node) easeHolds() error {
	if n.storage.shared.Handles.Crowded(2) {
		for _, p := range n.replicas.all() {
			p.FlushOld(true)
		}
	}
	return nil
}
