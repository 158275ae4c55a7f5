package storage

import (
	"fmt"
	"strings"

	"github.com/milena-io/milena/internal/fault"
)

// Lose takes a log directory offline because an IO call in it failed (KIP-112). Whoever waits for something in it is told
// at once, the others go on, and the controller hears with a heartbeat. What failed stays offline until the next start,
// even when the disk seems to work again: after a failed sync nobody knows what is on it (S5). Without the directory of the
// metadata log, or without any, the node cannot go on.
func (s *Storage) Lose(v *Volume, err error) {
	if !v.fail(err) {
		return
	}
	kafkaLog, server := s.log("kafka.log"), s.log("kafka.server")
	kafkaLog.Error("Error in log directory "+v.Path, "error", err)
	server.Warn(fmt.Sprintf("Stopping serving replicas in dir %s with uuid %s because the log directory has failed.", v.Path, v.ID()))
	var lost []string
	for _, p := range s.o.Replicas.All() {
		if s.Of(p) == v {
			v.Env.Lose(p, fault.Storage("log directory "+v.Path+" is offline", err))
			lost = append(lost, p.Name().String())
		}
	}
	kafkaLog.Warn(fmt.Sprintf("Logs for partitions %s are offline due to failure on log directory %s", few(lost), v.Path), "partitions", len(lost))
	switch {
	case v == s.Metadata:
		s.o.Life.Fail(fault.Storage("Shutdown broker because the metadata log dir "+v.Path+" has failed", err))
		return
	case len(s.Serving()) == 0:
		var paths []string
		for _, v := range s.Volumes {
			paths = append(paths, v.Path)
		}
		s.o.Life.Fail(fault.Storage("Shutdown broker because all log dirs in "+strings.Join(paths, ", ")+" have failed", err))
		return
	}
	s.moving.lost(v)
	s.Space.leave(v.Path)
	v.release()
	s.o.Controller.Lost(v.ID())
	server.Warn("Stopped serving replicas in dir " + v.Path)
}

// Blame takes a directory offline for an IO call that failed in it; any other error ends the node.
func (s *Storage) Blame(v *Volume, err error) {
	if fault.IsKind(err, fault.Disk) {
		s.Lose(v, err)
		return
	}
	s.o.Life.Fail(err)
}

// few names at most a hundred.
func few(names []string) string {
	const most = 100
	if len(names) > most {
		return strings.Join(names[:most], ",") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ",")
}
