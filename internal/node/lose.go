package node

import (
	"fmt"
	"strings"

	"github.com/milena-io/milena/internal/fault"
)

// lose takes a log directory offline because an IO call in it failed (KIP-112). Whoever waits for something in it is told
// at once, the others go on, and the controller hears with a heartbeat. What failed stays offline until the next start,
// even when the disk seems to work again: after a failed sync nobody knows what is on it (S5). Without the directory of the
// metadata log, or without any, the node cannot go on.
func (n *Node) lose(v *volume, err error) {
	if !v.fail(err) {
		return
	}
	s := &n.storage
	kafkaLog, server := n.log("kafka.log"), n.log("kafka.server")
	kafkaLog.Error("Error in log directory "+v.path, "error", err)
	server.Warn(fmt.Sprintf("Stopping serving replicas in dir %s with uuid %s because the log directory has failed.", v.path, v.id()))
	var lost []string
	for _, p := range n.replicas.all() {
		if s.of(p) == v {
			v.env.Lose(p, fault.Storage("log directory "+v.path+" is offline", err))
			lost = append(lost, p.Name().String())
		}
	}
	kafkaLog.Warn(fmt.Sprintf("Logs for partitions %s are offline due to failure on log directory %s", few(lost), v.path), "partitions", len(lost))
	switch {
	case v == s.metadata:
		n.fail(fault.Storage("Shutdown broker because the metadata log dir "+v.path+" has failed", err))
		return
	case len(s.serving()) == 0:
		var paths []string
		for _, v := range s.volumes {
			paths = append(paths, v.path)
		}
		n.fail(fault.Storage("Shutdown broker because all log dirs in "+strings.Join(paths, ", ")+" have failed", err))
		return
	}
	s.moving.lost(v)
	s.space.leave(v.path)
	v.release()
	n.session.lost(v.id())
	server.Warn("Stopped serving replicas in dir " + v.path)
}

// few names at most a hundred.
func few(names []string) string {
	const most = 100
	if len(names) > most {
		return strings.Join(names[:most], ",") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ",")
}
