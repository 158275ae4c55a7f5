package node

import (
	"github.com/milena-io/milena/internal/broker/cluster"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/staterecord"
)

// description is the node as the handlers of broker/cluster see it.
type description struct{ *Node }

// LogDirs describes the log directory.
func (n description) LogDirs() []cluster.LogDir {
	dirs := n.volumes()
	d := &dirs[0]
	for _, p := range n.replicas.all() {
		d.Logs = append(d.Logs, cluster.LogSize{Partition: p.Name(), Bytes: n.replicas.standing(p).Bytes})
	}
	return dirs
}

// volumes describes the log directory without the logs in it.
func (n description) volumes() []cluster.LogDir {
	d := cluster.LogDir{Path: n.storage.dir.Path(), ID: n.storage.meta.DirectoryID}
	var err error
	if d.TotalBytes, d.FreeBytes, err = n.o.FS.Usage(d.Path); err != nil {
		d.TotalBytes, d.FreeBytes = -1, -1
	}
	if err := n.Failed(); fault.IsKind(err, fault.Disk) {
		d.Err = err
	}
	return []cluster.LogDir{d}
}

// Features lists the features that this node supports.
func (n description) Features() []staterecord.FeatureRange { return cluster.Supported() }

// Quorum tells how the metadata quorum stands.
func (n description) Quorum() cluster.QuorumState {
	d := n.quorum.Describe()
	return cluster.QuorumState{
		Leader: d.Leader, Epoch: d.Epoch, HighWatermark: d.HighWatermark, Leading: d.Leading,
		Voters: quorumReplicas(d.Voters), Observers: quorumReplicas(d.Observers),
	}
}

func quorumReplicas(in []quorum.Replica) []cluster.QuorumReplica {
	var out []cluster.QuorumReplica
	for _, r := range in {
		q := cluster.QuorumReplica{
			ID: r.ID, Directory: r.Directory, End: r.LogEnd, LastFetchMs: r.LastFetchMs, LastCaughtUpMs: r.LastCaughtUpMs,
		}
		for _, e := range r.Endpoints {
			q.Endpoints = append(q.Endpoints, staterecord.Endpoint{Name: e.Name, Host: e.Host, Port: e.Port})
		}
		out = append(out, q)
	}
	return out
}
